/** The event budget with its timers: when it looks, and when Resolved events have had their time. */
import type { Config } from './config/schema.ts';
import type { Clock } from './lib/clock.ts';
import type { Books } from './pipeline/books.ts';
import type { BudgetState } from './pipeline/budget.ts';
import { Budget } from './pipeline/budget.ts';
import { Budgets } from './pipeline/budgets.ts';
import type { EventIndex, Row } from './pipeline/event-index.ts';
import type { MayWrite } from './pipeline/ports.ts';
import { removeExpired } from './pipeline/removal.ts';
import type { Shard, Shards } from './pipeline/shards.ts';
import { Summaries } from './pipeline/summaries.ts';
import { Sweeper } from './pipeline/sweeper.ts';
import type { WorkQueue } from './pipeline/work-queue.ts';
import type { ResourceReference } from './sources/source.ts';

export interface BudgetingParts {
  readonly config: Config;
  readonly index: EventIndex;
  readonly shards: Shards;
  readonly queue: WorkQueue;
  readonly books: Books;
  readonly clock: Clock;
  /** Namespace that the event about a resource goes to. */
  namespaceFor(resource: ResourceReference): string;
  /** Shorter waits, for tests. */
  readonly timing?: { readonly sweepMs?: number; readonly summaryMs?: number } | undefined;
  /** While another replica writes in a shard, nothing is planned there. */
  readonly mayWrite: MayWrite;
  /** Everything was listed once. */
  isSynced(): boolean;
  /** Every report was read once. */
  isRead(): boolean;
  /** Has a report read again that holds the finding. False when there is none. */
  unfold(row: Row): boolean;
  cappedChanged(isCapped: boolean, state: BudgetState): void;
}

/** The budget, and what makes it look. */
export interface Budgeting {
  readonly budget: Budgets;
  start(): void;
  stop(): void;
}

const lookMs = 10_000;
const lookSoonMs = 1_000;
const summaryMs = 10_000;
const removalMs = 60_000;
const millisecondsPerHour = 3_600_000;

/** Makes the budget and its timers. */
export function keepBudget(parts: BudgetingParts): Budgeting {
  const { config, index, shards, queue, books, clock, timing, mayWrite } = parts;
  const moment = () => ({ now: clock.now(), monotonicMs: clock.monotonicMs() });
  const { cluster } = config.events;
  const make = (shard: Shard, cappedChanged: (isCapped: boolean) => void) =>
    new Budget({
      index,
      queue,
      books,
      shard,
      summaries: new Summaries({
        index,
        queue,
        namespaceFor: parts.namespaceFor,
        cluster: cluster === '' ? undefined : cluster,
        intervalMs: timing?.summaryMs ?? summaryMs,
        shard,
        isSharded: shards.count > 1,
      }),
      events: Math.max(1, Math.floor(config.budget.events / shards.count)),
      monotonicMs: () => clock.monotonicMs(),
      isSettled: () => parts.mayWrite(shard) && parts.isSynced() && parts.isRead(),
      unfold: parts.unfold,
      lookSoon: () => looks.soon(),
      cappedChanged,
    });
  const budget = new Budgets({ index, shards, make, cappedChanged: parts.cappedChanged });
  const looks = new Sweeper({
    intervalMs: timing?.sweepMs ?? lookMs,
    soonMs: Math.min(lookSoonMs, timing?.sweepMs ?? lookSoonMs),
    sweep: () => budget.look(moment()),
  });
  const removals = new Sweeper({
    intervalMs: Math.min(removalMs, timing?.sweepMs ?? removalMs),
    soonMs: lookSoonMs,
    sweep() {
      const ttlMs = config.budget.resolvedTtlHours * millisecondsPerHour;
      if (parts.isSynced()) removeExpired(index, queue, { ttlMs, mayWrite }, moment());
    },
  });
  return {
    budget,
    start() {
      looks.start();
      removals.start();
    },
    stop() {
      looks.stop();
      removals.stop();
    },
  };
}
