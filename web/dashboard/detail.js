// What is known of one chosen row. Only named fields are shown: ids, figures, states. Never words, sound or names of people.

import { age, ago, count, rate, span } from './format.js';
import { busyName } from './model.js';

export function drawDetail(root, row) {
  root.replaceChildren();
  const { item } = row;
  const { actor, node, session, all } = item;
  const heading = document.createElement('h2');
  heading.textContent = row.isNode ? 'node' : session ? 'session' : `${actor.kind}`;
  root.append(heading);
  if (row.isNode) {
    list(root, [
      ['node', node.id, 'id'], ['state', node.state], ['roles', (node.roles || []).join(', ')], ['zone', node.zone], ['version', node.version],
      ['started', node.startedAt ? `${node.startedAt} (${ago(node.startedAt)})` : ''], ['sessions', count(node.sessions)],
      ...Object.entries(node.load || {}).filter(([, v]) => typeof v === 'number').map(([k, v]) => [`load ${k}`, String(v)]),
    ]);
  }
  if (session) {
    list(root, [['interview', session.interviewId, 'id'], ['session', session.sessionId, 'id'], ['tenant', session.tenantId, 'id'], ['node', node.id, 'id'], ['epoch', String(session.epoch ?? '')], ['phase', actor.phase], ['turns', count(session.turns)], ['audio lag', span(session.audioLagMs)]]);
    const latency = session.latencyMs;
    if (latency) {
      title(root, 'latency of the last turn');
      list(root, ['endpoint', 'stt', 'llm', 'tts', 'total'].map((k) => [k, span(latency[k])]));
    }
  }
  title(root, row.expandable ? 'actor, with all below it' : 'actor');
  list(root, [
    ['actor', actor.id, 'id'], ['busy', busyName(all.busy)], ['age', age(actor.ageMs)], ['mailbox', `${count(all.mailbox)}${all.oldestMs ? `, oldest ${span(all.oldestMs)}` : ''}`],
    ['handled', `${count(actor.handled)} (${rate(all.rate)}/s)`], ['restarts', String(all.restarts)],
    ['last failure', all.failure ? `${all.failure.at} (${ago(all.failure.at)})` : 'none'], ['reason', all.failure?.reason ?? ''],
  ]);
}

function title(root, text) {
  const node = document.createElement('h3');
  node.textContent = text;
  root.append(node);
}

function list(root, entries) {
  const dl = document.createElement('dl');
  for (const [name, value, kind] of entries) {
    if (value === undefined || value === null || value === '') continue;
    const dt = document.createElement('dt');
    dt.textContent = name;
    const dd = document.createElement('dd');
    dd.textContent = value;
    if (kind === 'id') {
      const copy = document.createElement('button');
      copy.type = 'button';
      copy.className = 'copy';
      copy.textContent = 'copy';
      copy.setAttribute('aria-label', `copy ${name} id`);
      copy.onclick = async () => {
        try { await navigator.clipboard.writeText(value); copy.textContent = 'copied'; } catch { getSelection().selectAllChildren(dd); copy.textContent = 'selected'; }
      };
      dd.append(' ', copy);
    }
    dl.append(dt, dd);
  }
  root.append(dl);
}
