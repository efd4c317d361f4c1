/** The waits of each source: its own, unless the configuration says otherwise. */
import type { Waits } from '../pipeline/lifecycle.ts';
import type { DueMs } from '../pipeline/open-events.ts';
import { resourceIntakes } from '../sources/intakes.ts';
import { reportKind } from '../sources/report-kind.ts';
import type { Source } from '../sources/source.ts';
import type { Config } from './schema.ts';

/** How long a signal stays Active without a repeat where its source does not say. */
const defaultQuietSeconds = 24 * 60 * 60;
/** For events of sources that are not configured any more. */
const defaultGraceSeconds = 2 * 60 * 60;

/** Looks up the waits by the kind of report, `group|Kind`, else by the word in spec.source. */
export function waitsOf(
  config: Config,
  sources: readonly Source[],
): (reportKind: string, emittedSource: string) => Waits {
  const byKind = new Map<string, Waits>();
  const byWord = new Map<string, Waits>();
  for (const source of sources) {
    const configured = config.sources[source.name];
    const waits = {
      graceMs: (configured?.graceSeconds ?? source.graceSeconds) * 1000,
      quietMs: (configured?.quietSeconds ?? source.quietSeconds ?? defaultQuietSeconds) * 1000,
    };
    for (const intake of resourceIntakes(source)) byKind.set(reportKind(intake), waits);
    for (const word of source.emits) byWord.set(word, waits);
  }
  const others = { graceMs: defaultGraceSeconds * 1000, quietMs: defaultQuietSeconds * 1000 };
  return (reportKind, word) => byKind.get(reportKind) ?? byWord.get(word) ?? others;
}

/** When an Active event is overdue, in milliseconds by severity. */
export function dueMs({ due }: Config): DueMs {
  return Object.fromEntries(Object.entries(due).map(([severity, hours]) => [severity, hours * 3_600_000])) as DueMs;
}
