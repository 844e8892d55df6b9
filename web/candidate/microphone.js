// The microphone: opens it, watches it, and hands out 100 ms frames with their level.
// Whatever goes wrong is named by a problem code of states.js.

const CONSTRAINTS = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
const TARGET_RATE = 16_000;

/** Why this page may not use a microphone at all, or null. */
export function microphoneProblem() {
  if (!navigator.mediaDevices?.getUserMedia) return window.isSecureContext ? 'unsupported' : 'insecure';
  if (!window.AudioContext || !window.AudioWorkletNode || !window.WebSocket) return 'unsupported';
  return null;
}

export function problemOf(error) {
  switch (error?.name) {
    case 'NotAllowedError': case 'SecurityError': return 'mic_denied';
    case 'NotFoundError': case 'OverconstrainedError': return 'mic_missing';
    case 'NotReadableError': case 'AbortError': return 'mic_busy';
    default: return 'mic_failed';
  }
}

export class Microphone {
  /** @param {{onFrame: (pcm: ArrayBuffer, rms: number) => void, onGone: () => void, onSystemMute: (muted: boolean) => void}} events */
  constructor(events) {
    this.events = events;
    this.stream = null;
    this.muted = false;
  }

  async open(deviceId) {
    const stream = await this.ask(deviceId);
    this.close();
    this.stream = stream;
    const track = stream.getAudioTracks()[0];
    track.enabled = !this.muted;
    track.onended = () => { if (this.stream === stream) this.events.onGone(); };
    track.onmute = () => { if (this.stream === stream) this.events.onSystemMute(true); };
    track.onunmute = () => { if (this.stream === stream) this.events.onSystemMute(false); };
    this.events.onSystemMute(track.muted);
    await this.listen(stream);
  }

  async ask(deviceId) {
    const wanted = deviceId ? { ...CONSTRAINTS, deviceId: { exact: deviceId } } : CONSTRAINTS;
    try {
      return await navigator.mediaDevices.getUserMedia({ audio: wanted });
    } catch (error) {
      if (error?.name !== 'OverconstrainedError') throw error;
      return navigator.mediaDevices.getUserMedia({ audio: true });
    }
  }

  /** A context at 16 kHz where the browser can; otherwise its own rate, and the worklet resamples. */
  async listen(stream) {
    let context = new AudioContext({ sampleRate: TARGET_RATE });
    let source;
    try {
      source = context.createMediaStreamSource(stream);
    } catch {
      await context.close();
      context = new AudioContext();
      source = context.createMediaStreamSource(stream);
    }
    this.context = context;
    await context.resume().catch(() => {});
    await context.audioWorklet.addModule('/assets/candidate/mic-worklet.js');
    const worklet = new AudioWorkletNode(context, 'maya-mic', { numberOfInputs: 1, numberOfOutputs: 0 });
    worklet.port.onmessage = ({ data }) => this.events.onFrame(data.pcm, data.rms);
    this.analyser = context.createAnalyser();
    this.analyser.fftSize = 512;
    this.wave = new Float32Array(this.analyser.fftSize);
    source.connect(worklet);
    source.connect(this.analyser);
  }

  /** Level now, 0..1 on a scale that follows the ear (-60 dB is 0). */
  level() {
    if (!this.analyser || this.muted) return 0;
    this.analyser.getFloatTimeDomainData(this.wave);
    let sum = 0;
    for (const v of this.wave) sum += v * v;
    const rms = Math.sqrt(sum / this.wave.length);
    return rms < 0.001 ? 0 : Math.min(1, 1 + (20 * Math.log10(rms)) / 55);
  }

  setMuted(muted) {
    this.muted = muted;
    for (const track of this.stream?.getAudioTracks() || []) track.enabled = !muted;
  }

  /** Muted outside this page: by a switch on the headset, or by the system. */
  get systemMuted() {
    return Boolean(this.stream?.getAudioTracks()[0]?.muted);
  }

  resume() {
    if (this.context?.state !== 'running') this.context?.resume().catch(() => {});
  }

  get deviceId() {
    return this.stream?.getAudioTracks()[0]?.getSettings?.().deviceId || '';
  }

  /** The microphones there are; names are only known once one has been allowed. */
  async devices() {
    const all = await navigator.mediaDevices.enumerateDevices?.().catch(() => []) || [];
    return all.filter((d) => d.kind === 'audioinput' && d.deviceId && d.label);
  }

  close() {
    const { stream, context } = this;
    this.stream = null;
    this.context = null;
    this.analyser = null;
    for (const track of stream?.getTracks() || []) track.stop();
    context?.close().catch(() => {});
  }
}
