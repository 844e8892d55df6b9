// What was said, as text, both ways. Interim words are shown; only final ones are announced to a screen reader.

import { t } from './strings.js';

export class Captions {
  /** @param {{list: HTMLElement, empty: HTMLElement, newest: HTMLElement, live: HTMLElement, scroller: HTMLElement}} nodes */
  constructor(nodes) {
    Object.assign(this, nodes);
    this.turns = []; // {speaker: "CANDIDATE"|"MAYA", id, text, final}: also what tests read
    this.rows = new Map();
    this.newest.addEventListener('click', () => this.toNewest());
    this.following = true;
    this.scroller.addEventListener('scroll', () => {
      this.following = this.atNewest();
      if (this.following) this.newest.hidden = true;
    });
    // a phone that is turned, or a notice that takes room, must not hide the newest words
    new ResizeObserver(() => { if (this.following) this.toNewest(); }).observe(this.scroller);
  }

  /** The candidate's words; a later final for the same utterance corrects it. */
  candidate({ utteranceId, text, final }) {
    const turn = this.turn('CANDIDATE', utteranceId ?? 'live');
    if (turn.final && !final) return;
    const changed = turn.text !== text || turn.final !== Boolean(final);
    turn.text = text ?? '';
    turn.final = Boolean(final);
    this.draw(turn);
    if (turn.final && changed) this.announce(turn);
  }

  /** A sentence of Maya that the candidate begins to hear. */
  maya({ turnId, sentence, text }) {
    if (!text) return;
    const turn = this.turn('MAYA', turnId);
    turn.final = false;
    turn.sentences.set(sentence, { text, cut: false });
    this.join(turn);
  }

  mayaEnded(turnId) {
    const turn = this.rows.get(`MAYA ${turnId}`)?.turn;
    if (!turn || turn.final) return;
    turn.final = true;
    this.draw(turn);
    this.announce(turn);
  }

  /** Sentences that were stopped: `cut` comes from Player.clear. */
  mayaCut(cut) {
    for (const { turnId, sentence, begun, complete } of cut) {
      const turn = this.rows.get(`MAYA ${turnId}`)?.turn;
      const said = turn?.sentences.get(sentence);
      if (said && begun && !complete) said.cut = true;
      if (turn) this.join(turn);
    }
    for (const turnId of new Set(cut.map((c) => c.turnId))) this.mayaEnded(turnId);
  }

  join(turn) {
    const said = [...turn.sentences].sort(([a], [b]) => a - b).map(([, s]) => (s.cut ? `${s.text.replace(/[.!?…\s]+$/, '')} —` : s.text));
    turn.text = said.join(' ');
    this.draw(turn);
  }

  turn(speaker, id) {
    const key = `${speaker} ${id}`;
    const known = this.rows.get(key);
    if (known) return known.turn;
    const turn = { speaker, id, text: '', final: false };
    if (speaker === 'MAYA') Object.defineProperty(turn, 'sentences', { value: new Map() });
    this.turns.push(turn);
    const item = document.createElement('li');
    item.className = `turn ${speaker === 'MAYA' ? 'turn-maya' : 'turn-you'}`;
    const who = document.createElement('span');
    who.className = 'turn-who';
    who.textContent = t(speaker === 'MAYA' ? 'live.maya' : 'live.you');
    const words = document.createElement('p');
    words.className = 'turn-text';
    words.dir = 'auto';
    item.append(who, words);
    this.rows.set(key, { turn, item, words });
    this.empty.hidden = true;
    return turn;
  }

  draw(turn) {
    const { item, words } = this.rows.get(`${turn.speaker} ${turn.id}`);
    const follow = this.atNewest();
    if (!item.isConnected && turn.text) this.list.append(item);
    words.textContent = turn.text;
    item.classList.toggle('interim', !turn.final);
    if (follow) this.toNewest();
    else this.newest.hidden = false;
  }

  announce(turn) {
    if (!turn.text || this.scroller.closest('[hidden]')) return;
    const line = document.createElement('p');
    line.textContent = `${t(turn.speaker === 'MAYA' ? 'live.maya' : 'live.you')}: ${turn.text}`;
    this.live.append(line);
    while (this.live.childElementCount > 4) this.live.firstElementChild.remove();
  }

  atNewest() {
    const s = this.scroller;
    return s.scrollHeight - s.scrollTop - s.clientHeight < 48;
  }

  toNewest() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.newest.hidden = true;
  }
}
