// The socket to the interview: opens it, opens it again when it breaks, and says what happened.
// It knows frames and close codes, nothing of sound. JSON text frames, as docs/contracts.md says.

const FIRST_DELAY = 400;
const MAX_DELAY = 8_000;
const GIVE_UP_AFTER = 6 * 60_000; // the server's grace is 5 minutes
const SLOW_AT = 1_000_000; // bytes waiting in the socket
const DEAD_AFTER = 20_000; // bytes waiting and none leaving: the network is gone, whatever the socket says

export class Connection {
  /**
   * @param {{query: URLSearchParams, checkLink: () => Promise<string|null>, onOpen: () => void,
   *   onMessage: (m: object) => void, onLost: () => void, onStop: (problem: string) => void, onSlow: (slow: boolean) => void}} options
   * `checkLink` answers a problem code when the link is no longer good, null when it is worth trying again.
   */
  constructor(options) {
    this.options = options;
    this.sessionId = options.query.get('sessionId');
    this.socket = null;
    this.stopped = false;
    this.slow = false;
    this.attempt = 0;
    this.lostAt = 0;
    this.online = () => this.retryNow();
    this.offline = () => this.drop();
  }

  start() {
    this.stopped = false;
    this.attempt = 0;
    this.lostAt = performance.now();
    addEventListener('online', this.online);
    addEventListener('offline', this.offline);
    this.watch = setInterval(() => this.measure(), 1_000);
    this.open();
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  /** Sends one frame; false when there is no open socket (the caller decides what that means). */
  send(message) {
    if (!this.isOpen) return false;
    const text = JSON.stringify({ ...message, sessionId: this.sessionId });
    this.queued += text.length; // base64 and ids: a character is a byte
    this.socket.send(text);
    if (this.socket.bufferedAmount > SLOW_AT) this.setSlow(true);
    return true;
  }

  /** Ends for good: no more attempts. */
  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    clearInterval(this.watch);
    removeEventListener('online', this.online);
    removeEventListener('offline', this.offline);
    const socket = this.socket;
    this.socket = null;
    socket?.close(1000);
  }

  open() {
    clearTimeout(this.timer);
    const url = new URL('/ws', location.href);
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    for (const name of ['sessionId', 'tenantId', 'token']) url.searchParams.set(name, this.options.query.get(name) || '');
    const socket = new WebSocket(url);
    this.socket = socket;
    let opened = false;
    this.opening = setTimeout(() => { if (!opened) this.drop(); }, 10_000);
    socket.onopen = () => {
      if (this.socket !== socket) return;
      opened = true;
      clearTimeout(this.opening);
      this.openedAt = performance.now();
      this.lostAt = 0;
      this.queued = 0;
      this.gone = 0;
      this.options.onOpen();
    };
    socket.onmessage = (event) => {
      if (this.socket !== socket || typeof event.data !== 'string') return;
      let message;
      try { message = JSON.parse(event.data); } catch { return; }
      if (!message || typeof message.type !== 'string') return;
      if (message.type === 'STATE') this.attempt = 0; // the session lives behind this socket
      this.options.onMessage(message);
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      clearTimeout(this.opening);
      this.closed(event.code, opened);
    };
  }

  closed(code, wasOpen) {
    this.socket = null;
    this.setSlow(false);
    if (this.stopped) return;
    if (code === 4001) return this.fail('replaced');
    if (!this.lostAt) this.lostAt = performance.now();
    this.options.onLost();
    if (performance.now() - this.lostAt > GIVE_UP_AFTER) return this.fail('lost');
    const delay = Math.min(MAX_DELAY, FIRST_DELAY * 2 ** this.attempt) * (0.75 + Math.random() / 2);
    this.attempt += 1;
    // A refused upgrade (a bad token) looks like any failure to a script: ask the link itself.
    const again = wasOpen && code !== 1000 && code !== 1008 ? () => this.open() : () => this.openIfLinkIsGood();
    this.timer = setTimeout(again, delay);
    this.again = again;
  }

  async openIfLinkIsGood() {
    this.again = null;
    const problem = await this.options.checkLink().catch(() => null);
    if (this.stopped || this.socket) return;
    if (problem) this.fail(problem);
    else this.open();
  }

  retryNow() {
    if (this.stopped || this.socket || !this.again) return;
    clearTimeout(this.timer);
    this.again();
  }

  /** Lets go of a socket that no longer carries anything, without waiting for TCP to notice. */
  drop() {
    const socket = this.socket;
    if (!socket) return;
    this.socket = null;
    clearTimeout(this.opening);
    try { socket.close(); } catch { /* already closing */ }
    this.closed(1006, socket.readyState === WebSocket.OPEN);
  }

  measure() {
    if (!this.isOpen) return;
    const waiting = this.socket.bufferedAmount;
    if (this.slow && waiting < SLOW_AT / 2) this.setSlow(false);
    const gone = this.queued - waiting; // what has left so far: it grows on a slow line, it stands still on a dead one
    if (waiting === 0 || gone > this.gone) this.movedAt = performance.now();
    this.gone = Math.max(gone, this.gone);
    if (performance.now() - Math.max(this.movedAt || 0, this.openedAt) > DEAD_AFTER) this.drop();
  }

  setSlow(slow) {
    if (slow === this.slow) return;
    this.slow = slow;
    this.options.onSlow(slow);
  }

  fail(problem) {
    this.stop();
    this.options.onStop(problem);
  }
}
