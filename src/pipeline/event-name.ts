/**
 * The name of an event, `<source>-<26 characters of base32>`, and its 130 bits as numbers: what the index packs.
 */
import { fingerprintCharactersInName } from '../api/words.ts';

const letters = 'abcdefghijklmnopqrstuvwxyz234567';
const codes = new Uint8Array(128).fill(255);
for (let code = 0; code < letters.length; code += 1) codes[letters.charCodeAt(code)] = code;
const dash = 45;

/** A name taken apart. */
export interface ParsedName {
  readonly source: string;
  /** 128 bits of the fingerprint. */
  readonly words: readonly [number, number, number, number];
  /** The last 2 of its 130 bits. */
  readonly tail: number;
}

/** The parts of an event's name; undefined for a name that no fingerprint can have made. */
export function parseName(name: string): ParsedName | undefined {
  const start = name.length - fingerprintCharactersInName;
  if (start < 2 || name.charCodeAt(start - 1) !== dash) return undefined;
  const words: [number, number, number, number] = [0, 0, 0, 0];
  let value = 0;
  let bits = 0;
  let word = 0;
  for (let at = start; at < name.length; at += 1) {
    const code = name.charCodeAt(at);
    const letter = code < 128 ? (codes[code] ?? 255) : 255;
    if (letter === 255) return undefined;
    // 26 letters are 130 bits: four words of 32, taken as they fill up, and 2 bits left over.
    const room = 32 - bits;
    if (room > 5) {
      value = (value << 5) | letter;
      bits += 5;
    } else {
      words[word] = ((value << room) | (letter >>> (5 - room))) >>> 0;
      word += 1;
      bits = 5 - room;
      value = letter & ((1 << bits) - 1);
    }
  }
  return { source: name.slice(0, start - 1), words, tail: value & 3 };
}

/** The 26 characters that `words` and `tail` were parsed from. */
export function formatFingerprintHead(words: Iterable<number>, tail: number): string {
  let text = '';
  let value = 0;
  let bits = 0;
  for (const word of words) {
    // Halves: with up to four bits left over, 32 more are too many for a shift.
    for (const half of [word >>> 16, word & 0xffff]) {
      value = (value << 16) | half;
      for (bits += 16; bits >= 5; bits -= 5) text += letters[(value >>> (bits - 5)) & 31];
      value &= (1 << bits) - 1;
    }
  }
  // 128 bits are 25 letters and 3 bits; the tail's two make the last letter.
  return text + letters[((value << 2) | tail) & 31];
}

/** The source of an event's name: what stands before the fingerprint. */
export function sourceOf(name: string): string {
  return name.slice(0, name.lastIndexOf('-'));
}

/** Two bits of the fingerprint and the source's number share a word. */
export function packTail(tail: number, source: number): number {
  return ((source << 2) | tail) >>> 0;
}
