/** Leases on a model of the server, and replicas each with clocks of its own. */

import { KubeError } from '../../src/kube/kube-error.ts';
import type { LeaseEnd, LeaseParts, LeaseTiming } from '../../src/kube/lease.ts';
import { Lease } from '../../src/kube/lease.ts';
import type { LeaseRecord, LeaseStore, StoredLease } from '../../src/kube/lease-store.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { messageOf } from '../../src/lib/error-message.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { VirtualTime } from './virtual-time.ts';

export const leaseTiming: LeaseTiming = { waitSeconds: 12, renewDeadlineMs: 10_000, retryMs: 2_000 };

/** What happens to requests: `lost` took effect but is answered by nobody. */
export type Fault = 'fail' | 'lost' | undefined;

/** As the API server: a write names the version that it was decided on, or the Lease must not be there. */
export class LeaseServer {
  readonly writes: { readonly name: string; readonly record: LeaseRecord }[] = [];
  reads = 0;
  #version = 0;
  readonly #stored = new Map<string, StoredLease>();
  readonly #watchers: { readonly name: string; readonly changed: () => void }[] = [];

  /** Calls back at each change of the Lease. */
  watch(name: string, changed: () => void): void {
    this.#watchers.push({ name, changed });
  }

  get(name: string): LeaseRecord | undefined {
    return this.#stored.get(name)?.record;
  }

  /** By somebody who asks nobody. */
  force(name: string, record: Partial<LeaseRecord>): void {
    this.#version += 1;
    const empty = { holderIdentity: '', leaseDurationSeconds: 0, acquireTime: '', renewTime: '', leaseTransitions: 0 };
    const object = { metadata: { name, resourceVersion: String(this.#version) } };
    this.#stored.set(name, { object, record: { ...empty, ...this.get(name), ...record } });
    for (const watcher of this.#watchers) if (watcher.name === name) watcher.changed();
  }

  read(name: string): StoredLease | undefined {
    this.reads += 1;
    return this.#stored.get(name);
  }

  write(name: string, record: LeaseRecord, current: StoredLease | undefined): StoredLease {
    if (this.#stored.get(name)?.object !== current?.object) {
      throw new KubeError({ status: 409, reason: 'Conflict', message: 'the object has been modified' });
    }
    this.force(name, record);
    this.writes.push({ name, record });
    const stored = this.#stored.get(name);
    if (stored === undefined) throw new Error('not stored');
    return stored;
  }
}

/** One replica: its clocks run as the test says. */
export class LeaseReplica {
  readonly identity: string;
  readonly clock: Clock & { wallMs: number; elapsedMs: number };
  readonly events: string[] = [];
  readonly store: LeaseStore;
  fault: Fault;
  /** Called between the sending of a write and its arrival. */
  onTheWay: () => void = () => {};
  readonly #server: LeaseServer;

  /** `skewMs`: by so much its wall clock is wrong. */
  constructor(server: LeaseServer, identity: string, skewMs = 0) {
    this.identity = identity;
    this.#server = server;
    const start = Date.UTC(2026, 0, 1);
    this.clock = {
      wallMs: start + skewMs,
      elapsedMs: 5_000,
      now() {
        return new Date(this.wallMs);
      },
      monotonicMs() {
        return this.elapsedMs;
      },
    };
    this.store = {
      read: async (name) => this.#answered(() => this.#server.read(name)),
      write: async (name, record, current) => {
        this.onTheWay();
        return this.#answered(() => this.#server.write(name, record, current));
      },
    };
  }

  lease(name = 'leader', timing = leaseTiming): Lease {
    return new Lease({
      name,
      identity: this.identity,
      store: this.store,
      clock: this.clock,
      random: () => 0.5,
      timing,
      acquired: () => void this.events.push('acquired'),
      lost: (end: LeaseEnd) => void this.events.push(end),
      failed: (error) => void this.events.push(`failed: ${messageOf(error)}`),
    });
  }

  pass(milliseconds: number): void {
    this.clock.elapsedMs += milliseconds;
    this.clock.wallMs += milliseconds;
  }

  #answered<Answer>(request: () => Answer): Answer {
    if (this.fault === 'fail') throw new KubeError({ status: 0, reason: 'NoAnswer', message: 'no answer' });
    const answer = request();
    if (this.fault === 'lost') throw new KubeError({ status: 0, reason: 'NoAnswer', message: 'answer lost' });
    return answer;
  }
}

/** Of a host in virtual time. */
export interface HostParts {
  readonly time: VirtualTime;
  /** How fast its clocks run. */
  readonly rate: number;
  readonly random: SeededRandom;
  /** Milliseconds that a request or its answer, or the news of a change, is on its way. */
  readonly latency: () => number;
}

/** A process in virtual time, for the real loops of Leases. */
export class LeaseHost {
  #state: 'alive' | 'killed' | 'cut off' = 'alive';
  readonly #ended = Promise.withResolvers<void>();
  readonly parts: Pick<LeaseParts, 'identity' | 'store' | 'clock' | 'random' | 'pause'>;
  readonly #server: LeaseServer;
  readonly #host: HostParts;

  constructor(server: LeaseServer, identity: string, host: HostParts) {
    const { time, rate, random } = host;
    this.#server = server;
    this.#host = host;
    this.parts = {
      identity,
      clock: time.clockOf(rate, random.next() * 1e9),
      random: () => random.next(),
      store: {
        read: (name) => this.#asked(() => server.read(name)),
        write: (name, record, current) => this.#asked(() => server.write(name, record, current)),
      },
      pause: async (milliseconds, signal) => {
        await time.pause(milliseconds / rate, signal);
        await this.#stillAlive();
      },
    };
  }

  /** Nothing runs on; what it sent arrives. */
  kill(): void {
    this.#state = 'killed';
  }

  /** It runs on, and nothing that it sends from now on arrives. */
  cutOff(): void {
    this.#state = 'cut off';
  }

  /** What is left of it goes on, so that it can be stopped. */
  end(): void {
    this.#state = 'alive';
    this.#ended.resolve();
  }

  /** Calls back soon after each change of the Lease. */
  watch(name: string, changed: () => void): void {
    const { time, latency } = this.#host;
    this.#server.watch(
      name,
      () => void time.pause(latency()).then(() => (this.#state === 'alive' ? changed() : undefined)),
    );
  }

  async #asked<Answer>(request: () => Answer): Promise<Answer> {
    const { time, latency } = this.#host;
    await this.#stillAlive();
    if (this.#state === 'cut off') throw new KubeError({ status: 0, reason: 'NoAnswer', message: 'no answer' });
    await time.pause(latency());
    const answer = request();
    await time.pause(latency());
    await this.#stillAlive();
    return answer;
  }

  /** Of a killed process nothing goes on. */
  #stillAlive(): Promise<void> {
    return this.#state === 'killed' ? this.#ended.promise : Promise.resolve();
  }
}
