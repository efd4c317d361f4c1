/**
 * The heart: compares what reports say with what the server has and puts the difference into the work queue. Level
 * triggered: it keeps no log of changes, so reading a report again, in any order, after any outage, leads to the same
 * events. No I/O; time is an argument.
 *
 * Its parts: reading-plan.ts (what of a reading is kept), holdings.ts (which report holds and describes what), absence.ts
 * (what it says that something is not reported any more), pod-waits.ts (Pods that are not known yet), signals.ts (what
 * happened: counted, and held by no report).
 */
import { hash52 } from '../lib/hash.ts';
import type { Reading, Rejection } from '../sources/source.ts';
import type { Moment } from './absence.ts';
import { Absence } from './absence.ts';
import type { Ending } from './event-changes.ts';
import type { Row } from './event-index.ts';
import { factsOf } from './finding-facts.ts';
import { Holdings } from './holdings.ts';
import { OwnerResolver } from './identity.ts';
import type { Intent } from './intent.ts';
import { willBeActive } from './intent.ts';
import type { Observation } from './own-events.ts';
import { PodWaits } from './pod-waits.ts';
import type { WantedEvent } from './present-intent.ts';
import { intentOfKept, wantedEvent } from './present-intent.ts';
import type { Kept, Plan } from './reading-plan.ts';
import { planReadings, unexpected } from './reading-plan.ts';
import type { Applying, ReconcilerParts, Sent } from './reconciler-parts.ts';
import type { ReportObject, ReportRecord } from './report-table.ts';
import { keyOfOrigin, kindOfKey, parseObjectKey } from './report-table.ts';
import type { ForgettingParts } from './scope.ts';
import { forgetOutside, withinScope } from './scope.ts';
import { isSentKey } from './sent-reports.ts';
import type { Shard } from './shards.ts';
import { isOfSignals, Signals } from './signals.ts';
import { compareAll, follow } from './take-over.ts';
import type { Told } from './told.ts';
import { trackedThoughWithheld } from './withheld.ts';

export class Reconciler {
  readonly #parts: ReconcilerParts;
  readonly #holdings: Holdings;
  readonly #podWaits: PodWaits;
  readonly #absence: Absence;
  readonly #signals: Signals;
  /** Names of events that turned out to be different while an intent for them was waiting or under way. */
  readonly #unsettled = new Set<string>();

  constructor(parts: ReconcilerParts) {
    const { index, reports, queue, markDirty } = parts;
    this.#parts = parts;
    this.#holdings = new Holdings({ index, reports, queue, markDirty });
    this.#podWaits = new PodWaits(reports, markDirty);
    this.#absence = new Absence({
      index,
      reports,
      queue,
      holdings: this.#holdings,
      podWaits: this.#podWaits,
      markDirty,
      view: parts.view,
      put: (intent, object) => this.#put(intent, object),
    });
    this.#signals = new Signals({
      settings: parts.signals,
      index,
      queue,
      books: parts.books,
      markDirty,
      admission: parts.admission,
      namespaceFor: (resource) => parts.namespaceFor(resource),
      cluster: parts.cluster,
      mayWrite: (object, shard) => this.#mayWrite(object, shard),
      reject: (object, partition, rejection) => this.#reject(object, partition, rejection),
    });
  }

  /** How many Pods were named by reports in vain. */
  get wantedPods(): number {
    return this.#podWaits.wantedPods;
  }

  /** How many objects that count signals are known. */
  get countingObjects(): number {
    return this.#signals.countingObjects;
  }

  /** Takes in what an object of a source says now. */
  read(key: string, source: string, readings: readonly Reading[], moment: Moment, told: Told = {}): void {
    const { reports, lookUpPod, judge, shards } = this.#parts;
    const object = reports.obtainObject(key, source);
    this.#noteSpoken(object, readings, moment, told.version ?? '');
    const owners = new OwnerResolver(lookUpPod);
    const plans = planReadings(withinScope(readings, shards), { owners, judge, shards });
    const wasWaiting = this.#podWaits.hasAny(source);
    if (this.#podWaits.mustWait(object, owners.unknownPods, moment.monotonicMs)) return;
    this.#takeAllIn(object, plans, moment, told);
    if (wasWaiting) this.#absence.recheck(source);
  }

  /**
   * Takes in what was sent and cannot be read again: call it within WorkQueue.admit(). The names of its events; undefined,
   * and nothing is taken, where it names Pods that are not known yet, unless it must be taken as it is.
   */
  receive({ key, source, readings, mustTake }: Sent, moment: Moment): readonly string[] | undefined {
    const { reports, lookUpPod, judge, shards } = this.#parts;
    const owners = new OwnerResolver(lookUpPod);
    const plans = planReadings(readings, { owners, judge, shards });
    if (owners.unknownPods.size > 0 && !mustTake) return undefined;
    const object = reports.obtainObject(key, source);
    this.#noteSpoken(object, readings, moment, '');
    this.#takeAllIn(object, plans, moment);
    return plans.flatMap(({ kept }) => kept.map(({ name }) => name));
  }

  /** The object is gone. That alone resolves nothing. */
  gone(key: string, moment: Moment): void {
    const { reports, health, view } = this.#parts;
    const hash = hash52(key);
    this.#signals.gone(hash);
    const object = reports.find(hash);
    if (object === undefined) return;
    const wasWaiting = this.#podWaits.hasAny(object.source);
    this.#podWaits.forget(object);
    health.lost(object, kindOfKey(key), moment.monotonicMs, view.isLeaving(parseObjectKey(key).namespace));
    for (const record of [...object.records.values()]) if (record.isLive) this.#absence.vanished(record, moment);
    reports.removeIdle(object);
    if (wasWaiting) this.#absence.recheck(object.source);
  }

  /** Forgets a report that is gone, with what it held. */
  handBack(record: ReportRecord): void {
    this.#holdings.handBack(record);
  }

  /** Whether everything that the source reports is known, so that what is not reported can be told. */
  isSettled(source: string): boolean {
    return this.#absence.isSettled(source);
  }

  /** Every report of the source has been read at least once (or can no longer be trusted to have been). */
  setSettled(source: string, isSettled: boolean): void {
    this.#absence.setListed(source, isSettled);
  }

  /** The server shows an event of ours: what differs from what the reports want is put right. */
  eventObserved({ row, origin }: Observation): void {
    const { index } = this.#parts;
    const describer = origin === undefined ? 0 : hash52(keyOfOrigin(origin));
    if (!this.#isLeading(row)) follow(index, row, describer);
    else if (index.describer(row) === 0 && describer !== 0) index.setDescriber(row, describer);
    this.#putRight(row);
  }

  /** An event of ours was deleted: it returns if its finding still exists. */
  eventGone(row: Row): void {
    this.#putRight(row);
    this.#holdings.forgetIdle(row);
  }

  /** An intent came to its end: what was learnt of its event meanwhile is looked at, and what is of no use forgotten. */
  intentEnded(key: string, ending: Ending['kind']): void {
    const { index, queue } = this.#parts;
    this.#signals.ended(key, ending);
    if (queue.coming(key) !== undefined) return;
    const row = index.find(key);
    const wasSeen = this.#unsettled.delete(key);
    if (row === 0) return;
    // Refused or fenced, it is not there for a reason; written and not there, it was deleted at once.
    const isDeleted = !index.isOnServer(row) && ending !== 'rejected' && ending !== 'fenced';
    if (wasSeen || isDeleted) this.#putRight(row);
    this.#holdings.forgetIdle(row);
  }

  /** A Pod appeared: reports that named it in vain are read again. */
  podAppeared(namespace: string, name: string): void {
    this.#podWaits.appeared(namespace, name);
  }

  /** Has a report read again that holds the folded finding, so that it gets its event. False when there is none. */
  unfold(row: Row): boolean {
    return this.#holdings.rereadHolder(row, 'unfold');
  }

  /** Another replica writes in the shard from now on. */
  resign(shard: Shard): void {
    this.#settleNothingOf(shard);
    this.#signals.resigned();
  }

  /**
   * This replica writes in the shard from now on: has read again what is not as the reports want it. `isFirst`: it wrote in no
   * other one before. True when the objects that count signals have to be read again as well.
   */
  takeOver(shard: Shard, isFirst: boolean): boolean {
    this.#settleNothingOf(shard);
    const check = (reportKey: string) => this.#absence.check(reportKey);
    compareAll({ index: this.#parts.index, holdings: this.#holdings, check }, shard);
    return this.#signals.tookOver(isFirst);
  }

  /** Forgets what is out of scope now. `isUnread`: the object is not read any more. `forgetStored`: nor is the row's event. */
  forgetOutside(rest: Pick<ForgettingParts, 'isUnread' | 'unread' | 'forgetStored'>, { monotonicMs }: Moment): void {
    const parts = { ...this.#parts, holdings: this.#holdings, podWaits: this.#podWaits, signals: this.#signals };
    forgetOutside({ ...parts, ...rest }, monotonicMs);
  }

  #settleNothingOf(shard: Shard): void {
    const { index } = this.#parts;
    for (const name of this.#unsettled) if (index.shard(index.find(name)) === shard) this.#unsettled.delete(name);
  }

  #isLeading(row: Row): boolean {
    const { index, mayWrite } = this.#parts;
    return mayWrite(index.shard(row));
  }

  #mayWrite({ key }: ReportObject, shard: Shard): boolean {
    return isSentKey(key) || this.#parts.mayWrite(shard);
  }

  /** Has a report read again whose event is not what the reports want; once nothing is about to be written of it. */
  #putRight(row: Row): void {
    const { index, queue } = this.#parts;
    if (index.isFolded(row) || !this.#isLeading(row)) return;
    if (index.holders(row) === 0) {
      // Set Active by hand, or created by a request of which no answer came before its finding was gone.
      if (index.isActive(row)) this.#absence.check(index.reportKey(row));
      return;
    }
    const wanted = index.wantedHash(row);
    if (index.isActive(row) && (wanted === 0 || wanted === index.storedHash(row))) return;
    const name = index.name(row);
    if (queue.coming(name) !== undefined) this.#unsettled.add(name);
    else if (index.isOnServer(row)) this.#holdings.rereadHolder(row, 'event-differs');
    else this.#holdings.rereadHolders(row, 'event-deleted');
  }

  /** A report that is read again unchanged is no news of its tool. */
  #noteSpoken(object: ReportObject, readings: readonly Reading[], { monotonicMs }: Moment, version: string): void {
    // That something stopped happening, or that Events come and go, says nothing about who reports it.
    if (readings.length > 0 && readings.every(isOfSignals)) return;
    if (object.words.length > 0 && version !== '' && version === object.version) return;
    const words = new Set<string>();
    for (const { speaksFor, findings } of readings) {
      for (const word of speaksFor ?? []) words.add(word);
      for (const { source } of findings) words.add(source);
    }
    if (words.size === 0) words.add(object.source);
    object.version = version;
    this.#parts.health.spoke(object, kindOfKey(object.key), [...words], monotonicMs);
  }

  #takeAllIn(object: ReportObject, plans: readonly Plan[], moment: Moment, told: Told = {}): void {
    const spoken = new Set<string>();
    for (const plan of plans) {
      spoken.add(plan.reportKey);
      this.#takeIn(object, plan, moment, told);
    }
    for (const record of told.isBroken === true ? [] : [...object.records.values()]) {
      if (!spoken.has(record.reportKey) && record.isLive) this.#absence.vanished(record, moment);
    }
    this.#parts.reports.removeIdle(object);
  }

  #takeIn(object: ReportObject, plan: Plan, moment: Moment, told: Told): void {
    const { books } = this.#parts;
    const { findings, rejected, partition } = plan.reading;
    for (const { reason } of rejected) books.reject(partition, reason, 1);
    if (plan.completeness === 'not-yet') {
      books.settle(partition, 'filtered', findings.length);
      return;
    }
    for (const rejection of plan.unnamed) this.#reject(object, partition, rejection);
    if (isOfSignals(plan.reading)) this.#signals.take(object, plan, moment, told.isSnapshot);
    else this.#apply(object, plan, moment);
  }

  #apply(object: ReportObject, plan: Plan, moment: Moment): void {
    const { reports, books } = this.#parts;
    const { reading, reportKey } = plan;
    const record = reports.obtainRecord(object, reportKey, reading.partition);
    const isComplete = plan.completeness === 'complete';
    const before = new Set(record.held);
    const held = new Set<Row>();
    for (const kept of plan.kept) this.#hold(kept, { record, plan, before, held, moment });
    const tracked = trackedThoughWithheld(plan, { before, held }, this.#parts);
    for (const kept of tracked) this.#hold(kept, { record, plan, before, held, moment });
    books.settle(reading.partition, 'filtered', plan.filtered);
    books.settle(reading.partition, 'muted', plan.muted);

    const dropped = isComplete ? before.difference(held) : new Set<Row>();
    if (!isComplete) for (const row of before) held.add(row);
    record.held = Uint32Array.from(held);
    record.isLive = true;
    record.isComplete = isComplete;
    record.reportedAtMs = (reading.reportedAt ?? moment.now).getTime();
    if (isComplete) this.#absence.spoke(record, dropped, moment);
    if (plan.formerKey !== undefined) this.#absence.renamed(record, plan.formerKey, moment);
  }

  /** The report holds the finding: sees to it that it is counted once, and that its event is on the server. */
  #hold(kept: Kept, applying: Applying): void {
    const { index, books } = this.#parts;
    const { record, before, held } = applying;
    const row = index.obtain(kept.name, this.#parts.namespaceFor(kept.resource));
    if (held.has(row)) {
      books.settle(record.partition, 'merged', kept.occurrences);
      return;
    }
    held.add(row);
    if (!before.has(row)) index.addHolder(row, 1);
    if (!before.has(row) || index.isFolded(row)) index.setFacts(row, factsOf(kept, applying.plan));
    if (index.muted.has(row, applying.moment.now)) {
      // By hand: its event is kept true all the same.
      books.settle(record.partition, 'muted', kept.occurrences);
      this.#want(row, { ...kept, occurrences: 0 }, applying);
    } else this.#want(row, kept, applying);
  }

  /** Sees to it that the finding's event is on the server. */
  #want(row: Row, kept: Kept, { record, plan, moment }: Applying): void {
    const { index, queue, books, admission } = this.#parts;
    const { object, partition } = record;
    const coming = queue.coming(kept.name);
    const isToBeActive = willBeActive(index.isActive(row), coming);
    const account = coming === undefined ? 'unchanged' : 'merged';
    if ((!isToBeActive || index.isFolded(row)) && !admission.admits(row)) {
      if (index.reportKey(row) === '') index.setReportKey(row, record.reportKey);
      books.settle(partition, 'folded', kept.occurrences);
      return;
    }
    if (isToBeActive && this.#holdings.isDescribedByOther(row, record)) {
      books.settle(partition, account, kept.occurrences);
      return;
    }
    const wanted = this.#wantedEvent(kept, plan, moment);
    if ('place' in wanted) {
      this.#reject(object, partition, wanted, kept.occurrences);
      return;
    }
    const comingHash = coming?.kind === 'present' ? coming.contentHash : index.storedHash(row);
    if (isToBeActive && comingHash === wanted.contentHash) {
      this.#describe(row, record, wanted.contentHash);
      books.settle(partition, account, kept.occurrences);
      return;
    }
    // Until every report was listed, the one that described the event in an earlier life may still come.
    const isOurs = index.describer(row) === object.hash && index.reportKey(row) === record.reportKey;
    const wasOthers = isToBeActive && index.describer(row) !== 0 && !isOurs;
    if (wasOthers && coming === undefined && !this.#absence.isSettled(object.source)) {
      books.settle(partition, account, kept.occurrences);
      return;
    }
    this.#describe(row, record, wanted.contentHash);
    this.#put(intentOfKept(wanted, kept, plan, moment.monotonicMs), object);
  }

  #describe(row: Row, record: ReportRecord, hash: number): void {
    const { index } = this.#parts;
    index.setDescriber(row, record.object.hash);
    index.setWantedHash(row, hash);
    index.setReportKey(row, record.reportKey);
  }

  #wantedEvent(kept: Kept, plan: Plan, { now }: Moment): WantedEvent | Rejection {
    const { cluster } = this.#parts;
    const namespace = this.#parts.namespaceFor(kept.resource);
    try {
      return wantedEvent(kept, plan, { namespace, cluster, now });
    } catch (error) {
      return unexpected(error);
    }
  }

  #put(intent: Intent, object: ReportObject): void {
    const { queue, books, markDirty } = this.#parts;
    if (!this.#mayWrite(object, intent.shard)) {
      books.settle(intent.partition, 'fenced', intent.occurrences);
      return;
    }
    const result = queue.put(isSentKey(object.key) ? { ...intent, isSent: true } : intent);
    if (result.kind === 'full') {
      // Not received: the finding comes again when the report is read again.
      markDirty(object, 'queue-full', 0);
      return;
    }
    books.open(intent.partition, intent.occurrences);
    if (result.kind === 'merged') books.close(result.partition, 'merged', result.occurrences);
  }

  #reject(object: ReportObject, partition: string, rejection: Rejection, occurrences = 1): void {
    this.#parts.books.reject(partition, rejection.reason, occurrences);
    this.#parts.rejected?.(object.source, object.key, rejection);
  }
}
