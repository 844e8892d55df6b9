// The platform under test, as a recruiter's system sees it: interviews made and approved over REST.

import { until } from './report.mjs';

function given(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: tests/it/browser.rs says what these scripts need`);
  return value;
}

export const gateway = given('MAYA_TEST_GATEWAY').replace(/\/$/, '');
export const adminKey = given('MAYA_TEST_ADMIN_KEY');
export const operatorKey = () => given('MAYA_TEST_OPERATOR_KEY');

export const candidate = 'Rosalind Quillfeather'; // a name that nothing else on a page contains

async function call(method, path, body) {
  const answer = await fetch(`${gateway}/api/v1/integration/interviews${path}`, {
    method,
    headers: { 'x-api-key': adminKey, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path || '/'} answered ${answer.status}: ${text}`);
  return text ? JSON.parse(text) : null;
}

/** An approved interview: {id, joinUrl, sessionId}. `opensAt` and `expiresAt` are Dates. */
export async function approved({ minutes = 1, opensAt, expiresAt } = {}) {
  const { id } = await call('POST', '', {
    externalId: 'browser-test', language: 'en-US', durationMinutes: minutes, opensAt, expiresAt,
    candidate: { name: candidate, email: 'rosalind@example.com', resume: 'Six years of payment services in Rust.' },
    position: { title: 'Backend Engineer', level: 'MID', description: 'You build and run our payment services.' },
    skills: [{ name: 'Rust', level: 'MID', mustHave: true }, { name: 'PostgreSQL', level: 'MID', mustHave: false }],
  });
  await until('the plan', async () => (await call('GET', `/${id}`)).state === 'PENDING', 60_000);
  await call('POST', `/${id}/plan/approve`, {});
  return { id, ...(await call('POST', `/${id}/session`, {})) };
}

/** What the edge says of a join link: READY, EARLY, ENDED or EXPIRED. */
export async function linkStatus(joinUrl) {
  const answer = await fetch(joinUrl.replace('/join?', '/join/info?'));
  return (await answer.json()).status;
}

export const state = async (id) => (await call('GET', `/${id}`)).state;
export const transcript = async (id) => (await call('GET', `/${id}/transcript`)).turns;
export const audit = async (id) => (await call('GET', `/${id}/events?limit=200`)).items;
export const cancel = (id) => call('POST', `/${id}/cancel`, { reason: 'the test is over' });
