// The cluster as this page knows it: nodes, and for every actor what its subtree amounts to.
// Everything shown is computed here once, when a node's news arrives, so that drawing stays cheap.

const BUSY_RANK = { IDLE: 0, BUSY: 1, STUCK: 2 };
const BUSY_NAME = ['IDLE', 'BUSY', 'STUCK'];

export class Model {
  constructor() {
    this.nodes = new Map(); // id -> {node, at, root}
    this.totals = emptyTotals();
    this.changed = 0;
  }

  snapshot({ nodes = [] }) {
    const before = this.nodes;
    this.nodes = new Map();
    for (const node of nodes) this.take(node, before.get(node.id));
    this.sum();
  }

  delta({ nodes = [], gone = [] }) {
    for (const id of gone) this.nodes.delete(id);
    for (const node of nodes) this.take(node, this.nodes.get(node.id));
    this.sum();
  }

  take(node, before) {
    if (!node?.id) return;
    const at = performance.now();
    const seconds = before ? (at - before.at) / 1000 : 0;
    const previous = before?.counters ?? new Map();
    const counters = new Map();
    const totals = emptyTotals();
    const root = node.tree ? enrich(node.tree, node, { previous, counters, seconds, totals }, 1) : null;
    this.nodes.set(node.id, { node, at, root, counters, totals });
  }

  sum() {
    const totals = emptyTotals();
    for (const entry of this.nodes.values()) {
      totals.nodes += 1;
      if (entry.node.state && entry.node.state !== 'SERVING') totals.notServing += 1;
      for (const key of ['sessions', 'actors', 'stuck', 'busy', 'mailbox', 'restarts', 'failed']) totals[key] += entry.totals[key];
      totals.rate += entry.totals.rate;
      totals.oldestMs = Math.max(totals.oldestMs, entry.totals.oldestMs);
    }
    this.totals = totals;
    this.changed += 1;
  }
}

function emptyTotals() {
  return { nodes: 0, notServing: 0, sessions: 0, actors: 0, stuck: 0, busy: 0, mailbox: 0, restarts: 0, failed: 0, rate: 0, oldestMs: 0 };
}

/** One actor with its subtree's figures: `all` is what a row shows while it has children. */
function enrich(actor, node, run, level) {
  const { totals } = run;
  const children = [];
  const handled = actor.handled || 0;
  const known = run.previous.get(actor.id);
  run.counters.set(actor.id, known && run.seconds < 0.2 ? known : { handled, rate: known && handled >= known.handled ? (handled - known.handled) / run.seconds : 0 });
  const rate = run.counters.get(actor.id).rate;
  const own = { mailbox: actor.mailbox || 0, oldestMs: actor.oldestMs || 0, restarts: actor.restarts || 0, rate, busy: BUSY_RANK[actor.busy] ?? 0, failure: actor.lastFailure || null };
  const all = { ...own };
  totals.actors += 1;
  totals.mailbox += all.mailbox;
  totals.restarts += all.restarts;
  totals.rate += rate;
  totals.oldestMs = Math.max(totals.oldestMs, all.oldestMs);
  if (actor.kind === 'session') totals.sessions += 1;
  for (const child of actor.children || []) {
    const item = enrich(child, node, run, level + 1);
    children.push(item);
    all.mailbox += item.all.mailbox;
    all.restarts += item.all.restarts;
    all.rate += item.all.rate;
    all.oldestMs = Math.max(all.oldestMs, item.all.oldestMs);
    all.busy = Math.max(all.busy, item.all.busy);
    if (item.all.failure && (!all.failure || item.all.failure.at > all.failure.at)) all.failure = item.all.failure;
  }
  if (level === 2) { // what hangs directly under a node: sessions, and the node's own helpers
    if (all.busy === 2) totals.stuck += 1;
    if (all.busy === 1) totals.busy += 1;
    if (all.failure) totals.failed += 1;
  }
  const session = actor.session || null;
  const text = session ? `${session.sessionId} ${session.interviewId} ${session.tenantId} ${actor.id}`.toLowerCase() : '';
  return { id: actor.id, actor, node, session, children, all, own, text, level, badness: badness(all, session) };
}

/** Worst first: stuck, then waiting, then audio behind, then failures and restarts. */
function badness(all, session) {
  let score = all.busy === 2 ? 1e9 : 0;
  score += Math.min(all.oldestMs, 600_000) * 100;
  score += Math.min(session?.audioLagMs || 0, 600_000) * 50;
  score += all.mailbox * 1_000;
  if (all.failure) score += 200_000;
  score += Math.min(all.restarts, 50) * 20_000;
  score += Math.min(session?.latencyMs?.total || 0, 60_000);
  return score;
}

export const busyName = (rank) => BUSY_NAME[rank] || 'IDLE';

export const SORTS = {
  worst: (a, b) => b.badness - a.badness,
  lag: (a, b) => (b.session?.audioLagMs || 0) - (a.session?.audioLagMs || 0),
  latency: (a, b) => (b.session?.latencyMs?.total || 0) - (a.session?.latencyMs?.total || 0),
  mailbox: (a, b) => b.all.mailbox - a.all.mailbox || b.all.oldestMs - a.all.oldestMs,
  rate: (a, b) => b.all.rate - a.all.rate,
  restarts: (a, b) => b.all.restarts - a.all.restarts,
  failure: (a, b) => String(b.all.failure?.at || '').localeCompare(String(a.all.failure?.at || '')),
  age: (a, b) => (b.actor.ageMs || 0) - (a.actor.ageMs || 0),
  name: (a, b) => String(a.id).localeCompare(String(b.id), undefined, { numeric: true }),
};

const FILTERS = {
  stuck: (item) => item.all.busy === 2,
  failed: (item) => Boolean(item.all.failure),
  waiting: (item) => item.all.mailbox > 0,
};

/**
 * The rows to show, top to bottom: [{item, depth, expandable, open, isNode?}].
 * `view` = {mode: "tree"|"sessions", sort, filter, query, open: Set of ids, shut: Set of node ids}
 */
export function rows(model, view) {
  const compare = SORTS[view.sort] || SORTS.worst;
  const query = view.query.trim().toLowerCase();
  const passes = FILTERS[view.filter] || (() => true);
  const narrowed = Boolean(query || view.filter);
  const out = [];
  const roots = [...model.nodes.values()].filter((n) => n.root);
  const fits = (item, nodeHit) => passes(item) && (nodeHit || !query || item.text.includes(query));
  const nodeHits = (node) => Boolean(query) && node.id.toLowerCase().includes(query);
  const push = (item, depth) => {
    const expandable = item.children.length > 0;
    const open = expandable && view.open.has(item.id);
    out.push({ item, depth, expandable, open });
    if (open) for (const child of [...item.children].sort(compare)) push(child, depth + 1);
  };
  if (view.mode === 'sessions') {
    const found = [];
    for (const { root, node } of roots) for (const item of root.children) if (item.session && fits(item, nodeHits(node))) found.push(item);
    for (const item of found.sort(compare)) push(item, 0);
    return out;
  }
  for (const { root, node } of roots.sort((a, b) => compare(a.root, b.root))) {
    const hit = nodeHits(node);
    const inside = root.children.filter((item) => (item.session ? fits(item, hit) : !narrowed || (hit && passes(item)) || (!query && passes(item))));
    if (narrowed && !hit && !inside.length) continue;
    const open = !view.shut.has(root.id);
    out.push({ item: root, depth: 0, expandable: root.children.length > 0, open, isNode: true });
    if (open) for (const item of inside.sort(compare)) push(item, 1);
  }
  return out;
}
