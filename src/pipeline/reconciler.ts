/**
 * The heart: compares what reports say with what the server has and puts the difference into the work queue. Level
 * triggered: it keeps no log of changes, so reading a report again, in any order, after any outage, leads to the same
 * events. No I/O; time is an argument.
 *
 * Who describes an event: several reports can hold one finding (two ReplicaSets of a rollout). The report that the event
 * was written from describes it until it lets go of the finding, so that two reports never rewrite each other's text.
 */
import type { ObjectReference } from '../api/event.ts';
import type { EventIndex, Row } from './event-index.ts';
import type { Filter } from './filter.ts';
import { buildEvent, contentHash } from './event-builder.ts';
import type { Books } from './books.ts';
import { identify, OwnerResolver, reportKeyHash } from './identity.ts';
import type { Intent, PresentIntent } from './intent.ts';
import type { Observation } from './own-events.ts';
import type { PodLookup } from './owner.ts';
import type { ReportObject, ReportRecord, ReportTable } from './report-table.ts';
import { objectKey } from './report-table.ts';
import type { WorkQueue } from './work-queue.ts';
import { hash52 } from '../lib/hash.ts';
import type { Finding, Reading, ResourceReference } from '../sources/source.ts';

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

export interface ReconcilerParts {
  readonly index: EventIndex;
  readonly reports: ReportTable;
  readonly queue: WorkQueue;
  readonly books: Books;
  readonly lookUpPod: PodLookup;
  readonly filter: Filter;
  /** Namespace that the event of a resource goes to. */
  namespaceFor(resource: ResourceReference): string;
  readonly cluster?: string | undefined;
  /** Asks for the report to be read again, not before `afterMs`. */
  markDirty(object: ReportObject, reason: DirtyReason, afterMs: number): void;
}

export interface Moment {
  readonly now: Date;
  readonly monotonicMs: number;
}

/** A finding that passed the filter, with its name and owner. */
interface Kept {
  readonly finding: Finding;
  readonly name: string;
  readonly fingerprint: string;
  readonly resource: ResourceReference;
}

interface Planned {
  readonly reading: Reading;
  readonly owners: OwnerResolver;
  readonly reportKey: string;
  readonly kept: readonly Kept[];
}

/** How long a Pod that a report names may take to appear in the Pod list before its own name must do. */
const podGraceMs = 3_000;
const settleRetryMs = 1_000;

export class Reconciler {
  readonly #parts: ReconcilerParts;
  /** Sources of which every report has been listed: only then does absence mean anything. */
  readonly #settledSources = new Set<string>();
  /** Report keys that were read before their source was settled. */
  readonly #touchedKeys = new Map<string, Set<string>>();
  /** namespace/name of Pods that reports named in vain -> hashes of those reports. */
  readonly #wantedPods = new Map<string, Set<number>>();

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
  }

  /** Takes in what an object of a source says now. */
  read(key: string, source: string, readings: readonly Reading[], moment: Moment): void {
    const { reports, books } = this.#parts;
    const object = reports.obtainObject(key, source);
    const owners = new OwnerResolver(this.#parts.lookUpPod);
    const planned = readings.map((reading) => this.#plan(reading, owners));
    if (this.#mustWaitForPods(object, owners)) return;

    const spoken = new Set<string>();
    for (const plan of planned) {
      const { reading } = plan;
      for (const { reason } of reading.rejected) books.reject(reading.partition, reason, 1);
      spoken.add(plan.reportKey);
      if (reading.completeness === 'not-yet') books.settle(reading.partition, 'filtered', reading.findings.length);
      else this.#apply(object, plan, moment);
    }
    for (const record of [...object.records.values()]) {
      if (!spoken.has(record.reportKey)) this.#vanish(record);
    }
    reports.removeObject(object);
  }

  /** The object is gone. That alone resolves nothing. */
  gone(key: string): void {
    const object = this.#parts.reports.find(hash52(key));
    if (object === undefined) return;
    this.#forgetPods(object);
    for (const record of [...object.records.values()]) this.#vanish(record);
  }

  /** Every report of the source has been read at least once (or can no longer be trusted to have been). */
  setSettled(source: string, isSettled: boolean): void {
    if (!isSettled) {
      this.#settledSources.delete(source);
      return;
    }
    if (this.#settledSources.has(source)) return;
    this.#settledSources.add(source);
    const keys = this.#touchedKeys.get(source) ?? new Set<string>();
    this.#touchedKeys.delete(source);
    for (const key of keys) this.#checkMissing(key);
    this.#adoptOrphans(source);
  }

  /** The server shows an event of ours: what differs from what the reports want is put right. */
  eventObserved({ row, origin }: Observation): void {
    const { index, queue } = this.#parts;
    if (index.describer(row) === 0 && origin !== undefined) index.setDescriber(row, hash52(objectKey(asOrigin(origin))));
    if (index.holders(row) === 0) return;
    const wanted = index.wantedHash(row);
    if (index.isActive(row) && (wanted === 0 || wanted === index.storedHash(row))) return;
    if (queue.coming(index.name(row)) === undefined) this.#dirtyHolder(row, 'event-differs');
  }

  /** An event of ours was deleted: it returns if its finding still exists. */
  eventGone(row: Row): void {
    const { index } = this.#parts;
    if (index.holders(row) > 0) this.#dirtyHolder(row, 'event-deleted');
    else index.release(row);
  }

  /** An intent came to its end: what is neither on the server nor wanted is forgotten. */
  intentEnded(key: string): void {
    const { index, queue } = this.#parts;
    const row = index.find(key);
    if (row !== 0 && index.holders(row) === 0 && queue.coming(key) === undefined) index.release(row);
  }

  /** A Pod appeared: reports that named it in vain are read again. */
  podAppeared(namespace: string, name: string): void {
    const hashes = this.#wantedPods.get(`${namespace}/${name}`);
    if (hashes === undefined) return;
    for (const hash of [...hashes]) {
      const object = this.#parts.reports.find(hash);
      if (object !== undefined) this.#parts.markDirty(object, 'pod-appeared', 0);
    }
  }

  #plan(reading: Reading, owners: OwnerResolver): Planned {
    const kept: Kept[] = [];
    for (const finding of reading.findings) {
      if (!this.#parts.filter(finding).accepted) continue;
      kept.push(this.#keep(finding, owners));
    }
    return { reading, owners, reportKey: reportKeyHash(reading.reportKey, owners), kept };
  }

  #keep(finding: Finding, owners: OwnerResolver): Kept {
    return { finding, ...identify(finding, owners), resource: owners.resolve(finding.resource) };
  }

  /** A Pod that is not in the list yet may only be late: wait once, then its own name must do until it appears. */
  #mustWaitForPods(object: ReportObject, owners: OwnerResolver): boolean {
    this.#forgetPods(object);
    if (owners.unknownPods.size === 0) {
      object.hasWaited = false;
      return false;
    }
    object.unknownPods = [...owners.unknownPods];
    for (const pod of owners.unknownPods) {
      const hashes = this.#wantedPods.get(pod);
      if (hashes === undefined) this.#wantedPods.set(pod, new Set([object.hash]));
      else hashes.add(object.hash);
    }
    if (object.hasWaited) return false;
    object.hasWaited = true;
    this.#parts.markDirty(object, 'pods-unknown', podGraceMs);
    return true;
  }

  #forgetPods(object: ReportObject): void {
    for (const pod of object.unknownPods) {
      const hashes = this.#wantedPods.get(pod);
      hashes?.delete(object.hash);
      if (hashes?.size === 0) this.#wantedPods.delete(pod);
    }
    object.unknownPods = [];
  }

  #apply(object: ReportObject, plan: Planned, moment: Moment): void {
    const { index, reports, books } = this.#parts;
    const { reading } = plan;
    const record = reports.obtainRecord(object, plan.reportKey, reading.partition);
    const before = new Set(record.held);
    const held = new Set<Row>();
    const hold = (kept: Kept): void => {
      const row = index.obtain(kept.name, this.#parts.namespaceFor(kept.resource));
      if (held.has(row)) {
        books.settle(reading.partition, 'merged', 1);
        return;
      }
      held.add(row);
      if (!before.has(row)) index.addHolder(row, 1);
      this.#want(row, kept, record, plan, moment);
    };
    for (const kept of plan.kept) hold(kept);

    const isComplete = reading.completeness === 'complete';
    const missing = isComplete ? this.#missing(before, held, plan.reportKey) : new Set<Row>();
    const tracked = this.#trackedThoughFiltered(missing, plan);
    for (const kept of tracked) hold(kept);
    books.settle(reading.partition, 'filtered', reading.findings.length - plan.kept.length - tracked.length);
    if (!isComplete) for (const row of before) held.add(row);

    record.held = Uint32Array.from(held);
    record.isLive = true;
    record.isComplete = isComplete;
    record.reportedAtMs = (reading.reportedAt ?? moment.now).getTime();
    for (const row of before) if (!held.has(row)) this.#letGo(row, object);
    if (!isComplete) return;
    this.#supersede(record);
    if (this.#settledSources.has(object.source)) this.#resolveMissing(record, moment);
    else this.#touch(object.source, plan.reportKey);
  }

  /** Rows that this report held, or that belong to its key, and that it does not name any more. */
  #missing(before: ReadonlySet<Row>, held: ReadonlySet<Row>, reportKey: string): Set<Row> {
    const { index } = this.#parts;
    const missing = before.difference(held);
    for (const row of index.rowsOfKey(reportKey)) {
      if (index.holders(row) === 0 && index.isActive(row)) missing.add(row);
    }
    return missing;
  }

  /**
   * A finding that is in the report but below a threshold now is filtered, not fixed: while its event is Active it stays
   * tracked, with its severity brought up to date. Filtered findings are only hashed where something seems to be missing.
   */
  #trackedThoughFiltered(missing: ReadonlySet<Row>, plan: Planned): Kept[] {
    if (missing.size === 0 || plan.kept.length === plan.reading.findings.length) return [];
    const { index } = this.#parts;
    const tracked: Kept[] = [];
    const names = new Set([...missing].map((row) => index.name(row)));
    for (const finding of plan.reading.findings) {
      if (this.#parts.filter(finding).accepted) continue;
      const kept = this.#keep(finding, plan.owners);
      if (names.delete(kept.name)) tracked.push(kept);
    }
    return tracked;
  }

  /** Sees to it that the finding's event is on the server. */
  #want(row: Row, kept: Kept, record: ReportRecord, plan: Planned, moment: Moment): void {
    const { index, queue, books, reports } = this.#parts;
    const { object, partition } = record;
    const coming = queue.coming(kept.name);
    const willBeActive = coming === undefined ? index.isActive(row) : coming.kind !== 'resolved';
    const account = coming === undefined ? 'unchanged' : 'merged';
    const describer = index.describer(row);
    const isOthers = willBeActive && describer !== 0 && describer !== object.hash;
    if (isOthers && reports.isDescribing(describer, row)) {
      books.settle(partition, account, 1);
      return;
    }
    const intent = this.#presentIntent(kept, plan, moment);
    const comingHash = coming?.kind === 'present' ? coming.contentHash : index.storedHash(row);
    if (willBeActive && comingHash === intent.contentHash) {
      this.#describe(row, object, intent.contentHash, plan.reportKey);
      books.settle(partition, account, 1);
      return;
    }
    // Until every report was listed, the one that described the event in an earlier life may still come.
    if (isOthers && coming === undefined && !this.#settledSources.has(object.source)) {
      books.settle(partition, account, 1);
      return;
    }
    this.#describe(row, object, intent.contentHash, plan.reportKey);
    this.#put(intent, object);
  }

  #describe(row: Row, object: ReportObject, hash: number, reportKey: string): void {
    const { index } = this.#parts;
    index.setDescriber(row, object.hash);
    index.setWantedHash(row, hash);
    index.setReportKey(row, reportKey);
  }

  #presentIntent(kept: Kept, plan: Planned, moment: Moment): PresentIntent {
    const { reading } = plan;
    const namespace = this.#parts.namespaceFor(kept.resource);
    const event = buildEvent(
      {
        finding: kept.finding,
        identity: kept,
        resource: kept.resource,
        reportKey: plan.reportKey,
        origin: reading.origin,
      },
      { namespace, detectedAt: moment.now, cluster: this.#parts.cluster },
    );
    const body = JSON.stringify(event);
    return {
      kind: 'present',
      key: kept.name,
      namespace,
      source: kept.finding.source,
      partition: reading.partition,
      occurrences: 1,
      readAtMs: moment.monotonicMs,
      bytes: body.length + intentOverheadBytes,
      body,
      contentHash: contentHash(event),
      facts: {
        category: event.spec.category,
        severity: event.spec.severity,
        eventType: event.spec.eventType,
        subject: event.spec.subject ?? '',
        resourceNamespace: event.spec.resource?.namespace ?? '',
        title: event.spec.title ?? '',
      },
    };
  }

  #put(intent: Intent, object: ReportObject): void {
    const { queue, books } = this.#parts;
    const result = queue.put(intent);
    if (result.kind === 'full') {
      // Not received: the finding comes again when the report is read again.
      this.#parts.markDirty(object, 'queue-full', 0);
      return;
    }
    books.open(intent.partition, intent.occurrences);
    if (result.kind === 'merged') books.close(intent.partition, 'merged', result.occurrences);
  }

  /** A report holds the finding no longer. */
  #letGo(row: Row, object: ReportObject): void {
    const { index } = this.#parts;
    index.addHolder(row, -1);
    if (index.describer(row) !== object.hash) return;
    index.setDescriber(row, 0);
    if (index.holders(row) > 0) this.#dirtyHolder(row, 'describer-gone');
  }

  /** The object is gone, or speaks of this report key no more. */
  #vanish(record: ReportRecord): void {
    record.isLive = false;
    const newer = this.#parts.reports
      .recordsOf(record.reportKey)
      .find((other) => other.isLive && other.isComplete && other.reportedAtMs >= record.reportedAtMs);
    if (newer === undefined && record.held.length > 0) return;
    this.#handBack(record);
    if (newer !== undefined && this.#settledSources.has(record.object.source)) this.#checkMissing(record.reportKey);
  }

  /** What vanished reports of the key held is handed back now that a newer complete one speaks. */
  #supersede(record: ReportRecord): void {
    for (const other of this.#parts.reports.recordsOf(record.reportKey)) {
      if (!other.isLive && other.reportedAtMs <= record.reportedAtMs) this.#handBack(other);
    }
  }

  #handBack(record: ReportRecord): void {
    const { held, object } = record;
    record.held = new Uint32Array(0);
    for (const row of held) this.#letGo(row, object);
    this.#parts.reports.remove(record);
  }

  /** Resolves what no report of the key holds although complete ones were read. */
  #resolveMissing(speaker: ReportRecord, moment: Moment): void {
    const { index, queue, reports } = this.#parts;
    if (!this.#isConclusive(reports.recordsOf(speaker.reportKey))) return;
    for (const row of index.rowsOfKey(speaker.reportKey)) {
      if (index.holders(row) > 0) continue;
      const name = index.name(row);
      const coming = queue.coming(name);
      const willBeActive = coming === undefined ? index.isActive(row) : coming.kind !== 'resolved';
      if (willBeActive) this.#put(this.#resolvedIntent(row, name, speaker, moment), speaker.object);
      else if (coming === undefined) index.release(row);
    }
  }

  /** The same where no reading is at hand: if something seems to be missing, the report is read again and decides. */
  #checkMissing(reportKey: string): void {
    const { index, reports } = this.#parts;
    const records = reports.recordsOf(reportKey);
    if (!this.#isConclusive(records)) return;
    const speaker = records.find((record) => record.isLive);
    if (speaker === undefined) return;
    for (const row of index.rowsOfKey(reportKey)) {
      if (index.holders(row) > 0 || !index.isActive(row)) continue;
      this.#parts.markDirty(speaker.object, 'finding-missing', 0);
      return;
    }
  }

  /** Absence says something only when a report of the key is there and each one that is was complete. */
  #isConclusive(records: readonly ReportRecord[]): boolean {
    const live = records.filter((record) => record.isLive);
    return live.length > 0 && live.every((record) => record.isComplete);
  }

  #resolvedIntent(row: Row, name: string, speaker: ReportRecord, moment: Moment): Intent {
    return {
      kind: 'resolved',
      key: name,
      namespace: this.#parts.index.namespace(row),
      source: name.slice(0, name.lastIndexOf('-')),
      partition: speaker.partition,
      occurrences: 0,
      readAtMs: moment.monotonicMs,
      bytes: intentOverheadBytes,
      reason: 'fixed',
      at: moment.now,
    };
  }

  #touch(source: string, reportKey: string): void {
    const keys = this.#touchedKeys.get(source);
    if (keys === undefined) this.#touchedKeys.set(source, new Set([reportKey]));
    else keys.add(reportKey);
  }

  /** After the first listing: events whose describer did not come back are described by another holder. */
  #adoptOrphans(source: string): void {
    const { index, reports } = this.#parts;
    for (const row of index.rows()) {
      const describer = index.describer(row);
      if (index.holders(row) === 0 || (describer !== 0 && reports.find(describer) !== undefined)) continue;
      const holder = reports.holderOf(row, index.reportKey(row));
      if (holder?.object.source === source) this.#parts.markDirty(holder.object, 'describer-gone', 0);
    }
  }

  #dirtyHolder(row: Row, reason: DirtyReason): void {
    const { index, reports } = this.#parts;
    const describer = index.describer(row);
    const describing = reports.isDescribing(describer, row) ? reports.find(describer) : undefined;
    const holder = describing ?? reports.holderOf(row, index.reportKey(row))?.object;
    if (holder !== undefined) this.#parts.markDirty(holder, reason, reason === 'event-differs' ? 0 : settleRetryMs);
  }
}

/** What an intent takes in memory besides its body. */
const intentOverheadBytes = 600;

function asOrigin(origin: ObjectReference) {
  return {
    apiVersion: origin.apiVersion ?? '',
    kind: origin.kind ?? '',
    name: origin.name ?? '',
    ...(origin.namespace === undefined ? {} : { namespace: origin.namespace }),
  };
}
