// The test candidate's voice: espeak-ng, as a wav in base64.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Which of these words a transcript has. A synthetic voice is misheard here and there: ask for most of them, not for all. */
export function heard(text, words) {
  const numbers = { six: '6', nine: '9' };
  return words.filter((word) => text.toLowerCase().includes(word) || (numbers[word] && text.includes(numbers[word])));
}

const known = new Map();

export async function spoken(text) {
  if (known.has(text)) return known.get(text);
  const { stdout } = await promisify(execFile)('espeak-ng', ['-v', 'en-us', '-s', '150', '--stdout', '--', text], { encoding: 'buffer', maxBuffer: 16 << 20 })
    .catch((error) => { throw new Error(error.code === 'ENOENT' ? 'espeak-ng is missing: apt-get install espeak-ng' : error.message); });
  // to a pipe it writes lengths that it does not know: put the true ones in
  const data = stdout.indexOf('data', 12, 'latin1');
  stdout.writeUInt32LE(stdout.length - 8, 4);
  stdout.writeUInt32LE(stdout.length - data - 8, data + 4);
  const wav = stdout.toString('base64');
  known.set(text, wav);
  return wav;
}
