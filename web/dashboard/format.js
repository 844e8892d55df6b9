// Numbers as an operator reads them: short, aligned, never wrapped.

export function age(ms) {
  if (!Number.isFinite(ms)) return '–';
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${String(s % 60).padStart(2, '0')}`;
  if (s < 86_400) return `${Math.floor(s / 3600)}h${String(Math.floor((s % 3600) / 60)).padStart(2, '0')}`;
  return `${Math.floor(s / 86_400)}d${Math.floor((s % 86_400) / 3600)}h`;
}

export function span(ms) {
  if (!Number.isFinite(ms)) return '–';
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)}s`;
  return age(ms);
}

export function rate(perSecond) {
  if (!perSecond) return '0';
  return perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString('en');
}

export const count = (n) => (Number.isFinite(n) ? n.toLocaleString('en') : '–');

/** "14s ago", from an RFC 3339 time of the server: clocks may differ, so it is never below zero. */
export function ago(at, now = Date.now()) {
  const then = Date.parse(at);
  return Number.isNaN(then) ? '' : `${age(Math.max(0, now - then))} ago`;
}

export const clock = (date) => `${date.toISOString().slice(11, 19)} UTC`;
export const shortId = (id) => (String(id).length > 18 ? `${String(id).slice(0, 8)}…${String(id).slice(-6)}` : String(id));
