// Maya's voice: 24 kHz PCM parts, scheduled one behind the other on one AudioContext, so that no seam is heard.
// Reports what has really been heard (PLAYBACK marks), and falls silent at once when told to.

import { decode } from './base64.js';

const RATE = 24_000;
const LEAD = 0.06; // seconds before a first part: room for the next to arrive
const LEAD_AFTER_GAP = 0.15;
const MARK_EVERY = 500; // ms
const TICK = 100; // ms

/**
 * One sentence: { turnId, sentence, text, bus, parts: [{buffer, start, source}], seconds, begun, marked, last, closed }
 * `begun` = the candidate hears it, `closed` = no more parts come, `last` = it ends Maya's turn.
 * Sentences wait in `queue` in the order in which they arrived.
 */
export class Player {
  /** @param {{onMark: (m: {turnId, sentence, playedMs}) => void, onSentence: (s: object) => void, onTurnEnd: (turnId: string) => void, onBlocked: (blocked: boolean) => void}} events */
  constructor(events) {
    this.events = events;
    this.queue = [];
    this.nextStart = 0;
    this.newest = null; // the newest part taken, so that one delivered twice is heard once
  }

  /** Call from a click: browsers only let sound begin there. */
  async unlock() {
    if (!this.context) this.build();
    if (this.context.state !== 'running') await Promise.race([this.context.resume(), new Promise((r) => setTimeout(r, 1_000))]).catch(() => {});
    this.events.onBlocked?.(this.context.state !== 'running');
    return this.context.state === 'running';
  }

  build() {
    try { this.context = new AudioContext({ sampleRate: RATE, latencyHint: 'interactive' }); } catch { this.context = new AudioContext(); }
    this.analyser = this.context.createAnalyser();
    this.analyser.fftSize = 1024;
    this.wave = new Float32Array(this.analyser.fftSize);
    this.analyser.connect(this.context.destination);
    this.context.onstatechange = () => this.events.onBlocked?.(this.context.state !== 'running' && this.context.state !== 'closed');
    this.timer = setInterval(() => this.tick(), TICK);
  }

  newBus() {
    const bus = this.context.createGain();
    bus.connect(this.analyser);
    return bus;
  }

  get running() {
    return this.context?.state === 'running';
  }

  /** What the ear is at now: the context's clock less the way to the loudspeaker. */
  get heardAt() {
    const latency = this.context.outputLatency;
    return this.context.currentTime - (latency > 0 && latency < 1 ? latency : 0);
  }

  get speaking() {
    return this.queue.some((s) => s.parts.length && this.playedSeconds(s) < s.seconds);
  }

  /** RMS of what is being played, 0..1. */
  rms() {
    if (!this.analyser) return 0;
    this.analyser.getFloatTimeDomainData(this.wave);
    let sum = 0;
    for (const v of this.wave) sum += v * v;
    return Math.sqrt(sum / this.wave.length);
  }

  /** Takes one AGENT_RESPONSE. */
  enqueue({ turnId, sentence = 0, part = 0, text = '', data = '', sampleRate = RATE, last = false }) {
    if (!this.context) this.build();
    if (data && this.isRepeat(turnId, sentence, part)) return;
    let s = this.queue.at(-1);
    const bare = !data && !text && s?.turnId === turnId; // an empty final frame only closes what is there
    if (!bare && (!s || s.turnId !== turnId || s.sentence !== sentence)) {
      if (s) s.closed = true;
      s = { turnId, sentence, text: '', bus: this.newBus(), parts: [], seconds: 0, begun: false, marked: -1, last: false, closed: false };
      this.queue.push(s);
    }
    if (text && text !== s.text) {
      s.text = text;
      if (s.begun) this.events.onSentence(s);
    }
    if (data) {
      this.newest = { turnId, sentence, part };
      const buffer = this.toBuffer(decode(data), sampleRate || RATE);
      if (buffer) this.schedule(s, buffer);
    }
    if (last) s.last = s.closed = true;
    this.tick();
  }

  isRepeat(turnId, sentence, part) {
    const newest = this.newest;
    if (!newest || newest.turnId !== turnId) return false;
    return sentence < newest.sentence || (sentence === newest.sentence && part <= newest.part);
  }

  /** Does this part follow what is being played, or does the server begin anew (after a lost connection)? */
  follows({ turnId, sentence = 0, part = 0 }) {
    const newest = this.newest;
    if (!newest || newest.turnId !== turnId) return sentence === 0 && part === 0;
    return (sentence === newest.sentence && part === newest.part + 1) || (sentence === newest.sentence + 1 && part === 0);
  }

  toBuffer(bytes, rate) {
    const samples = bytes.byteLength >> 1;
    if (!samples) return null;
    const buffer = this.context.createBuffer(1, samples, rate);
    const view = new DataView(bytes.buffer);
    const out = buffer.getChannelData(0);
    for (let i = 0; i < samples; i++) out[i] = view.getInt16(i * 2, true) / 32768;
    return buffer;
  }

  schedule(s, buffer) {
    const now = this.context.currentTime;
    if (this.nextStart < now + 0.005) this.nextStart = now + (s.parts.length ? LEAD_AFTER_GAP : LEAD);
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(s.bus);
    source.start(this.nextStart);
    source.onended = () => this.tick(); // timers are slowed in a hidden tab, this is not
    s.parts.push({ source, buffer, start: this.nextStart });
    s.seconds += buffer.duration;
    this.nextStart += buffer.duration;
  }

  /** Silence, at once: of one turn, or of everything when none is named. Answers what was cut, with how far it was heard. */
  clear(turnId) {
    this.newest = null; // the same sentence may now be said again
    const first = this.queue.findIndex((s) => turnId === undefined || s.turnId === turnId);
    if (first < 0) return [];
    const before = this.queue.slice(0, first);
    const cut = this.queue.slice(first).filter((s) => turnId === undefined || s.turnId === turnId);
    const after = this.queue.slice(first).filter((s) => !cut.includes(s));
    const current = cut.findLast((s) => s.begun && s.parts.length);
    if (current) this.mark(current, toMs(this.playedSeconds(current)));
    const heard = cut.map((s) => ({ turnId: s.turnId, sentence: s.sentence, text: s.text, begun: s.begun, complete: s.begun && this.playedSeconds(s) >= s.seconds - 0.02 }));
    for (const s of cut) this.hush(s);
    const lastPart = before.at(-1)?.parts.at(-1);
    this.nextStart = lastPart ? lastPart.start + lastPart.buffer.duration : 0;
    this.queue = [...before, ...after];
    for (const s of after) { // what another turn still had to say follows without a hole
      const { parts } = s;
      this.hush(s);
      Object.assign(s, { bus: this.newBus(), parts: [], seconds: 0 });
      for (const part of parts) this.schedule(s, part.buffer);
    }
    return heard;
  }

  hush(s) {
    const now = this.context.currentTime;
    s.bus.gain.setTargetAtTime(0, now, 0.004); // a few ms: silent at once, without a click
    for (const part of s.parts) {
      part.source.onended = null;
      part.source.stop(now + 0.03);
    }
    setTimeout(() => s.bus.disconnect(), 200);
  }

  playedSeconds(s) {
    const at = this.heardAt;
    let sum = 0;
    for (const part of s.parts) sum += Math.max(0, Math.min(part.buffer.duration, at - part.start));
    return sum;
  }

  tick() {
    while (this.queue.length) {
      const s = this.queue[0];
      const started = !s.parts.length || !this.running || this.heardAt >= s.parts[0].start;
      if (!s.begun && started) {
        s.begun = true;
        this.events.onSentence(s);
      }
      if (!s.begun) return;
      const ended = this.playedSeconds(s) >= s.seconds - 0.001;
      const played = ended ? s.seconds : this.playedSeconds(s); // heard to its end = its whole length, exactly
      const ms = toMs(played, ended);
      if (ended ? ms > s.marked : ms >= Math.max(s.marked, 0) + MARK_EVERY) this.mark(s, ms);
      if (!ended || !s.closed) return;
      this.queue.shift();
      s.bus.disconnect();
      if (s.last) this.events.onTurnEnd(s.turnId);
    }
  }

  mark(s, playedMs) {
    s.marked = playedMs;
    this.events.onMark({ turnId: s.turnId, sentence: s.sentence, playedMs });
  }

  /** A short, soft two-note sound, to try the loudspeaker. */
  chime() {
    const rate = this.context.sampleRate;
    const buffer = this.context.createBuffer(1, rate, rate);
    const out = buffer.getChannelData(0);
    for (let i = 0; i < rate; i++) {
      const at = i / rate;
      const note = (from, pitch) => (at < from ? 0 : Math.sin(2 * Math.PI * pitch * (at - from)) * Math.exp(-4 * (at - from)) * Math.min(1, (at - from) * 80));
      out[i] = 0.18 * (note(0, 523.25) + note(0.22, 783.99));
    }
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.analyser);
    source.start();
    return new Promise((resolve) => { source.onended = resolve; setTimeout(resolve, 1_500); });
  }

  close() {
    clearInterval(this.timer);
    this.context?.close().catch(() => {});
  }
}

/** A whole sentence is rounded up, so that the server never waits for the last part of a millisecond. */
function toMs(seconds, whole = false) {
  return whole ? Math.ceil(seconds * 1000 - 0.01) : Math.floor(seconds * 1000);
}
