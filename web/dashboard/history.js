// What happened in the last hour: to the chosen session or node, or to all of them. It is kept when they are gone.

import { ago } from './format.js';
import { ask } from './stream.js';

const BAD = new Set(['FELL', 'GIVEN_UP', 'FENCED', 'STUCK']);

/** Fetches and draws; what is drawn already stays while the answer is on its way. */
export async function drawHistory(list, { session, node, limit = 50 }, key, signal) {
  const query = new URLSearchParams({ limit: String(limit), ...(session ? { session } : {}), ...(node ? { node } : {}) });
  try {
    const { events } = await (await ask(`/api/v1/actors/history?${query}`, key, signal)).json();
    list.replaceChildren(...(events.length ? events.map((event) => line(event, { session, node })) : [plain('Nothing happened in the last hour.')]));
  } catch (error) {
    if (error.name === 'AbortError') return;
    list.replaceChildren(plain(`The history cannot be read now: ${error.message}.`));
  }
}

function plain(text) {
  const item = document.createElement('li');
  item.className = 'fine';
  item.textContent = text;
  return item;
}

function line(event, whose) {
  const item = document.createElement('li');
  item.dataset.what = event.what;
  const at = document.createElement('time');
  at.dateTime = event.at;
  at.title = event.at;
  at.textContent = ago(event.at);
  const what = document.createElement('b');
  what.textContent = event.what.toLowerCase().replaceAll('_', ' ');
  if (BAD.has(event.what)) what.className = 'bad';
  const who = document.createElement('span');
  who.className = 'who';
  who.textContent = [event.actor, whose.session ? '' : event.session, whose.node ? '' : event.node, event.epoch ? `epoch ${event.epoch}` : ''].filter(Boolean).join(' · ');
  const reason = document.createElement('span');
  reason.textContent = event.reason;
  item.append(at, what, who, reason);
  return item;
}
