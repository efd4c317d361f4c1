/**
 * Which shards this replica reads, and in which of them it may write. Reading more means listing anew, own events first, so
 * that a shard is written in only when what the server has of it is known; reading less means forgetting, which resolves
 * nothing. One change at a time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Inputs } from './inputs.ts';
import type { Clock } from './lib/clock.ts';
import type { EventIndex } from './pipeline/event-index.ts';
import type { Intent } from './pipeline/intent.ts';
import type { OwnEvents } from './pipeline/own-events.ts';
import type { Reconciler } from './pipeline/reconciler.ts';
import type { Shard, Shards } from './pipeline/shards.ts';
import type { WorkQueue } from './pipeline/work-queue.ts';

export interface ShardScopeParts {
  readonly shards: Shards;
  readonly index: EventIndex;
  readonly own: OwnEvents;
  readonly queue: WorkQueue;
  readonly reconciler: Pick<Reconciler, 'forgetOutside'>;
  readonly clock: Clock;
  readonly inputs: () => Inputs;
  /** What is read changed, or is known now. */
  changed(): void;
  /** This replica reads those shards from now on. */
  told(scope: readonly Shard[]): void;
}

export class ShardScope {
  readonly #parts: ShardScopeParts;
  /** Of what is read, that of which the own events were listed. */
  readonly #warm = new Set<Shard>();
  #wanted: ReadonlySet<Shard> | undefined;
  #isChanging = false;
  #isStopped = false;
  /** Shards that wait to be known. */
  readonly #awaiting = new Map<Shard, () => void>();

  constructor(parts: ShardScopeParts) {
    this.#parts = parts;
    if (parts.shards.count === 1) this.#warm.add(0);
    else parts.shards.setScope([]);
  }

  /** Whether everything that is read of the shard is judged by what the server has. */
  isWarm(shard: Shard): boolean {
    return this.#warm.has(shard);
  }

  /** Those that are. */
  get warm(): readonly Shard[] {
    return [...this.#warm].sort((a, b) => a - b);
  }

  /** What is to be read from the start. */
  begin(scope: ReadonlySet<Shard>): void {
    const { shards } = this.#parts;
    if (shards.count === 1) return;
    shards.setScope(scope);
    this.#parts.told([...scope]);
    this.#wanted = scope;
    // What is not read yet is read in the right order anyway.
    void this.#parts
      .inputs()
      .opened()
      .then(() => this.#warmed(scope));
  }

  /** What is to be read from now on. */
  want(scope: ReadonlySet<Shard>): void {
    this.#wanted = scope;
    if (!this.#isChanging) void this.#change();
  }

  /** Calls back once, as soon as the shard is known; at once where it is. */
  whenWarm(shard: Shard, then: () => void): void {
    if (this.isWarm(shard)) then();
    else this.#awaiting.set(shard, then);
  }

  /** Nobody waits for it any more. */
  forgetWaiting(shard: Shard): void {
    this.#awaiting.delete(shard);
  }

  /** Resolves when nothing of the shard waits to be written, or after `limitMs`. */
  async drained(shard: Shard, limitMs: number): Promise<void> {
    const { queue, clock } = this.#parts;
    const untilMs = clock.monotonicMs() + limitMs;
    const isOne = (intent: Intent) => intent.shard === shard;
    queue.flush(isOne);
    while (queue.holds(isOne) && clock.monotonicMs() < untilMs) await sleep(20);
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #change(): Promise<void> {
    const { shards, inputs, changed, told } = this.#parts;
    this.#isChanging = true;
    for (;;) {
      const { scope } = shards;
      const wanted = this.#wanted ?? scope;
      const added = wanted.difference(scope);
      if (this.#isStopped || (added.size === 0 && scope.isSubsetOf(wanted))) break;
      if (!scope.isSubsetOf(wanted)) this.#narrow(scope.intersection(wanted));
      told([...wanted]);
      if (added.size > 0) {
        shards.setScope(wanted);
        await inputs().widen();
        this.#warmed(added);
      }
      changed();
    }
    this.#isChanging = false;
  }

  #warmed(added: ReadonlySet<Shard>): void {
    for (const shard of added) {
      if (!this.#parts.shards.reads(shard)) continue;
      this.#warm.add(shard);
      const then = this.#awaiting.get(shard);
      this.#awaiting.delete(shard);
      then?.();
    }
    this.#parts.changed();
  }

  #narrow(scope: ReadonlySet<Shard>): void {
    const { shards, inputs, reconciler, own, clock } = this.#parts;
    shards.setScope(scope);
    for (const shard of this.#warm) if (!scope.has(shard)) this.#warm.delete(shard);
    const unread = inputs().narrowReports();
    const isUnread = (key: string) => inputs().isUnread(key);
    const forgetStored = (row: number) => own.forget(row);
    const moment = { now: clock.now(), monotonicMs: clock.monotonicMs() };
    reconciler.forgetOutside({ unread, isUnread, forgetStored }, moment);
    inputs().narrowEvents();
  }
}
