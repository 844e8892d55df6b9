// The candidate's way through the page: welcome, consent, microphone, ready, live, end. Each step is a screen.

import { $, show, showProblem } from './screens.js';
import { fill, setLanguage, t } from './strings.js';
import { endingWords } from './states.js';
import { forgetConsent, query, readLink, rememberConsent, rememberedConsent } from './link.js';
import { Microphone, microphoneProblem } from './microphone.js';
import { MicCheck } from './mic-check.js';
import { Recorder } from './recorder.js';
import { Player } from './player.js';
import { Captions } from './captions.js';
import { LiveView } from './live-view.js';
import { Session } from './session.js';

const TEXT_VERSION = 'candidate-page-2'; // of the consent text in strings.js, when the edge names none
const ASK_AGAIN = 20_000; // at the latest, while the link is early or the edge does not answer

let info = {};
let consent = null;
let session = null;
let wakeLock = null;
let asking = 0;

const player = new Player({
  onMark: (mark) => session?.mark(mark),
  onSentence: (sentence) => captions.maya(sentence),
  onTurnEnd: (turnId) => captions.mayaEnded(turnId),
  onBlocked: (blocked) => { $('sound-blocked').hidden = !(blocked && session && !session.ended); },
});
const microphone = new Microphone({
  onFrame: (pcm, rms) => { check.frame(rms); session?.frame(pcm, rms); },
  onGone: () => microphoneGone(),
  onSystemMute: (muted) => (muted && session ? view.notice('mic_muted') : view.clearNotice('mic_muted')),
});
const check = new MicCheck(microphone, (code) => showProblem(code, enterMicrophone));
const captions = new Captions({ list: $('captions'), empty: $('captions-empty'), newest: $('captions-newest'), live: $('captions-live'), scroller: $('captions-scroller') });
const view = new LiveView({ micLevel: () => microphone.level(), mayaLevel: () => player.rms() });

window.__maya = {
  player,
  get state() { return session?.state ?? null; },
  get last() { return session?.last ?? null; },
  get session() { return session; },
  rms: () => player.rms(),
  turns: captions.turns,
};

async function enter() {
  const cannot = microphoneProblem();
  if (cannot) return showProblem(cannot);
  const { info: read, problem, opensIn } = await readLink();
  clearTimeout(asking);
  nameCompany(text(read.company));
  if (problem) {
    showProblem(problem, problem === 'invalid_link' ? null : enter, problem === 'early' ? opening(read.opensAt) : null);
    const waits = problem === 'early' || problem === 'unreachable';
    if (waits) asking = setTimeout(() => { if ($('error-title').dataset.code === problem) enter(); }, Math.min(ASK_AGAIN, opensIn || ASK_AGAIN));
    return;
  }
  delete $('error-title').dataset.code;
  info = read;
  document.documentElement.lang = setLanguage(info.language);
  fill(document);
  consent = rememberedConsent();
  welcome();
}

/** When an early link opens, in the candidate's zone, in the page's language: in their own variety of it, where they have one. */
function opening(opensAt) {
  const at = Date.parse(opensAt);
  if (Number.isNaN(at)) return null;
  const page = document.documentElement.lang;
  const own = navigator.languages.find((tag) => tag.split('-')[0] === page.split('-')[0]) ?? page;
  const time = new Intl.DateTimeFormat(own, { weekday: 'long', day: 'numeric', month: 'long', hour: 'numeric', minute: '2-digit', timeZoneName: 'short' }).format(at);
  return t('early.opens', { time });
}

function text(value) {
  return typeof value === 'string' && value.trim() ? value.trim() : null;
}

function nameCompany(company) {
  for (const node of document.querySelectorAll('[data-company]')) node.textContent = company ?? t('app.title');
}

function welcome() {
  const name = text(info.candidateName);
  const title = text(info.title);
  const company = text(info.company);
  document.title = title ? t('app.titleFor', { title }) : t('app.title');
  $('live-role').textContent = title ?? '';
  $('welcome-title').textContent = name ? t('welcome.helloName', { name }) : t('welcome.hello');
  const role = title && company ? 'role' : title ? 'roleOnly' : company ? 'companyOnly' : 'noRole';
  $('welcome-role').textContent = t(`welcome.${role}`, { title, company });
  const minutes = Number(info.durationMinutes);
  $('welcome-time').textContent = minutes === 1 ? t('welcome.timeOne') : minutes > 0 ? t('welcome.time', { minutes }) : t('welcome.timeUnknown');
  $('welcome-rejoin').hidden = !consent;
  $('continue').textContent = t(consent ? 'welcome.rejoin' : 'welcome.next');
  show('welcome');
}

function enterConsent() {
  const none = info.recording === false;
  $('consent-title').textContent = t(none ? 'consent.noneTitle' : 'consent.title');
  $('consent-lead').textContent = t(none ? 'consent.noneLead' : 'consent.lead');
  $('consent-both').textContent = t(none ? 'consent.noneNote' : 'consent.both');
  $('consent-yes').hidden = none;
  $('consent-no-label').textContent = t(none ? 'consent.noneGo' : 'consent.no');
  $('consent-no-note').hidden = none;
  show('consent');
}

function agree(recording) {
  consent = { recording, textVersion: text(info.textVersion) ?? TEXT_VERSION };
  rememberConsent(consent);
  enterMicrophone();
}

function enterMicrophone() {
  show('mic');
  check.begin();
}

function enterReady() {
  check.end();
  $('ready-recording').textContent = t(consent.recording ? 'ready.recorded' : 'ready.notRecorded');
  show('ready');
}

async function testSound() {
  const button = $('sound-test');
  button.disabled = true;
  button.textContent = t('ready.testing');
  await player.unlock();
  await player.chime();
  button.textContent = t('ready.test');
  button.disabled = false;
}

async function join() {
  $('join').disabled = true;
  await player.unlock(); // the click that lets Maya be heard
  microphone.resume();
  const encoding = query.get('audio') === 'webm' && Recorder.supported() ? 'WEBM_OPUS' : 'LINEAR16';
  session = new Session({
    microphone, player, captions, view, encoding, consent,
    doneWords: t('live.doneHint'),
    onButtons: ({ done, mute, leave }) => {
      $('done').disabled = !done;
      $('mute').disabled = !mute;
      $('leave').disabled = !leave;
    },
    onEnd: ended,
    onProblem: (code) => { view.end(); sleepAgain(); showProblem(code, rejoin); },
  });
  $('recording-sign').textContent = t(consent.recording ? 'live.recording' : 'live.notRecording');
  $('recording-sign').dataset.on = String(consent.recording);
  $('sound-blocked').hidden = player.running;
  session.buttons();
  goLive();
  $('join').disabled = false;
}

/** Back into the same interview from a problem screen: the words so far stay. */
async function rejoin() {
  await player.unlock();
  goLive();
}

function goLive() {
  show('live');
  session.start();
  if (microphone.systemMuted) view.notice('mic_muted'); // since before the join
  stayAwake();
}

async function microphoneGone() {
  if (!session || session.ended) {
    if (check.on) { check.end(); showProblem('mic_missing', enterMicrophone); }
    return;
  }
  view.notice('mic_gone');
  for (;;) {
    try {
      await microphone.open();
      break;
    } catch (error) {
      if (session.ended) return;
      console.warn('microphone', error?.name);
      await new Promise((r) => setTimeout(r, 2_000));
    }
  }
  if (session.ended) return microphone.close();
  view.clearNotice('mic_gone');
  view.notice('mic_back', { forMs: 4_000 });
  session.microphoneChanged();
}

function ended({ reason, left }) {
  view.end();
  microphone.close();
  sleepAgain();
  forgetConsent();
  const dialog = $('leave-dialog');
  if (dialog.open) dialog.close();
  const name = text(info.candidateName);
  const company = text(info.company);
  const held = !['CANCELLED', 'EXPIRED', 'FAILED'].includes(String(reason).toUpperCase());
  $('end-title').textContent = !held ? t('end.titleOver') : name ? t('end.titleName', { name }) : t('end.title');
  $('end-words').textContent = endingWords(reason, left);
  $('end-next').hidden = !held;
  $('end-contact').textContent = company ? t('end.next3Company', { company }) : t('end.next3');
  $('end-title').dataset.reason = reason ?? '';
  show('end');
}

async function stayAwake() {
  try { wakeLock = await navigator.wakeLock?.request('screen'); } catch { /* a courtesy only */ }
}

function sleepAgain() {
  wakeLock?.release().catch(() => {});
  wakeLock = null;
}

function wire() {
  $('continue').onclick = () => (consent ? enterMicrophone() : enterConsent());
  $('consent-yes').onclick = () => agree(true);
  $('consent-no').onclick = () => agree(false);
  $('mic-ok').onclick = enterReady;
  $('sound-test').onclick = testSound;
  $('join').onclick = join;
  $('mute').onclick = () => session.setMuted(!microphone.muted);
  $('done').onclick = () => session.done();
  $('leave').onclick = () => $('leave-dialog').showModal();
  $('leave-stay').onclick = () => $('leave-dialog').close();
  $('leave-confirm').onclick = () => { $('leave-dialog').close(); session.leave(); };
  $('resume-audio').onclick = () => player.unlock();
  $('captions-toggle').onclick = () => {
    const panel = $('captions-panel');
    panel.hidden = !panel.hidden;
    $('captions-toggle').textContent = t(panel.hidden ? 'live.captionsShow' : 'live.captionsHide');
    $('captions-toggle').setAttribute('aria-expanded', String(!panel.hidden));
    $('live').classList.toggle('no-captions', panel.hidden);
  };
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState !== 'visible' || !session || session.ended) return;
    microphone.resume();
    stayAwake();
  });
}

fill(document);
wire();
enter();
