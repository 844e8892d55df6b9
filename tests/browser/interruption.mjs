// Speaking over Maya: she is cleared, and the page falls silent at once.

import { approved, cancel } from './lib/platform.mjs';
import { check, eventually, facts, run, until } from './lib/report.mjs';
import { close, launch, open, profile, shot } from './lib/browser.mjs';
import { say, state, walkIn, watch } from './lib/candidate.mjs';

await run(async () => {
  await launch();
  const { id, joinUrl } = await approved({ minutes: 2 });
  const page = await open(await profile());
  await walkIn(page, joinUrl);
  await watch(page);
  await until('her voice', () => page.evaluate(() => window.__maya.rms() > 0.02), 30_000);
  await until('a second of it', () => page.wire.sent.some((m) => m.type === 'PLAYBACK' && m.playedMs >= 1_000), 15_000);
  const began = performance.now();
  const saying = say(page, 'Sorry to interrupt you, could you tell me first how long this will take today?');
  const clear = await until('AGENT_CLEAR', () => page.wire.received.find((m) => m.type === 'AGENT_CLEAR' && m.at >= began), 8_000);
  facts.speechToClearMs = Math.round(clear.at - began);
  await eventually('the output falls silent', () => page.evaluate(() => window.__maya.rms() < 0.001), 1_000);
  facts.speechToSilenceMs = Math.round(performance.now() - began);
  check(facts.speechToSilenceMs < 3_000, 'within three seconds of the first syllable, on a busy machine', facts.speechToSilenceMs);
  await shot(page, 'wide-interrupted');
  const cut = await page.evaluate(() => window.__maya.turns.find((turn) => turn.speaker === 'MAYA'));
  check(cut.final, 'the caption of the cut turn is closed', cut.text);
  check(!/Goodbye/.test(cut.text), 'and says only what was heard');
  const silent = await page.evaluate(() => window.__maya.rms());
  check(silent < 0.001, 'it stays silent', silent);
  await saying;
  await eventually('what was said over her is written', () => page.wire.received.some((m) => m.type === 'TRANSCRIPT' && m.final && /how long|interrupt|take|today/i.test(m.text)), 20_000);
  await eventually('Maya answers', async () => ['SPEAKING'].includes(await state(page)), 20_000);
  await eventually('and is heard again', () => page.evaluate(() => window.__maya.rms() > 0.02), 10_000);
  await cancel(id);
}, close);
