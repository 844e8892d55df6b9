// Injected before any script of the page: the microphone is a stream that the TEST speaks into.
// The page's own playback never enters it, so an interruption can be tested without an echo.
(() => {
  const devices = navigator.mediaDevices;
  if (!devices) return;
  let context;
  let microphone;
  let muted = false;
  const given = [];
  const open = () => {
    if (context) return context;
    context = new AudioContext({ sampleRate: 48_000 });
    microphone = context.createMediaStreamDestination();
    microphone.channelCount = 1;
    // a constant silent source: MediaRecorder gets a continuous track from the first moment
    const silence = context.createConstantSource();
    silence.offset.value = 0;
    silence.connect(microphone);
    silence.start();
    return context;
  };
  devices.getUserMedia = async () => {
    await open().resume();
    const tracks = microphone.stream.getAudioTracks().map((track) => track.clone());
    for (const track of tracks) Object.defineProperty(track, 'muted', { get: () => muted });
    given.push(...tracks);
    return new MediaStream(tracks);
  };
  // What a switch on the headset does.
  window.__mute = (on) => {
    muted = on;
    for (const track of given) track.dispatchEvent(new Event(on ? 'mute' : 'unmute'));
  };
  // Speaks a wav (base64; the page's CSP allows no fetch of data:) now; resolves when its last sample was spoken.
  window.__say = async (base64) => {
    await open().resume();
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const source = context.createBufferSource();
    source.buffer = await context.decodeAudioData(bytes.buffer);
    source.connect(microphone);
    source.start();
    return new Promise((resolve) => { source.onended = () => resolve(source.buffer.duration); });
  };
})();
