// The live tree: server-sent events read through fetch, because EventSource cannot send the key.
// Opens again by itself; says how old what we have is.

const FIRST_DELAY = 500;
const MAX_DELAY = 10_000;
const SILENT_AFTER = 45_000; // the server writes at least a comment every 15 s

/** A refusal that waiting cannot cure. */
export class Refused extends Error {
  constructor(status) {
    super(`refused with ${status}`);
    this.status = status;
  }
}

export async function ask(path, key, signal) {
  const answer = await fetch(path, { headers: { 'x-api-key': key, accept: 'text/event-stream, application/json' }, cache: 'no-store', signal });
  if (answer.status === 401 || answer.status === 403) throw new Refused(answer.status);
  if (!answer.ok) throw new Error(`the gateway answered ${answer.status}`);
  return answer;
}

export class Stream {
  /** @param {{path: string, key: string, onEvent: (name: string, data: object) => void, onState: (s: 'connecting'|'live'|'lost', why?: string) => void, onRefused: (status: number) => void}} options */
  constructor(options) {
    this.options = options;
    this.heardAt = 0; // performance.now() of the last byte
    this.attempt = 0;
  }

  start() {
    this.stopped = false;
    this.watch = setInterval(() => { if (this.abort && performance.now() - this.heardAt > SILENT_AFTER) this.abort.abort(); }, 5_000);
    addEventListener('online', this.again = () => this.retryNow());
    this.run();
  }

  stop() {
    this.stopped = true;
    clearInterval(this.watch);
    clearTimeout(this.timer);
    removeEventListener('online', this.again);
    this.abort?.abort();
  }

  retryNow() {
    if (this.abort || this.stopped) return;
    clearTimeout(this.timer);
    this.run();
  }

  async run() {
    const { path, key, onState, onRefused } = this.options;
    this.abort = new AbortController();
    this.heardAt = performance.now();
    let why = 'the stream ended';
    try {
      const answer = await ask(path, key, this.abort.signal);
      await this.read(answer.body.getReader());
    } catch (error) {
      if (error instanceof Refused) {
        this.stop();
        return onRefused(error.status);
      }
      why = error.name === 'AbortError' ? 'nothing was received' : error.message;
    }
    this.abort = null;
    if (this.stopped) return;
    onState('lost', why);
    const delay = Math.min(MAX_DELAY, FIRST_DELAY * 2 ** this.attempt) * (0.75 + Math.random() / 2);
    this.attempt += 1;
    this.timer = setTimeout(() => this.run(), delay);
  }

  async read(reader) {
    const decoder = new TextDecoder();
    let event = '';
    let data = [];
    let pieces = []; // of a line not yet complete: a snapshot is one very long line
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      this.heardAt = performance.now();
      let text = decoder.decode(value, { stream: true });
      for (let cut; (cut = text.indexOf('\n')) >= 0; text = text.slice(cut + 1)) {
        pieces.push(text.slice(0, cut));
        const line = pieces.join('').replace(/\r$/, '');
        pieces = [];
        if (line === '') {
          if (data.length) this.emit(event, data.join('\n'));
          event = '';
          data = [];
        } else if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
        else if (line.startsWith('event:')) event = line.slice(6).trim();
      }
      if (text) pieces.push(text);
    }
  }

  emit(name, text) {
    let data;
    try { data = JSON.parse(text); } catch { return; }
    this.attempt = 0;
    this.options.onState('live');
    this.options.onEvent(name, data);
  }
}
