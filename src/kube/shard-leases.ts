/**
 * Who leads in which shard: each has a Lease. Replicas share them evenly, and none is left alone:
 *
 *  - A free Lease is taken at once by whoever reads the shard already, a little later by whoever leads in fewer shards than
 *    its share, and a little later still by anybody: at most a quarter of a retry, where its leader died.
 *  - A replica that leads in two shards fewer than another one reads one of that one's shards beside its own. When it has
 *    read it, it says so on its slot, and the other one gives the Lease back. So nothing stops while it reads.
 *  - A shard whose leader should have renewed its Lease by now is read by one of the others before the Lease is free.
 */
import type { LeaseEnd, LeaseParts } from './lease.ts';
import { Lease } from './lease.ts';
import type { Slots } from './slots.ts';

export interface ShardLeasesParts
  extends Omit<LeaseParts, 'name' | 'acquired' | 'lost' | 'patienceMs' | 'notes' | 'failed'> {
  /** By number of the shard. */
  readonly names: readonly string[];
  readonly slots: Pick<Slots, 'own' | 'others' | 'members' | 'isUndisputed'>;
  /** Whether everything of the shard is known here, so that we could lead in it at once. */
  isWarm(shard: number): boolean;
  /** Those that are read here, warm or not. */
  scope(): ReadonlySet<number>;
  acquired(shard: number): void;
  lost(shard: number, end: LeaseEnd): void;
  failed(name: string, error: unknown): void;
}

/** What a replica says on its slot of the shards that it could lead in at once. */
export const warmNote = 'warm';

export class ShardLeases {
  readonly #parts: ShardLeasesParts;
  readonly #leases: readonly Lease[];
  /** Those in which we lead, as far as was told. */
  readonly #led = new Set<number>();
  /** Monotonic milliseconds when we gave them back: they are for others. */
  readonly #givenAtMs = new Map<number, number>();

  constructor(parts: ShardLeasesParts) {
    this.#parts = parts;
    this.#leases = parts.names.map(
      (name, shard) =>
        new Lease({
          ...parts,
          name,
          patienceMs: (isRunOut) => this.#patienceMs(shard, isRunOut),
          notes: () => ({ shards: String(parts.names.length) }),
          acquired: () => this.#resume(shard),
          lost: (end) => this.#end(shard, end),
          failed: (error) => parts.failed(name, error),
        }),
    );
  }

  /**
   * Whether we lead in the shard at this moment, by our clocks. Once that was seen to be over it is over until resume(), as for
   * a Lease: what was not written meanwhile has to be looked for.
   */
  isHeld(shard: number): boolean {
    if (this.#leases[shard]?.isHeld === true && !this.#mayLead) this.#end(shard, 'expired');
    return this.#led.has(shard);
  }

  /** Leads again where the Lease is still ours, and only the slot was not for a while. */
  resume(): void {
    for (const shard of this.#leases.keys()) this.#resume(shard);
  }

  /** Those in which we lead. */
  get held(): readonly number[] {
    return this.#leases.flatMap((lease, shard) => (lease.isHeld ? [shard] : []));
  }

  /**
   * What is to be read: what we lead in, what nobody leads in and we read already, what we are next to lead in since its leader
   * is silent, and the shard that we are to take from somebody who leads in more; where that is none, one to stand by for.
   */
  wantedScope(): ReadonlySet<number> {
    const { names, slots, scope } = this.#parts;
    if (names.length === 1) return new Set([0]);
    const wanted = new Set(this.held);
    for (const shard of scope()) if (this.#leases[shard]?.holder === undefined) wanted.add(shard);
    for (const shard of this.#deserted()) wanted.add(shard);
    const candidate = this.#candidate();
    if (candidate !== undefined) wanted.add(candidate);
    const [first = (slots.own ?? 0) % names.length] = scope();
    if (wanted.size === 0) wanted.add(first);
    return wanted;
  }

  /** The shard that is to be given back, since somebody who leads in two fewer can take it at once. */
  surplus(): number | undefined {
    const mine = this.held;
    const taker = this.#parts.slots.others.find(
      ({ identity, notes }) =>
        mine.length - this.#countOf(identity) >= 2 && mine.some((shard) => warmIn(notes).includes(shard)),
    );
    if (taker === undefined) return undefined;
    return mine.findLast((shard) => warmIn(taker.notes).includes(shard));
  }

  start(): void {
    for (const lease of this.#leases) lease.start();
  }

  /** One attempt to get or keep each. */
  async attempt(): Promise<void> {
    for (const lease of this.#leases) await lease.attempt();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#leases.map((lease) => lease.stop()));
  }

  /** The Lease may have changed. */
  nudge(shard: number): void {
    this.#leases[shard]?.nudge();
  }

  /** Leaves the shard to others. */
  async giveBack(shard: number): Promise<void> {
    this.#givenAtMs.set(shard, this.#parts.clock.monotonicMs());
    await this.#leases[shard]?.giveBack();
  }

  /** Of several shards only who holds a slot leads: by slots others see who divides the work. */
  get #mayLead(): boolean {
    const { slots, names } = this.#parts;
    return names.length === 1 || slots.isUndisputed;
  }

  #resume(shard: number): void {
    if (this.#led.has(shard) || this.#leases[shard]?.isHeld !== true || !this.#mayLead) return;
    this.#led.add(shard);
    this.#parts.acquired(shard);
  }

  #end(shard: number, end: LeaseEnd): void {
    if (this.#led.delete(shard)) this.#parts.lost(shard, end);
  }

  /** For how long a free Lease is left to others. Where nobody leads in the shard any more, that is short. */
  #patienceMs(shard: number, isRunOut: boolean): number {
    const { slots, timing, clock, names } = this.#parts;
    if (!slots.isUndisputed) return Number.POSITIVE_INFINITY;
    if (names.length === 1) return 0;
    const givenMs = clock.monotonicMs() - (this.#givenAtMs.get(shard) ?? Number.NEGATIVE_INFINITY);
    if (givenMs < timing.waitSeconds * 1000) return Number.POSITIVE_INFINITY;
    const own = slots.own ?? 0;
    const isOurs = this.#parts.isWarm(shard) || shard === own % names.length;
    const mine = this.held.length;
    if (isOurs && mine <= this.#share) return 0;
    const longestMs = isRunOut ? timing.retryMs / 4 : timing.retryMs;
    return mine < this.#share ? longestMs / 2 : longestMs;
  }

  /** As many may each replica lead in. */
  get #share(): number {
    return Math.ceil(this.#parts.names.length / Math.max(1, this.#parts.slots.members.length));
  }

  /** Our part of the shards whose leaders are silent: who leads in least comes first, and each sees nearly the same. */
  #deserted(): number[] {
    const { slots } = this.#parts;
    const { own } = slots;
    if (own === undefined || !slots.isUndisputed) return [];
    const silent = this.#leases.map(({ silentHolder }) => silentHolder);
    const theirs = slots.others.filter(({ identity }) => !silent.includes(identity));
    const heirs = [
      { slot: own, count: this.held.length },
      ...theirs.map(({ slot, identity }) => ({ slot, count: this.#countOf(identity) })),
    ].sort((a, b) => a.count - b.count || a.slot - b.slot);
    const place = heirs.findIndex(({ slot }) => slot === own);
    return silent
      .flatMap((holder, shard) => (holder === undefined ? [] : [shard]))
      .filter((_, at) => at % heirs.length === place);
  }

  #countOf(identity: string): number {
    return this.#leases.filter(({ holder }) => holder === identity).length;
  }

  /** A shard of the replica that leads in most, where that are two more than here. */
  #candidate(): number | undefined {
    const { slots } = this.#parts;
    if (slots.own === undefined || !slots.isUndisputed) return undefined;
    let most = this.held.length + 1;
    let richest: string | undefined;
    for (const { identity } of slots.others) {
      const count = this.#countOf(identity);
      if (count > most) [most, richest] = [count, identity];
    }
    if (richest === undefined) return undefined;
    const theirs = this.#leases.flatMap(({ holder }, shard) => (holder === richest ? [shard] : []));
    // One that is read already, else not the same as others who come at the same time.
    return theirs.find((shard) => this.#parts.scope().has(shard)) ?? theirs[slots.own % theirs.length];
  }
}

function warmIn(notes: Readonly<Record<string, string>>): number[] {
  return (notes[warmNote] ?? '').split(',').filter(Boolean).map(Number);
}
