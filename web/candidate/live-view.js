// The live screen: what Maya is doing, the levels, the time left, notices, and which buttons make sense now.

import { $ } from './screens.js';
import { t } from './strings.js';
import { NOTICES, stateWords } from './states.js';
import { paintLevel } from './mic-check.js';

export class LiveView {
  /** @param {{micLevel: () => number, mayaLevel: () => number}} sources */
  constructor(sources) {
    this.sources = sources;
    this.notices = new Map();
    this.remaining = null;
    this.counts = false;
    this.on = false;
  }

  begin() {
    if (this.on) return;
    this.on = true;
    this.clock = setInterval(() => this.tick(), 1_000);
    const paint = () => {
      if (!this.on) return;
      const mic = this.sources.micLevel();
      paintLevel($('live-level'), mic);
      const level = this.voice === 'maya' ? Math.min(1, this.sources.mayaLevel() * 4) : this.voice === 'you' ? mic : 0;
      paintLevel($('orb'), level);
      requestAnimationFrame(paint);
    };
    paint();
  }

  end() {
    this.on = false;
    clearInterval(this.clock);
    for (const key of [...this.notices.keys()]) this.clearNotice(key);
  }

  /** `shown` is a key of STATES: the protocol's state, or a word of ours such as RECONNECTING. */
  state(shown) {
    const words = stateWords(shown);
    this.shown = shown;
    this.voice = words.voice;
    $('state').dataset.state = shown;
    $('orb').dataset.voice = words.voice;
    this.hint();
  }

  hint(special) {
    const words = stateWords(this.shown);
    const title = this.muted && words.voice === 'you' ? t('live.mutedTitle') : words.title;
    if ($('state-title').textContent !== title) $('state-title').textContent = title;
    $('state-hint').textContent = special ?? (this.muted ? t('live.mutedHint') : words.hint);
  }

  setMuted(muted) {
    this.muted = muted;
    document.body.classList.toggle('muted', muted);
    $('mute-label').textContent = t(muted ? 'live.unmute' : 'live.mute');
    this.hint();
  }

  /** Seconds as the server counts them; between two STATEs this page counts on by itself. */
  time(remaining, counts) {
    if (typeof remaining === 'number' && Number.isFinite(remaining)) {
      this.remaining = remaining;
      this.remainingAt = performance.now();
    }
    this.counts = counts;
    this.tick();
  }

  tick() {
    const node = $('time-left');
    if (this.remaining === null) { node.textContent = ''; return; }
    if (this.counts) {
      const now = performance.now();
      this.remaining -= (now - this.remainingAt) / 1000;
      this.remainingAt = now;
    }
    const seconds = this.remaining;
    const minutes = Math.ceil(seconds / 60);
    const text = seconds <= 0 ? t('live.leftOver') : seconds < 60 ? t('live.leftLast') : minutes <= 1 ? t('live.leftOne') : t('live.left', { minutes });
    if (node.textContent !== text) node.textContent = text;
    node.dataset.seconds = String(Math.max(0, Math.round(seconds)));
    node.classList.toggle('soon', seconds < 120);
  }

  notice(key, { forMs = 0 } = {}) {
    const known = this.notices.get(key);
    if (known) clearTimeout(known.timer);
    const node = known?.node ?? document.createElement('p');
    if (!known) {
      node.className = 'notice';
      node.dataset.tone = NOTICES[key].tone;
      node.dataset.notice = key;
      node.textContent = NOTICES[key].text;
      $('notices').append(node);
    }
    this.notices.set(key, { node, timer: forMs ? setTimeout(() => this.clearNotice(key), forMs) : 0 });
  }

  clearNotice(key) {
    const known = this.notices.get(key);
    if (!known) return;
    clearTimeout(known.timer);
    known.node.remove();
    this.notices.delete(key);
  }
}
