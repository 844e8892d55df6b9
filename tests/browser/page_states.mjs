// What can come between a candidate and the interview, what a second tab and a reload do, and the page by keyboard alone.

import { approved, cancel } from './lib/platform.mjs';
import { check, eventually, run, until } from './lib/report.mjs';
import { close, launch, NARROW, noSidewaysScroll, open, profile, shot, WIDE } from './lib/browser.mjs';
import { by, state, visible, walkIn } from './lib/candidate.mjs';

const problem = (page) => page.evaluate(() => document.getElementById('error-title').dataset.code ?? null);
const joined = (page) => until('the join', async () => ['WAITING', 'GREETING', 'SPEAKING', 'LISTENING'].includes(await state(page)), 20_000);

/** A problem screen, wide and narrow. */
async function problemScreen(page, code) {
  await by(page, 'error-title').waitFor();
  check((await problem(page)) === code, `the page says: ${code}`, await problem(page));
  check((await by(page, 'error-body').innerText()).length > 40, `and what to do about it: ${code}`);
  await shot(page, `wide-problem-${code}`);
  await page.setViewportSize(NARROW);
  await shot(page, `narrow-problem-${code}`);
  await noSidewaysScroll(page, code);
  await page.setViewportSize(WIDE);
}

async function deniedMicrophone(joinUrl) {
  const context = await profile({ microphone: 'denied' });
  const page = await open(context);
  await page.goto(joinUrl);
  await by(page, 'continue').click();
  await by(page, 'consent-no').click();
  await problemScreen(page, 'mic_denied');
  check(await visible(page, 'retry'), 'the microphone can be tried again');
  await context.close();
}

async function invalidLinks(joinUrl) {
  const context = await profile();
  const page = await open(context, { expected: /401|400/ });
  const url = new URL(joinUrl);
  url.searchParams.set('token', `${url.searchParams.get('token').slice(0, -6)}AAAAAA`);
  await page.goto(url.href);
  await problemScreen(page, 'invalid_link');
  await page.goto(joinUrl.split('&')[0]);
  await by(page, 'error-title').waitFor();
  check((await problem(page)) === 'invalid_link', 'half a link is an invalid link');
  await context.close();
}

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
  await shot(first, 'narrow-problem-replaced');
  await noSidewaysScroll(first, 'replaced');
  check((await state(second)) !== null && !(await visible(second, 'error-title')), 'the second tab goes on');
  return second;
}

async function reload(page) {
  await until('Maya\'s first words', () => page.evaluate(() => window.__maya.turns.length > 0), 20_000);
  await page.reload();
  await by(page, 'continue').waitFor();
  check((await by(page, 'continue').innerText()).includes('Rejoin'), 'a reload offers to go straight back in');
  await shot(page, 'wide-rejoin');
  await by(page, 'continue').click();
  await page.waitForFunction(() => !document.getElementById('mic-ok').disabled);
  await by(page, 'mic-ok').click();
  await by(page, 'join').click();
  await joined(page);
  await eventually('Maya goes on after the reload', () => page.evaluate(() => window.__maya.turns.length > 0 || window.__maya.state === 'LISTENING'), 20_000);
  check(page.wire.sent.filter((m) => m.type === 'CONSENT').every((m) => m.recording === false), 'the choice about the recording was kept');
}

async function lostNetwork(context, page) {
  const before = page.wire.sent.length;
  await context.setOffline(true);
  await eventually('a lost network is said', () => page.evaluate(() => document.getElementById('state').dataset.state === 'RECONNECTING'), 5_000);
  await shot(page, 'wide-reconnecting');
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
  await shot(page, 'wide-cancelled');
  const context = await profile();
  const late = await open(context, { expected: /401/ });
  await late.goto(joinUrl);
  await problemScreen(late, 'withdrawn');
  await context.close();
}

await run(async () => {
  await launch();
  const { id, joinUrl } = await approved({ minutes: 2 });
  await deniedMicrophone(joinUrl);
  await invalidLinks(joinUrl);
  const { context, page } = await byKeyboard(joinUrl);
  const second = await secondTab(context, page, joinUrl);
  await reload(second);
  await lostNetwork(context, second);
  await withdrawnLink(id, second, joinUrl);
}, close);
