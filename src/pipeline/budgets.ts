/** The event budget, divided: each shard has an equal part of its own, so that no replica has to know what others use. */
import type { Moment } from './absence.ts';
import type { Admission } from './admission.ts';
import type { Budget, BudgetState } from './budget.ts';
import type { EventIndex, Row } from './event-index.ts';
import type { Intent } from './intent.ts';
import type { Shard, Shards } from './shards.ts';

export interface BudgetsParts {
  readonly index: Pick<EventIndex, 'shard'>;
  readonly shards: Shards;
  /** Makes the budget of one shard. */
  make(shard: Shard, cappedChanged: (isCapped: boolean) => void): Budget;
  /** Told when findings are folded for want of room in any shard, and when all have their events again. */
  cappedChanged(isCapped: boolean, state: BudgetState): void;
}

export class Budgets implements Admission {
  readonly #parts: BudgetsParts;
  readonly #budgets: readonly Budget[];
  readonly #capped = new Set<Shard>();

  constructor(parts: BudgetsParts) {
    this.#parts = parts;
    this.#budgets = parts.shards.all.map((shard) =>
      parts.make(shard, (isCapped) => this.#cappedChanged(shard, isCapped)),
    );
  }

  /** Of all shards that are read together. */
  get state(): BudgetState {
    const states = this.#read().map(({ state }) => state);
    const folded = new Map<string, number>();
    for (const state of states) {
      for (const [source, count] of state.folded) folded.set(source, (folded.get(source) ?? 0) + count);
    }
    const sumOf = (field: 'used' | 'limit') => states.reduce((sum, state) => sum + state[field], 0);
    return { used: sumOf('used'), limit: sumOf('limit'), folded };
  }

  admits(row: Row): boolean {
    return this.#of(this.#parts.index.shard(row)).admits(row);
  }

  admitsSignal(row: Row): boolean {
    return this.#of(this.#parts.index.shard(row)).admitsSignal(row);
  }

  /** Another replica leads in the shard from now on, or this one begins to. */
  forgetPlan(shard: Shard): void {
    this.#of(shard).forgetPlan();
    this.#capped.delete(shard);
  }

  quotaReached(): void {
    for (const budget of this.#budgets) budget.quotaReached();
  }

  ended(intent: Intent, ending: string): void {
    this.#of(intent.shard).ended(intent, ending);
  }

  /** Compares what there is with what the budget allows, in each shard that is read. */
  look(moment: Moment): void {
    for (const budget of this.#read()) budget.look(moment);
  }

  #read(): Budget[] {
    return this.#budgets.filter((_, shard) => this.#parts.shards.reads(shard));
  }

  #of(shard: Shard): Budget {
    const budget = this.#budgets[shard];
    if (budget === undefined) throw new RangeError(`there is no shard ${shard}`);
    return budget;
  }

  #cappedChanged(shard: Shard, isCapped: boolean): void {
    const wasCapped = this.#capped.size > 0;
    if (isCapped) this.#capped.add(shard);
    else this.#capped.delete(shard);
    if (this.#capped.size > 0 !== wasCapped) this.#parts.cappedChanged(isCapped, this.state);
  }
}
