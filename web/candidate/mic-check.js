// The microphone check: asks for it, shows its level, and says when a voice is heard.

import { $ } from './screens.js';
import { t } from './strings.js';
import { problemOf } from './microphone.js';

const HEARD_FRAMES = 3; // 300 ms of voice
const HEARD_RMS = 0.01;
const SILENT_AFTER = 100; // frames: 10 s

export class MicCheck {
  /** @param {import('./microphone.js').Microphone} microphone */
  constructor(microphone, onProblem) {
    Object.assign(this, { microphone, onProblem, on: false });
    $('mic-device').addEventListener('change', (event) => this.begin(event.target.value));
  }

  async begin(deviceId) {
    this.on = false;
    this.voiced = 0;
    this.frames = 0;
    $('mic-status').textContent = t('mic.asking');
    $('mic-status').dataset.heard = 'asking';
    $('mic-ok').disabled = true;
    $('mic-ok').textContent = t('mic.go');
    try {
      await this.microphone.open(deviceId);
    } catch (error) {
      return this.onProblem(problemOf(error));
    }
    this.on = true;
    this.say('no', 'mic.say');
    $('mic-ok').disabled = false;
    $('mic-ok').textContent = t('mic.goAnyway');
    await this.list();
    this.paint();
  }

  async list() {
    const devices = await this.microphone.devices();
    const select = $('mic-device');
    const known = devices.some((device) => device.deviceId === this.microphone.deviceId);
    $('mic-device-row').hidden = devices.length < 2 || !known;
    select.replaceChildren(...devices.map((device) => new Option(device.label, device.deviceId)));
    select.value = this.microphone.deviceId;
  }

  say(heard, key) {
    const status = $('mic-status');
    if (status.dataset.heard === heard) return;
    status.dataset.heard = heard;
    status.textContent = t(key);
  }

  frame(rms) {
    if (!this.on) return;
    this.frames += 1;
    this.voiced = rms > HEARD_RMS ? this.voiced + 1 : 0;
    if (this.voiced >= HEARD_FRAMES) {
      this.say('yes', 'mic.heard');
      $('mic-ok').textContent = t('mic.go');
    } else if (this.frames > SILENT_AFTER && $('mic-status').dataset.heard === 'no') {
      this.say('silent', 'mic.silent');
    }
  }

  paint() {
    if (!this.on) return;
    paintLevel($('mic-level'), this.microphone.level());
    requestAnimationFrame(() => this.paint());
  }

  end() {
    this.on = false;
  }
}

/** A meter of the page: `--level` draws it, the value is there for assistive technology. */
export function paintLevel(meter, level) {
  const shown = Number(meter.dataset.shown || 0);
  const next = level > shown ? level : shown * 0.86; // rises at once, falls gently
  meter.dataset.shown = next.toFixed(3);
  meter.style.setProperty('--level', next.toFixed(3));
}
