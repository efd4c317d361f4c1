import { hash } from 'node:crypto';

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

/** Lower-case base32 (RFC 4648 alphabet, no padding). 32 bytes give 52 characters. */
export function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(value >>> bits) & 31];
    }
  }
  return bits > 0 ? text + alphabet[(value << (5 - bits)) & 31] : text;
}

/** SHA-256 of the text in lower-case base32: 52 characters. */
export function sha256Base32(text: string): string {
  return base32(hash('sha256', text, 'buffer'));
}

/** The first 8 bytes of SHA-256 as 13 characters of base32: enough to tell contents and keys apart inside one process. */
export function shortHash(text: string): string {
  return base32(hash('sha256', text, 'buffer').subarray(0, 8));
}

/** The first 52 bits of SHA-256 as a number that JavaScript holds exactly; never 0, which means "none". */
export function hash52(text: string): number {
  const bytes = hash('sha256', text, 'buffer');
  return (bytes.readUInt32BE(0) & 0xfffff) * 2 ** 32 + bytes.readUInt32BE(4) || 1;
}

/** JSON with object keys in order, so that equal values give equal text whoever serialized them. Undefined members are left out. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const record = value as Record<string, unknown>;
    let text = '';
    for (const key of Object.keys(record).sort()) {
      if (record[key] === undefined) continue;
      text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(record[key])}`;
    }
    return `{${text}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
