/**
 * Signals: what happened, rather than how things are. No report holds them and absence says nothing; each occurrence adds
 * to the count of its event. The first is written at once, repeats in growing steps (recent-signals.ts), what was counted
 * already not at all (signal-ledger.ts). What is waited with lies in the work queue as one intent per event.
 */
import { severityRank } from '../api/words.ts';
import type { Reading, Rejection, ResourceReference, SignalNature } from '../sources/source.ts';
import type { Moment } from './absence.ts';
import type { Admission } from './admission.ts';
import type { Books } from './books.ts';
import type { Ending } from './event-changes.ts';
import type { EventIndex } from './event-index.ts';
import { factsOf } from './finding-facts.ts';
import type { MarkDirty } from './holdings.ts';
import type { SignalIntent } from './intent.ts';
import { isWriting, willBeActive } from './intent.ts';
import { presentIntent } from './present-intent.ts';
import type { Kept, Plan } from './reading-plan.ts';
import { unexpected } from './reading-plan.ts';
import { RecentSignals } from './recent-signals.ts';
import type { ReportObject } from './report-table.ts';
import { kindOfKey } from './report-table.ts';
import { isSentKey } from './sent-reports.ts';
import type { Shard } from './shards.ts';
import type { CountedBefore } from './signal-ledger.ts';
import { SignalLedger } from './signal-ledger.ts';
import { totalsOf } from './signal-totals.ts';
import type { WorkQueue } from './work-queue.ts';

/** What the handling of signals is told from outside. */
export interface SignalSettings {
  /** How long a signal must not happen again until it is over, by the kind of its report and the word in spec.source. */
  quietMs(reportKind: string, source: string): number;
  monotonicMs(): number;
  /** Other steps than those of the product, for tests. */
  readonly stepsMs?: readonly number[] | undefined;
}

export interface SignalsParts {
  readonly settings: SignalSettings;
  readonly index: EventIndex;
  readonly queue: WorkQueue;
  readonly books: Books;
  readonly markDirty: MarkDirty;
  readonly admission: Admission;
  /** Whether this replica may write what the object says. */
  mayWrite(object: ReportObject, shard: Shard): boolean;
  namespaceFor(resource: ResourceReference): string;
  readonly cluster: string | undefined;
  reject(object: ReportObject, partition: string, rejection: Rejection): void;
}

/** Whether a reading is about signals. Its findings are all of one nature. */
export function isOfSignals({ findings: [first] }: Reading): boolean {
  return first?.nature.kind === 'signal';
}

export class Signals {
  readonly #parts: SignalsParts;
  readonly #ledger = new SignalLedger();
  readonly #recent: RecentSignals;
  /** What stands for the events of objects that are told whole, in the ledger. */
  readonly #counters = new Map<number, Set<number>>();
  /** Something was not counted here, since another replica counts it. */
  #isBehind = false;

  constructor(parts: SignalsParts) {
    this.#parts = parts;
    this.#recent = new RecentSignals(parts.settings.stepsMs);
  }

  /** How many objects that count are known. */
  get countingObjects(): number {
    return this.#ledger.objects;
  }

  /**
   * Takes in what an object says happened. Nothing of it is noted when the queue is full: it is read again then.
   * `isSnapshot`: it will say all of it again.
   */
  take(object: ReportObject, whole: Plan, moment: Moment, isSnapshot = false): void {
    const { books } = this.#parts;
    const { partition } = whole.reading;
    books.settle(partition, 'filtered', whole.filtered);
    books.settle(partition, 'muted', whole.muted);
    const plan = { ...whole, kept: whole.kept.filter(({ shard }) => this.#parts.mayWrite(object, shard)) };
    const fenced = whole.kept.length - plan.kept.length;
    if (fenced > 0) {
      this.#isBehind = true;
      books.settle(partition, 'fenced', fenced);
    }
    const from = { object, plan, moment };
    if (isSnapshot) this.#takeTotals(from);
    for (const kept of plan.kept) {
      const { nature } = kept.finding;
      if (nature.kind !== 'signal') {
        this.#parts.reject(object, partition, unexpected(new TypeError('a state among signals')));
      } else if (!isSnapshot) this.#count(kept, nature, object.hash, from);
    }
  }

  /** This replica counts no more: what it was about to add is another one's to find. */
  resigned(): void {
    this.#isBehind = true;
  }

  /** Another replica counts by the object from now on. */
  forgetObject(object: number): void {
    this.#ledger.forget(object);
  }

  /** Another replica writes the event from now on. */
  forget(name: string): void {
    this.#recent.forget(name);
  }

  /**
   * This replica counts from now on. What others counted says the server, as after a restart. True when the objects that
   * count have to be read again for that. `isFirst`: it counted nothing before; else what it counted goes on.
   */
  tookOver(isFirst: boolean): boolean {
    const mustRead = this.#isBehind;
    this.#isBehind = false;
    if (mustRead && isFirst) {
      this.#ledger.forgetObjects();
      this.#recent.clear();
    }
    return mustRead;
  }

  /** The object is gone. */
  gone(object: number): void {
    this.#ledger.gone(object);
    for (const counter of this.#counters.get(object) ?? []) this.#ledger.gone(counter);
    this.#counters.delete(object);
  }

  /** An intent for the event came to its end: the next repeat is written so long after. */
  ended(name: string, ending: Ending['kind']): void {
    if (ending === 'created' || ending === 'changed' || ending === 'reopened' || ending === 'rejected') {
      this.#recent.ended(name, ending === 'rejected', this.#parts.settings.monotonicMs());
    }
  }

  #takeTotals(from: From): void {
    const { object, plan } = from;
    const counters = this.#counters.get(object.hash) ?? new Set<number>();
    for (const { kept, nature, counter } of totalsOf(object.key, plan.kept)) {
      counters.add(counter);
      this.#count(kept, nature, counter, from);
    }
    if (counters.size > 0) this.#counters.set(object.hash, counters);
  }

  /** `counter`: stands in the ledger for what counts it. */
  #count(kept: Kept, nature: SignalNature, counter: number, from: From): void {
    const { books, settings } = this.#parts;
    const { object, plan, moment } = from;
    const { partition } = plan.reading;
    const before = this.#countedBefore(kept.name);
    const owed = this.#ledger.owed(kept.name, counter, nature, before);
    const quietMs = settings.quietMs(kindOfKey(object.key), kept.finding.source);
    const isOver = quietMs > 0 && nature.at.getTime() + quietMs <= moment.now.getTime();
    if (owed > 0 && !isOver) {
      if (!this.#ask(kept, nature, owed, from)) return;
      this.#recent.asked(kept.name, before, moment.monotonicMs);
    } else books.settle(partition, owed === 0 ? 'unchanged' : 'filtered', 1);
    this.#ledger.note(kept.name, counter, nature);
  }

  /** Asks for so many to be added. False when that has to be tried again. */
  #ask(kept: Kept, nature: SignalNature, owed: number, { object, plan, moment }: From): boolean {
    const { index, queue, books, markDirty, reject } = this.#parts;
    // By hand: its event is kept true all the same.
    const isMuted = index.muted.has(index.find(kept.name), moment.now);
    const occurrences = isMuted ? 0 : owed;
    const intent = this.#intent({ ...kept, occurrences }, nature, owed, plan, moment);
    if ('place' in intent) {
      reject(object, plan.reading.partition, intent);
      return true;
    }
    if (!this.#mayHaveEvent(kept, plan)) {
      books.settle(intent.partition, isMuted ? 'muted' : 'folded', owed);
      return true;
    }
    const sent = isSentKey(object.key) ? ({ ...intent, isSent: true } as const) : intent;
    const result = queue.put(sent, this.#notBeforeMs(intent));
    if (result.kind === 'full') {
      index.release(index.find(kept.name));
      markDirty(object, 'queue-full', 0);
      return false;
    }
    if (isMuted) books.settle(intent.partition, 'muted', owed);
    books.open(intent.partition, occurrences);
    if (result.kind === 'merged') books.close(result.partition, 'merged', result.occurrences);
    return true;
  }

  /** Whether its event is there or about to be, or has room in the event budget. */
  #mayHaveEvent(kept: Kept, plan: Plan): boolean {
    const { index, queue, admission } = this.#parts;
    const row = index.obtain(kept.name, this.#parts.namespaceFor(kept.resource));
    if (willBeActive(index.isActive(row), queue.coming(kept.name))) return true;
    index.setFacts(row, factsOf(kept, plan));
    if (admission.admitsSignal(row)) return true;
    index.release(row);
    return false;
  }

  /** What the server has counted, by what was known before this process began to add to it. */
  #countedBefore(name: string): CountedBefore {
    const { index } = this.#parts;
    const recent = this.#recent.countedBefore(name);
    if (recent !== undefined) return recent;
    const row = index.find(name);
    return index.isOnServer(row) ? { untilMs: index.sinceMs(row), count: index.count(row) } : { untilMs: 0, count: 0 };
  }

  #notBeforeMs({ key, facts }: SignalIntent): number {
    const { index, queue } = this.#parts;
    const row = index.find(key);
    const coming = queue.coming(key);
    const isComing = coming !== undefined && isWriting(coming);
    if (!isComing && !index.isActive(row) && !this.#recent.isRefused(key)) return 0;
    const severity = isComing ? coming.facts.severity : index.severity(row);
    return severityRank(facts.severity) < severityRank(severity) ? 0 : this.#recent.dueMs(key);
  }

  #intent(kept: Kept, nature: SignalNature, count: number, plan: Plan, moment: Moment): SignalIntent | Rejection {
    const { cluster } = this.#parts;
    const namespace = this.#parts.namespaceFor(kept.resource);
    const { firstAt = nature.at, at, occurrences } = nature;
    // The event's first time is the signal's own. Where a part was counted before, only the last time is known to be new.
    const now = count > 1 && count === occurrences ? firstAt : at;
    try {
      const present = presentIntent(kept, plan, { namespace, cluster, now, monotonicMs: moment.monotonicMs });
      return { ...present, kind: 'signal', count, lastSeen: at };
    } catch (error) {
      return unexpected(error);
    }
  }
}

/** What says that it happened, and when that was read. */
interface From {
  readonly object: ReportObject;
  readonly plan: Plan;
  readonly moment: Moment;
}
