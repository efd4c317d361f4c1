/**
 * Where this replica may write: the Leases of the shards, the slots that tell which replicas there are, and watches that see
 * at once when another one gives a Lease back. Without an election this process leads from the start to the end.
 */
import type { KubeConfig } from '@kubernetes/client-node';
import type { Registry } from 'prom-client';
import { leaderLease, shardLeases, slotLeases } from './config/access.ts';
import { waitSecondsOf } from './config/leader-election-schema.ts';
import type { Config } from './config/schema.ts';
import type { KubeClientOptions } from './kube/client.ts';
import { KubeClient } from './kube/client.ts';
import type { LeaseEnd, LeaseTiming } from './kube/lease.ts';
import { KubeLeaseStore, leasesIn } from './kube/lease-store.ts';
import { Reflector } from './kube/reflector.ts';
import { ShardLeases, warmNote } from './kube/shard-leases.ts';
import { Slots } from './kube/slots.ts';
import type { Budgets } from './pipeline/budgets.ts';
import type { Reconciler } from './pipeline/reconciler.ts';
import type { Shard, Shards } from './pipeline/shards.ts';
import type { Writer } from './pipeline/writer.ts';
import type { ShardScopeParts } from './shard-scope.ts';
import { ShardScope } from './shard-scope.ts';
import { LeaderReporter } from './telemetry/leader-reporter.ts';
import type { Logger } from './telemetry/logger.ts';

export interface LeadershipParts extends Omit<ShardScopeParts, 'changed' | 'told' | 'reconciler'> {
  readonly config: Config;
  readonly kubeConfig: KubeConfig;
  readonly asking: Pick<KubeClientOptions, 'clock' | 'userAgent' | 'onRequest'>;
  readonly random: () => number;
  /** Of this process, and of no other at any time. */
  readonly identity: string;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly writer: Pick<Writer, 'fence'>;
  readonly budget: Pick<Budgets, 'forgetPlan'>;
  readonly reconciler: Pick<Reconciler, 'takeOver' | 'resign' | 'forgetOutside'>;
  readonly shards: Shards;
  /** Has everything read again that counts signals. */
  readSignals(): void;
  /** Asks for a look at everything. */
  lookSoon(): void;
}

/** Who leads where. */
export interface Leadership {
  /** Whether this replica may write what belongs to the shard at this moment, by its clocks. Asked before each write. */
  mayWrite(shard: Shard): boolean;
  /** Whether it may decide to: not any more in a shard that it is about to give back. */
  mayDecide(shard: Shard): boolean;
  /** Starts the election; resolves as soon as it is known what to read. */
  start(): Promise<void>;
  /** Gives back what we hold: other replicas take over. */
  stop(): Promise<void>;
}

/** For a process that has no others beside it. */
const alone: Leadership = { mayWrite: () => true, mayDecide: () => true, async start() {}, async stop() {} };

/** Longer nobody waits for what is queued of a shard that is to be given back. */
const longestDrainMs = 10_000;

/** The election, by the configuration. */
export function leadershipBy(parts: LeadershipParts): Leadership {
  const { config, logger, registry, identity, shards } = parts;
  const election: { readonly of?: Election } = config.leaderElection.enabled ? { of: new Election(parts) } : {};
  const leadership = election.of ?? alone;
  const led = () => shards.all.filter((shard) => leadership.mayWrite(shard)).length;
  const reporter = new LeaderReporter({
    logger,
    registry,
    identity,
    isLeading: () => led() > 0,
    members: () => election.of?.members ?? 1,
    shards: () => ({ total: shards.count, read: shards.scope.size, led: led() }),
  });
  election.of?.reportTo(reporter);
  return leadership;
}

class Election implements Leadership {
  readonly #parts: LeadershipParts;
  readonly #client: KubeClient;
  readonly #slots: Slots;
  readonly #leases: ShardLeases;
  readonly #scope: ShardScope;
  readonly #bells: readonly Reflector[];
  readonly #placed = Promise.withResolvers<void>();
  /** Shards that are about to be given back. */
  readonly #leaving = new Set<Shard>();
  /** Those in which it writes. */
  readonly #led = new Set<Shard>();
  #reporter: LeaderReporter | undefined;
  #isPlaced = false;
  #isDisputed = false;
  #isStopping = false;

  constructor(parts: LeadershipParts) {
    const { config, kubeConfig, asking, random, identity, shards } = parts;
    const { leaderElection } = config;
    const { namespace } = config.events;
    this.#parts = parts;
    const timing: LeaseTiming = {
      waitSeconds: waitSecondsOf(leaderElection),
      renewDeadlineMs: leaderElection.renewDeadlineSeconds * 1000,
      retryMs: leaderElection.retrySeconds * 1000,
    };
    // Of its own: a renewal must not wait for connections that writes hold, and there is time for two within the deadline.
    this.#client = new KubeClient(kubeConfig, { ...asking, connections: 2, timeoutMs: timing.renewDeadlineMs / 2 });
    const { clock } = asking;
    const common = { clock, random, identity, store: new KubeLeaseStore(this.#client, namespace), timing };
    const names = shardLeases(shards.count);
    this.#scope = new ShardScope({
      ...parts,
      changed: () => this.#slots.sayAnew(),
      told: (scope) => this.#reporter?.reads(scope),
    });
    this.#slots = new Slots({
      ...common,
      names: slotLeases(leaderElection.replicas),
      shards: shards.count,
      foreign: shards.count === 1 ? [] : [leaderLease],
      says: () => this.#says(),
      failed: (error) => this.#reporter?.failed('zen-watcher-slot', error),
      looked: () => this.#looked(),
    });
    this.#leases = new ShardLeases({
      ...common,
      names,
      slots: this.#slots,
      scope: () => shards.scope,
      isWarm: (shard) => this.#scope.isWarm(shard),
      silent: () => this.#rescope(),
      // A term may end in the middle of a decision: what follows from that waits for its end.
      acquired: (shard) => queueMicrotask(() => this.#acquired(shard)),
      lost: (shard, end) => queueMicrotask(() => this.#lost(shard, end)),
      failed: (name, error) => this.#reporter?.failed(name, error),
    });
    this.#bells = names.map((name, shard) => this.#bell(name, shard));
  }

  reportTo(reporter: LeaderReporter): void {
    this.#reporter = reporter;
  }

  /** How many replicas there are. */
  get members(): number {
    return this.#slots.members.length;
  }

  mayWrite(shard: Shard): boolean {
    return this.#leases.isHeld(shard) && this.#scope.isWarm(shard);
  }

  mayDecide(shard: Shard): boolean {
    return !this.#leaving.has(shard) && this.mayWrite(shard);
  }

  start(): Promise<void> {
    this.#slots.start();
    this.#leases.start();
    for (const bell of this.#bells) bell.start();
    // A single leader's replicas read everything.
    return this.#parts.shards.count === 1 ? Promise.resolve() : this.#placed.promise;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#scope.stop();
    this.#placed.resolve();
    await Promise.all(this.#bells.map((bell) => bell.stop()));
    await Promise.all([this.#leases.stop(), this.#slots.stop()]);
    await this.#client.close();
  }

  /** What is said on our slot. */
  #says(): Readonly<Record<string, string>> {
    if (this.#parts.shards.count === 1) return {};
    return { [warmNote]: this.#scope.warm.filter((shard) => !this.#leases.held.includes(shard)).join(',') };
  }

  /** All slots were looked at: who else there is, and what follows for us. */
  #looked(): void {
    const { shards, config } = this.#parts;
    if (this.#slots.isDisputed !== this.#isDisputed) {
      this.#isDisputed = !this.#isDisputed;
      this.#reporter?.disputed(this.#isDisputed, shards.count);
    }
    if (!this.#isPlaced) {
      this.#isPlaced = true;
      // What another one gave back meanwhile was not to be taken before.
      for (const shard of shards.all) this.#leases.nudge(shard);
      this.#scope.begin(this.#leases.wantedScope());
      this.#placed.resolve();
    }
    if (shards.count === 1 || this.#isStopping) return;
    if (!this.#slots.isUndisputed) {
      for (const shard of this.#leases.held) void this.#leases.giveBack(shard);
      return;
    }
    this.#leases.resume();
    this.#rescope();
    const surplus = this.#leases.surplus();
    if (surplus !== undefined && this.#leaving.size === 0) {
      void this.#giveBack(surplus, Math.min(longestDrainMs, config.shutdown.drainSeconds * 1000));
    }
  }

  /** What is queued of the shard is written first; nothing more is decided there. */
  async #giveBack(shard: Shard, limitMs: number): Promise<void> {
    this.#leaving.add(shard);
    await this.#scope.drained(shard, limitMs);
    await this.#leases.giveBack(shard);
    this.#leaving.delete(shard);
  }

  /** What is to be read may have changed. */
  #rescope(): void {
    if (this.#parts.shards.count === 1 || !this.#isPlaced || this.#isStopping) return;
    if (this.#slots.isUndisputed) this.#scope.want(this.#leases.wantedScope());
  }

  #acquired(shard: Shard): void {
    this.#rescope();
    this.#scope.whenWarm(shard, () => this.#lead(shard));
  }

  #lead(shard: Shard): void {
    const { reconciler, readSignals, lookSoon } = this.#parts;
    const isFirst = this.#led.size === 0;
    this.#led.add(shard);
    this.#reporter?.acquired(this.#name(shard));
    this.#forget(shard);
    if (reconciler.takeOver(shard, isFirst)) readSignals();
    lookSoon();
    if (this.#parts.shards.count > 1) this.#slots.sayAnew();
  }

  #lost(shard: Shard, end: LeaseEnd): void {
    this.#scope.forgetWaiting(shard);
    if (!this.#led.delete(shard)) return;
    this.#reporter?.lost(end, this.#name(shard));
    this.#forget(shard);
    this.#parts.reconciler.resign(shard);
  }

  /** What was decided in another term is not to be done in this one. */
  #forget(shard: Shard): void {
    this.#parts.writer.fence(shard);
    this.#parts.budget.forgetPlan(shard);
  }

  #name(shard: Shard): Shard | undefined {
    return this.#parts.shards.count === 1 ? undefined : shard;
  }

  /** Sees at once that the Lease was given back. */
  #bell(name: string, shard: Shard): Reflector {
    const { asking, random, config } = this.#parts;
    const collection = leasesIn(config.events.namespace);
    const nudge = () => this.#leases.nudge(shard);
    return new Reflector(
      { ...asking, random, client: this.#client, collection, fieldSelector: `metadata.name=${name}`, shape: 'full' },
      {
        object: nudge,
        gone: nudge,
        listingBegan() {},
        listingComplete() {},
        stateChanged() {},
        malformed() {},
        room: () => Promise.resolve(),
      },
    );
  }
}
