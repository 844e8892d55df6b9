// The compressed path: MediaRecorder's WebM/Opus in pieces of about 100 ms (Chromium gives one per 120 ms).
// A recorder is one stream with one header, so each start of the protocol has a recorder of its own.

const TYPE = 'audio/webm;codecs=opus';

export class Recorder {
  static supported() {
    return typeof MediaRecorder !== 'undefined' && MediaRecorder.isTypeSupported(TYPE);
  }

  /** @param {MediaStream} stream @param {(bytes: Uint8Array) => void} onPiece called in order */
  constructor(stream, onPiece) {
    this.tail = Promise.resolve();
    this.recorder = new MediaRecorder(stream, { mimeType: TYPE, audioBitsPerSecond: 32_000 });
    this.recorder.ondataavailable = ({ data }) => {
      if (!data.size) return;
      // Blobs are read asynchronously: the chain keeps them in order.
      this.tail = this.tail.then(async () => onPiece(new Uint8Array(await data.arrayBuffer()))).catch(() => {});
    };
    this.stopped = new Promise((resolve) => { this.recorder.onstop = resolve; });
    this.recorder.start(100);
  }

  /** Resolves when the last piece has been handed over. */
  async stop() {
    if (this.recorder.state !== 'inactive') this.recorder.stop();
    await this.stopped;
    await this.tail;
  }
}
