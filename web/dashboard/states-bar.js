// The interviews of the whole system by state: one compact bar and the numbers that matter.

import { count } from './format.js';

/** Every state of docs/contracts.md, in the order of a life, with the group that colours it. */
export const STATE_GROUPS = {
  RECEIVED: 'work', INFO_NEEDED: 'human', VALIDATING_SKILLS: 'work', PENDING: 'human', APPROVED: 'ready', REJECTED: 'closed',
  IN_PROGRESS: 'live', COMPLETED: 'work', ABANDONED: 'closed', ASSESSING: 'work', ASSESSMENT_READY: 'human',
  ASSESSMENT_COMPLETED: 'done', ASSESSMENT_REJECTED: 'closed', CANCELLED: 'closed', EXPIRED: 'closed', FAILED: 'failed',
};
const GROUPS = ['failed', 'human', 'work', 'ready', 'live', 'done', 'closed'];
const GROUP_NAMES = { failed: 'Failed', human: 'Awaits a person', work: 'In work', ready: 'Approved', live: 'Live', done: 'Done', closed: 'Closed' };

export function drawStates(states, { bar, list }) {
  const entries = Object.entries(states).filter(([, n]) => n > 0);
  const known = Object.keys(STATE_GROUPS);
  entries.sort(([a], [b]) => known.indexOf(a) - known.indexOf(b));
  const sums = new Map(GROUPS.map((g) => [g, 0]));
  for (const [state, n] of entries) {
    const group = STATE_GROUPS[state] || 'work';
    sums.set(group, sums.get(group) + n);
  }
  // Square roots: a hundred failures stay visible beside fifty thousand finished interviews.
  bar.replaceChildren(...GROUPS.filter((g) => sums.get(g)).map((group) => {
    const piece = document.createElement('span');
    piece.className = `g-${group}`;
    piece.style.flexGrow = String(Math.sqrt(sums.get(group)));
    piece.title = `${GROUP_NAMES[group]}: ${count(sums.get(group))}`;
    return piece;
  }));
  list.replaceChildren(...entries.map(([state, n]) => {
    const item = document.createElement('li');
    item.className = `g-${STATE_GROUPS[state] || 'work'}`;
    item.dataset.state = state;
    const name = document.createElement('span');
    name.textContent = state.toLowerCase().replaceAll('_', ' ');
    const number = document.createElement('b');
    number.textContent = count(n);
    item.append(name, number);
    return item;
  }));
}
