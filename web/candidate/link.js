// The join link: what it says about the interview, and whether it is still good.

export const query = new URLSearchParams(location.search);

const STATUS_PROBLEM = { EARLY: 'early', ENDED: 'ended', EXPIRED: 'expired' };

/** Asks the edge about the link. Answers {info, problem, opensIn}; problem is a code of states.js, or null. */
export async function readLink() {
  if (!query.get('sessionId') || !query.get('token')) return { info: {}, problem: 'invalid_link' };
  const ask = new URLSearchParams();
  for (const name of ['sessionId', 'tenantId', 'token']) ask.set(name, query.get(name) || '');
  try {
    const answer = await fetch(`/join/info?${ask}`, { headers: { accept: 'application/json' }, cache: 'no-store', signal: AbortSignal.timeout(10_000) });
    const body = await answer.json().catch(() => ({}));
    if ([400, 401, 403, 404, 410].includes(answer.status)) {
      const said = `${body.type ?? ''} ${body.code ?? ''}`;
      return { info: {}, problem: /expired/i.test(said) ? 'expired' : /revoked/i.test(said) ? 'withdrawn' : 'invalid_link' };
    }
    if (!answer.ok) return { info: {}, problem: 'unreachable' };
    return { info: body, problem: STATUS_PROBLEM[body.status] ?? null, opensIn: opensIn(body, answer) };
  } catch {
    return { info: {}, problem: 'unreachable' };
  }
}

/** Milliseconds until an early link opens, by the edge's clock: the candidate's may be wrong. NaN where it is not said. */
function opensIn(body, answer) {
  return Math.max(1_000, Date.parse(body.opensAt) - Date.parse(answer.headers.get('date')));
}

/** For the reconnect: only what can never be cured by waiting. */
export async function linkProblem() {
  const { problem } = await readLink();
  return problem === 'unreachable' || problem === 'early' ? null : problem;
}

// The choice is remembered in this tab only, so that a reload in the middle of an interview goes straight back in.
const key = `maya.consent.${query.get('sessionId')}`;

export function rememberConsent(consent) {
  try { sessionStorage.setItem(key, JSON.stringify(consent)); } catch { /* storage may be off */ }
}

export function rememberedConsent() {
  try { return JSON.parse(sessionStorage.getItem(key)); } catch { return null; }
}

export function forgetConsent() {
  try { sessionStorage.removeItem(key); } catch { /* storage may be off */ }
}
