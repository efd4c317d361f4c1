/** How many events are Active, and how many of them for longer than they should be: one pass over the index. */
import type { Severity } from '../api/words.ts';
import { severities } from '../api/words.ts';
import type { EventIndex } from './event-index.ts';

/** Active events of one source and severity. */
export interface OpenCount {
  readonly source: string;
  readonly severity: Severity;
  active: number;
  overdue: number;
}

/** Milliseconds after which an event is overdue; 0 is never. */
export type DueMs = Readonly<Record<Severity, number>>;

/**
 * Counts Active events by source and severity. Overdue by the time since a finding was first seen or came back; a signal
 * counts from when it happened last, and what nobody reports about any more from when that was noticed. One that is muted is
 * accepted: it is not overdue while it is.
 */
export function openEvents(index: EventIndex, dueMs: DueMs, now: Date): OpenCount[] {
  const counts = new Map<string, Record<Severity, OpenCount>>();
  const nowMs = now.getTime();
  for (const row of index.rows()) {
    if (!index.isOnServer(row) || !index.isActive(row)) continue;
    const source = index.source(row);
    let bySeverity = counts.get(source);
    if (bySeverity === undefined) {
      bySeverity = Object.fromEntries(
        severities.map((severity) => [severity, { source, severity, active: 0, overdue: 0 }]),
      ) as Record<Severity, OpenCount>;
      counts.set(source, bySeverity);
    }
    const severity = index.severity(row);
    const count = bySeverity[severity];
    const sinceMs = index.sinceMs(row);
    count.active += 1;
    const isLate = dueMs[severity] > 0 && sinceMs > 0 && nowMs - sinceMs > dueMs[severity];
    if (isLate && !index.muted.has(row, now)) count.overdue += 1;
  }
  return [...counts.values()].flatMap((bySeverity) => Object.values(bySeverity));
}
