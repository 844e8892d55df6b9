// The operators' dashboard beside a live interview: sees the actors, and nothing of the person.

import { adminKey, approved, audit, cancel, candidate, gateway, operatorKey } from './lib/platform.mjs';
import { check, eventually, facts, run, until } from './lib/report.mjs';
import { close, launch, NARROW, noSidewaysScroll, open, profile, shot } from './lib/browser.mjs';
import { by, state, walkIn } from './lib/candidate.mjs';
import { contrast } from './lib/contrast.mjs';

const rows = (page) => page.evaluate(() => window.__dashboard.rows.map(({ item, depth }) => ({ id: item.id, kind: item.actor.kind, depth, interview: item.session?.interviewId ?? null })));

await run(async () => {
  await launch();
  const { id, sessionId, joinUrl } = await approved({ minutes: 2 });
  const interview = await open(await profile());
  await walkIn(interview, joinUrl);
  await until('Maya to speak', async () => ['GREETING', 'SPEAKING', 'LISTENING'].includes(await state(interview)), 30_000);

  const page = await open(await profile({ dark: true, microphone: 'none' }), { expected: /403/ });
  await page.goto(`${gateway}/dashboard`);
  await by(page, 'api-key').waitFor();
  await shot(page, 'wide-dashboard-1-sign-in');
  await by(page, 'api-key').fill(adminKey);
  await by(page, 'sign-in').click();
  await by(page, 'sign-in-error').waitFor();
  check((await by(page, 'sign-in-error').innerText()).includes('OPERATOR'), 'an ADMIN key is refused in words');
  await shot(page, 'wide-dashboard-2-refused');

  // as `maya up` prints it: the key in the fragment
  await page.goto('about:blank');
  await page.goto(`${gateway}/dashboard#key=${operatorKey()}`);
  await eventually('the live interview is in the tree', async () => (await rows(page)).some((row) => row.interview === id), 15_000);
  check(!page.url().includes('key='), 'the key is taken out of the address');
  await eventually('the stream is live', async () => (await by(page, 'pulse').getAttribute('data-live')) === 'live');

  // open the session by keyboard: its children are its helpers
  await by(page, 'search').fill(id);
  await until('one session', async () => (await rows(page)).filter((row) => row.interview).length === 1);
  await by(page, 'grid').focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowRight');
  await eventually('the session opens', async () => (await rows(page)).some((row) => row.kind === 'speech_to_text'), 10_000);
  const kinds = (await rows(page)).map((row) => row.kind);
  facts.kinds = kinds;
  check(kinds.includes('session'), 'there is a session', kinds);
  await page.keyboard.press('Enter');
  await by(page, 'detail').waitFor();
  check((await by(page, 'detail').innerText()).includes(sessionId), 'the detail names the session');
  check(Number(await by(page, 'count-sessions').innerText()) >= 1, 'the header counts it');
  await until('the states of all interviews', () => page.evaluate(() => document.querySelectorAll('#states-list li').length > 0), 10_000);
  await eventually('the history tells that it began', async () => (await by(page, 'history').innerText()).includes('started'), 15_000);
  check((await by(page, 'detail').innerText()).includes('socket on'), 'the detail says where the socket is');
  await shot(page, 'wide-dashboard-3-session');
  await noSidewaysScroll(page, 'dashboard');

  // an action: never without a reason, then carried to the session, and kept in the interview's audit log
  await by(page, 'do-restart').click();
  await by(page, 'confirm-yes').click();
  check(await by(page, 'confirm').isVisible(), 'nothing is done without a reason');
  await by(page, 'confirm-reason').fill('the test looks whether it comes back');
  await shot(page, 'wide-dashboard-4-confirm');
  await by(page, 'confirm-yes').click();
  await eventually('the page says that it is done', async () => (await by(page, 'announce').innerText()).includes('done'));
  await eventually('the session is there again, its epoch higher', async () => (await page.evaluate((wanted) => window.__dashboard.rows.find(({ item }) => item.session?.interviewId === wanted)?.item.session.epoch, id)) > 1, 20_000);
  await eventually('the history has it', async () => /restarted/.test(await by(page, 'history').innerText()), 15_000);
  await eventually('the audit log has who and why', async () => (await audit(id)).some(({ action, detail }) => action === 'operator.restart_actor' && detail.reason.includes('comes back')));
  await until('Maya to be there again', async () => ['GREETING', 'SPEAKING', 'LISTENING'].includes(await state(interview)), 30_000);

  const text = await page.evaluate(() => `${document.documentElement.outerHTML} ${JSON.stringify([...window.__dashboard.model.nodes.values()].map((n) => [n.node, [...n.actors.values()].map((item) => item.actor)]))}`);
  for (const word of [...candidate.split(' '), 'rosalind@', 'payment services', 'automated interviewer']) check(!text.toLowerCase().includes(word.toLowerCase()), `nothing of the person is on the page: ${word}`);

  await page.keyboard.press('Escape');
  await page.setViewportSize(NARROW);
  await shot(page, 'narrow-dashboard-3-session');
  await noSidewaysScroll(page, 'dashboard');
  await cancel(id);
  await eventually('the ended session leaves the tree', async () => !(await rows(page)).some((row) => row.interview === id), 20_000);
  await contrast(page, 'the dashboard, dark');
}, close);
