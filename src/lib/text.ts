/** Cleaning and cutting of text that comes from reports: every character of it is hostile. */

/**
 * What must not reach a terminal or an event: C0 and C1 controls, bidirectional overrides and isolates, zero-width and
 * invisible characters, the byte order mark, Unicode tags. Line ends and tabs become one space.
 */
const invisible =
  /[\p{Cc}\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\ufff0-\uffff\u{e0000}-\u{e0fff}]/gu;
const whitespace = /\s+/g;
/** Printable ASCII without a double blank needs no cleaning: the usual case, decided in one pass. */
const plain = /^(?:[!-~]| (?! ))*$/;

/** Text longer than this is cut before any pattern looks at it. */
const maximumCleanedCharacters = 4096;

/** Marks the place where text was cut. */
export const cutMark = '…';

/** Removes hostile characters, folds white space, masks known secret shapes. At most 4096 characters are looked at. */
export function clean(text: string): string {
  const bounded =
    text.length > maximumCleanedCharacters ? `${slice(text, maximumCleanedCharacters - 1)}${cutMark}` : text;
  if (plain.test(bounded)) return maskSecrets(bounded.trim());
  const visible = bounded.toWellFormed().replace(whitespace, ' ').replace(invisible, '').trim();
  return maskSecrets(visible);
}

/** Cuts to at most `maximum` UTF-16 units (never more code points than that), marking the cut, never inside a character. */
export function cut(text: string, maximum: number): string {
  return text.length <= maximum ? text : `${slice(text, maximum - 1).trimEnd()}${cutMark}`;
}

function slice(text: string, end: number): string {
  const unit = text.charCodeAt(end - 1);
  const isHighSurrogate = unit >= 0xd800 && unit <= 0xdbff;
  return text.slice(0, isHighSurrogate ? end - 1 : end);
}

const mask = '[masked]';

/**
 * Known shapes of credentials. Each pattern is linear: no nested quantifier, every run is bounded by a character class
 * that its follower is not in.
 */
const secretShapes: readonly [RegExp, string][] = [
  [/-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,32}PRIVATE KEY-----)?/g, mask],
  [/\b(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{16}\b/g, mask],
  [/\bgh[pousr]_[A-Za-z0-9]{20,255}\b/g, mask],
  [/\bgithub_pat_[A-Za-z0-9_]{20,255}\b/g, mask],
  [/\bglpat-[A-Za-z0-9_-]{16,64}/g, mask],
  [/\bxox[abeoprs]-[A-Za-z0-9-]{10,250}/g, mask],
  [/\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,128}\b/g, mask],
  [/\bAIza[A-Za-z0-9_-]{35}/g, mask],
  [/\beyJ[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{0,4096}/g, mask],
  [/\b(bearer|basic) [A-Za-z0-9._~+/=-]{12,4096}/gi, `$1 ${mask}`],
  [/:\/\/([^\s:/@]{1,128}):[^\s/@]{1,256}@/g, `://$1:${mask}@`],
  [
    /\b((?:[A-Za-z0-9]{1,32}[_-]){0,4}(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key|client[_-]?secret))(["']?\s?[:=]\s?["']?)[^\s"',;&]{4,4096}/gi,
    `$1$2${mask}`,
  ],
];
/** Cheap test whether any shape could match: most texts have none of these. */
const suspicious =
  /-----BEGIN|AKIA|ASIA|AGPA|AIDA|AROA|gh[pousr]_|github_pat_|glpat-|xox|_live_|_test_|AIza|eyJ|bearer |basic |:\/\/[^\s/@]{1,384}@|pass|pwd|secret|token|key/i;

/** Replaces known shapes of tokens, keys and passwords. Linear in the length of the text. */
export function maskSecrets(text: string): string {
  if (!suspicious.test(text)) return text;
  let masked = text;
  for (const [shape, replacement] of secretShapes) masked = masked.replace(shape, replacement);
  return masked;
}
