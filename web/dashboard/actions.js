// What an operator may do to the chosen row: each action is confirmed, with a reason that goes to the audit log.

import { Refused } from './stream.js';

const ACTIONS = {
  session: [
    ['end', 'End politely', 'Maya says goodbye and the interview ends as completed.', () => ({ path: 'end' })],
    ['move', 'Move', 'The session goes to another node; the candidate hears nothing of it.', () => ({ path: 'move' }), true],
    ['rotate', 'Rotate recogniser', 'The ear opens another stream to the recogniser.', () => ({ path: 'rotate-stt' })],
    ['restart', 'Restart session', 'The session is rebuilt from its recorded turns.', () => ({ path: 'restart', body: { kind: 'session' } })],
  ],
  actor: [['restart', 'Restart actor', 'The actor is started again; its session is kept.', (row) => ({ path: 'restart', body: { kind: row.item.actor.kind } })]],
  node: [
    ['drain', 'Drain', 'The node takes no new session and gives away those that live there.', () => ({ path: 'drain' })],
    ['pause', 'Pause admission', 'The node takes no new session; those that live there go on.', () => ({ path: 'pause' })],
    ['resume', 'Resume admission', 'The node takes new sessions again.', () => ({ path: 'resume' })],
  ],
};

/** The buttons for a row; nothing for whom `mayAct` is false. */
export function drawActions(root, row, { mayAct, key }) {
  if (!mayAct) return;
  const { item } = row;
  const session = sessionOf(item);
  const kind = row.isNode ? 'node' : item.session ? 'session' : session ? 'actor' : null;
  if (!kind) return;
  const box = document.createElement('div');
  box.className = 'actions';
  box.dataset.testid = 'actions';
  for (const [name, label, what, asks, toNode] of ACTIONS[kind]) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = label;
    button.dataset.testid = `do-${name}`;
    button.onclick = () => {
      const { path, body = {} } = asks(row);
      const url = kind === 'node' ? `/api/v1/nodes/${encodeURIComponent(item.node.id)}/${path}` : `/api/v1/actors/${session.sessionId}/${path}`;
      const about = kind === 'node' ? `node ${item.node.id}` : `${kind === 'actor' ? `${item.actor.kind} of ` : ''}session ${session.sessionId}`;
      confirm({ label, what, about, url, body, toNode, key });
    };
    box.append(button);
  }
  root.append(box);
}

function sessionOf(item) {
  for (let at = item; at; at = at.parent) if (at.session) return at.session;
  return null;
}

const $ = (id) => document.getElementById(id);

function confirm({ label, what, about, url, body, toNode, key }) {
  const dialog = $('confirm');
  $('confirm-title').textContent = `${label}?`;
  $('confirm-about').textContent = about;
  $('confirm-what').textContent = what;
  $('confirm-to-label').hidden = !toNode;
  $('confirm-to').value = '';
  $('confirm-reason').value = '';
  $('confirm-yes').textContent = label;
  say('');
  $('confirm-yes').disabled = false;
  $('confirm-form').onsubmit = async (event) => {
    event.preventDefault();
    const to = $('confirm-to').value.trim();
    $('confirm-yes').disabled = true;
    say('Asking the node…');
    try {
      await ask(url, { ...body, ...(to ? { to } : {}), reason: $('confirm-reason').value.trim() }, key);
      dialog.close();
      announce(`${label}: done (${about}).`);
    } catch (error) {
      say(error.message, true);
      $('confirm-yes').disabled = false;
    }
  };
  $('confirm-no').onclick = () => dialog.close();
  dialog.showModal();
  $('confirm-reason').focus();
}

async function ask(url, body, key) {
  const answer = await fetch(url, { method: 'POST', headers: { 'x-api-key': key, 'content-type': 'application/json' }, body: JSON.stringify(body), signal: AbortSignal.timeout(20_000) });
  if (answer.ok) return;
  if (answer.status === 401) throw new Refused(401);
  const problem = await answer.json().catch(() => ({}));
  const fields = (problem.errors || []).map(({ field, message }) => `${field} ${message}`).join(', ');
  throw new Error(fields || problem.detail || problem.title || `the gateway answered ${answer.status}`);
}

function say(text, bad = false) {
  $('confirm-said').textContent = text;
  $('confirm-said').classList.toggle('bad', bad);
}

function announce(text) {
  const place = $('announce');
  place.textContent = text;
  place.hidden = false;
  clearTimeout(place.timer);
  place.timer = setTimeout(() => { place.hidden = true; }, 8_000);
}
