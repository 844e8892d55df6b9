// A script's checks and its one JSON result on standard output: {"ok", "checks": [{what, ok, detail?}], "facts", "error"?}.
// What is said on the way goes to standard error.

import { setTimeout as sleep } from 'node:timers/promises';

export const checks = [];
export const facts = {};

export function check(ok, what, detail) {
  checks.push({ what, ok: Boolean(ok), ...(detail === undefined ? {} : { detail }) });
  process.stderr.write(`${ok ? 'ok  ' : 'FAIL'} ${what}${detail === undefined ? '' : `: ${JSON.stringify(detail)}`}\n`);
  return Boolean(ok);
}

/** Waits until `probe` answers something true, and answers that; a deadline passed is an error that names `what`. */
export async function until(what, probe, ms = 10_000) {
  const deadline = performance.now() + ms;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (performance.now() > deadline) throw new Error(`waited ${ms} ms for ${what}`);
    await sleep(40);
  }
}

/** `until` as a check: the script goes on when it fails. */
export async function eventually(what, probe, ms) {
  try {
    return check(await until(what, probe, ms), what);
  } catch (error) {
    return check(false, what, error.message);
  }
}

/** Runs a script's body and prints its result. `close` runs whatever happened. */
export async function run(body, close) {
  let error;
  try {
    await body();
  } catch (thrown) {
    error = thrown.stack;
    process.stderr.write(`${error}\n`);
  }
  await close().catch(() => {});
  const ok = !error && checks.length > 0 && checks.every((c) => c.ok);
  process.stdout.write(`${JSON.stringify({ ok, checks, facts, ...(error ? { error } : {}) })}\n`);
  process.exit(ok ? 0 : 1);
}
