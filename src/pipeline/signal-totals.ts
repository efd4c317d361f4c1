/**
 * Signals in an object that is told whole each time (alerts in a ConfigMap): what it holds of one event is a total, like
 * that of an object which counts, and is compared with what was counted before.
 */
import { severityRank } from '../api/words.ts';
import { hash52 } from '../lib/hash.ts';
import type { SignalNature } from '../sources/source.ts';
import type { Kept } from './reading-plan.ts';

/** What one object holds of one event. */
export interface SignalTotal {
  readonly kept: Kept;
  readonly nature: SignalNature;
  /** Stands for the object and the event in the ledger. */
  readonly counter: number;
}

/** The totals by event; the most severe occurrence, then the first, describes it. */
export function totalsOf(objectKey: string, kept: readonly Kept[]): readonly SignalTotal[] {
  const totals = new Map<string, SignalTotal>();
  const ids = new Set<string>();
  for (const one of kept) {
    const { nature } = one.finding;
    if (nature.kind !== 'signal') continue;
    const earlier = totals.get(one.name);
    const occurrences = (earlier?.nature.occurrences ?? 0) + occurrencesOf(one.name, nature, ids);
    const firstAt = earliest(earlier?.nature.firstAt, nature.firstAt ?? nature.at);
    const at = earlier !== undefined && earlier.nature.at > nature.at ? earlier.nature.at : nature.at;
    const isMoreSevere = earlier === undefined || severityRank(one.severity) < severityRank(earlier.kept.severity);
    totals.set(one.name, {
      kept: isMoreSevere ? one : earlier.kept,
      nature: { kind: 'signal', cumulative: true, occurrences, firstAt, at },
      counter: earlier?.counter ?? hash52(`${objectKey} ${one.name}`),
    });
  }
  return [...totals.values()];
}

/** An occurrence that stands there twice happened once. */
function occurrencesOf(name: string, { occurrences, occurrenceIds }: SignalNature, seen: Set<string>): number {
  if (occurrenceIds === undefined) return occurrences;
  const fresh = occurrenceIds.map((id) => `${name} ${id}`).filter((id) => !seen.has(id));
  for (const id of fresh) seen.add(id);
  return new Set(fresh).size;
}

function earliest(a: Date | undefined, b: Date): Date {
  return a !== undefined && a < b ? a : b;
}
