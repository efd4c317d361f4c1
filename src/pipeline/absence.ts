/**
 * What it says that a finding is not reported any more. Resolved needs evidence: a complete report of the same report key
 * that does not hold it, at least as new as those that did, while every report of the source is known. A report that is
 * gone, partial, or has not looked yet says nothing.
 */
import type { ResolveReason } from '../api/words.ts';
import type { EventIndex, Row } from './event-index.ts';
import type { ClusterView } from './evidence.ts';
import { endByCluster } from './evidence.ts';
import type { Holdings, MarkDirty } from './holdings.ts';
import type { ResolvedIntent } from './intent.ts';
import { willBeActive } from './intent.ts';
import { intentOf } from './intent-of-row.ts';
import type { PodWaits } from './pod-waits.ts';
import type { ReportObject, ReportRecord, ReportTable } from './report-table.ts';
import type { WorkQueue } from './work-queue.ts';

export interface AbsenceParts {
  readonly index: EventIndex;
  readonly reports: ReportTable;
  readonly queue: WorkQueue;
  readonly holdings: Holdings;
  readonly podWaits: PodWaits;
  readonly markDirty: MarkDirty;
  readonly view: ClusterView;
  /** Puts the intent into the queue; the object is read again when that is full. */
  put(intent: ResolvedIntent, object: ReportObject): void;
}

/** A point in time, by the wall and by the monotonic clock. */
export interface Moment {
  readonly now: Date;
  readonly monotonicMs: number;
}

export class Absence {
  readonly #parts: AbsenceParts;
  /** Sources of which every report has been listed: only then does absence mean anything. */
  readonly #listedSources = new Set<string>();
  /** Sources whose events have not all been given a describer since. */
  readonly #unadopted = new Set<string>();
  /** Report keys of which something was read or vanished while absence meant nothing. */
  readonly #touchedKeys = new Map<string, Set<string>>();

  constructor(parts: AbsenceParts) {
    this.#parts = parts;
  }

  /** Every report of the source has been listed (or can no longer be trusted to have been). */
  setListed(source: string, isListed: boolean): void {
    if (!isListed) {
      this.#listedSources.delete(source);
      return;
    }
    if (this.#listedSources.has(source)) return;
    this.#listedSources.add(source);
    this.#unadopted.add(source);
    this.recheck(source);
  }

  /** Whether what every report of the source says is known. */
  isSettled(source: string): boolean {
    return this.#listedSources.has(source) && !this.#parts.podWaits.hasAny(source);
  }

  /** Makes up for what was put off while the source was not settled. */
  recheck(source: string): void {
    if (!this.isSettled(source)) return;
    const keys = this.#touchedKeys.get(source) ?? [];
    this.#touchedKeys.delete(source);
    for (const key of keys) this.check(key);
    if (this.#unadopted.delete(source)) this.#parts.holdings.adoptOrphans(source);
  }

  /** A complete reading was taken in. `dropped`: what the record held before and does not name any more. */
  spoke(record: ReportRecord, dropped: Iterable<Row>, moment: Moment): void {
    const { holdings, reports } = this.#parts;
    for (const other of reports.recordsOf(record.reportKey)) {
      if (!other.isLive && other.reportedAtMs <= record.reportedAtMs) holdings.handBack(other);
    }
    for (const row of dropped) holdings.letGo(row, record);
    holdings.spoke(record);
    if (!this.isSettled(record.object.source)) this.#touch(record);
    else if (isConclusive(reports.recordsOf(record.reportKey)))
      this.#resolve(record, record.reportKey, 'fixed', moment);
  }

  /** The object is gone, or speaks of this report key no more. What it held is kept until a newer complete report speaks. */
  vanished(record: ReportRecord, { monotonicMs }: Moment): void {
    const { holdings, reports } = this.#parts;
    record.isLive = false;
    record.vanishedAtMs = monotonicMs;
    const newer = reports
      .recordsOf(record.reportKey)
      .find((other) => other.isLive && other.isComplete && other.reportedAtMs >= record.reportedAtMs);
    if (newer !== undefined || record.held.length === 0) holdings.handBack(record);
    if (this.isSettled(record.object.source)) this.check(record.reportKey);
    else this.#touch(record);
  }

  /**
   * Looks for what stands under the report key and no report holds. No reading is at hand, and what is missing may only
   * be filtered: the reports are read again and decide.
   */
  check(reportKey: string): void {
    const { index, reports, markDirty } = this.#parts;
    const records = reports.recordsOf(reportKey);
    if (!isConclusive(records)) return;
    const live = records.filter((record) => record.isLive);
    if (!live.every(({ object }) => this.isSettled(object.source))) return;
    for (const row of index.rowsOfKey(reportKey)) {
      if (index.holders(row) > 0 || !this.#willBeActive(row)) continue;
      // Any of them may have nothing to say just now.
      for (const { object } of live) markDirty(object, 'finding-missing', 0);
      return;
    }
  }

  /**
   * What the object reported under a Pod's own name is reported under its owner's now, so that it would be there twice:
   * the former events are folded into the new ones.
   */
  renamed(record: ReportRecord, formerKey: string, moment: Moment): void {
    const { holdings, reports } = this.#parts;
    const former = record.object.records.get(formerKey);
    if (former !== undefined) holdings.handBack(former);
    if (reports.recordsOf(formerKey).some((other) => other.isLive)) return;
    for (const other of reports.recordsOf(formerKey)) holdings.handBack(other);
    this.#resolve(record, formerKey, 'folded', moment);
  }

  /** Resolves what stands under the report key and no report holds. */
  #resolve(speaker: ReportRecord, reportKey: string, reason: ResolveReason, moment: Moment): void {
    const { index, queue, reports, holdings, put, view, markDirty } = this.#parts;
    const live = reports.recordsOf(reportKey).filter((record) => record.isLive);
    for (const row of index.rowsOfKey(reportKey)) {
      if (index.holders(row) > 0) continue;
      const notAsked = this.#willBeActive(row) ? holdings.notAsked(row, live) : [];
      for (const { object } of notAsked) markDirty(object, 'finding-missing', 0);
      if (notAsked.length > 0) continue;
      holdings.decided(row);
      // Nobody repaired what is not reported because its policy or namespace was deleted.
      const end = reason === 'fixed' ? (endByCluster(index, row, view) ?? reason) : reason;
      if (this.#willBeActive(row)) put(this.#intent(row, speaker, end, moment), speaker.object);
      else if (queue.coming(index.name(row)) === undefined) index.release(row);
    }
  }

  #willBeActive(row: Row): boolean {
    const { index, queue } = this.#parts;
    return willBeActive(index.isActive(row), queue.coming(index.name(row)));
  }

  #intent(row: Row, speaker: ReportRecord, reason: ResolveReason, { now, monotonicMs }: Moment): ResolvedIntent {
    const { index } = this.#parts;
    const base = { ...intentOf(index, row, monotonicMs), partition: speaker.partition };
    return { ...base, kind: 'resolved', reason, at: now };
  }

  #touch({ object, reportKey }: ReportRecord): void {
    const keys = this.#touchedKeys.get(object.source);
    if (keys === undefined) this.#touchedKeys.set(object.source, new Set([reportKey]));
    else keys.add(reportKey);
  }
}

/** Absence says something only when a report of the key is there and each one that is was complete. */
function isConclusive(records: readonly ReportRecord[]): boolean {
  const live = records.filter((record) => record.isLive);
  return live.length > 0 && live.every((record) => record.isComplete);
}
