/** What tells the events that stand for others (summary-event.ts) from all others. */
import type { EventIndex, Row } from './event-index.ts';

/** spec.eventType of summaries. */
export const summaryType = 'findings-folded';
/** What the index has in place of the kind of a report: no report holds a summary, and no absence of one ends it. */
export const summaryReportKind = '|zen-watcher';

/** Whether a stored event is a summary. */
export function isSummary(event: { readonly spec: { readonly eventType: string } }): boolean {
  return event.spec.eventType === summaryType;
}

/** Whether a row is a summary. */
export function isSummaryRow(index: EventIndex, row: Row): boolean {
  return index.reportKind(row) === summaryReportKind;
}
