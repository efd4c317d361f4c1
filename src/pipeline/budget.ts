/**
 * The event budget (F5): never more events on the server than the cap. It looks at everything from time to time and soon
 * after something had no room, plans (budget-plan.ts), and puts the difference into the work queue: events that give way
 * are resolved as folded and deleted, findings that may have one are read again, summaries (summaries.ts) count the rest.
 *
 * Between two looks it gives out only the room that it has counted. All it remembers is the index: which rows are folded.
 */
import type { Moment } from './absence.ts';
import type { Admission } from './admission.ts';
import type { Books } from './books.ts';
import type { BudgetPlan } from './budget-plan.ts';
import { keepingOrder, planBudget } from './budget-plan.ts';
import { Ceiling } from './ceiling.ts';
import type { Census, Count } from './census.ts';
import { type Counts, takeCensus } from './census.ts';
import type { EventIndex, Row } from './event-index.ts';
import type { Intent } from './intent.ts';
import { isWriting } from './intent.ts';
import { total } from './levelling.ts';
import { RefusedSignals } from './refused-signals.ts';
import { removalIntent } from './removal.ts';
import { rowsOfShard } from './shard-rows.ts';
import type { Shard } from './shards.ts';
import type { Summaries } from './summaries.ts';
import { isSummaryRow } from './summary-kind.ts';
import type { WorkQueue } from './work-queue.ts';

export interface BudgetParts {
  readonly index: EventIndex;
  readonly queue: WorkQueue;
  readonly books: Books;
  readonly summaries: Summaries;
  /** The shard whose findings it is about. */
  readonly shard: Shard;
  /** The greatest number of events. */
  readonly events: number;
  monotonicMs(): number;
  /** Whether every report was read once: before that, what is folded is not known. */
  isSettled(): boolean;
  /** Has a report read again that holds the finding. False when there is none. */
  unfold(row: Row): boolean;
  /** Asks for a look soon. */
  lookSoon(): void;
  /** Told when findings are folded for want of room, and when all have their events again. */
  cappedChanged?(isCapped: boolean, state: BudgetState): void;
}

/** What the metrics and the log say. */
export interface BudgetState {
  /** Events on the server or about to be made. */
  readonly used: number;
  readonly limit: number;
  /** Findings without an event of their own, by source. */
  readonly folded: ReadonlyMap<string, number>;
}

/** As many events are removed and findings unfolded at a time: the writer and the API server have other work. */
const mostFolded = 1_000;
const mostUnfolded = 200;

export class Budget implements Admission {
  readonly #parts: BudgetParts;
  readonly #signals = new RefusedSignals();
  readonly #ceiling = new Ceiling();
  /** By name of the event: findings that were folded while their events were being made. */
  readonly #undone = new Map<string, Row>();
  #counts: Counts | undefined;
  /** Room for findings that nobody waits for. */
  #spare = 0;
  #isPerSource = false;
  /** Not every finding has room for its own event, or that is not known yet. */
  #isScarce = false;
  #isPlanned = false;
  #isTold = false;
  #state: BudgetState;

  constructor(parts: BudgetParts) {
    this.#parts = parts;
    this.#state = { used: 0, limit: parts.events, folded: new Map() };
  }

  get state(): BudgetState {
    return this.#state;
  }

  admits(row: Row): boolean {
    const { index } = this.#parts;
    const isOnServer = index.isOnServer(row);
    // What is being removed is not made again until it is gone.
    const mayBe = !(isOnServer && index.isFolded(row)) && this.#take(row, isOnServer);
    index.setFolded(row, !mayBe);
    if (!mayBe) this.#parts.lookSoon();
    else if (this.#undone.size > 0) this.#undone.delete(index.name(row));
    return mayBe;
  }

  /** Whether the signal that just happened may have an event; where not, it is counted by a summary for an hour. */
  admitsSignal(row: Row): boolean {
    const { index, monotonicMs, lookSoon } = this.#parts;
    const isOnServer = index.isOnServer(row);
    if (!(isOnServer && index.isFolded(row)) && this.#take(row, isOnServer)) {
      this.#signals.remove(index, row);
      return true;
    }
    this.#signals.add(index, row, monotonicMs());
    lookSoon();
    return false;
  }

  /** This replica writes from now on, or no more: nothing is planned, as after a restart. */
  forgetPlan(): void {
    this.#undone.clear();
    this.#counts = undefined;
    this.#isPlanned = false;
    this.#isScarce = false;
    this.#spare = 0;
  }

  /** A ResourceQuota takes no more events. */
  quotaReached(): void {
    this.#ceiling.reached();
    this.#parts.lookSoon();
  }

  /** An intent came to its end. */
  ended(intent: Intent, ending: string): void {
    if (intent.kind === 'removal') this.#undone.delete(intent.key);
    if (ending === 'created') this.#ceiling.created();
    if (ending === 'removed' || (intent.kind === 'removal' && ending === 'unchanged')) this.#parts.lookSoon();
  }

  /** Compares what there is with what the budget allows. */
  look(moment: Moment): void {
    const { summaries, isSettled } = this.#parts;
    const isFirst = !this.#isPlanned;
    const census = this.#count(moment.monotonicMs);
    const limit = this.#state.limit;
    if (!isSettled()) {
      this.#holdBack(census);
      return;
    }
    const counts = census.counts.sorted();
    const buckets = counts.map(({ source, namespace, severity, events, folded, leaving, signals }) => {
      return { source, namespace, severity, wanted: events + folded + leaving + signals, current: events };
    });
    this.#isPlanned = true;
    if (isFirst) this.#isPerSource = summaries.arePerSource(census);
    const plan = planBudget(buckets, { events: limit, isPerSource: this.#isPerSource });
    this.#isPerSource = plan.isPerSource;
    this.#isScarce = plan.isCapped;
    const missing = Math.max(0, plan.summaries - census.summaries.length - census.comingSummaries);
    this.#share(counts, plan, Math.max(0, limit - census.used - missing));
    this.#fold(counts, plan, census, moment);
    this.#removeLeaving(census, moment);
    this.#removeResolved(census, Math.max(0, limit - total(plan.quotas) - plan.summaries), moment);
    summaries.bring(plan, census, { room: limit - census.used, events: this.#parts.events, moment });
    this.#unfold(counts);
    this.#tell(plan);
  }

  #count(nowMs: number): Census {
    const { index, queue, events, shard } = this.#parts;
    const census = takeCensus(index, queue, new Set(this.#undone.values()), shard);
    this.#signals.addTo(census.counts, nowMs);
    const folded = new Map<string, number>();
    for (const count of census.counts.sorted()) {
      const sum = count.folded + count.signals;
      if (sum > 0) folded.set(count.source, (folded.get(count.source) ?? 0) + sum);
    }
    this.#counts = census.counts;
    this.#state = { used: census.used, limit: this.#ceiling.limit(events, census.stored, nowMs), folded };
    return census;
  }

  /** Takes room for a finding. An event that is there, and returns, needs none but what its equals leave. */
  #take(row: Row, isOnServer: boolean): boolean {
    const { index, monotonicMs } = this.#parts;
    if (this.#counts === undefined) this.#holdBack(this.#count(monotonicMs()));
    if (isOnServer && !this.#isScarce) return true;
    const count = this.#counts?.of(index, row);
    if (count !== undefined && count.left > 0) {
      count.left -= 1;
      return true;
    }
    if (this.#spare <= 0) return false;
    this.#spare -= 1;
    return true;
  }

  /** Where findings were folded in an earlier life, the most severe of those without an event are not known yet. */
  #holdBack({ summaries, used }: Census): void {
    this.#isScarce = summaries.length > 0;
    this.#spare = this.#isScarce ? 0 : Math.max(0, this.#state.limit - used);
  }

  /** Gives the room to those who wait for it, the most severe first; what is left over is for whoever comes. */
  #share(counts: readonly Count[], plan: BudgetPlan, room: number): void {
    let left = room;
    const missing = counts.map((count, at) => ({ count, missing: (plan.quotas[at] ?? 0) - count.events }));
    for (const severity of keepingOrder) {
      for (const one of missing) {
        if (one.count.severity !== severity || one.missing <= 0) continue;
        one.count.left = Math.min(one.missing, left);
        left -= one.count.left;
      }
    }
    this.#spare = plan.isCapped ? 0 : left;
  }

  /** Takes the events away of which there are more than planned: those that are not made yet first, then by name. */
  #fold(counts: readonly Count[], plan: BudgetPlan, { counts: all }: Census, moment: Moment): void {
    const { index, lookSoon, shard } = this.#parts;
    const over = new Map<Count, Row[]>();
    for (const [at, count] of counts.entries()) if (count.events > (plan.quotas[at] ?? 0)) over.set(count, []);
    if (over.size === 0) return;
    for (const row of rowsOfShard(index, shard)) {
      if (index.isFolded(row) || isSummaryRow(index, row)) continue;
      const rows = over.get(all.of(index, row));
      if (rows !== undefined && (index.isActive(row) || this.#isToBeWritten(row))) rows.push(row);
    }
    let folded = 0;
    for (const [at, count] of counts.entries()) {
      const names = new Map(over.get(count)?.map((row) => [row, index.name(row)]));
      const rows = [...names.keys()].sort((a, b) => {
        const first = Number(index.isOnServer(a)) - Number(index.isOnServer(b));
        return first !== 0 ? first : (names.get(a) ?? '') < (names.get(b) ?? '') ? 1 : -1;
      });
      for (const row of rows.slice(0, count.events - (plan.quotas[at] ?? 0))) {
        if (folded >= mostFolded || !this.#remove(row, true, moment)) {
          lookSoon();
          return;
        }
        index.setFolded(row, true);
        if (!index.isOnServer(row)) this.#undone.set(names.get(row) ?? '', row);
        folded += 1;
      }
    }
  }

  /** Folded findings whose removal was replaced, or refused. */
  #removeLeaving({ leaving }: Census, moment: Moment): void {
    for (const row of leaving) if (!this.#remove(row, true, moment)) return;
  }

  #removeResolved({ resolved }: Census, most: number, moment: Moment): void {
    const { index } = this.#parts;
    const excess = resolved.length - most;
    if (excess <= 0) return;
    const oldest = resolved
      .map((row) => ({ row, sinceMs: index.sinceMs(row), name: index.name(row) }))
      .sort((a, b) => a.sinceMs - b.sinceMs || (a.name < b.name ? -1 : 1));
    for (const { row } of oldest.slice(0, Math.min(excess, mostFolded))) {
      if (!this.#remove(row, false, moment)) return;
    }
  }

  /** False when the queue is full. What is to be resolved or removed anyway is left to that. */
  #remove(row: Row, isActive: boolean, moment: Moment): boolean {
    const { index, queue, books } = this.#parts;
    const coming = queue.coming(index.name(row));
    if (coming?.kind === 'removal' || coming?.kind === 'resolved') return true;
    if (coming !== undefined && !isActive) return true;
    const result = queue.put(removalIntent(index, row, isActive ? 'folded' : undefined, moment));
    if (result.kind === 'merged') books.close(result.partition, 'folded', result.occurrences);
    return result.kind !== 'full';
  }

  /** Has reports read again that hold folded findings for which there is room now. */
  #unfold(counts: readonly Count[]): void {
    const { index, unfold, lookSoon, shard } = this.#parts;
    const open = new Map<Count, number>();
    for (const count of counts) if (count.left > 0 && count.folded > 0) open.set(count, count.left);
    let asked = 0;
    for (const row of open.size === 0 ? [] : rowsOfShard(index, shard)) {
      if (!index.isFolded(row) || index.isOnServer(row) || index.holders(row) === 0) continue;
      const count = this.#counts?.of(index, row);
      const left = count === undefined ? undefined : open.get(count);
      if (count === undefined || left === undefined || !unfold(row)) continue;
      asked += 1;
      if (asked >= mostUnfolded) {
        lookSoon();
        return;
      }
      if (left > 1) open.set(count, left - 1);
      else if (open.delete(count) && open.size === 0) return;
    }
  }

  #isToBeWritten(row: Row): boolean {
    const { index, queue } = this.#parts;
    const coming = queue.coming(index.name(row));
    return coming !== undefined && isWriting(coming);
  }

  #tell({ isCapped }: BudgetPlan): void {
    if (isCapped === this.#isTold || (!isCapped && this.#state.folded.size > 0)) return;
    this.#isTold = isCapped;
    this.#parts.cappedChanged?.(isCapped, this.#state);
  }
}
