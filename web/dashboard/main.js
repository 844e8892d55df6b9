// The operator's dashboard: signs in, reads the live tree, keeps the view in step with it, and says when it is stale.

import { ask, Refused, Stream } from './stream.js';
import { Model, rows } from './model.js';
import { Grid } from './grid.js';
import { drawActions } from './actions.js';
import { drawDetail } from './detail.js';
import { drawHistory } from './history.js';
import { drawStates } from './states-bar.js';
import { age, clock, count, rate } from './format.js';

const STORE = 'maya.dashboard.key';
const STATES_EVERY = 5_000;
const SORT_EVERY = 1_500; // rows do not jump under the pointer more often than this
const QUIET_AFTER = 20_000;
const HISTORY_EVERY = 5_000;

const $ = (id) => document.getElementById(id);
const model = new Model();
const view = { mode: 'tree', sort: 'worst', filter: '', query: '', open: new Set(), shut: new Set() };
let key = takeKey();
let stream = null;
let live = 'connecting';
let why = '';
let dataAt = 0; // wall clock of the last news, of this computer
let statesAt = 0;
let statesTimer = 0;
let paused = false;
let lastSort = 0;
let pending = 0;
let mayAct = false;
let historyOf = null; // what the open history is about
let historyTimer = 0;
let historyAbort = null;

const grid = new Grid({
  scroller: $('grid'),
  body: $('rows'),
  rowHeight: () => (matchMedia('(max-width: 48rem)').matches ? 48 : 28),
  onToggle: (row) => {
    const set = row.isNode ? view.shut : view.open;
    if (!set.delete(row.item.id)) set.add(row.item.id);
    refresh(true);
  },
  onSelect: (row, focus) => showDetail(row, focus),
});

window.__dashboard = { model, view, grid, get live() { return live; }, get rows() { return grid.rows; } };

/** The key may come in the fragment of the link: kept for this tab, and taken out of the address at once. */
function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get('key');
  if (given) {
    history.replaceState(null, '', location.pathname + location.search);
    try { sessionStorage.setItem(STORE, given); } catch { /* kept in memory only */ }
    return given;
  }
  try { return sessionStorage.getItem(STORE); } catch { return null; }
}

const REFUSED = {
  401: 'This key was not accepted. It may be mistyped, expired or revoked.',
  403: 'This key works, but its role may not see nodes and actors. You need a key with the role OPERATOR.',
};

function signOut(status) {
  stream?.stop();
  stream = null;
  clearTimeout(statesTimer);
  key = null;
  try { sessionStorage.removeItem(STORE); } catch { /* nothing kept */ }
  mayAct = false;
  model.snapshot({ nodes: [] });
  grid.set([]);
  closeDetail();
  $('app').hidden = true;
  $('sign-in').hidden = false;
  $('sign-in-error').textContent = REFUSED[status] || '';
  $('sign-in-error').hidden = !REFUSED[status];
  $('api-key').value = '';
  $('api-key').focus();
}

function signIn() {
  $('sign-in').hidden = true;
  $('app').hidden = false;
  live = 'connecting';
  dataAt = 0;
  stream = new Stream({
    path: '/api/v1/actors/stream', key,
    onEvent: (name, data) => {
      if (name === 'snapshot') model.snapshot(data);
      else if (name === 'delta') model.delta(data);
      else return;
      dataAt = Date.now();
      refresh(name === 'snapshot');
    },
    onState: (state, reason) => { live = state; why = reason || ''; tick(); },
    onRefused: signOut,
  });
  stream.start();
  learnRights();
  pollStates();
  tick();
}

/** Whether this key may act, or only look. */
async function learnRights() {
  const mine = key;
  try {
    const rights = await (await ask('/api/v1/nodes', key, AbortSignal.timeout(10_000))).json();
    if (mine === key) mayAct = Boolean(rights.mayAct);
  } catch { /* it is asked again with the next sign-in; until then nothing can be pressed */ }
}

async function pollStates() {
  clearTimeout(statesTimer);
  const mine = key;
  try {
    const { states } = await (await ask('/api/v1/interviews/states', key, AbortSignal.timeout(10_000))).json();
    if (mine !== key) return;
    statesAt = Date.now();
    drawStates(states || {}, { bar: $('states-bar'), list: $('states-list') });
  } catch (error) {
    if (mine !== key) return;
    if (error instanceof Refused && error.status === 401) return signOut(401);
  }
  if (key) statesTimer = setTimeout(pollStates, STATES_EVERY);
}

/** Puts the model on the screen; order and membership are computed now or, while news pours in, a little later. */
function refresh(now) {
  header();
  if (paused && !now) return;
  clearTimeout(pending);
  const due = lastSort + SORT_EVERY - performance.now();
  if (!now && due > 0) { pending = setTimeout(() => refresh(true), due); return; }
  lastSort = performance.now();
  const list = rows(model, view);
  grid.set(list);
  $('empty').hidden = list.length > 0 || !dataAt;
  $('empty').textContent = model.totals.nodes === 0 ? 'No node is registered. If interviews should be live, the registry or every interviewer is down.' : 'Nothing matches.';
  const chosen = list.find((row) => row.item.id === grid.selected);
  if (chosen && !$('detail').hidden && !$('detail-body').contains(document.activeElement)) drawDetail($('detail-body'), chosen);
  $('detail-gone').hidden = $('detail').hidden || Boolean(chosen) || Boolean(model.find(grid.selected));
}

function header() {
  const t = model.totals;
  $('count-nodes').textContent = count(t.nodes);
  $('count-nodes-note').textContent = t.notServing ? `${t.notServing} not serving` : '';
  $('count-sessions').textContent = count(t.sessions);
  $('count-nodes').nextElementSibling.textContent = t.nodes === 1 ? 'node' : 'nodes';
  $('count-sessions').nextElementSibling.textContent = t.sessions === 1 ? 'session' : 'sessions';
  $('count-actors').textContent = count(t.actors);
  $('count-rate').textContent = rate(t.rate);
  $('count-stuck').textContent = count(t.stuck);
  $('count-failed').textContent = count(t.failed);
  $('count-mailbox').textContent = count(t.mailbox);
  $('filter-stuck').classList.toggle('alarm', t.stuck > 0);
  $('filter-failed').classList.toggle('caution', t.failed > 0);
  document.title = t.stuck ? `(${t.stuck} stuck) Maya` : 'Maya: live interviews';
}

function tick() {
  if (!stream) return;
  const old = dataAt ? Date.now() - dataAt : 0;
  const quiet = stream.heardAt ? performance.now() - stream.heardAt : 0;
  const lost = live === 'lost' || (live === 'connecting' && dataAt > 0);
  const silent = !lost && live === 'live' && quiet > QUIET_AFTER;
  const stale = lost || silent;
  $('app').classList.toggle('stale', stale && dataAt > 0);
  $('clock').textContent = clock(new Date());
  $('pulse').dataset.live = stale ? 'stale' : live;
  $('pulse').textContent = live === 'connecting' && !dataAt ? 'connecting' : stale ? 'stale' : `live, ${age(old)}`;
  $('stale').hidden = !(stale || (live === 'lost' && !dataAt));
  if (!$('stale').hidden) {
    const what = silent ? `Nothing received for ${age(quiet)}` : `Connection lost (${why})`;
    const since = dataAt ? ` What you see is ${age(old)} old, from ${clock(new Date(dataAt))}.` : ' Nothing has been received yet.';
    const text = `${what}.${since}`;
    $('stale-text').textContent = text;
  }
  const statesOld = statesAt ? Date.now() - statesAt : 0;
  $('states').classList.toggle('old', statesOld > STATES_EVERY * 3);
  $('states-age').textContent = statesOld > STATES_EVERY * 3 ? `${age(statesOld)} old` : '';
}

function showDetail(row, focus) {
  if (!row) return closeDetail();
  $('detail').hidden = false;
  $('app').classList.add('with-detail');
  drawDetail($('detail-body'), row);
  $('detail-actions').replaceChildren();
  drawActions($('detail-actions'), row, { mayAct, key });
  $('detail-gone').hidden = true;
  followHistory(historyOfRow(row));
  if (focus) $('detail-close').focus();
}

function historyOfRow(row) {
  for (let item = row.item; item; item = item.parent) if (item.session) return { session: item.session.sessionId };
  return row.isNode ? { node: row.item.node.id } : null;
}

/** Keeps the history beside the chosen row fresh while it is open. */
async function followHistory(whose) {
  clearTimeout(historyTimer);
  if (JSON.stringify(whose) !== JSON.stringify(historyOf)) $('history').replaceChildren();
  historyOf = whose;
  historyAbort?.abort();
  if (!whose || $('detail').hidden) return;
  historyAbort = new AbortController();
  await drawHistory($('history'), whose, key, historyAbort.signal);
  if (historyOf === whose) historyTimer = setTimeout(() => followHistory(whose), HISTORY_EVERY);
}

function showHistoryOfAll() {
  grid.selected = null;
  grid.request();
  $('detail').hidden = false;
  $('app').classList.add('with-detail');
  const heading = document.createElement('h2');
  heading.textContent = 'all nodes';
  $('detail-body').replaceChildren(heading);
  $('detail-actions').replaceChildren();
  $('detail-gone').hidden = true;
  followHistory({ limit: 200 });
  $('detail-close').focus();
}

function closeDetail() {
  followHistory(null);
  $('detail').hidden = true;
  $('app').classList.remove('with-detail');
  grid.selected = null;
  grid.request();
}

function setFilter(name) {
  view.filter = view.filter === name ? '' : name;
  for (const button of document.querySelectorAll('[data-filter]')) button.setAttribute('aria-pressed', String(button.dataset.filter === view.filter));
  toTop();
}

function setSort(name) {
  view.sort = name;
  $('sort').value = name;
  for (const head of document.querySelectorAll('[data-sort]')) head.parentElement.setAttribute('aria-sort', head.dataset.sort === name ? 'descending' : 'none');
  toTop();
}

function toTop() {
  $('grid').scrollTop = 0;
  refresh(true);
}

function wire() {
  $('sign-in').onsubmit = (event) => {
    event.preventDefault();
    const given = $('api-key').value.trim();
    if (!given) return;
    key = given;
    try { sessionStorage.setItem(STORE, key); } catch { /* kept in memory only */ }
    signIn();
  };
  $('sign-out').onclick = () => signOut();
  $('search').oninput = (event) => { view.query = event.target.value; toTop(); };
  $('sort').onchange = (event) => setSort(event.target.value);
  $('mode').onchange = (event) => { view.mode = event.target.value; toTop(); };
  for (const head of document.querySelectorAll('[data-sort]')) head.onclick = () => setSort(head.dataset.sort);
  for (const button of document.querySelectorAll('[data-filter]')) button.onclick = () => setFilter(button.dataset.filter);
  $('pause').onclick = () => {
    paused = !paused;
    $('pause').setAttribute('aria-pressed', String(paused));
    $('pause').textContent = paused ? 'Frozen: go on' : 'Freeze';
    refresh(true);
  };
  $('show-history').onclick = showHistoryOfAll;
  $('retry').onclick = () => stream?.retryNow();
  $('detail-close').onclick = () => { closeDetail(); $('grid').focus(); };
  addEventListener('hashchange', () => {
    const given = takeKey();
    if (given && given !== key) { stream?.stop(); key = given; signIn(); }
  });
  addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !$('detail').hidden && !$('confirm').open) { closeDetail(); $('grid').focus(); }
    if (event.key === '/' && !/INPUT|SELECT|TEXTAREA/.test(document.activeElement?.tagName || '')) { event.preventDefault(); $('search').focus(); }
  });
  setInterval(tick, 1_000);
}

wire();
if (key) signIn(); else signOut();
