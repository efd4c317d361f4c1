import type { Severity } from '../api/words.ts';

/** Trivy's words, lower case. NONE occurs for CVEs that were scored 0. */
export const trivySeverityWords: Readonly<Record<string, Severity>> = {
  critical: 'critical',
  high: 'high',
  medium: 'medium',
  low: 'low',
  none: 'info',
  unknown: 'unknown',
};

/** Both spellings are looked up directly: this runs once per entry of every report. */
const words: ReadonlyMap<unknown, Severity> = new Map(
  Object.entries(trivySeverityWords).flatMap(([word, severity]) => [
    [word, severity],
    [word.toUpperCase(), severity],
  ]),
);

/** The severity of one of Trivy's words in any case; unknown for everything else. */
export function severityOf(word: unknown): Severity {
  const severity = words.get(word);
  if (severity !== undefined) return severity;
  return typeof word === 'string' && word.length <= 16 ? (words.get(word.toLowerCase()) ?? 'unknown') : 'unknown';
}
