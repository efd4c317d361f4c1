/**
 * Which reports hold which findings, and who describes an event: several reports can hold one finding (two ReplicaSets of
 * a rollout). The report that the event was written from describes it until it lets go of the finding, so that two reports
 * never rewrite each other's text.
 */
import type { EventIndex, Row } from './event-index.ts';
import type { ReportObject, ReportRecord, ReportTable } from './report-table.ts';
import type { WorkQueue } from './work-queue.ts';

/** Why a report has to be read again. */
export const dirtyReasons = [
  'queue-full',
  'pods-unknown',
  'pod-appeared',
  'event-differs',
  'event-deleted',
  'describer-gone',
  'finding-missing',
  'unfold',
  'take-over',
] as const;
export type DirtyReason = (typeof dirtyReasons)[number];

/** Asks for a report to be read again, not before `afterMs`. */
export type MarkDirty = (object: ReportObject, reason: DirtyReason, afterMs: number) => void;

export interface HoldingsParts {
  readonly index: EventIndex;
  readonly reports: ReportTable;
  readonly queue: WorkQueue;
  readonly markDirty: MarkDirty;
}

/** Nothing is about to change: what is read now is what counts. */
const atOnce: ReadonlySet<DirtyReason> = new Set(['event-differs', 'unfold', 'take-over']);
/** Time for a tool that replaces its reports to be done with it. */
const settleRetryMs = 1_000;

export class Holdings {
  readonly #parts: HoldingsParts;
  /** Findings that no report holds any more -> since when, by #count. */
  readonly #dropped = new Map<string, number>();
  /** Counts complete readings and findings that were let go of: which came first is all that matters. */
  #count = 0;

  constructor(parts: HoldingsParts) {
    this.#parts = parts;
  }

  /** A report holds the finding no longer. It stays under the key of the last one that did: that key's absence counts. */
  letGo(row: Row, record: ReportRecord): void {
    const { index } = this.#parts;
    index.addHolder(row, -1);
    const isDescriber = index.describer(row) === record.object.hash && index.reportKey(row) === record.reportKey;
    if (isDescriber) index.setDescriber(row, 0);
    if (index.holders(row) > 0) {
      if (isDescriber) this.rereadHolder(row, 'describer-gone');
      return;
    }
    index.setReportKey(row, record.reportKey);
    this.#count += 1;
    this.#dropped.set(index.name(row), this.#count);
    this.forgetIdle(row);
  }

  /** A complete reading was taken in, and what it does not name let go of. */
  spoke(record: ReportRecord): void {
    this.#count += 1;
    record.spokeAt = this.#count;
  }

  /**
   * Of these reports, those that were last read while another one held the finding. They may list it below a threshold,
   * which nobody looked for as long as it was held.
   */
  notAsked(row: Row, records: readonly ReportRecord[]): readonly ReportRecord[] {
    const since = this.#dropped.get(this.#parts.index.name(row)) ?? 0;
    return records.filter(({ spokeAt }) => spokeAt < since);
  }

  /** Nothing more is to be decided about a finding that no report holds. */
  decided(row: Row): void {
    this.#dropped.delete(this.#parts.index.name(row));
  }

  /** Forgets a finding that is neither held nor on the server nor about to be. */
  forgetIdle(row: Row): void {
    const { index, queue } = this.#parts;
    if (index.holders(row) > 0 || index.isOnServer(row)) return;
    if (queue.coming(index.name(row)) !== undefined) return;
    this.decided(row);
    index.release(row);
  }

  /** Lets go of everything that a record still holds and forgets it. */
  handBack(record: ReportRecord): void {
    const { held } = record;
    record.held = new Uint32Array(0);
    record.isLive = false;
    for (const row of held) this.letGo(row, record);
    this.#parts.reports.remove(record);
  }

  /** Whether another report than this record describes the event, and still holds its finding. */
  isDescribedByOther(row: Row, record: ReportRecord): boolean {
    const { index, reports } = this.#parts;
    const describer = index.describer(row);
    const reportKey = index.reportKey(row);
    if (describer === record.object.hash && reportKey === record.reportKey) return false;
    return reports.isDescribing(describer, row, reportKey);
  }

  /** Has every report read again that holds the finding, so that one of them writes its event anew. */
  rereadHolders(row: Row, reason: DirtyReason): void {
    const { index, reports, markDirty } = this.#parts;
    for (const { object } of reports.holdersOf(row, index.reportKey(row))) markDirty(object, reason, waitMs(reason));
  }

  /** Has a report read again that holds the finding: the one that describes it, else any. False when there is none. */
  rereadHolder(row: Row, reason: DirtyReason): boolean {
    const { index, reports, markDirty } = this.#parts;
    const describer = index.describer(row);
    const reportKey = index.reportKey(row);
    const object = reports.isDescribing(describer, row, reportKey)
      ? reports.find(describer)
      : reports.holdersOf(row, reportKey)[0]?.object;
    if (object === undefined) return false;
    markDirty(object, reason, waitMs(reason));
    return true;
  }

  /** Has those reports of a source read again that hold a finding which no report describes. */
  adoptOrphans(source: string): void {
    const { reports, markDirty } = this.#parts;
    for (const record of reports.liveRecords(source)) {
      if (record.held.some((row) => this.#isOrphan(row, record))) markDirty(record.object, 'describer-gone', 0);
    }
  }

  #isOrphan(row: Row, record: ReportRecord): boolean {
    const { index, reports } = this.#parts;
    const describer = index.describer(row);
    const reportKey = index.reportKey(row);
    if (describer === record.object.hash && reportKey === record.reportKey) return false;
    return !reports.isDescribing(describer, row, reportKey);
  }
}

function waitMs(reason: DirtyReason): number {
  return atOnce.has(reason) ? 0 : settleRetryMs;
}
