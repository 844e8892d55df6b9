// Bytes to base64 and back: the JSON protocol carries sound this way.

export function encode(bytes) {
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x4000) text += String.fromCharCode.apply(null, bytes.subarray(i, i + 0x4000));
  return btoa(text);
}

export function decode(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}
