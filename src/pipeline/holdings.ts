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

/** Time for a tool that replaces its reports to be done with it. */
const settleRetryMs = 1_000;

export class Holdings {
  readonly #parts: HoldingsParts;

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
    this.forgetIdle(row);
  }

  /** Forgets a finding that is neither held nor on the server nor about to be. */
  forgetIdle(row: Row): void {
    const { index, queue } = this.#parts;
    if (index.holders(row) > 0 || index.isOnServer(row)) return;
    if (queue.coming(index.name(row)) === undefined) index.release(row);
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
    for (const { object } of reports.holdersOf(row, index.reportKey(row))) markDirty(object, reason, settleRetryMs);
  }

  /** Has a report read again that holds the finding: the one that describes it, else any. */
  rereadHolder(row: Row, reason: DirtyReason): void {
    const { index, reports, markDirty } = this.#parts;
    const describer = index.describer(row);
    const reportKey = index.reportKey(row);
    const object = reports.isDescribing(describer, row, reportKey)
      ? reports.find(describer)
      : reports.holdersOf(row, reportKey)[0]?.object;
    if (object !== undefined) markDirty(object, reason, reason === 'event-differs' ? 0 : settleRetryMs);
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
