/**
 * Which replicas there are: each holds one of a fixed number of Leases, since a Role can name only those that are known
 * beforehand. A replica takes the first free one, renews it, and looks at all others at the same time. The numbers of the
 * slots that are held are the members; a replica that takes over another's slot takes over its keys.
 */
import { paused } from './abort.ts';
import type { LeaseParts } from './lease.ts';
import { Lease } from './lease.ts';

export interface SlotsParts extends Omit<LeaseParts, 'name' | 'acquired' | 'lost'> {
  /** Their Leases: as many as there can be replicas at a time, also during a rollout. */
  readonly names: readonly string[];
  /** Our own slot, or the members, are others than before. */
  changed?(own: number | undefined, members: readonly number[]): void;
}

/** Two of them may fail until a slot is lost. */
const roundsInALease = 4;

export class Slots {
  readonly #parts: SlotsParts;
  readonly #leases: readonly Lease[];
  readonly #stopping = new AbortController();
  #own: Lease | undefined;
  #told = '';
  #running: Promise<void> | undefined;

  constructor(parts: SlotsParts) {
    this.#parts = parts;
    this.#leases = parts.names.map((name) => new Lease({ ...parts, name }));
  }

  /** The number of our slot; undefined while there is none for us. */
  get own(): number | undefined {
    return this.#own?.isHeld === true ? this.#leases.indexOf(this.#own) : undefined;
  }

  /** The slots that are held, in order. */
  get members(): readonly number[] {
    return this.#leases.flatMap(({ holder }, slot) => (holder === undefined ? [] : [slot]));
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Gives our slot back. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await Promise.all(this.#leases.map((lease) => lease.stop()));
  }

  /** One round: keeps our slot or finds one, and looks at the others. */
  async round(): Promise<void> {
    if (this.#own !== undefined) await this.#own.attempt();
    if (this.#own?.isHeld !== true) this.#own = undefined;
    for (const lease of this.#leases) {
      if (this.#stopping.signal.aborted) return;
      if (lease === this.#own) continue;
      if (this.#own !== undefined) await lease.look();
      else {
        await lease.attempt();
        if (lease.isHeld) this.#own = lease;
      }
    }
    this.#tell();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.round();
      const { timing, random } = this.#parts;
      if (!signal.aborted) await paused((timing.leaseSeconds * 1000 * (1 + random() / 5)) / roundsInALease, signal);
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
