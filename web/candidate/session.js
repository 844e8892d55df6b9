// The live interview: joins the socket, the microphone, Maya's voice and the captions. The protocol's meaning lives here.

import { Connection } from './connection.js';
import { Uplink } from './uplink.js';
import { linkProblem, query } from './link.js';
import { ERROR_NOTICE } from './states.js';

const SILENT_FRAMES = 100; // 10 s of nothing while Maya listens
const SILENT_RMS = 0.004;
const LEAVE_TIMEOUT = 6_000;
const LAST_WORDS = 15_000; // how long Maya's closing words may still sound after ENDED
const RESTARTS = 3; // of a stream the server refuses
const COUNTING = new Set(['GREETING', 'LISTENING', 'THINKING', 'SPEAKING', 'CLOSING']);

export class Session {
  /**
   * @param {{microphone, player, captions, view, encoding: string, consent: {recording: boolean, textVersion: string},
   *   onEnd: (how: {reason?: string, left: boolean}) => void, onProblem: (code: string) => void}} parts
   */
  constructor(parts) {
    Object.assign(this, parts);
    this.state = null;
    this.last = null;
    this.quiet = 0;
    this.restarts = 0;
    this.ended = false;
    this.uplink = new Uplink({ send: (m) => this.connection.send(m), stream: () => this.microphone.stream, encoding: this.encoding });
    this.connection = new Connection({
      query,
      checkLink: linkProblem,
      onOpen: () => this.opened(),
      onMessage: (message) => this.receive(message),
      onLost: () => this.lost(),
      onStop: (problem) => this.stopped(problem),
      onSlow: (slow) => (slow ? this.view.notice('slow') : this.view.clearNotice('slow')),
    });
  }

  start() {
    this.view.begin();
    this.view.state('CONNECTING');
    this.connection.start();
  }

  opened() {
    this.fresh = true; // the first sound of a new socket may repeat what is still playing
    if (this.leaving) { this.connection.send({ type: 'LEAVE' }); return; }
    this.connection.send({ type: 'CONSENT', recording: this.consent.recording, textVersion: this.consent.textVersion });
    this.uplink.connected();
  }

  receive(message) {
    if (this.ended) return;
    switch (message.type) {
      case 'STATE': return this.onState(message);
      case 'AGENT_RESPONSE': return this.onVoice(message);
      case 'AGENT_CLEAR': return this.captions.mayaCut(this.player.clear(message.turnId));
      case 'TRANSCRIPT':
        this.restarts = 0;
        return this.captions.candidate(message);
      case 'ERROR': return this.onError(message);
      default: // a newer server may say more
    }
  }

  onState(message) {
    const before = this.state;
    this.state = message.state;
    this.last = message;
    this.quiet = 0;
    if (message.state === 'ENDED') return this.finish(message.reason);
    if (message.state === 'LISTENING' && before !== 'LISTENING') this.uplink.listening();
    if (!this.leaving) this.view.state(message.state);
    this.view.time(message.remainingSeconds, COUNTING.has(message.state));
    this.buttons();
  }

  onVoice(message) {
    if (this.fresh) {
      this.fresh = false;
      if (!this.player.follows(message)) this.captions.mayaCut(this.player.clear());
    }
    this.player.enqueue(message);
  }

  onError({ code, message, retryable }) {
    console.warn('maya error', code, message, retryable);
    if (code === 'session_replaced') return this.connection.fail('replaced');
    if (code === 'session_ended') return this.finish();
    if (code === 'not_started' || code === 'bad_audio') {
      if (this.restarts++ < RESTARTS) this.uplink.restart(code !== 'not_started');
    }
    if (code === 'consent_required') this.connection.send({ type: 'CONSENT', ...this.consent });
    const notice = ERROR_NOTICE[code];
    if (notice) this.view.notice(notice, { forMs: 8_000 });
  }

  lost() {
    this.uplink.disconnected();
    if (!this.leaving) this.view.state('RECONNECTING');
    this.view.time(undefined, false);
    this.buttons();
  }

  stopped(problem) {
    if (this.ended) return;
    if (this.leaving || problem === 'ended') return this.finish();
    this.player.clear();
    this.uplink.disconnected();
    this.onProblem(problem);
  }

  mark(mark) {
    this.connection.send({ type: 'PLAYBACK', ...mark });
  }

  /** Every 100 ms of microphone. */
  frame(pcm, rms) {
    if (this.ended) return;
    this.uplink.frame(pcm, rms);
    const expected = this.state === 'LISTENING' && !this.uplink.muted && this.connection.isOpen;
    this.quiet = !expected || rms > SILENT_RMS ? 0 : this.quiet + 1;
    if (this.quiet === 0) this.view.clearNotice('silent');
    if (this.quiet === SILENT_FRAMES) this.view.notice('silent');
    if (this.saidDone && this.uplink.mode === 'open') this.buttons();
  }

  done() {
    this.uplink.done();
    this.saidDone = true;
    this.buttons();
    this.view.hint(this.doneWords);
  }

  setMuted(muted) {
    this.microphone.setMuted(muted);
    this.uplink.setMuted(muted);
    this.view.setMuted(muted);
    this.buttons();
  }

  buttons() {
    if (this.uplink.mode === 'open') this.saidDone = false;
    const answering = this.state === 'LISTENING' && this.uplink.mode === 'open' && this.connection.isOpen;
    this.onButtons({ done: answering && !this.leaving, mute: !this.leaving, leave: !this.leaving });
  }

  /** The microphone was opened anew: a compressed stream must begin again with it. */
  microphoneChanged() {
    if (this.uplink.compressed) this.uplink.restart();
  }

  leave() {
    this.leaving = true;
    this.uplink.finish('muted');
    this.captions.mayaCut(this.player.clear());
    this.connection.send({ type: 'LEAVE' });
    this.view.state('LEAVING');
    this.buttons();
    setTimeout(() => this.finish(), LEAVE_TIMEOUT);
  }

  async finish(reason) {
    if (this.ended) return;
    this.ended = true;
    this.connection.stop();
    const normal = !this.leaving && (!reason || /^completed|^time/i.test(reason));
    const until = performance.now() + LAST_WORDS;
    while (normal && this.player.running && this.player.speaking && performance.now() < until) await new Promise((r) => setTimeout(r, 100));
    this.player.clear();
    this.uplink.disconnected();
    this.onEnd({ reason, left: Boolean(this.leaving) });
  }
}
