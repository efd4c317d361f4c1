/** Text of JSON, or of one JSON document per line -> parsed documents. What cannot be parsed says where, and never quotes it. */
import { jsonShape } from './json-shape.ts';

/** A parsed document, or why it could not be parsed. `label`: which of several, '' for the only one. */
export type ParsedDocument =
  | { readonly label: string; readonly value: unknown }
  | { readonly label: string; readonly problem: string; readonly isTooLarge?: boolean };

/** A parsed value, or why it could not be parsed. */
export type ParsedValue = { readonly value: unknown } | { readonly problem: string };

/** What one text may be. Parsing takes some ten times its size in memory. */
export interface JsonLimits {
  readonly jsonContainers: number;
  readonly jsonMembers: number;
  /** Objects and lists in one another; not looked at where absent. */
  readonly jsonDepth?: number;
}

/** UTF-8, or the UTF-16 that PowerShell writes; without the byte order mark. */
export function decodeText(bytes: Uint8Array): string {
  const encoding =
    bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8';
  return new TextDecoder(encoding).decode(bytes);
}

/** Parses a text that holds one JSON document, or one on each line. */
export function* parseJsonDocuments(text: string, limits: JsonLimits): Generator<ParsedDocument> {
  const tooLarge = beyond(text, limits);
  if (tooLarge !== undefined) {
    yield { label: '', problem: tooLarge, isTooLarge: true };
    return;
  }
  const whole = tryJson(text);
  if ('value' in whole || !startsWithJsonLine(text)) yield { label: '', ...whole };
  else yield* parseJsonLines(text);
}

/** Parses a text with one JSON document on each line; empty lines are none. */
export function* parseJsonLines(text: string): Generator<ParsedDocument> {
  let number = 0;
  let start = 0;
  while (start < text.length) {
    const end = text.indexOf('\n', start);
    const line = text.slice(start, end === -1 ? text.length : end);
    start = end === -1 ? text.length : end + 1;
    number += 1;
    if (line.trim() !== '') yield { label: `line ${number}`, ...withoutLine(tryJson(line)) };
  }
}

/** Whether the first line is a JSON document of its own. */
export function startsWithJsonLine(text: string): boolean {
  return 'value' in tryJson(text.trimStart().split('\n', 1)[0] ?? '');
}

/** Why the text is not to be parsed at all; undefined when it may be. */
export function beyond(text: string, limits: JsonLimits): string | undefined {
  const { containers, members, depth } = jsonShape(Buffer.from(text));
  if (containers > limits.jsonContainers || members > limits.jsonMembers) {
    return `is too large: more than ${limits.jsonContainers} objects and lists, or ${limits.jsonMembers} members`;
  }
  if (depth > (limits.jsonDepth ?? Number.POSITIVE_INFINITY)) {
    return `is nested too deeply: more than ${limits.jsonDepth} objects and lists in one another`;
  }
  return undefined;
}

/** Parses one JSON document. */
export function tryJson(text: string): ParsedValue {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    const where = error instanceof Error ? whereInJson(error.message, text) : '';
    return { problem: `is not valid JSON ${where}`.trim() };
  }
}

/** The label says the line already. */
function withoutLine(parsed: ParsedValue): ParsedValue {
  if ('value' in parsed) return parsed;
  return { problem: parsed.problem.replace(/ \(line 1\)$/, '').replace('(line 1 column', '(column') };
}

/**
 * The parser's own words quote the text, which may be secret: only the position is taken from them. Where they give
 * none, the quoted text itself tells it, if it occurs once.
 */
function whereInJson(words: string, text: string): string {
  if (words.includes('end of JSON')) return '(it ends too early)';
  const stated = /\(line \d+ column \d+\)/.exec(words)?.[0];
  if (stated !== undefined) return stated;
  const [, leading = '', quoted = ''] = /, (\.\.\.)?"(.+)"(?:\.\.\.)? is not valid JSON$/s.exec(words) ?? [];
  const at = quoted === '' ? -1 : text.indexOf(quoted);
  if (at === -1 || text.includes(quoted, at + 1)) return '';
  // What is quoted begins ten characters before the place, where there are as many.
  const lines = text.slice(0, at + (leading === '' ? 0 : 10)).split('\n');
  return `(line ${lines.length})`;
}
