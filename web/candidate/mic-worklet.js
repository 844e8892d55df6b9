// Runs on the audio thread: turns the microphone into 16 kHz LINEAR16 frames of 100 ms.
// When the context already runs at 16 kHz the samples pass; otherwise they are low-passed and resampled here,
// because some browsers cannot open a microphone in a context of another rate.

const TARGET = 16_000;
const FRAME = TARGET / 10;
const HALF = 24; // taps on each side of the windowed sinc

class MicProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this.frame = new Int16Array(FRAME);
    this.filled = 0;
    this.energy = 0;
    this.ratio = sampleRate / TARGET;
    this.history = new Float32Array(0);
    this.position = 0; // of the next output sample, in input samples from the start of `history`
  }

  process(inputs) {
    const input = inputs[0];
    if (!input || input.length === 0) return true;
    let block = input[0];
    if (input.length > 1) {
      block = new Float32Array(input[0].length);
      for (const channel of input) for (let i = 0; i < block.length; i++) block[i] += channel[i] / input.length;
    }
    if (this.ratio === 1) for (let i = 0; i < block.length; i++) this.push(block[i]);
    else this.resample(block);
    return true;
  }

  push(sample) {
    const clipped = Math.max(-1, Math.min(1, sample));
    this.energy += clipped * clipped;
    this.frame[this.filled++] = Math.round(clipped * 32767);
    if (this.filled < FRAME) return;
    const pcm = this.frame.buffer;
    this.port.postMessage({ pcm, rms: Math.sqrt(this.energy / FRAME) }, [pcm]);
    this.frame = new Int16Array(FRAME);
    this.filled = 0;
    this.energy = 0;
  }

  resample(block) {
    const joined = new Float32Array(this.history.length + block.length);
    joined.set(this.history);
    joined.set(block, this.history.length);
    const cutoff = Math.min(1, 1 / this.ratio) * 0.92;
    let at = Math.max(this.position, HALF);
    for (; at + HALF < joined.length; at += this.ratio) {
      const centre = Math.floor(at);
      let sum = 0;
      for (let k = centre - HALF + 1; k <= centre + HALF; k++) {
        const x = at - k;
        const arc = Math.PI * x * cutoff;
        const sinc = Math.abs(arc) < 1e-6 ? 1 : Math.sin(arc) / arc;
        sum += joined[k] * sinc * cutoff * (0.5 + 0.5 * Math.cos((Math.PI * x) / HALF));
      }
      this.push(sum);
    }
    const drop = Math.max(0, Math.floor(at) - HALF);
    this.history = joined.slice(drop);
    this.position = at - drop;
  }
}

registerProcessor('maya-mic', MicProcessor);
