// The table: fixed row height, only the rows on screen exist. A tree grid for the keyboard and for assistive technology.

import { age, ago, count, rate, shortId, span } from './format.js';
import { aged, busyName, waited } from './model.js';

const SPARE = 8; // rows above and below what is visible
const COLUMNS = ['name', 'kind', 'phase', 'busy', 'waits', 'age', 'mailbox', 'oldest', 'rate', 'restarts', 'lag', 'failure'];

export class Grid {
  /** @param {{scroller, body, rowHeight: () => number, onToggle: (row) => void, onSelect: (row) => void}} options */
  constructor(options) {
    Object.assign(this, options);
    this.rows = [];
    this.pool = [];
    this.selected = null;
    this.scroller.addEventListener('scroll', () => this.request(), { passive: true });
    new ResizeObserver(() => this.request()).observe(this.scroller);
    this.scroller.addEventListener('keydown', (event) => this.key(event));
    this.body.addEventListener('click', (event) => {
      const element = event.target.closest('[role="row"]');
      const row = element && this.rows[element.index];
      if (!row) return;
      if (event.target.closest('.twist') && row.expandable) this.onToggle(row);
      else this.select(row);
    });
    this.body.addEventListener('dblclick', (event) => {
      const element = event.target.closest('[role="row"]');
      const row = element && this.rows[element.index];
      if (row?.expandable && !event.target.closest('.twist')) this.onToggle(row);
    });
  }

  set(rows) {
    this.rows = rows;
    this.request();
  }

  request() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  draw() {
    const height = this.rowHeight();
    const total = this.rows.length * height;
    if (this.total !== total) this.body.style.height = `${this.total = total}px`;
    this.scroller.setAttribute('aria-rowcount', String(this.rows.length + 1));
    const top = Math.max(0, this.scroller.scrollTop - this.body.offsetTop);
    const first = Math.max(0, Math.floor(top / height) - SPARE);
    const last = Math.min(this.rows.length, Math.ceil((top + this.scroller.clientHeight) / height) + SPARE);
    const shown = Math.max(0, last - first);
    while (this.pool.length < shown) this.pool.push(this.body.appendChild(makeRow()));
    while (this.pool.length > shown + 20) this.pool.pop().remove();
    let active = '';
    for (const element of this.pool) element.used = false;
    // A row keeps its element while it stays on screen: index modulo the pool, not its place in the window.
    for (let index = first; index < last; index++) {
      const element = this.pool[index % this.pool.length];
      element.used = true;
      element.index = index;
      if (element.hidden) element.hidden = false;
      element.style.transform = `translateY(${index * height}px)`;
      paint(element, this.rows[index], index, this.selected);
      if (this.rows[index].item.id === this.selected) active = element.id;
    }
    for (const element of this.pool) if (!element.used && !element.hidden) element.hidden = true;
    if (active) this.scroller.setAttribute('aria-activedescendant', active);
    else this.scroller.removeAttribute('aria-activedescendant');
  }

  select(row) {
    this.selected = row?.item.id ?? null;
    this.onSelect(row);
    this.request();
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || !this.rows.length) return;
    const at = this.rows.findIndex((r) => r.item.id === this.selected);
    const row = this.rows[at];
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.rowHeight()) - 2);
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: this.rows.length - 1 };
    if (event.key in moves) this.go(moves[event.key]);
    else if (event.key === 'ArrowRight' && row?.expandable) row.open ? this.go(at + 1) : this.onToggle(row);
    else if (event.key === 'ArrowLeft' && row) {
      if (row.open) this.onToggle(row);
      else { let up = at - 1; while (up >= 0 && this.rows[up].depth >= row.depth) up -= 1; if (up >= 0) this.go(up); }
    } else if ((event.key === 'Enter' || event.key === ' ') && row) this.onSelect(row, true);
    else return;
    event.preventDefault();
  }

  go(index) {
    const to = Math.max(0, Math.min(this.rows.length - 1, index));
    const height = this.rowHeight();
    const head = this.body.offsetTop;
    const top = to * height;
    const view = this.scroller.clientHeight - head;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (top + height > this.scroller.scrollTop + view) this.scroller.scrollTop = top + height - view;
    this.select(this.rows[to]);
  }
}

let made = 0;

function makeRow() {
  const row = document.createElement('div');
  row.className = 'row';
  row.id = `row-${made++}`;
  row.setAttribute('role', 'row');
  row.dataset.testid = 'row';
  row.cells = {};
  for (const name of COLUMNS) {
    const cell = document.createElement('span');
    cell.setAttribute('role', 'gridcell');
    cell.className = `c c-${name}`;
    row.cells[name] = row.appendChild(cell);
  }
  row.twist = document.createElement('span');
  row.twist.className = 'twist';
  row.label = document.createElement('span');
  row.label.className = 'label';
  row.cells.name.append(row.twist, row.label);
  row.badge = document.createElement('span');
  row.cells.busy.append(row.badge);
  return row;
}

function put(element, text) {
  if (element.shown !== text) element.textContent = element.shown = text;
}

function paint(row, { item, depth, expandable, open, isNode }, index, selected) {
  const { actor, session, node } = item;
  const f = open && !isNode ? item.own : item.all; // an open row speaks for itself, its children speak below it
  const cells = row.cells;
  const oldest = waited(f);
  const busy = busyName(f.busy);
  const chosen = item.id === selected;
  const state = `${isNode ? 'node' : session ? 'session' : 'actor'}|${busy}|${chosen}|${node.state}`;
  if (row.state !== state) {
    row.state = state;
    row.className = `row is-${isNode ? 'node' : session ? 'session' : 'actor'}${busy === 'STUCK' ? ' stuck' : ''}${chosen ? ' chosen' : ''}`;
    row.setAttribute('aria-selected', String(chosen));
    row.badge.className = `badge badge-${busy.toLowerCase()}`;
  }
  row.setAttribute('aria-rowindex', String(index + 2));
  row.setAttribute('aria-level', String(depth + 1));
  if (expandable) row.setAttribute('aria-expanded', String(open)); else row.removeAttribute('aria-expanded');
  if (row.depth !== depth) row.cells.name.style.paddingLeft = `${(row.depth = depth) * 14 + 4}px`;
  put(row.twist, expandable ? (open ? '▾' : '▸') : '');
  put(row.label, isNode ? node.id : session ? shortId(session.interviewId || session.sessionId) : shortId(actor.name || actor.kind));
  put(cells.kind, isNode ? [node.zone, node.version].filter(Boolean).join(' ') : actor.kind);
  put(cells.phase, isNode ? node.state : actor.phase || '');
  put(cells.waits, isNode ? `${count(node.sessions ?? item.children.length)} sessions` : actor.waitsFor ? `→ ${actor.waitsFor.replaceAll('_', ' ')}` : actor.provider ? actor.provider.state : '');
  put(row.badge, busy);
  put(cells.age, isNode ? ago(node.startedAt).replace(' ago', '') || age(aged(item)) : age(aged(item)));
  put(cells.mailbox, count(f.mailbox));
  put(cells.oldest, oldest ? span(oldest) : '');
  put(cells.rate, rate(f.rate));
  put(cells.restarts, f.restarts ? String(f.restarts) : '');
  put(cells.lag, session ? (session.audioLagMs >= 300 ? span(session.audioLagMs) : '0') : '');
  put(cells.failure, f.failure ? `${ago(f.failure.at)} · ${f.failure.reason}` : '');
  mark(cells.oldest, oldest > 5_000 ? 'bad' : oldest > 1_000 ? 'warn' : '');
  mark(cells.lag, session && session.audioLagMs > 3_000 ? 'bad' : session && session.audioLagMs > 1_000 ? 'warn' : '');
  mark(cells.mailbox, f.mailbox > 100 ? 'bad' : f.mailbox > 20 ? 'warn' : '');
  mark(cells.phase, isNode && node.state === 'UNREACHABLE' ? 'bad' : isNode && node.state !== 'SERVING' ? 'warn' : actor.phase === 'suspended' ? 'warn' : '');
}

function mark(cell, tone) {
  if (cell.dataset.tone !== tone) cell.dataset.tone = tone;
}
