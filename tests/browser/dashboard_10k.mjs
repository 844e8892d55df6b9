// The operators' page with ten thousand sessions: a stand-in gateway sends a synthetic tree and a second's changes of it
// every second, while the page is scrolled. Only what is on the screen exists, and the frames keep coming.

import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { check, eventually, facts, run, until } from './lib/report.mjs';
import { close, launch, NARROW, noSidewaysScroll, open, profile, shot } from './lib/browser.mjs';

const SESSIONS = 10_000;
const NODES = 4;
const CHANGED = 2_500; // of the sessions, in a second: five phases in a turn of twenty seconds
const files = fileURLToPath(new URL('../../web/dashboard/', import.meta.url));
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const PHASES = ['listening', 'thinking', 'speaking', 'listening', 'suspended'];
const id = (kind, n) => `0190${kind}00-0000-7000-8000-${String(n).padStart(12, '0')}`;

const node = (n) => ({ id: `node-${n}`, roles: ['interviewer'], zone: `zone-${n % 2}`, version: '0.1.0', state: n === 3 ? 'DRAINING' : 'SERVING', startedAt: '2026-11-27T10:00:00Z', sessions: SESSIONS / NODES });
const base = (kind, number, parent, phase) => ({ id: `${kind}-${number}`, parent, kind, name: '', phase, ageMs: 60_000 + number, mailbox: 0, oldestMs: 0, handled: 900, rate: 10, restarts: 0, lastFailure: null, busy: 'IDLE' });

function session(n, turn) {
  const number = 2 + n * 2;
  const phase = PHASES[(n + turn) % PHASES.length];
  const actor = base('session', number, 'node-1', phase);
  actor.waitsFor = phase === 'thinking' ? 'llm_turn' : phase === 'speaking' ? undefined : 'candidate';
  actor.session = { sessionId: id('a', n), interviewId: id('b', n), tenantId: id('c', n % 7), epoch: 1, edge: 'edge-1', audioLagMs: n % 997 === 0 ? 4_200 : 0, turns: turn, latencyMs: { endpoint: 420, stt: 90, llm: 480, tts: 130, total: 1_120 + (n % 50) } };
  if (n % 1_999 === 0) Object.assign(actor, { restarts: 2, lastFailure: { at: '2026-11-27T10:02:00Z', reason: 'the stream ended' } });
  const ear = base('speech_to_text', number + 1, actor.id, 'listening');
  ear.provider = { state: 'open', forMs: 40_000 };
  if (n === 4_321) Object.assign(ear, { busy: 'STUCK', mailbox: 212, oldestMs: 21_000, waitsFor: 'recogniser' });
  return [actor, ear];
}

const inNode = (of) => Array.from({ length: SESSIONS / NODES }, (_, k) => of + k * NODES);
const whole = () => ({ nodes: Array.from({ length: NODES }, (_, of) => ({ node: node(of), whole: true, actors: [base('node', 1, undefined, 'serving'), ...inNode(of).flatMap((n) => session(n, 1))], removed: [] })) });

let turn = 1;
function changes() {
  turn += 1;
  const nodes = Array.from({ length: NODES }, (_, of) => ({ node: node(of), whole: false, actors: inNode(of).filter((n) => (n + turn) % 4 === 0).map((n) => session(n, turn)[0]), removed: [] }));
  return { nodes, gone: [] };
}

const server = http.createServer((request, answer) => {
  const { pathname } = new URL(request.url, 'http://x');
  const json = (body) => answer.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  if (pathname === '/api/v1/nodes') return json({ nodes: [], mayAct: true });
  if (pathname === '/api/v1/interviews/states') return json({ states: { IN_PROGRESS: SESSIONS, PENDING: 120, FAILED: 3 } });
  if (pathname === '/api/v1/actors/history') return json({ events: [{ at: new Date().toISOString(), node: 'node-1', session: id('a', 1), interview: id('b', 1), epoch: 1, actor: 'session', what: 'STUCK', reason: 'no progress for 5000 ms, 212 waiting' }] });
  if (pathname === '/api/v1/actors/stream') {
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    const send = (name, data) => answer.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
    send('snapshot', whole());
    const timer = setInterval(() => send('delta', changes()), 1_000);
    return request.on('close', () => clearInterval(timer));
  }
  const file = path.join(files, pathname === '/dashboard' ? 'index.html' : pathname.replace('/assets/dashboard/', ''));
  if (!file.startsWith(files) || !fs.existsSync(file)) return answer.writeHead(404).end();
  return answer.writeHead(200, { 'content-type': TYPES[path.extname(file)] }).end(fs.readFileSync(file));
});

/** Every frame's distance from the one before, and the main thread's tasks, while `work` runs. */
async function traced(page, work) {
  const client = await page.context().newCDPSession(page);
  const tasks = [];
  client.on('Tracing.dataCollected', ({ value }) => {
    for (const event of value) if (event.name === 'RunTask' && event.dur) tasks.push({ ms: event.dur / 1000, thread: `${event.pid}/${event.tid}` });
  });
  await client.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: ['disabled-by-default-devtools.timeline', 'devtools.timeline', 'toplevel'] } });
  await page.evaluate(() => {
    window.__frames = [];
    let last = performance.now();
    const next = (at) => { window.__frames.push(at - last); last = at; window.__framing = requestAnimationFrame(next); };
    window.__framing = requestAnimationFrame(next);
  });
  await work();
  const frames = await page.evaluate(() => { cancelAnimationFrame(window.__framing); return window.__frames.slice(1); });
  const complete = new Promise((resolve) => client.once('Tracing.tracingComplete', resolve));
  await client.send('Tracing.end');
  await complete;
  const at = (list, share) => [...list].sort((a, b) => a - b)[Math.max(0, Math.ceil(list.length * share) - 1)] ?? 0;
  const main = new Map();
  for (const { ms, thread } of tasks) main.set(thread, [...(main.get(thread) ?? []), ms]);
  const busiest = [...main.values()].sort((a, b) => b.reduce((x, y) => x + y, 0) - a.reduce((x, y) => x + y, 0))[0] ?? [];
  const round = (n) => Math.round(n * 10) / 10;
  return { frames: frames.length, frameP50: round(at(frames, 0.5)), frameP95: round(at(frames, 0.95)), frameP99: round(at(frames, 0.99)), frameMax: round(at(frames, 1)), taskP99: round(at(busiest, 0.99)), taskMax: round(at(busiest, 1)) };
}

await run(async () => {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  await launch();
  const page = await open(await profile({ dark: true, microphone: 'none' }));
  await page.goto(`http://127.0.0.1:${server.address().port}/dashboard#key=maya_test`);
  await eventually('ten thousand sessions are counted', async () => (await page.getByTestId('count-sessions').innerText()) === '10,000', 30_000);
  await until('two seconds of changes', () => page.evaluate(() => window.__dashboard.model.changed > 3), 30_000);
  const first = await page.evaluate(() => window.__dashboard.rows.slice(0, 3).map(({ item }) => ({ kind: item.actor.kind, busy: item.all.busy })));
  check(first[0].busy === 2 && first[1].busy === 2, 'what is stuck stands first', first);
  const inDom = () => page.evaluate(() => document.querySelectorAll('#rows > .row').length);
  check((await inDom()) < 120, 'only what is on the screen exists', await inDom());
  await shot(page, 'wide-dashboard-10k');

  facts.scrolling = await traced(page, async () => {
    await page.mouse.move(500, 500);
    for (let step = 0; step < 120; step++) {
      await page.mouse.wheel(0, 600);
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
    }
    // changes keep coming while it is scrolled
    const before = await page.evaluate(() => window.__dashboard.model.changed);
    await until('three more seconds of changes', async () => {
      await page.mouse.wheel(0, 600);
      return (await page.evaluate(() => window.__dashboard.model.changed)) >= before + 3;
    }, 30_000);
  });
  check((await inDom()) < 120, 'also after scrolling', await inDom());
  check((await page.evaluate(() => document.getElementById('grid').scrollTop)) > 50_000, 'it was scrolled');

  // by keyboard: to the worst, into it, its history, an action that is left again
  await page.getByTestId('grid').focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await eventually('its history is read', async () => (await page.getByTestId('history').innerText()).includes('no progress'));
  await page.keyboard.press('Escape');
  await page.getByTestId('grid').press('Home');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await until('the history again', async () => (await page.getByTestId('history').innerText()).includes('no progress'));
  await page.getByTestId('grid').focus();
  await shot(page, 'wide-dashboard-detail');
  await page.getByTestId('do-end').click();
  check(await page.evaluate(() => document.activeElement.id) === 'confirm-reason', 'the reason has the focus');
  await shot(page, 'wide-dashboard-confirm');
  await page.keyboard.press('Escape');
  check(!(await page.getByTestId('confirm').isVisible()), 'Escape leaves it');
  await page.keyboard.press('Escape');
  await page.setViewportSize(NARROW);
  await page.evaluate(() => { document.getElementById('grid').scrollTop = 0; });
  await shot(page, 'narrow-dashboard-10k');
  await noSidewaysScroll(page, 'ten thousand sessions');
}, close);
