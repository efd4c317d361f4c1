/**
 * Where the values of a JSON text stand, found on its bytes: a list of thousands is parsed one item at a time, and an item
 * that is broken costs only itself.
 */

/** From the first byte of a value to behind its last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A text that is a list, or an object with a list in its member `items`. */
export interface ListSlices {
  readonly items: readonly Span[];
  /** The list itself, from its bracket to behind the other one. */
  readonly list: Span;
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
/** What JSON writes in another way, or UTF-8 in more than one byte. */
const unplain = /[^ -[\]-~]/;

/** The values that stand one after the other, as on the lines of NDJSON; what no value ends in is the last one. */
export function sliceValues(bytes: Uint8Array): Span[] {
  const spans: Span[] = [];
  let at = skipSpace(bytes, 0);
  while (at < bytes.length) {
    const end = endOfValue(bytes, at) ?? bytes.length;
    spans.push({ start: at, end });
    at = skipSpace(bytes, end);
  }
  return spans;
}

/** The lines that hold anything. */
export function sliceLines(bytes: Uint8Array): Span[] {
  const spans: Span[] = [];
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(0x0a, start);
    const end = found === -1 ? bytes.length : found;
    if (skipSpace(bytes, start) < end) spans.push({ start, end });
    start = end + 1;
  }
  return spans;
}

/** The items of the list, or of the object's `items`, that begins at `start`; undefined when it is neither. */
export function sliceList(bytes: Uint8Array, start: number): ListSlices | undefined {
  const first = bytes[start];
  if (first === openBracket) return itemsOf(bytes, start);
  if (first !== openBrace) return undefined;
  let at = skipSpace(bytes, start + 1);
  while (bytes[at] === quote) {
    const key = at;
    at = endOfString(bytes, key + 1);
    const isItems = isWordItems(bytes, key, at);
    at = skipSpace(bytes, at);
    if (bytes[at] !== colon) return undefined;
    at = skipSpace(bytes, at + 1);
    if (isItems && bytes[at] === openBracket) return itemsOf(bytes, at);
    const end = endOfValue(bytes, at);
    if (end === undefined) return undefined;
    at = skipSpace(bytes, end);
    if (bytes[at] !== comma) return undefined;
    at = skipSpace(bytes, at + 1);
  }
  return undefined;
}

/**
 * Where the values of some members of the object that begins at `start` begin; -1 for one that is not there. Reads no further
 * than it must. Undefined: it is no object, or broken before all of them were found.
 */
export function membersAt(bytes: Buffer, start: number, names: readonly string[]): number[] | undefined {
  if (bytes[start] !== openBrace) return undefined;
  const found = names.map(() => -1);
  let missing = names.length;
  let at = skipSpace(bytes, start + 1);
  while (bytes[at] === quote) {
    const keyEnd = endOfString(bytes, at + 1);
    const place = names.indexOf(bytes.toString('latin1', at + 1, keyEnd - 1));
    at = skipSpace(bytes, keyEnd);
    if (bytes[at] !== colon) return undefined;
    at = skipSpace(bytes, at + 1);
    if (place !== -1 && found[place] === -1) {
      found[place] = at;
      missing -= 1;
      if (missing === 0) return found;
    }
    const end = endOfValue(bytes, at);
    if (end === undefined) return undefined;
    at = skipSpace(bytes, end);
    if (bytes[at] === comma) at = skipSpace(bytes, at + 1);
    else return bytes[at] === closeBrace ? found : undefined;
  }
  return bytes[at] === closeBrace ? found : undefined;
}

/** The text that begins there; undefined where that is no text, or one that has to be parsed. */
export function plainTextAt(bytes: Buffer, start: number): string | undefined {
  if (bytes[start] !== quote) return undefined;
  const end = bytes.indexOf(quote, start + 1);
  if (end === -1) return undefined;
  const text = bytes.toString('latin1', start + 1, end);
  return unplain.test(text) ? undefined : text;
}

function itemsOf(bytes: Uint8Array, open: number): ListSlices | undefined {
  const items: Span[] = [];
  let at = skipSpace(bytes, open + 1);
  if (bytes[at] === closeBracket) return { items, list: { start: open, end: at + 1 } };
  for (;;) {
    const end = endOfValue(bytes, at);
    if (end === undefined) return undefined;
    items.push({ start: at, end });
    at = skipSpace(bytes, end);
    if (bytes[at] === closeBracket) return { items, list: { start: open, end: at + 1 } };
    if (bytes[at] !== comma) return undefined;
    at = skipSpace(bytes, at + 1);
  }
}

/** Just behind the value that begins there; undefined when it does not end. What is inside is not looked at. */
function endOfValue(bytes: Uint8Array, start: number): number | undefined {
  const first = bytes[start];
  if (first === undefined) return undefined;
  if (first === quote) {
    const end = endOfString(bytes, start + 1);
    return bytes[end - 1] === quote && end - 1 > start ? end : undefined;
  }
  if (first === openBrace || first === openBracket) return endOfContainer(bytes, start);
  let at = start;
  while (at < bytes.length && !isEndOfWord(bytes[at] ?? 0)) at += 1;
  return at === start ? undefined : at;
}

function endOfContainer(bytes: Uint8Array, start: number): number | undefined {
  let depth = 0;
  let at = start;
  while (at < bytes.length) {
    const byte = bytes[at];
    at += 1;
    if (byte === quote) at = endOfString(bytes, at);
    else if (byte === openBrace || byte === openBracket) depth += 1;
    else if (byte === closeBrace || byte === closeBracket) {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  return undefined;
}

/** Just behind the quote that ends the string. */
function endOfString(bytes: Uint8Array, start: number): number {
  for (let at = start; at < bytes.length; at += 1) {
    if (bytes[at] === quote) return at + 1;
    if (bytes[at] === backslash) at += 1;
  }
  return bytes.length;
}

function skipSpace(bytes: Uint8Array, start: number): number {
  let at = start;
  while (isSpace(bytes[at] ?? quote)) at += 1;
  return at;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isEndOfWord(byte: number): boolean {
  return isSpace(byte) || byte === comma || byte === closeBracket || byte === closeBrace;
}

/** Whether the string from its quote to behind the other one is `items`. */
function isWordItems(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === 7 && Buffer.from(bytes.subarray(start + 1, end - 1)).toString('latin1') === 'items';
}
