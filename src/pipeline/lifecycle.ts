/**
 * What becomes of findings that no report holds any more although nobody said that they were fixed, and of signals that
 * do not repeat. Looks at everything from time to time, so that it does not matter what it missed; all waits are counted
 * from the start of the process at the earliest, since nobody watched before.
 *
 *   resource, namespace or policy gone            -> resolved at once: resource-deleted, policy-deleted
 *   report away beyond its grace, tool goes on    -> resolved: resource-deleted, unless the resource is seen to run
 *   report, tool or CRD away beyond the grace     -> Active, but Fresh=False; a report that returns makes it fresh again
 *   not fresh for a month                         -> resolved: unverified
 *   a signal that did not repeat                  -> resolved: expired
 */
import type { ResolveReason, StaleReason } from '../api/words.ts';
import type { Moment } from './absence.ts';
import type { EventIndex, Row } from './event-index.ts';
import type { ClusterView } from './evidence.ts';
import { endByCluster } from './evidence.ts';
import type { Intent, IntentBase } from './intent.ts';
import { intentOf } from './intent-of-row.ts';
import type { MayWrite } from './ports.ts';
import type { ReportHealth } from './report-health.ts';
import type { ReportRecord, ReportTable } from './report-table.ts';
import { kindOfKey } from './report-table.ts';
import { isSummaryRow } from './summary-kind.ts';
import type { WorkQueue } from './work-queue.ts';

/**
 * Whether reports of a kind can be seen. sent: nobody can look, they come when their senders like, and that one does not
 * come says nothing. `sinceMs`: monotonic milliseconds since when they can not be seen.
 */
export type KindState =
  | { readonly kind: 'listed' | 'listing' | 'sent' }
  | { readonly kind: 'gone' | 'silent'; readonly sinceMs: number };

/** The times of one source. */
export interface Waits {
  /** How long a report may be away. */
  readonly graceMs: number;
  /** How long a signal stays Active without a repeat. */
  readonly quietMs: number;
}

export interface LifecycleParts {
  readonly index: EventIndex;
  readonly reports: ReportTable;
  readonly queue: WorkQueue;
  readonly health: ReportHealth;
  readonly view: ClusterView;
  /** By `group|Kind` of the report and the word in spec.source. */
  waits(reportKind: string, source: string): Waits;
  kindState(reportKind: string): KindState;
  /** Forgets a report that is gone, with what it held. */
  handBack(record: ReportRecord): void;
  readonly mayWrite: MayWrite;
  readonly unverifiedMs: number;
}

interface Vanished {
  /** How many of the row's holders are gone. */
  holders: number;
  /** When the last of them went, and what kind of report it was. */
  sinceMs: number;
  kind: string;
}

/** What one look needs at hand. */
interface Look {
  readonly moment: Moment;
  readonly vanished: ReadonlyMap<Row, Vanished>;
  readonly states: Map<string, KindState>;
  running: ReadonlySet<number> | 'unknown' | undefined;
}

export class Lifecycle {
  readonly #parts: LifecycleParts;
  /** Report keys that own findings and have no report at all: since when, in monotonic milliseconds. */
  #orphaned = new Map<string, number>();

  constructor(parts: LifecycleParts) {
    this.#parts = parts;
  }

  /** Looks at every event and puts what has to be done into the queue. */
  sweep(moment: Moment): void {
    const { index, queue } = this.#parts;
    const look: Look = { moment, vanished: this.#vanished(), states: new Map(), running: undefined };
    const before = this.#orphaned;
    this.#orphaned = new Map();
    for (const row of index.rows()) {
      if (!index.isActive(row)) continue;
      // What is full is looked at again next time.
      if (queue.isFull) {
        this.#orphaned = new Map([...before, ...this.#orphaned]);
        return;
      }
      if (index.isSignal(row)) this.#lookAtSignal(row, moment);
      else if (index.reportKind(row) !== '' && !isSummaryRow(index, row)) this.#lookAtState(row, look, before);
    }
    this.#forgetOver();
  }

  #lookAtSignal(row: Row, moment: Moment): void {
    const { index, waits } = this.#parts;
    const sinceMs = index.sinceMs(row);
    const { quietMs } = waits(index.reportKind(row), index.source(row));
    if (sinceMs > 0 && moment.now.getTime() - sinceMs >= quietMs) this.#resolve(row, 'expired', moment);
  }

  #lookAtState(row: Row, look: Look, orphanedBefore: ReadonlyMap<string, number>): void {
    const { index, waits } = this.#parts;
    const { monotonicMs } = look.moment;
    const vanished = look.vanished.get(row);
    const isHeld = index.holders(row) > (vanished?.holders ?? 0);
    const kind = isHeld ? this.#holdingKind(row, look) : (vanished?.kind ?? index.reportKind(row));
    const state = this.#stateOf(kind, look);
    if (state.kind === 'listing') return;
    if (isKnown(state) && isHeld) {
      if (index.stale(row) !== undefined) this.#setFreshness(row, undefined, look.moment);
      return;
    }
    const end = isHeld ? undefined : this.#endOf(row, look);
    if (end !== undefined) {
      this.#resolve(row, end, look.moment);
      return;
    }
    // Its report is there, but says nothing about it: it is partial, or older than the one that did.
    if (isKnown(state) && this.#hasReport(row)) return;
    let sinceMs = vanished?.sinceMs;
    if (!isHeld && sinceMs === undefined) {
      const key = index.reportKey(row);
      sinceMs = orphanedBefore.get(key) ?? monotonicMs;
      this.#orphaned.set(key, sinceMs);
    }
    const awaySinceMs = 'sinceMs' in state ? state.sinceMs : (sinceMs ?? monotonicMs);
    const awayMs = monotonicMs - awaySinceMs;
    if (awayMs < waits(kind, index.source(row)).graceMs) return;
    if (state.kind === 'listed' && this.#isLeftBehind(row, kind, sinceMs ?? monotonicMs, look)) {
      this.#resolve(row, 'resource-deleted', look.moment);
    } else {
      this.#stale(row, kind, state, look.moment);
    }
  }

  /** The kind of the reports that hold the row: of several the one that can be seen, since one report is enough. */
  #holdingKind(row: Row, look: Look): string {
    const { index, reports } = this.#parts;
    const kind = index.reportKind(row);
    if (!('sinceMs' in this.#stateOf(kind, look))) return kind;
    const kinds = reports.holdersOf(row, index.reportKey(row)).map(({ object }) => kindOfKey(object.key));
    return kinds.find((other) => isKnown(this.#stateOf(other, look))) ?? kinds[0] ?? kind;
  }

  /** Beyond its grace: it stays Active, but says that nobody vouches for it; after a month it ends so. */
  #stale(row: Row, kind: string, state: KindState, moment: Moment): void {
    const { index, unverifiedMs } = this.#parts;
    if (index.stale(row) === undefined) this.#setFreshness(row, this.#reasonOf(row, kind, state), moment);
    else if (moment.now.getTime() - index.sinceMs(row) >= unverifiedMs) this.#resolve(row, 'unverified', moment);
  }

  #reasonOf(row: Row, kind: string, state: KindState): StaleReason {
    const { index, health } = this.#parts;
    if (state.kind === 'gone') return 'SourceGone';
    if (state.kind === 'silent') return 'SourceSilent';
    return health.live(kind, index.source(row)) === 0 ? 'SourceSilent' : 'ReportMissing';
  }

  /** What the cluster shows: no namespace, no policy, no Pod of that name. */
  #endOf(row: Row, look: Look): ResolveReason | undefined {
    const { index, view } = this.#parts;
    const end = endByCluster(index, row, view);
    if (end !== undefined || !index.isPod(row)) return end;
    const running = this.#running(look);
    return running !== 'unknown' && !running.has(index.resourceHash(row)) ? 'resource-deleted' : undefined;
  }

  /** The tool goes on reporting about others, and the resource is not seen to run. */
  #isLeftBehind(row: Row, kind: string, sinceMs: number, look: Look): boolean {
    const { index, health, waits } = this.#parts;
    const source = index.source(row);
    const { graceMs } = waits(kind, source);
    if (!health.goesOn(kind, source, sinceMs, look.moment.monotonicMs, graceMs)) return false;
    const running = this.#running(look);
    return running === 'unknown' || !running.has(index.resourceHash(row));
  }

  #hasReport(row: Row): boolean {
    const { index, reports } = this.#parts;
    return reports.recordsOf(index.reportKey(row)).some(({ isLive }) => isLive);
  }

  #running(look: Look): ReadonlySet<number> | 'unknown' {
    look.running ??= this.#parts.view.runningResources() ?? 'unknown';
    return look.running;
  }

  #stateOf(kind: string, look: Look): KindState {
    let state = look.states.get(kind);
    if (state === undefined) {
      state = this.#parts.kindState(kind);
      look.states.set(kind, state);
    }
    return state;
  }

  /** Which rows reports that are gone held, and since when the last of those is. */
  #vanished(): Map<Row, Vanished> {
    const vanished = new Map<Row, Vanished>();
    for (const record of this.#parts.reports.allRecords()) {
      if (record.isLive) continue;
      const sinceMs = record.vanishedAtMs;
      const kind = kindOfKey(record.object.key);
      for (const row of record.held) {
        const entry = vanished.get(row);
        if (entry === undefined) vanished.set(row, { holders: 1, sinceMs, kind });
        else {
          entry.holders += 1;
          if (sinceMs > entry.sinceMs) Object.assign(entry, { sinceMs, kind });
        }
      }
    }
    return vanished;
  }

  /** Forgets reports that are gone and hold nothing that is Active or about to be. */
  #forgetOver(): void {
    const { reports, index, queue, handBack } = this.#parts;
    for (const record of [...reports.allRecords()]) {
      if (record.isLive) continue;
      const isOver = record.held.every((row) => !index.isActive(row) && queue.coming(index.name(row)) === undefined);
      if (isOver) handBack(record);
    }
  }

  #resolve(row: Row, reason: ResolveReason, moment: Moment): void {
    this.#put(row, moment, (base) => ({ ...base, kind: 'resolved', reason, at: moment.now }));
  }

  #setFreshness(row: Row, stale: StaleReason | undefined, moment: Moment): void {
    this.#put(row, moment, (base) => ({ ...base, kind: 'freshness', stale, at: moment.now }));
  }

  /** Only where nothing else is about to be done with the event: that may be news of it. */
  #put(row: Row, { monotonicMs }: Moment, make: (base: IntentBase) => Intent): void {
    const { index, queue, mayWrite } = this.#parts;
    if (!mayWrite(index.shard(row))) return;
    const key = index.name(row);
    if (queue.coming(key) !== undefined) return;
    queue.put(make(intentOf(index, row, monotonicMs)));
  }
}

/** Whether everything is known that reports of the kind say. */
function isKnown({ kind }: KindState): boolean {
  return kind === 'listed' || kind === 'sent';
}

/** How many Active events are not fresh, by reason. */
export function staleCounts(index: EventIndex): Record<StaleReason, number> {
  const counts = { ReportMissing: 0, SourceGone: 0, SourceSilent: 0 };
  for (const row of index.rows()) {
    const stale = index.isActive(row) ? index.stale(row) : undefined;
    if (stale !== undefined) counts[stale] += 1;
  }
  return counts;
}
