// A whole interview on the candidate's page, PCM up, real voices both ways, until Maya closes it.

import { approved } from './lib/platform.mjs';
import { check, eventually, run } from './lib/report.mjs';
import { close, launch, NARROW, noSidewaysScroll, open, profile, shot, WIDE } from './lib/browser.mjs';
import { announced, ANSWERS, by, captions, hold, kept, levels, problem, visible, walkIn } from './lib/candidate.mjs';
import { contrast } from './lib/contrast.mjs';

await run(async () => {
  await launch();
  const { id, joinUrl } = await approved({ minutes: 1 });
  const page = await open(await profile());
  await walkIn(page, joinUrl, { name: 'wide' });
  const welcome = await page.evaluate(() => document.querySelector('[data-screen=welcome]').textContent);
  check(['Welcome, Rosalind', 'Backend Engineer', 'About 1 minute'].every((words) => welcome.includes(words)), 'the page greets by name and says for what and how long', welcome.replace(/\s+/g, ' ').trim().slice(0, 160));

  const onVoice = () => shot(page, 'wide-5-speaking');
  const onTurn = async (turn) => {
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
  };
  await hold(page, ANSWERS, { onVoice, onTurn });
  await shot(page, 'wide-8-end');
  await levels(page);
  await captions(page);
  announced(page, 'LINEAR16', 16_000);
  const marks = page.wire.sent.filter((m) => m.type === 'PLAYBACK');
  check(marks.length > 3, 'what was heard is marked', marks.length);

  await kept(id);
  await page.setViewportSize(NARROW);
  await shot(page, 'narrow-8-end');
  await noSidewaysScroll(page, 'end');
  check(await visible(page, 'end-title'), 'the end screen stays');

  await page.reload();
  await eventually('the link of a held interview says that it has ended', async () => (await problem(page)) === 'ended');
  await shot(page, 'narrow-problem-ended');
  await noSidewaysScroll(page, 'ended');
  await contrast(page, 'the candidate\'s page, light');
}, close);
