import type { Severity } from '../api/words.ts';
import { severities } from '../api/words.ts';

/**
 * The same findings, most severe first, else in the order given. Of entries of one report that are the same finding the
 * first one counts, and tools list their entries in any order: this way it is always the most severe one.
 */
export function mostSevereFirst<F extends { readonly severity: Severity }>(findings: readonly F[]): readonly F[] {
  const [first] = findings;
  if (first === undefined || findings.every(({ severity }) => severity === first.severity)) return findings;
  // Buckets rather than a sort: this runs over every entry of every report.
  const buckets = new Map<Severity, F[]>(severities.map((severity) => [severity, []]));
  for (const finding of findings) buckets.get(finding.severity)?.push(finding);
  return [...buckets.values()].flat();
}
