// The cluster as this page knows it: nodes, and for every actor what its subtree amounts to. News touches only the
// actors that it names and those above them, so that ten thousand quiet sessions cost nothing.

const BUSY_RANK = { IDLE: 0, BUSY: 1, STUCK: 2 };
const BUSY_NAME = ['IDLE', 'BUSY', 'STUCK'];
const SUMS = ['sessions', 'actors', 'stuck', 'busy', 'mailbox', 'restarts', 'failed', 'rate'];

const numberOf = (id) => Number(id.slice(id.lastIndexOf('-') + 1));

export class Model {
  constructor() {
    this.nodes = new Map(); // id -> {node, actors: number -> item, root}
    this.totals = emptyTotals();
    this.changed = 0;
  }

  snapshot({ nodes = [] }) {
    const told = new Set(nodes.map(({ node }) => node?.id));
    for (const id of this.nodes.keys()) if (!told.has(id)) this.nodes.delete(id);
    for (const one of nodes) this.take({ ...one, whole: true });
    this.sum();
  }

  delta({ nodes = [], gone = [] }) {
    for (const id of gone) this.nodes.delete(id);
    for (const one of nodes) this.take(one);
    this.sum();
  }

  take({ node, whole = false, actors = [], removed = [] }) {
    if (!node?.id) return;
    const now = performance.now();
    let entry = this.nodes.get(node.id);
    if (!entry) this.nodes.set(node.id, entry = { node, actors: new Map(), root: null });
    entry.node = node;
    if (whole) [entry.actors, entry.root] = [new Map(), null];
    const touched = new Set();
    for (const number of removed) this.remove(entry, number, touched);
    const fresh = [];
    for (const actor of actors) {
      const number = numberOf(actor.id);
      let item = entry.actors.get(number);
      if (!item) {
        entry.actors.set(number, item = { id: `${node.id}/${actor.id}`, number, parent: null, children: [], level: 1 });
        fresh.push(item);
      }
      item.actor = actor;
      item.at = now;
      item.node = node;
      item.session = actor.session || null;
      item.own = figures(actor, now);
      item.text = item.session ? `${item.session.sessionId} ${item.session.interviewId} ${item.session.tenantId} ${item.session.edge || ''} ${actor.id}`.toLowerCase() : '';
      touched.add(item);
    }
    for (const item of fresh) {
      if (!item.actor.parent) { entry.root = item; continue; }
      const parent = entry.actors.get(numberOf(item.actor.parent));
      if (!parent) continue; // its news comes with the next delta
      item.parent = parent;
      parent.children.push(item);
    }
    for (const item of entry.actors.values()) item.node = node;
    for (const item of whole ? entry.actors.values() : touched) this.total(item);
  }

  remove(entry, number, touched) {
    const item = entry.actors.get(number);
    if (!item) return;
    entry.actors.delete(number);
    touched.delete(item);
    if (entry.root === item) entry.root = null;
    if (!item.parent) return;
    const at = item.parent.children.indexOf(item);
    if (at >= 0) item.parent.children.splice(at, 1);
    touched.add(item.parent);
  }

  /** Sums up what hangs under an actor and those above it, up to the session; a node is summed up by `sum`. */
  total(item) {
    for (let at = item; at && at.parent; at = at.parent) {
      at.level = at.parent.parent ? 3 : 2;
      at.all = together(at);
      at.badness = badness(at.all, at.session);
    }
  }

  sum() {
    const totals = emptyTotals();
    for (const entry of this.nodes.values()) {
      totals.nodes += 1;
      if (entry.node.state && entry.node.state !== 'SERVING') totals.notServing += 1;
      if (!entry.root) continue;
      const mine = emptyTotals();
      const all = { ...entry.root.own };
      for (const item of entry.root.children) {
        if (!item.all) this.total(item);
        join(all, item.all);
        if (item.session) mine.sessions += 1;
        if (item.all.busy === 2) mine.stuck += 1;
        if (item.all.busy === 1) mine.busy += 1;
        if (item.all.failure) mine.failed += 1;
      }
      Object.assign(mine, { actors: entry.actors.size, mailbox: all.mailbox, restarts: all.restarts, rate: all.rate });
      Object.assign(entry.root, { all, badness: badness(all, null), level: 1 });
      for (const key of SUMS) totals[key] += mine[key];
    }
    this.totals = totals;
    this.changed += 1;
  }

  /** The item of that id, where it still lives. */
  find(id) {
    for (const entry of this.nodes.values()) {
      if (!id?.startsWith(`${entry.node.id}/`)) continue;
      return entry.actors.get(numberOf(id)) ?? null;
    }
    return null;
  }
}

function emptyTotals() {
  return { nodes: 0, notServing: 0, sessions: 0, actors: 0, stuck: 0, busy: 0, mailbox: 0, restarts: 0, failed: 0, rate: 0 };
}

/** An actor's own figures; `since` is when its oldest message began to wait, by this page's clock. */
function figures(actor, now) {
  return {
    mailbox: actor.mailbox || 0, since: actor.busy === 'IDLE' ? Infinity : now - (actor.oldestMs || 0), restarts: actor.restarts || 0,
    rate: actor.rate || 0, busy: BUSY_RANK[actor.busy] ?? 0, failure: actor.lastFailure || null,
  };
}

function together(item) {
  const all = { ...item.own };
  for (const child of item.children) join(all, child.all ?? child.own);
  return all;
}

function join(all, more) {
  all.mailbox += more.mailbox;
  all.restarts += more.restarts;
  all.rate += more.rate;
  all.since = Math.min(all.since, more.since);
  all.busy = Math.max(all.busy, more.busy);
  if (more.failure && (!all.failure || more.failure.at > all.failure.at)) all.failure = more.failure;
}

/** Worst first: stuck, then audio behind, then waiting, then failures and restarts. */
function badness(all, session) {
  let score = all.busy === 2 ? 1e9 : all.busy === 1 ? 100_000 : 0;
  score += Math.min(session?.audioLagMs || 0, 600_000) * 50;
  score += all.mailbox * 1_000;
  if (all.failure) score += 200_000;
  score += Math.min(all.restarts, 50) * 20_000;
  score += Math.min(session?.latencyMs?.total || 0, 60_000);
  return score;
}

export const busyName = (rank) => BUSY_NAME[rank] || 'IDLE';
/** Milliseconds that the oldest message has waited by now. */
export const waited = ({ since }, now = performance.now()) => (Number.isFinite(since) ? now - since : 0);
/** Age of an actor by now. */
export const aged = (item, now = performance.now()) => (item.actor.ageMs || 0) + (now - item.at);

export const SORTS = {
  worst: (a, b) => b.badness - a.badness || a.all.since - b.all.since || 0,
  lag: (a, b) => (b.session?.audioLagMs || 0) - (a.session?.audioLagMs || 0),
  latency: (a, b) => (b.session?.latencyMs?.total || 0) - (a.session?.latencyMs?.total || 0),
  mailbox: (a, b) => b.all.mailbox - a.all.mailbox || a.all.since - b.all.since || 0,
  rate: (a, b) => b.all.rate - a.all.rate,
  restarts: (a, b) => b.all.restarts - a.all.restarts,
  failure: (a, b) => order(b.all.failure?.at || '', a.all.failure?.at || ''),
  age: (a, b) => aged(b, 0) - aged(a, 0),
  name: (a, b) => order(a.node.id, b.node.id) || a.number - b.number,
};

const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

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
  const roots = [...model.nodes.values()].map((entry) => entry.root ?? bare(entry.node));
  const nodeHits = (node) => Boolean(query) && node.id.toLowerCase().includes(query);
  const fits = (item, nodeHit) => passes(item) && (nodeHit || !query || item.text.includes(query));
  const push = (item, depth) => {
    const expandable = item.children.length > 0;
    const open = expandable && view.open.has(item.id);
    out.push({ item, depth, expandable, open });
    if (open) for (const child of [...item.children].sort(compare)) push(child, depth + 1);
  };
  if (view.mode === 'sessions') {
    const found = [];
    for (const root of roots) {
      const hit = nodeHits(root.node);
      for (const item of root.children) if (item.session && fits(item, hit)) found.push(item);
    }
    for (const item of found.sort(compare)) push(item, 0);
    return out;
  }
  for (const root of roots.sort(compare)) {
    const hit = nodeHits(root.node);
    const inside = root.children.filter((item) => fits(item, hit));
    if (narrowed && !inside.length && !(hit && !view.filter)) continue;
    const open = !view.shut.has(root.id);
    out.push({ item: root, depth: 0, expandable: root.children.length > 0, open, isNode: true });
    if (open) for (const item of inside.sort(compare)) push(item, 1);
  }
  return out;
}

/** A node that has no actors, or whose actors are not known: an edge, a gateway, one that never answered. */
function bare(node) {
  const own = figures({ busy: 'IDLE' }, 0);
  return { id: `${node.id}/`, number: 0, node, actor: { id: '', kind: 'node', ageMs: 0 }, at: 0, session: null, children: [], own, all: own, text: '', level: 1, badness: node.state === 'UNREACHABLE' ? 1e8 : 0 };
}
