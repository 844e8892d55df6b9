// A whole interview with the compressed way up: what a MediaRecorder gives is heard, until Maya closes it.

import { approved } from './lib/platform.mjs';
import { check, eventually, run } from './lib/report.mjs';
import { close, launch, open, pictures, profile } from './lib/browser.mjs';
import { announced, ANSWERS, by, captions, hold, kept, levels, walkIn } from './lib/candidate.mjs';
import { contrast } from './lib/contrast.mjs';

// a recorder has no memory: the first words after "done" are lost, as the stream begins with them
const LINES = ANSWERS.with(1, `Well, let me think about that. ${ANSWERS[1]}`);

await run(async () => {
  await launch();
  const { id, joinUrl } = await approved({ minutes: 1 });
  const page = await open(await profile({ dark: true }));
  await walkIn(page, `${joinUrl}&audio=webm`);
  const { sent } = page.wire;

  // "I have finished answering" ends the stream; the next words open a new one
  let opened = false;
  const onTurn = async (turn) => {
    if (turn !== 1) return;
    await pictures(page, 'dark-live');
    const before = sent.length;
    await by(page, 'done').click();
    await eventually('done ends the stream', () => sent.slice(before).some((m) => m.streaming === 'end'));
    const waiting = sent.length;
    opened = eventually('the next words open a new one', () => sent.slice(waiting).some((m) => m.streaming === 'start'), 5_000);
  };
  await hold(page, LINES, { onTurn });
  await pictures(page, 'dark-end');
  check(await opened, 'after done Maya hears again');
  await levels(page);
  await captions(page);
  announced(page, 'WEBM_OPUS', 48_000);
  const first = sent.flatMap((m, at) => (m.streaming === 'start' ? sent.slice(at).find((next) => next.streaming === 'chunk') ?? [] : []));
  check(first.length >= 2 && first.every((m) => Buffer.from(m.data, 'base64')[0] === 0x1a), 'the first byte of each stream is WebM\'s', first.length);
  await kept(id);
  await contrast(page, 'the candidate\'s page, dark');
}, close);
