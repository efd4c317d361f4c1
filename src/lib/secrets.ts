/** Masking of credentials in text that comes from reports. */

const mask = '[masked]';

type Shape = readonly [pattern: RegExp, replacement: (all: string, ...groups: string[]) => string];

/**
 * Known shapes of credentials. Each pattern is linear in the length of the text: no nested quantifier without a bound, and
 * either a match cannot fail once its run began, or it can begin only where a run of its characters begins.
 */
const secretShapes: readonly Shape[] = [
  [/-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,32}PRIVATE KEY-----|$)/gs, () => mask],
  [/\b(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{16}\b/g, () => mask],
  [/\bgh[pousr]_[A-Za-z0-9]{20,}/g, () => mask],
  [/\bgithub_pat_[A-Za-z0-9_]{20,}/g, () => mask],
  [/\bglpat-[A-Za-z0-9_.-]{16,}/g, () => mask],
  [/\bxox[abeoprs]-[A-Za-z0-9-]{10,}/g, () => mask],
  [/\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}/g, () => mask],
  [/\bAIza[A-Za-z0-9_-]{35,}/g, () => mask],
  [/[A-Za-z0-9_.-]{20,}/g, (run) => maskWebToken(run)],
  [
    // A second scheme may be glued to the end of the first one's value: its own would be left. The same goes for names below.
    /\b(bearer|basic) ([A-Za-z0-9._~+/=-]{8,}(?:(?<=bearer|basic) [A-Za-z0-9._~+/=-]{8,})*)/gi,
    (all, scheme, value = '') => (looksRandom(value) ? `${scheme} ${mask}` : all),
  ],
  [/:\/\/([^\s:/@]{0,128}):[^\s/@]{1,256}@/g, (_, user) => `://${user}:${mask}@`],
  [
    /\b((?:[A-Za-z0-9]{1,32}[_-]){0,4}(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key|client[_-]?secret)(?:\\?["'])?\s?[:=]\s?)(\\?"[^"\\]{4,}|\\?'[^'\\]{4,}|[^\s"'\\,;&]{4,}(?:(?<=(?:password|passwd|pwd|secret|token|key)[:=]) [^\s"'\\,;&]{4,})*)/gi,
    (all, name, value = '') => (isPlainWord.test(value) ? all : `${name}${openingQuote.exec(value)?.[0] ?? ''}${mask}`),
  ],
];

/** Cheap test whether any shape could match: most texts have none of these. */
const suspicious =
  /-----BEGIN|AKIA|ASIA|AGPA|AIDA|AROA|gh[pousr]_|github_pat_|glpat-|xox|_live_|_test_|AIza|eyJ|bearer |basic |:\/\/[^\s/@]{1,384}@|pass|pwd|secret|token|key/i;

/** What settings called token, secret or password are set to when the value is none. */
const isPlainWord = /^\\?["']?(?:true|false|null|none|undefined|enabled|disabled|required|optional)[.)\]}]*$/i;
const openingQuote = /^\\?["']/;

/** Replaces known shapes of tokens, keys and passwords. Linear in the length of the text. */
export function maskSecrets(text: string): string {
  if (!suspicious.test(text)) return text;
  let masked = text;
  for (const [shape, replacement] of secretShapes) masked = masked.replace(shape, replacement);
  return masked;
}

/** A JSON Web Token within a run of its characters: two parts that begin with `{"`, and what follows. */
function maskWebToken(run: string): string {
  const second = run.indexOf('.eyJ');
  const first = second === -1 ? -1 : run.lastIndexOf('eyJ', second - 1);
  if (first === -1 || second - first < 11 || run.length - second < 12) return run;
  return `${run.slice(0, run.indexOf('eyJ'))}${mask}`;
}

/** Tells a token from a word: "basic authentication" is none. */
function looksRandom(value: string): boolean {
  return /[0-9+=~]|[a-z][A-Z]/.test(value);
}
