// The compressed way up: what a MediaRecorder gives is heard, until the candidate leaves.

import { approved, state as interviewState, transcript } from './lib/platform.mjs';
import { check, eventually, facts, run } from './lib/report.mjs';
import { close, launch, open, profile, shot } from './lib/browser.mjs';
import { by, converse, myTurn, state, walkIn } from './lib/candidate.mjs';
import { contrast } from './lib/contrast.mjs';
import { heard } from './lib/voice.mjs';

await run(async () => {
  await launch();
  const { id, joinUrl } = await approved({ minutes: 2 });
  const page = await open(await profile({ dark: true }));
  await walkIn(page, `${joinUrl}&audio=webm`);
  const said = await converse(page, ['I have worked with databases and payment services for six years.']);
  check(said === 1, 'the candidate answered');
  await eventually('Maya replies', async () => ['THINKING', 'SPEAKING'].includes(await state(page)), 20_000);
  await eventually('the words are in the captions', () => page.evaluate(() => window.__maya.turns.some((turn) => turn.speaker === 'CANDIDATE' && turn.final && /database|payment|services|years/i.test(turn.text))), 10_000);
  await shot(page, 'wide-dark-live');

  const { sent } = page.wire;
  check(sent[0]?.type === 'CONSENT' && sent[0].recording === false, 'no consent to a recording is sent as that');
  const start = sent.find((m) => m.streaming === 'start');
  check(start?.encoding === 'WEBM_OPUS' && start.sampleRate === 48_000, 'the stream is WebM', start?.encoding);
  const first = sent.find((m) => m.streaming === 'chunk' && m.data);
  check(Buffer.from(first.data, 'base64')[0] === 0x1a, 'its first byte is WebM\'s');

  // "I have finished answering" ends the stream; the next words open a new one
  await myTurn(page, 1, 30_000);
  const before = sent.length;
  await by(page, 'done').click();
  await eventually('done ends the stream', () => sent.slice(before).some((m) => m.streaming === 'end'));

  await by(page, 'leave').click();
  await shot(page, 'wide-dark-leave');
  await by(page, 'leave-confirm').click();
  await by(page, 'end-title').waitFor({ timeout: 10_000 });
  await shot(page, 'wide-dark-left');
  check(sent.some((m) => m.type === 'LEAVE'), 'LEAVE is sent');
  await eventually('leaving early is an abandoned interview', async () => /ABANDONED|ASSESS/.test(await interviewState(id)), 20_000);
  facts.transcript = (await transcript(id)).filter((turn) => turn.speaker === 'CANDIDATE').map((turn) => turn.text).join(' ');
  const found = heard(facts.transcript, ['worked', 'databases', 'payment', 'services', 'six', 'years']);
  check(found.length >= 3, 'the transcript has the main words', found);
  await contrast(page, 'the candidate\'s page, dark');
}, close);
