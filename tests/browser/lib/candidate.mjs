// A candidate at the page: walks in, listens, answers aloud when it is their turn.

import { check, until } from './report.mjs';
import { noSidewaysScroll, shot } from './browser.mjs';
import { spoken } from './voice.mjs';

export const by = (page, id) => page.getByTestId(id);
export const state = (page) => page.evaluate(() => window.__maya?.state ?? null);
export const visible = (page, id) => by(page, id).isVisible();

/** From the link to the press on Join. With `name`, a picture and a look at the width of each screen on the way. */
export async function walkIn(page, joinUrl, { name } = {}) {
  const seen = async (screen) => {
    if (!name) return;
    await shot(page, `${name}-${screen}`);
    await noSidewaysScroll(page, screen);
  };
  await page.goto(joinUrl);
  await by(page, 'continue').waitFor();
  await seen('1-welcome');
  await by(page, 'continue').click();
  await seen('2-consent');
  check(!(await visible(page, 'consent-yes')), 'nobody is asked for a recording that is not made');
  await by(page, 'consent-no').click();
  await microphone(page);
  await seen('3-microphone');
  await by(page, 'mic-ok').click();
  await seen('4-ready');
  await by(page, 'join').click();
}

async function microphone(page) {
  await page.waitForFunction(() => !document.getElementById('mic-ok').disabled);
  if (await page.evaluate(() => !window.__say)) return;
  await say(page, 'Hello, this is a test.');
  check(await page.evaluate(() => document.getElementById('mic-status').dataset.heard) === 'yes', 'the microphone check hears the voice');
}

export async function say(page, text) {
  const wav = await spoken(text);
  return page.evaluate((sound) => window.__say(sound), wav);
}

/** Begins to note, every 40 ms, what Maya does and how loud the page's output is. */
export async function watch(page) {
  await page.evaluate(() => {
    window.__heard = [];
    setInterval(() => window.__heard.push({ at: performance.now(), state: window.__maya.state, rms: window.__maya.rms() }), 40);
  });
}

/** The loudest output while Maya was in one of `states`; the first `settle` ms of each such stretch are left out. */
export async function loudest(page, states, settle = 0) {
  return page.evaluate(([wanted, skip]) => {
    let since = 0;
    let before = null;
    let peak = 0;
    let count = 0;
    for (const { at, state, rms } of window.__heard) {
      if (state !== before) since = at;
      before = state;
      if (!wanted.includes(state) || at - since < skip) continue;
      peak = Math.max(peak, rms);
      count += 1;
    }
    return { peak, count };
  }, [states, settle]);
}

const turnsOfMaya = (page) => page.evaluate(() => window.__maya.turns.filter((turn) => turn.speaker === 'MAYA').length);

/** Waits until Maya has said something new and listens; false when the interview has ended instead. */
export async function myTurn(page, after, ms = 60_000) {
  return until('Maya to listen', async () => {
    if (await visible(page, 'end-title')) return 'ended';
    return (await state(page)) === 'LISTENING' && (await turnsOfMaya(page)) > after ? 'mine' : null;
  }, ms).then((how) => how === 'mine');
}

/** Answers, line by line, until the lines or the interview are at an end. `onTurn(n)` runs before each answer. */
export async function converse(page, lines, onTurn = async () => {}) {
  let heard = 0;
  let said = 0;
  while (said < lines.length && (await myTurn(page, heard))) {
    heard = await turnsOfMaya(page);
    await onTurn(said);
    await say(page, lines[said]);
    said += 1;
  }
  return said;
}
