// What can stand between a candidate and the interview: the link, the microphone, the address. Nobody joins.

import { approved, linkStatus } from './lib/platform.mjs';
import { check, eventually, run, until } from './lib/report.mjs';
import { close, launch, open, profile, REMOTE } from './lib/browser.mjs';
import { by, problem, problemScreen, visible } from './lib/candidate.mjs';

/** A whole second, as a link's times are. */
const inSeconds = (seconds) => new Date((Math.ceil(Date.now() / 1000) + seconds) * 1000);

async function toMicrophone(page, joinUrl) {
  await page.goto(joinUrl);
  await by(page, 'continue').click();
  await by(page, 'consent-no').click();
}

async function deniedMicrophone(joinUrl) {
  const context = await profile({ microphone: 'denied' });
  const page = await open(context);
  await toMicrophone(page, joinUrl);
  await problemScreen(page, 'mic_denied');
  check(await visible(page, 'retry'), 'the microphone can be tried again');
  await context.close();
}

async function missingMicrophone(joinUrl) {
  const context = await profile({ microphone: 'missing' });
  const page = await open(context);
  await toMicrophone(page, joinUrl);
  await problemScreen(page, 'mic_missing');
  await page.evaluate(() => { delete navigator.mediaDevices.getUserMedia; }); // plugged in: the browser's own fake one
  await by(page, 'retry').click();
  await eventually('one that was plugged in is found', () => by(page, 'mic-ok').isEnabled());
  await context.close();
}

async function invalidLinks(joinUrl) {
  const context = await profile();
  const page = await open(context, { expected: /401|400/ });
  const url = new URL(joinUrl);
  url.searchParams.set('token', `${url.searchParams.get('token').slice(0, -6)}AAAAAA`);
  await page.goto(url.href);
  await problemScreen(page, 'invalid_link');
  await page.goto(joinUrl.split('&')[0]);
  await by(page, 'error-title').waitFor();
  check((await problem(page)) === 'invalid_link', 'half a link is an invalid link');
  await context.close();
}

async function insecureAddress(joinUrl) {
  const context = await profile({ microphone: 'none' });
  const page = await open(context);
  const url = new URL(joinUrl);
  url.hostname = REMOTE;
  await page.goto(url.href);
  check(!(await page.evaluate(() => window.isSecureContext)), 'plain http on a name is no secure context');
  await problemScreen(page, 'insecure');
  const operator = await page.locator('#error-operator').innerText();
  check(operator.includes('If you run this system yourself'), 'whoever runs it is told what to do', operator);
  check((await page.locator('#error-operator-command').innerText()) === `ssh -L ${url.port}:127.0.0.1:${url.port} ${REMOTE}`, 'with the tunnel\'s command');
  check((await page.locator('#error-operator-link').innerText()).startsWith(`http://127.0.0.1:${url.port}/join`), 'and the address at its end');
  check(!(await visible(page, 'retry')), 'trying again would not help');
  await context.close();
}

/** Shows the screen; answers what waits until the page has gone on by itself. */
async function earlyLink() {
  const [language, timeZone] = ['en-GB', 'Asia/Kolkata'];
  const context = await profile({ locale: language, timezoneId: timeZone });
  const page = await open(context);
  const opensAt = inSeconds(40); // planned and approved before
  const { joinUrl } = await approved({ opensAt });
  await page.goto(joinUrl);
  await problemScreen(page, 'early');
  const body = await by(page, 'error-body').innerText();
  const theirs = (parts) => new Intl.DateTimeFormat(language, { timeZone, ...parts }).format(opensAt);
  check([theirs({ weekday: 'long' }), theirs({ hour: 'numeric', minute: '2-digit' })].every((words) => body.includes(words)), 'it says when, in the candidate\'s own way and zone', body);
  // sooner than the page would ask if it did not know when
  const opened = eventually('the page goes on by itself', () => visible(page, 'continue'), opensAt - Date.now() + 5_000).then(() => Date.now());
  return async () => {
    check((await opened) >= opensAt, 'when the link opens, and not before');
    await context.close();
  };
}

async function expiredLink(joinUrl) {
  await until('the link to expire', async () => (await linkStatus(joinUrl)) === 'EXPIRED', 45_000);
  const context = await profile();
  const page = await open(context);
  await page.goto(joinUrl);
  await problemScreen(page, 'expired');
  check(!(await visible(page, 'retry')), 'trying again would not open it');
  await context.close();
}

await run(async () => {
  await launch();
  const { joinUrl } = await approved();
  const expiring = await approved({ expiresAt: inSeconds(30) });
  const opened = await earlyLink();
  await deniedMicrophone(joinUrl);
  await missingMicrophone(joinUrl);
  await invalidLinks(joinUrl);
  await insecureAddress(joinUrl);
  await expiredLink(expiring.joinUrl);
  await opened();
}, close);
