// Leaving: asked once more, then an abandoned interview of which what was said is kept.

import { approved, state as interviewState, transcript } from './lib/platform.mjs';
import { check, eventually, facts, run } from './lib/report.mjs';
import { close, launch, open, pictures, profile } from './lib/browser.mjs';
import { ANSWERS, by, converse, problem, visible, walkIn } from './lib/candidate.mjs';
import { heard } from './lib/voice.mjs';

await run(async () => {
  await launch();
  const { id, joinUrl } = await approved({ minutes: 2 });
  const page = await open(await profile({ dark: true }));
  await walkIn(page, `${joinUrl}&audio=webm`); // its recorder must be stopped first
  check((await converse(page, ANSWERS.slice(0, 1))) === 1, 'the candidate answered');
  await eventually('the words are in the captions', () => page.evaluate(() => window.__maya.turns.some((turn) => turn.speaker === 'CANDIDATE' && turn.final && /database|payment|services|years/i.test(turn.text))), 20_000);

  const left = () => page.wire.sent.some((m) => m.type === 'LEAVE');
  await by(page, 'leave').click();
  await pictures(page, 'dark-leave');
  await by(page, 'leave-stay').click();
  check(!(await visible(page, 'leave-confirm')) && !left(), 'whoever stays has not left');
  await by(page, 'leave').click();
  await by(page, 'leave-confirm').click();
  await by(page, 'end-title').waitFor({ timeout: 10_000 });
  check(left(), 'LEAVE is sent');
  check((await page.locator('#end-words').innerText()).includes('You have left'), 'the end screen says so');
  await pictures(page, 'dark-left');

  await eventually('leaving early is an abandoned interview', async () => /ABANDONED|ASSESS/.test(await interviewState(id)), 20_000);
  facts.transcript = (await transcript(id)).filter((turn) => turn.speaker === 'CANDIDATE').map((turn) => turn.text).join(' ');
  const found = heard(facts.transcript, ['worked', 'databases', 'payment', 'services', 'six', 'years']);
  check(found.length >= 3, 'the transcript has the main words', found);
  await page.reload();
  await eventually('nobody comes back to it', async () => (await problem(page)) === 'ended');
}, close);
