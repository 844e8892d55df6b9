// One screen at a time: shows it, moves the focus to its heading, and fills the page-wide problem screen.

import { t } from './strings.js';
import { PROBLEMS } from './states.js';

export const $ = (id) => document.getElementById(id);

let current = null;

export function show(name) {
  for (const screen of document.querySelectorAll('[data-screen]')) screen.hidden = screen.dataset.screen !== name;
  document.body.dataset.showing = name;
  if (current !== null && current !== name) {
    const heading = document.querySelector(`[data-screen="${name}"] h1`);
    heading?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  current = name;
}

export function showing() {
  return current;
}

/** The whole page says what is wrong and what to do. `onRetry` runs when the candidate asks to go on; `note` is one more line. */
export function showProblem(code, onRetry, note) {
  const problem = PROBLEMS[code] || PROBLEMS.broken;
  const title = $('error-title');
  title.textContent = problem.title;
  title.dataset.code = code;
  const lines = note ? [...problem.body, note] : problem.body;
  $('error-body').replaceChildren(...lines.map((line) => {
    const p = document.createElement('p');
    p.textContent = line;
    return p;
  }));
  const operator = $('error-operator');
  operator.hidden = !problem.operator;
  if (problem.operator) {
    $('error-operator-text').textContent = problem.operator;
    const port = location.port || '80';
    $('error-operator-command').textContent = `ssh -L ${port}:127.0.0.1:${port} ${location.hostname}`;
    $('error-operator-link').textContent = `http://127.0.0.1:${port}/join?…`;
  }
  const retry = $('retry');
  retry.hidden = problem.retry === 'none' || !onRetry;
  retry.textContent = t(problem.retry === 'here' ? 'error.continueHere' : 'error.again');
  retry.onclick = onRetry || null;
  $('error-code').textContent = t('error.code', { code });
  show('problem');
}
