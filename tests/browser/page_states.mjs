// What may happen to a candidate who is in: a second tab, a reload, a lost network, a microphone that is muted, the end of the
// link. The way in is by keyboard alone.

import { approved, cancel } from './lib/platform.mjs';
import { check, eventually, run, until } from './lib/report.mjs';
import { close, launch, NARROW, noSidewaysScroll, open, pictures, profile, shot, WIDE } from './lib/browser.mjs';
import { by, myTurn, problem, problemScreen, say, state, visible, walkIn } from './lib/candidate.mjs';

const joined = (page) => until('the join', async () => ['WAITING', 'GREETING', 'SPEAKING', 'LISTENING'].includes(await state(page)), 20_000);

const muteNotice = (page) => page.locator('[data-notice=mic_muted]').isVisible();

/** Tab and Enter only; every stop must be visible. */
async function byKeyboard(joinUrl) {
  const context = await profile({ viewport: NARROW });
  const page = await open(context);
  await page.goto(joinUrl);
  await by(page, 'continue').waitFor();
  await noSidewaysScroll(page, 'welcome');
  await shot(page, 'narrow-1-welcome');
  const press = async (id) => {
    for (let i = 0; i < 12; i++) {
      if (await page.evaluate((wanted) => document.activeElement?.id === wanted, id)) {
        await page.keyboard.press('Enter');
        return;
      }
      await page.keyboard.press('Tab');
    }
    throw new Error(`the keyboard does not reach ${id}`);
  };
  await press('continue');
  await by(page, 'consent-no').waitFor();
  await noSidewaysScroll(page, 'consent');
  await shot(page, 'narrow-2-consent');
  await press('consent-no');
  await page.waitForFunction(() => !document.getElementById('mic-ok').disabled);
  await noSidewaysScroll(page, 'microphone');
  await shot(page, 'narrow-3-microphone');
  await press('mic-ok');
  await by(page, 'join').waitFor();
  await noSidewaysScroll(page, 'ready');
  await shot(page, 'narrow-4-ready');
  await press('join');
  await joined(page);
  check(true, 'the keyboard alone joins');
  check(await page.evaluate(() => window.__maya.player.running), 'and a key press lets the sound out');
  await noSidewaysScroll(page, 'live');
  await shot(page, 'narrow-5-live');
  return { context, page };
}

async function secondTab(context, first, joinUrl) {
  const second = await open(context, { expected: /ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED/ }); // its network is cut later on
  await second.setViewportSize(WIDE);
  await walkIn(second, joinUrl);
  await joined(second);
  await eventually('the first tab says that the interview is elsewhere', async () => (await problem(first)) === 'replaced', 10_000);
  await problemScreen(first, 'replaced');
  check((await state(second)) !== null && !(await visible(second, 'error-title')), 'the second tab goes on');
  return second;
}

async function reload(page) {
  await until('Maya\'s first words', () => page.evaluate(() => window.__maya.turns.length > 0), 20_000);
  await page.reload();
  await by(page, 'continue').waitFor();
  check((await by(page, 'continue').innerText()).includes('Rejoin'), 'a reload offers to go straight back in');
  await pictures(page, 'rejoin');
  await by(page, 'continue').click();
  await page.waitForFunction(() => !document.getElementById('mic-ok').disabled);
  await page.evaluate(() => window.__mute(true)); // a switch on the headset
  await by(page, 'mic-ok').click();
  await by(page, 'join').click();
  await joined(page);
  await eventually('a microphone that the system had muted before the join is told', () => muteNotice(page));
  await eventually('Maya goes on after the reload', () => page.evaluate(() => window.__maya.turns.length > 0 || window.__maya.state === 'LISTENING'), 20_000);
  check(page.wire.sent.filter((m) => m.type === 'CONSENT').every((m) => m.recording === false), 'the choice about the recording was kept');
}

async function mutedBySystem(page) {
  const switched = (muted) => page.evaluate((on) => window.__mute(on), muted);
  await switched(false);
  await eventually('switched on, the notice goes', async () => !(await muteNotice(page)));
  await switched(true);
  await eventually('a microphone that the system mutes is told', () => muteNotice(page));
  await pictures(page, 'muted-by-system');
  await switched(false);
  await eventually('and the notice goes again', async () => !(await muteNotice(page)));
}

async function muted(page) {
  const { sent, received } = page.wire;
  const title = () => page.locator('#state-title').innerText();
  check(await myTurn(page, 0), 'Maya listens');
  const before = sent.length;
  await by(page, 'mute').click();
  const ended = () => sent.findIndex((m, at) => at >= before && m.streaming === 'end');
  await until('the end of the stream', () => ended() >= 0);
  const end = ended();
  await eventually('the page says that the candidate is muted', async () => (await title()) === 'You are muted', 30_000); // Maya may speak first
  check((await by(page, 'mute').innerText()).includes('Unmute'), 'and offers the way back');
  await pictures(page, 'muted');
  await say(page, 'Nobody is told about the yellow giraffe in our garden.');
  check(!sent.slice(end + 1).some((m) => m.type === 'AUDIO'), 'nothing is sent while muted');
  await by(page, 'mute').click();
  await eventually('unmuted, a new stream begins', () => sent.slice(end + 1).find((m) => m.type === 'AUDIO')?.streaming === 'start');
  check((await title()) !== 'You are muted', 'and the page no longer says so');
  check(await myTurn(page, 0), 'Maya listens again');
  await say(page, 'I keep every migration small and easy to undo.');
  await eventually('what is said then is heard', () => received.some((m) => m.type === 'TRANSCRIPT' && /migration|small|easy|undo/i.test(m.text)), 20_000);
  check(!received.some((m) => m.type === 'TRANSCRIPT' && /yellow|giraffe|garden/i.test(m.text)), 'and nothing of what was said while muted');
}

async function lostNetwork(context, page) {
  const before = page.wire.sent.length;
  await context.setOffline(true);
  await eventually('a lost network is said', () => page.evaluate(() => document.getElementById('state').dataset.state === 'RECONNECTING'), 5_000);
  await pictures(page, 'reconnecting');
  await context.setOffline(false);
  await eventually('the page comes back by itself', () => page.evaluate(() => document.getElementById('state').dataset.state !== 'RECONNECTING' && window.__maya.session.connection.isOpen), 15_000);
  await eventually('consent first, then the stream anew', () => {
    const sent = page.wire.sent.slice(before).filter((m) => m.type !== 'PLAYBACK');
    const at = sent.findLastIndex((m) => m.type === 'CONSENT');
    return at >= 0 && sent[at + 1]?.streaming === 'start';
  });
  await eventually('and Maya is there', async () => ['GREETING', 'SPEAKING', 'LISTENING', 'THINKING'].includes(await state(page)));
}

async function withdrawnLink(id, page, joinUrl) {
  await cancel(id);
  await eventually('the end reaches the page', () => visible(page, 'end-title'), 15_000);
  await pictures(page, 'cancelled');
  const context = await profile();
  const late = await open(context, { expected: /401/ });
  await late.goto(joinUrl);
  await problemScreen(late, 'withdrawn');
  await context.close();
}

await run(async () => {
  await launch();
  const { id, joinUrl } = await approved({ minutes: 3 });
  const { context, page } = await byKeyboard(joinUrl);
  const second = await secondTab(context, page, joinUrl);
  await reload(second);
  await mutedBySystem(second);
  await lostNetwork(context, second);
  await muted(second);
  await withdrawnLink(id, second, joinUrl);
}, close);
