/** Reports with everything in them replaced by what is hostile, and what must never be found in an event. */
import type { RawDocument } from '../../src/sources/source.ts';

const run = 'Zx9'.repeat(14);
/** The part of each secret that must not be seen. Put together here, so that no scanner takes this file for a leak. */
export const secretCores: readonly string[] = [
  `AKIA${'QZ7X'.repeat(4)}`,
  ...['ghp', 'gho', 'ghu', 'ghs', 'ghr'].map((kind) => `${kind}_${run}`),
  `github_pat_${run}`,
  `glpat-${run}`,
  `xoxb-${run}`,
  `sk_live_${run}`,
  `AIza${run}`,
  `eyJ${run}.eyJ${run}.${run}`,
];
const named = ['Bearer ', 'Basic ', 'password=', 'api_key: ', '"client_secret":"', 'https://user:'].map((lead) =>
  lead.startsWith('https') ? `${lead}${run}@host.example` : `${lead}${run}`,
);
/** The random run is part of all of them: none of it may be left. */
export const secretRun = run;

/** What takes the place of a text. */
export const monsters: readonly string[] = [
  'x'.repeat(300_000),
  '漢'.repeat(20_000),
  '"\\'.repeat(10_000),
  '😀'.repeat(9_000),
  '\u0000\u0007\u001b[31m\u007f\u0085\u009b',
  'a\u202eb\u2066c\u2069d\u200ee',
  'z\u200be\u200cr\u200do\u2060w\ufeffi',
  '\ud800 lone \udfff surrogates \ud83d',
  '\u{e0041}\u{e0042} tags and \u034f\u00ad\u3164',
  'line\u2028separator\u2029and\r\nmore\ttabs',
  '__proto__',
  'constructor',
  'NaN',
  '-Infinity',
  '9007199254740993',
  '',
  ' ',
  ...secretCores.map((core) => `before ${core} after`),
  ...secretCores.map((core) => `${core.slice(0, 2)}\u200b${core.slice(2)}`),
  ...named,
  `-----BEGIN RSA PRIVATE KEY-----\n${run}\n-----END RSA PRIVATE KEY-----`,
];

const hostileMembers = (text: string) =>
  JSON.parse(
    `{"__proto__": {"polluted": true}, "constructor": {"prototype": 1}, "huge": 12345678901234567890123, "deep": ${'['.repeat(200)}${']'.repeat(200)}}`,
    (_key, value: unknown) => (Array.isArray(value) && value.length === 0 ? [text] : value),
  ) as Record<string, unknown>;

/** What says of which format a document is, or, of a request that was audited, which rule it is for. */
function isWordOfFormat(key: string, depth: number, within: string): boolean {
  if (depth === 0) return ['apiVersion', 'kind', 'stage', 'verb'].includes(key);
  return within === 'objectRef' && ['apiGroup', 'resource', 'subresource'].includes(key);
}

/** A copy with every text replaced but those by which a format knows the document, and hostile members everywhere. */
export function monsterOf(document: RawDocument, text: string, part: (at: number) => boolean): RawDocument {
  let at = 0;
  const hostile = text.length < 1000 ? Object.entries(hostileMembers(text)) : [];
  const replaced = (value: unknown, depth: number, within = ''): unknown => {
    if (typeof value === 'string') {
      at += 1;
      return part(at) ? text : value;
    }
    if (typeof value === 'number') return part(at) ? 2 ** 53 + 2 : value;
    if (Array.isArray(value)) return value.slice(0, 12).map((item) => replaced(item, depth + 1));
    if (typeof value !== 'object' || value === null) return value;
    const copy: Record<string, unknown> = {};
    for (const [key, member] of Object.entries(value)) {
      set(copy, key, isWordOfFormat(key, depth, within) ? member : replaced(member, depth + 1, key));
    }
    if (depth > 0 && text.length < 1000) {
      for (const [key, member] of hostile) if (!Object.hasOwn(copy, key)) set(copy, key, member);
      set(copy, `k${text}`, text);
    }
    return copy;
  };
  return replaced(document, 0) as RawDocument;
}

function set(record: object, key: string, value: unknown): void {
  Object.defineProperty(record, key, { value, enumerable: true, writable: true, configurable: true });
}

/** Every text in a value, the names of its members too. */
export function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => [key, ...textsIn(member)]);
}

/** Controls, what shows nothing, bidi, tags, noncharacters, lone surrogates: none may be in an event (E5). */
export const forbiddenCharacters = /[\p{Cc}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029\ufff0-\uffff]/u;
