import { hash } from 'node:crypto';

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
/** Two letters at a time: this runs once for every finding. */
const pairs = Array.from({ length: 1024 }, (_, bits) => `${alphabet[bits >> 5]}${alphabet[bits & 31]}`);

/**
 * Lower-case base32 (RFC 4648 alphabet, no padding) of bytes given as latin1 text, one character a byte: 32 bytes give 52
 * characters. (A digest as latin1 text costs a third of one as Buffer.)
 */
export function base32(bytes: string): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    value = ((value << 8) | bytes.charCodeAt(at)) & 0x3ffff;
    bits += 8;
    if (bits >= 10) {
      bits -= 10;
      text += pairs[(value >>> bits) & 1023];
    }
  }
  if (bits >= 5) {
    bits -= 5;
    text += alphabet[(value >>> bits) & 31];
  }
  return bits > 0 ? text + alphabet[(value << (5 - bits)) & 31] : text;
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
export function canonicalJson(value: unknown, depth = greatestDepth): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (depth === 0) return '"…"';
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null, depth - 1)).join(',')}]`;
  const record = value as Record<string, unknown>;
  let text = '';
  for (const key of Object.keys(record).sort()) {
    if (record[key] === undefined) continue;
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(record[key], depth - 1)}`;
  }
  return `{${text}}`;
}
