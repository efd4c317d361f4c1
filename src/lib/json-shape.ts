/** How much a JSON text is going to be once it is parsed, from its bytes: 10 MiB of `{},` parse to 378 MB. */
export interface JsonShape {
  /** Objects and arrays. */
  readonly containers: number;
  /** Members of objects. */
  readonly members: number;
  readonly depth: number;
}

/** What may be parsed of what others send or leave for us: the body of a webhook, the key of a ConfigMap. */
export const shapeLimits = { containers: 250_000, members: 600_000, depth: 64 } as const;

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Counts what stands outside of strings. Right for valid JSON; anything else will be refused by the parser. */
export function jsonShape(bytes: Uint8Array): JsonShape {
  let containers = 0;
  let members = 0;
  let depth = 0;
  let deepest = 0;
  let at = 0;
  while (at < bytes.length) {
    const byte = bytes[at];
    at += 1;
    if (byte === quote) at = endOfString(bytes, at);
    else if (byte === colon) members += 1;
    else if (byte === openBrace || byte === openBracket) {
      containers += 1;
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (byte === closeBrace || byte === closeBracket) depth -= 1;
  }
  return { containers, members, depth: deepest };
}

/** Just behind the quote that ends the string. */
function endOfString(bytes: Uint8Array, start: number): number {
  for (let at = start; at < bytes.length; at += 1) {
    if (bytes[at] === quote) return at + 1;
    if (bytes[at] === backslash) at += 1;
  }
  return bytes.length;
}
