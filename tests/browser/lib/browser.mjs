// One Chromium for a script; pages in which every script error and every console error is a failed check.

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { check } from './report.mjs';

// installed by tests/it/browser.rs into the cache, or by hand with `npm ci` beside the scripts
const modules = process.env.MAYA_TEST_MODULES;
const { chromium } = createRequire(modules ? path.join(modules, 'package.json') : import.meta.url)('playwright-core');

const executablePath = process.env.MAYA_TEST_CHROMIUM || '/usr/bin/chromium';
const shots = process.env.MAYA_TEST_SHOTS || 'target/browser-shots';
const shim = fs.readFileSync(new URL('../shim.js', import.meta.url), 'utf8');

export const WIDE = { width: 1280, height: 800 };
export const NARROW = { width: 320, height: 640 };
export const REMOTE = 'maya.test'; // this machine by a name that browsers do not trust without https

const REFUSED = { denied: 'NotAllowedError', missing: 'NotFoundError' };

let browser;

export async function launch() {
  fs.mkdirSync(shots, { recursive: true });
  browser = await chromium.launch({
    executablePath,
    // headless pages have no one to allow a microphone; the sound is let out by the click on Join, as for a person
    args: ['--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--autoplay-policy=user-gesture-required', '--no-proxy-server', `--host-resolver-rules=MAP ${REMOTE} 127.0.0.1`],
    ignoreDefaultArgs: ['--autoplay-policy=no-user-gesture-required'],
  });
  return browser;
}

export const close = async () => browser?.close();

/** A browser profile of its own. `microphone: 'shim'` speaks what the test says, `'denied'` is refused, `'missing'` is not there. */
export async function profile({ viewport = WIDE, dark = false, microphone = 'shim', ...more } = {}) {
  const context = await browser.newContext({ viewport, colorScheme: dark ? 'dark' : 'light', ...more });
  if (microphone === 'shim') await context.addInitScript(shim);
  if (REFUSED[microphone]) await context.addInitScript((name) => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('the test has none', name)); }, REFUSED[microphone]);
  return context;
}

/** A page, with the socket's frames collected in `page.wire`: {sent: [], received: []}. `expected` = console errors that belong to the test. */
export async function open(context, { expected } = {}) {
  const page = await context.newPage();
  page.on('pageerror', (error) => check(false, 'no script error', String(error.stack)));
  page.on('console', (message) => { if (message.type() === 'error' && !expected?.test(message.text())) check(false, 'no console error', message.text()); });
  page.wire = { sent: [], received: [] };
  page.on('websocket', (socket) => {
    const take = (list) => ({ payload }) => { if (typeof payload === 'string') list.push({ ...JSON.parse(payload), at: performance.now() }); };
    socket.on('framesent', take(page.wire.sent));
    socket.on('framereceived', take(page.wire.received));
  });
  return page;
}

export async function shot(page, name) {
  await page.screenshot({ path: path.join(shots, `${name}.png`) });
}

/** A screen as it is, wide and narrow. */
export async function pictures(page, name) {
  await shot(page, `wide-${name}`);
  await page.setViewportSize(NARROW);
  await shot(page, `narrow-${name}`);
  await noSidewaysScroll(page, name);
  await page.setViewportSize(WIDE);
}

export async function noSidewaysScroll(page, where) {
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  check(wide <= room, `no sideways scroll at ${room} px: ${where}`, wide);
}
