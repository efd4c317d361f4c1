import type { Severity } from '../api/words.ts';

/** A tool's severity words in lower case, and ours: a source's table. */
export type SeverityWords = Readonly<Record<string, Severity>>;

/** Longer than any word of any tool: what is longer need not be put into lower case. */
const longestWord = 32;

/** The severity of a tool's word in any case of letters; unknown for what the table does not have. */
export function severityIn(words: SeverityWords, word: unknown): Severity {
  if (typeof word === 'number') return severityIn(words, String(word));
  if (typeof word !== 'string' || word.length > longestWord) return 'unknown';
  const key = word.trim().toLowerCase();
  return Object.hasOwn(words, key) ? (words[key] ?? 'unknown') : 'unknown';
}
