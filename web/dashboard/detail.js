// What is known of one chosen row. Only named fields are shown: ids, figures, states. Never words, sound or names of people.

import { age, ago, count, rate, span } from './format.js';
import { aged, busyName, waited } from './model.js';

export function drawDetail(root, row) {
  root.replaceChildren();
  const { item } = row;
  const { actor, node, session, all } = item;
  const heading = document.createElement('h2');
  heading.textContent = row.isNode ? 'node' : session ? 'session' : actor.kind.replaceAll('_', ' ');
  root.append(heading);
  if (row.isNode) {
    list(root, [
      ['node', node.id, 'id'], ['state', node.state], ['roles', (node.roles || []).join(', ')], ['zone', node.zone], ['version', node.version],
      ['started', node.startedAt ? `${node.startedAt} (${ago(node.startedAt)})` : ''], ['sessions', count(node.sessions)],
    ]);
  }
  if (session) {
    list(root, [
      ['interview', session.interviewId, 'id'], ['session', session.sessionId, 'id'], ['tenant', session.tenantId, 'id'],
      ['tree on', node.id, 'id'], ['socket on', session.edge ?? 'no edge', session.edge ? 'id' : ''], ['epoch', String(session.epoch ?? '')],
      ['phase', actor.phase], ['turns', count(session.turns)], ['audio lag', span(session.audioLagMs)],
    ]);
    drawLatency(root, session.latencyMs);
  }
  if (!actor.id) return;
  title(root, row.expandable ? 'actor, with all below it' : 'actor');
  const oldest = waited(all);
  list(root, [
    ['actor', actor.id, 'id'], ['busy', busyName(all.busy)], ['waits for', actor.waitsFor?.replaceAll('_', ' ')],
    ['provider', actor.provider ? `${actor.provider.state} for ${span(actor.provider.forMs + (performance.now() - item.at))}` : ''],
    ['age', age(aged(item))], ['mailbox', `${count(all.mailbox)}${oldest ? `, oldest ${span(oldest)}` : ''}`],
    ['handled', `${rate(all.rate)}/s`], ['restarts', String(all.restarts)],
    ['last failure', all.failure ? `${all.failure.at} (${ago(all.failure.at)})` : 'none'], ['reason', all.failure?.reason ?? ''],
  ]);
}

/** The last turn's stages as one bar, and as figures. */
function drawLatency(root, latency) {
  if (!latency?.total) return;
  const stages = ['endpoint', 'stt', 'llm', 'tts'];
  title(root, `last turn: ${span(latency.total)}`);
  const bar = document.createElement('div');
  bar.className = 'stages';
  bar.setAttribute('aria-hidden', 'true');
  for (const stage of stages) {
    const piece = document.createElement('span');
    piece.className = `s-${stage}`;
    piece.style.flexGrow = String(Math.max(latency[stage], 1));
    bar.append(piece);
  }
  root.append(bar);
  list(root, stages.map((stage) => [stage, span(latency[stage])]));
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
