import { hash } from 'node:crypto';

const letters = Uint8Array.from('abcdefghijklmnopqrstuvwxyz234567', (letter) => letter.charCodeAt(0));

/**
 * Lower-case base32 (RFC 4648 alphabet, no padding) of bytes given as latin1 text, one character a byte: 32 bytes give 52
 * characters. (A digest as latin1 text costs a third of one as Buffer.)
 */
export function base32(bytes: string): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += 5) text += eightLetters(bytes, start);
  return text.slice(0, Math.ceil((bytes.length * 8) / 5));
}

/** Five bytes as eight letters at once: this runs for every finding. What is past the end counts as 0. */
function eightLetters(bytes: string, start: number): string {
  const high = ((byteAt(bytes, start) << 16) | (byteAt(bytes, start + 1) << 8) | byteAt(bytes, start + 2)) >>> 0;
  const low = (byteAt(bytes, start + 3) << 8) | byteAt(bytes, start + 4);
  return String.fromCharCode(
    letters[high >>> 19] ?? 0,
    letters[(high >>> 14) & 31] ?? 0,
    letters[(high >>> 9) & 31] ?? 0,
    letters[(high >>> 4) & 31] ?? 0,
    letters[((high & 15) << 1) | (low >>> 15)] ?? 0,
    letters[(low >>> 10) & 31] ?? 0,
    letters[(low >>> 5) & 31] ?? 0,
    letters[low & 31] ?? 0,
  );
}

function byteAt(bytes: string, index: number): number {
  return index < bytes.length ? bytes.charCodeAt(index) : 0;
}

/** SHA-256 of the text in lower-case base32: 52 characters. */
export function sha256Base32(text: string): string {
  return base32(digest(text));
}

/** The first 8 bytes of SHA-256 as 13 characters of base32: enough to tell contents and keys apart inside one process. */
export function shortHash(text: string): string {
  return base32(digest(text).slice(0, 8));
}

/** The first 52 bits of SHA-256 as a number that JavaScript holds exactly; never 0, which means "none". */
export function hash52(text: string): number {
  const bytes = digest(text);
  let value = bytes.charCodeAt(0) & 15;
  for (let at = 1; at < 7; at += 1) value = value * 256 + bytes.charCodeAt(at);
  return value || 1;
}

/** SHA-256 of the text as latin1 text: 32 characters, one a byte. */
export function digest(text: string): string {
  return hash('sha256', text, 'binary');
}

/** Deeper than anything we write; what a hand-made object holds below is one and the same. */
const greatestDepth = 64;

/** JSON with object keys in order, so that equal values give equal text whoever serialized them. Undefined members are left out. */
export function canonicalJson(value: unknown): string {
  // What the API server sends is in order already.
  return isCanonical(value, greatestDepth) ? (JSON.stringify(value) ?? 'null') : jsonInOrder(value, greatestDepth);
}

function jsonInOrder(value: unknown, depth: number): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (depth === 0) return '"…"';
  if (Array.isArray(value)) return `[${value.map((item) => jsonInOrder(item ?? null, depth - 1)).join(',')}]`;
  const record = value as Record<string, unknown>;
  let text = '';
  for (const key of Object.keys(record).sort()) {
    if (record[key] === undefined) continue;
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${jsonInOrder(record[key], depth - 1)}`;
  }
  return `{${text}}`;
}

/** Whether JSON.stringify alone gives the canonical text. */
function isCanonical(value: unknown, depth: number): boolean {
  if (value === null || typeof value !== 'object') return true;
  if (depth === 0) return false;
  if (Array.isArray(value)) return value.every((item) => isCanonical(item, depth - 1));
  let before: string | undefined;
  for (const key of Object.keys(value)) {
    if (before !== undefined && before > key) return false;
    before = key;
    if (!isCanonical((value as Record<string, unknown>)[key], depth - 1)) return false;
  }
  return true;
}
