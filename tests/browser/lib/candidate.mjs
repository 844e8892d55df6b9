// A candidate at the page: walks in, listens, answers aloud when it is their turn; and what must be true of what they met.

import { candidate, state as interviewState, transcript } from './platform.mjs';
import { check, eventually, facts, until } from './report.mjs';
import { noSidewaysScroll, pictures, shot } from './browser.mjs';
import { heard, spoken } from './voice.mjs';

export const ANSWERS = [
  'I have worked with databases and payment services for six years.',
  'We had a slow report in our database, so I added an index on the account column.',
  'I always test a migration on a copy of production first.',
  'I learned to measure first, because my first guess is often wrong.',
  'That is all from my side. Thank you for the conversation.',
];

const WORDS = ['worked', 'payment', 'services', 'six', 'years', 'slow', 'report', 'index', 'account']; // of the first two answers

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

/** A whole interview, from the press on Join until Maya has closed it. `onVoice()` runs when she is first heard. */
export async function hold(page, lines, { onVoice = async () => {}, onTurn } = {}) {
  await watch(page);
  const joined = performance.now();
  await until('Maya to greet', async () => ['GREETING', 'SPEAKING'].includes(await state(page)), 30_000);
  await until('her voice', () => page.evaluate(() => window.__maya.rms() > 0.01), 30_000);
  facts.joinToVoiceMs = Math.round(performance.now() - joined);
  await until('her first words', () => page.evaluate(() => window.__maya.turns.length > 0), 10_000);
  await onVoice();
  facts.answers = await converse(page, lines, onTurn);
  await by(page, 'end-title').waitFor({ timeout: 90_000 });
  facts.seconds = Math.round((performance.now() - joined) / 1000);
  check(facts.answers >= 2, 'the candidate answered at least twice', facts.answers);
  check((await by(page, 'end-title').innerText()).includes(candidate.split(' ')[0]) && (await by(page, 'end-title').getAttribute('data-reason')) !== 'FAILED', 'the end screen thanks the candidate');
}

/** How loud the page was, as `watch` noted it. */
export async function levels(page) {
  const speaking = await loudest(page, ['GREETING', 'SPEAKING', 'CLOSING']);
  const listening = await loudest(page, ['LISTENING'], 300);
  facts.rms = { speaking: speaking.peak, listening: listening.peak };
  check(speaking.peak > 0.02, 'Maya is heard while she speaks', speaking);
  check(listening.count > 20 && listening.peak < 0.001, 'the output is silent while she listens', listening);
}

/** The captions of both, after ANSWERS. */
export async function captions(page) {
  const turns = await page.evaluate(() => window.__maya.turns);
  const mine = turns.filter((turn) => turn.speaker === 'CANDIDATE').map((turn) => turn.text).join(' ');
  check(turns.filter((turn) => turn.speaker === 'MAYA' && turn.text).length >= 3, 'captions of Maya', turns.filter((turn) => turn.speaker === 'MAYA').map((turn) => turn.text));
  check(heard(mine, WORDS).length >= 6, 'captions of the candidate', mine);
  check(page.wire.received.some((m) => m.type === 'TRANSCRIPT' && !m.final) && page.wire.received.some((m) => m.type === 'TRANSCRIPT' && m.final), 'interim and final words came');
}

/** What the page sent first: the choice about a recording, then a stream of this kind. */
export function announced(page, encoding, sampleRate) {
  const { sent } = page.wire;
  check(sent[0]?.type === 'CONSENT' && sent[0].recording === false, 'consent is sent first, to no recording');
  const start = sent.find((m) => m.streaming === 'start');
  check(start?.encoding === encoding && start.sampleRate === sampleRate, `the stream is ${encoding}`, start?.encoding);
}

/** What is kept of an interview with ANSWERS, and that it goes on to its assessment. */
export async function kept(id) {
  facts.transcript = (await transcript(id)).filter((turn) => turn.speaker === 'CANDIDATE').map((turn) => turn.text).join(' ');
  const found = heard(facts.transcript, WORDS);
  check(found.length >= 6, 'the transcript has the main words', found);
  await eventually('the interview is completed and assessed', async () => /COMPLETED|ASSESS/.test(await interviewState(id)), 20_000);
}

export const problem = (page) => page.evaluate(() => document.getElementById('error-title').dataset.code ?? null);

/** A problem screen, wide and narrow. */
export async function problemScreen(page, code) {
  await by(page, 'error-title').waitFor();
  check((await problem(page)) === code, `the page says: ${code}`, await problem(page));
  check((await by(page, 'error-body').innerText()).length > 40, `and what to do about it: ${code}`);
  await pictures(page, `problem-${code}`);
}
