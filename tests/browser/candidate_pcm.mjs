// A whole interview on the candidate's page, PCM up, real voices both ways, until Maya closes it.

import { approved, candidate, state as interviewState, transcript } from './lib/platform.mjs';
import { check, eventually, facts, run, until } from './lib/report.mjs';
import { close, launch, NARROW, noSidewaysScroll, open, profile, shot, WIDE } from './lib/browser.mjs';
import { by, converse, loudest, state, visible, walkIn, watch } from './lib/candidate.mjs';
import { contrast } from './lib/contrast.mjs';
import { heard } from './lib/voice.mjs';

const ANSWERS = [
  'I have worked with databases and payment services for six years.',
  'We had a slow report in our database, so I added an index on the account column.',
  'I always test a migration on a copy of production first.',
  'I learned to measure first, because my first guess is often wrong.',
  'That is all from my side. Thank you for the conversation.',
];

const WORDS = ['worked', 'payment', 'services', 'six', 'years', 'slow', 'report', 'index', 'account']; // of the first two answers

await run(async () => {
  await launch();
  const { id, joinUrl } = await approved({ minutes: 1 });
  const page = await open(await profile());
  await walkIn(page, joinUrl, { name: 'wide' });
  const welcome = await page.evaluate(() => document.querySelector('[data-screen=welcome]').textContent);
  check(['Welcome, Rosalind', 'Backend Engineer', 'About 1 minute'].every((words) => welcome.includes(words)), 'the page greets by name and says for what and how long', welcome.replace(/\s+/g, ' ').trim().slice(0, 160));
  await watch(page);
  const joined = performance.now();
  await until('Maya to greet', async () => ['GREETING', 'SPEAKING'].includes(await state(page)), 30_000);
  await until('her voice', () => page.evaluate(() => window.__maya.rms() > 0.01), 30_000);
  facts.joinToVoiceMs = Math.round(performance.now() - joined);
  await until('her first words', () => page.evaluate(() => window.__maya.turns.length > 0), 10_000);
  await shot(page, 'wide-5-speaking');

  const said = await converse(page, ANSWERS, async (turn) => {
    if (turn === 0) {
      await shot(page, 'wide-6-listening');
      await noSidewaysScroll(page, 'live');
    }
    if (turn === 1) {
      await shot(page, 'wide-7-captions');
      await page.setViewportSize(NARROW);
      await eventually('the newest words stay in sight on a narrow screen', () => page.evaluate(() => { const s = document.getElementById('captions-scroller'); return s.scrollHeight - s.scrollTop - s.clientHeight < 4; }), 1_000);
      await shot(page, 'narrow-7-captions');
      await noSidewaysScroll(page, 'live, narrow');
      await page.setViewportSize(WIDE);
    }
  });
  await by(page, 'end-title').waitFor({ timeout: 90_000 });
  facts.answers = said;
  facts.seconds = Math.round((performance.now() - joined) / 1000);
  check(said >= 2, 'the candidate answered at least twice', said);
  await shot(page, 'wide-8-end');
  check((await by(page, 'end-title').innerText()).includes(candidate.split(' ')[0]) && (await by(page, 'end-title').getAttribute('data-reason')) !== 'FAILED', 'the end screen thanks the candidate');

  const speaking = await loudest(page, ['GREETING', 'SPEAKING', 'CLOSING']);
  const listening = await loudest(page, ['LISTENING'], 300);
  facts.rms = { speaking: speaking.peak, listening: listening.peak };
  check(speaking.peak > 0.02, 'Maya is heard while she speaks', speaking);
  check(listening.count > 20 && listening.peak < 0.001, 'the output is silent while she listens', listening);

  const turns = await page.evaluate(() => window.__maya.turns);
  const mine = turns.filter((turn) => turn.speaker === 'CANDIDATE').map((turn) => turn.text).join(' ');
  check(turns.filter((turn) => turn.speaker === 'MAYA' && turn.text).length >= 3, 'captions of Maya', turns.filter((turn) => turn.speaker === 'MAYA').map((turn) => turn.text));
  check(heard(mine, WORDS).length >= 6, 'captions of the candidate', mine);
  check(page.wire.received.some((m) => m.type === 'TRANSCRIPT' && !m.final) && page.wire.received.some((m) => m.type === 'TRANSCRIPT' && m.final), 'interim and final words came');

  const { sent } = page.wire;
  check(sent[0]?.type === 'CONSENT' && sent[0].recording === false, 'consent is sent first, to no recording');
  const start = sent.find((m) => m.streaming === 'start');
  check(start?.encoding === 'LINEAR16' && start.sampleRate === 16_000, 'the stream is PCM', start?.encoding);
  const marks = sent.filter((m) => m.type === 'PLAYBACK');
  check(marks.length > 3, 'what was heard is marked', marks.length);

  const written = (await transcript(id)).filter((turn) => turn.speaker === 'CANDIDATE').map((turn) => turn.text).join(' ');
  facts.transcript = written;
  const found = heard(written, WORDS);
  check(found.length >= 6, 'the transcript has the main words', found);
  await eventually('the interview is completed and assessed', async () => /COMPLETED|ASSESS/.test(await interviewState(id)), 20_000);
  await page.setViewportSize(NARROW);
  await shot(page, 'narrow-8-end');
  await noSidewaysScroll(page, 'end');
  check(await visible(page, 'end-title'), 'the end screen stays');

  await page.reload();
  await eventually('the link of a held interview says that it has ended', () => page.evaluate(() => document.getElementById('error-title').dataset.code === 'ended'));
  await shot(page, 'narrow-problem-ended');
  await noSidewaysScroll(page, 'ended');
  await contrast(page, 'the candidate\'s page, light');
}, close);
