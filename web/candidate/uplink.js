// When the candidate's voice is sent: start, chunk and end of the protocol, in that order, always.
//   off     no socket: the last seconds are held and sent when it is back
//   open    streaming; Maya finds the end of a turn herself
//   waiting "I have finished answering" was pressed: the next speech, or Maya's next question, opens it again
//   muted   nothing is sent

import { encode } from './base64.js';
import { Recorder } from './recorder.js';

const HELD_FRAMES = 80; // 8 s kept while there is no socket
const LEAD_FRAMES = 5; // 500 ms before speech was noticed, so that its first syllable is not lost
const ONSET_FRAMES = 2; // 200 ms of voice
const QUIET_AFTER_DONE = 6; // 600 ms: the end of the last word is not new speech
const REOPEN_FRAMES = 100; // 10 s: a voice too soft to notice must not be locked out
const SPEECH_RMS = 0.008;
const LOUDEST_FLOOR = 0.01;

export class Uplink {
  /** @param {{send: (m: object) => boolean, stream: () => MediaStream, encoding: 'LINEAR16'|'WEBM_OPUS'}} options */
  constructor({ send, stream, encoding }) {
    Object.assign(this, { send, stream, encoding });
    this.mode = 'off';
    this.muted = false;
    this.held = [];
    this.recorder = null;
    this.order = Promise.resolve();
    this.generation = 0; // of the socket: nothing of an old one may reach a new one
    this.floor = 0.002;
    this.voiced = 0;
    this.sinceDone = 0;
  }

  get compressed() {
    return this.encoding === 'WEBM_OPUS';
  }

  connected() {
    this.generation += 1;
    this.order = Promise.resolve();
    this.held = this.held.slice(-HELD_FRAMES);
    this.mode = 'muted';
    if (!this.muted) this.begin();
  }

  disconnected() {
    if (this.mode === 'off') return;
    if (this.mode !== 'open') this.held = [];
    this.mode = 'off';
    this.generation += 1;
    this.recorder?.stop();
    this.recorder = null;
  }

  /** Every 100 ms of microphone, whatever the mode. */
  frame(pcm, rms) {
    this.listen(rms);
    if (this.muted) return;
    const bytes = new Uint8Array(pcm);
    if (this.mode === 'open') {
      if (!this.compressed) this.chunk(bytes);
      return;
    }
    this.held.push(bytes);
    const keep = this.mode === 'off' ? HELD_FRAMES : LEAD_FRAMES;
    if (this.held.length > keep) this.held.splice(0, this.held.length - keep);
    if (this.mode !== 'waiting') return;
    this.sinceDone += 1;
    const spoke = this.sinceDone > QUIET_AFTER_DONE && this.voiced >= ONSET_FRAMES;
    if (spoke || this.sinceDone > REOPEN_FRAMES) this.begin();
  }

  /** Voice is what stands clear of this room's own noise. */
  listen(rms) {
    this.floor = Math.max(0.0005, Math.min(rms, this.floor * 1.005, LOUDEST_FLOOR));
    this.voiced = rms > Math.max(SPEECH_RMS, this.floor * 3) ? this.voiced + 1 : 0;
  }

  begin() {
    this.mode = 'open';
    const lead = this.compressed ? [] : this.held;
    this.held = [];
    this.inOrder(() => {
      this.send({ type: 'AUDIO', streaming: 'start', encoding: this.encoding, sampleRate: this.compressed ? 48_000 : 16_000 });
      for (const bytes of lead) this.chunk(bytes);
      if (this.compressed) this.record();
    });
  }

  record() {
    const generation = this.generation;
    this.recorder = new Recorder(this.stream(), (bytes) => { if (generation === this.generation) this.chunk(bytes); });
  }

  chunk(bytes) {
    this.send({ type: 'AUDIO', streaming: 'chunk', data: encode(bytes) });
  }

  /** Ends the current speech: the next mode is 'waiting' or 'muted'. */
  finish(next) {
    if (this.mode !== 'open') { if (this.mode !== 'off') this.mode = next; return; }
    this.mode = next;
    this.held = [];
    this.voiced = 0;
    this.sinceDone = 0;
    const end = () => this.send({ type: 'AUDIO', streaming: 'end' });
    if (!this.compressed) { end(); return; }
    this.inOrder(async () => {
      const recorder = this.recorder;
      this.recorder = null;
      await recorder?.stop();
      end();
    });
  }

  done() {
    if (!this.muted) this.finish('waiting');
  }

  /** Maya waits for an answer again: be open before the first syllable. */
  listening() {
    if (this.mode === 'waiting' && this.sinceDone > QUIET_AFTER_DONE) this.begin();
  }

  setMuted(muted) {
    this.muted = muted;
    if (muted) this.finish('muted');
    else if (this.mode === 'muted') this.begin();
  }

  /** The stream must begin anew. `started` = the server knows of the old one, which then ends first. */
  restart(started = true) {
    if (this.mode !== 'open') return;
    if (started || this.compressed) this.finish('waiting');
    this.begin();
  }

  /** PCM goes out at once; a WebM stream's stop takes time, and what follows waits for it. */
  inOrder(step) {
    if (!this.compressed) { step(); return; }
    const generation = this.generation;
    this.order = this.order
      .then(() => (generation === this.generation ? step() : undefined))
      .catch((error) => console.warn('uplink', error?.name));
  }
}
