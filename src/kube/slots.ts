/**
 * Which replicas there are: each holds one of a fixed number of Leases, since a Role can name only those that are known
 * beforehand. A replica takes the first free one, renews it, and looks at all others at the same time. The numbers of the
 * slots that are held are the members; a replica that takes over another's slot takes over its keys.
 *
 * On its slot a replica says into how many shards it divides the work. Two divisions must never be at work at the same time,
 * as in a rollout that changes the number: whoever comes says its own, then looks at all others. Where one says another
 * number it takes it back and waits until that one is gone; of two who come at the same time, at least one sees the other.
 */
import { paused } from './abort.ts';
import type { LeaseParts } from './lease.ts';
import { Lease } from './lease.ts';

export interface SlotsParts extends Omit<LeaseParts, 'name' | 'acquired' | 'lost' | 'patienceMs' | 'notes'> {
  /** Their Leases: as many as there can be replicas at a time, also during a rollout. */
  readonly names: readonly string[];
  /** Into how many shards this replica divides the work; 1 where nothing is said. */
  readonly shards?: number;
  /** Leases that only replicas with another number of shards hold. */
  readonly foreign?: readonly string[];
  /** What else is said on our slot. */
  says?(): Readonly<Record<string, string>>;
  /** Our own slot, or the members, are others than before. */
  changed?(own: number | undefined, members: readonly number[]): void;
  /** All were looked at. */
  looked?(): void;
}

/** Another replica, by its slot. */
export interface Member {
  readonly slot: number;
  readonly identity: string;
  readonly notes: Readonly<Record<string, string>>;
}

/** One of them may fail, and mostly two, until a slot is lost. */
const roundsInATerm = 3;
const waiting = 'waiting';

export class Slots {
  readonly #parts: SlotsParts;
  readonly #leases: readonly Lease[];
  readonly #foreign: readonly Lease[];
  readonly #division: string;
  readonly #stopping = new AbortController();
  #own: Lease | undefined;
  /** How far we are in saying our number. */
  #claim: 'none' | 'said' | 'alone' = 'said';
  #hasLooked = false;
  #told = '';
  #running: Promise<void> | undefined;
  #isSoon = false;
  #wake: () => void = () => {};

  constructor(parts: SlotsParts) {
    this.#parts = parts;
    this.#division = String(parts.shards ?? 1);
    const notes = () => ({ shards: this.#claim === 'none' ? waiting : this.#division, ...parts.says?.() });
    this.#leases = parts.names.map((name) => new Lease({ ...parts, name, notes }));
    this.#foreign = (parts.foreign ?? []).map((name) => new Lease({ ...parts, name }));
  }

  /** The number of our slot; undefined while there is none for us. */
  get own(): number | undefined {
    return this.#own?.isHeld === true ? this.#leases.indexOf(this.#own) : undefined;
  }

  /** The slots that are held, in order. */
  get members(): readonly number[] {
    return this.#leases.flatMap(({ holder }, slot) => (holder === undefined ? [] : [slot]));
  }

  /** The other replicas, in the order of their slots. */
  get others(): readonly Member[] {
    return this.#leases.flatMap(({ holder, notes }, slot) =>
      holder === undefined || holder === this.#parts.identity ? [] : [{ slot, identity: holder, notes }],
    );
  }

  /**
   * Whether no other division can be at work. With several shards that takes a slot, and having seen all others since our
   * number stands on it. A single leader goes by what it sees, slot or not.
   */
  get isUndisputed(): boolean {
    if (this.#claim === 'alone' && this.own !== undefined) return true;
    return this.#division === '1' && this.#hasLooked && !this.isDisputed;
  }

  /** Whether a replica says another number of shards than we do. */
  get isDisputed(): boolean {
    const isOther = ({ notes }: Member) => ![waiting, this.#division].includes(notes['shards'] ?? '1');
    return this.others.some(isOther) || this.#foreign.some(({ holder }) => holder !== undefined);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** What is said on our slot is another thing now. */
  sayAnew(): void {
    this.#isSoon = true;
    this.#wake();
  }

  /** Gives our slot back. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    await this.#running;
    await Promise.all(this.#leases.map((lease) => lease.stop()));
  }

  /** One round: keeps our slot or finds one, and looks at the others. */
  async round(): Promise<void> {
    if (this.#own !== undefined) await this.#own.attempt();
    if (this.#own?.isHeld !== true) {
      this.#own = undefined;
      this.#claim = 'said';
    }
    for (const lease of this.#leases) {
      if (this.#stopping.signal.aborted) return;
      if (lease === this.#own) continue;
      if (this.#own !== undefined) await lease.look();
      else {
        await lease.attempt();
        if (lease.isHeld) this.#own = lease;
      }
    }
    if (this.#own !== undefined && this.#claim !== 'alone') await this.#settleClaim(this.#own);
    this.#hasLooked = true;
    this.#tell();
    this.#parts.looked?.();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#isSoon = false;
      await this.round();
      if (signal.aborted || this.#isSoon) continue;
      const pause = new AbortController();
      this.#wake = () => pause.abort();
      await (this.#parts.pause ?? paused)(this.#nextRoundMs(), pause.signal);
    }
  }

  /** Who has no slot, or waits for another division to end, looks as often as at any Lease that it wants. */
  #nextRoundMs(): number {
    const { timing, random } = this.#parts;
    const share = 1 - random() / 5;
    if (this.own !== undefined && this.isUndisputed) return (timing.renewDeadlineMs * share) / roundsInATerm;
    const freeInMs = [...this.#leases, ...this.#foreign].map((lease) => lease.freeInMs).filter((inMs) => inMs > 0);
    return Math.min(timing.retryMs * share, ...freeInMs);
  }

  /** Says our number, then looks whether anybody says another one. */
  async #settleClaim(own: Lease): Promise<void> {
    // Seen from the start, so that its time runs.
    for (const lease of this.#foreign) await lease.look();
    if (this.#claim === 'none' && !this.isDisputed) {
      this.#claim = 'said';
      await own.attempt();
    }
    if (this.#claim === 'said' && own.isSeen && own.notes['shards'] === this.#division) {
      const rest = [...this.#leases.filter((lease) => lease !== own), ...this.#foreign];
      for (const lease of rest) await lease.look();
      if (!this.isDisputed && rest.every(({ isSeen }) => isSeen)) this.#claim = 'alone';
    }
    if (this.#claim === 'said' && this.isDisputed) {
      this.#claim = 'none';
      await own.attempt();
    }
  }

  #tell(): void {
    const { own, members } = this;
    const text = `${own} of ${members}`;
    if (text === this.#told) return;
    this.#told = text;
    this.#parts.changed?.(own, members);
  }
}
