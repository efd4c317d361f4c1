/** Leases on a model of the server, and replicas each with clocks of its own. */

import { KubeError } from '../../src/kube/kube-error.ts';
import type { LeaseEnd, LeaseTiming } from '../../src/kube/lease.ts';
import { Lease } from '../../src/kube/lease.ts';
import type { LeaseRecord, LeaseStore, StoredLease } from '../../src/kube/lease-store.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { messageOf } from '../../src/lib/error-message.ts';

export const leaseTiming: LeaseTiming = { leaseSeconds: 15, renewDeadlineMs: 10_000, retryMs: 2_000 };

/** What happens to requests: `lost` took effect but is answered by nobody. */
export type Fault = 'fail' | 'lost' | undefined;

/** As the API server: a write names the version that it was decided on, or the Lease must not be there. */
export class LeaseServer {
  readonly writes: { readonly name: string; readonly record: LeaseRecord }[] = [];
  reads = 0;
  #version = 0;
  readonly #stored = new Map<string, StoredLease>();

  get(name: string): LeaseRecord | undefined {
    return this.#stored.get(name)?.record;
  }

  /** By somebody who asks nobody. */
  force(name: string, record: Partial<LeaseRecord>): void {
    this.#version += 1;
    const empty = { holderIdentity: '', leaseDurationSeconds: 0, acquireTime: '', renewTime: '', leaseTransitions: 0 };
    const object = { metadata: { name, resourceVersion: String(this.#version) } };
    this.#stored.set(name, { object, record: { ...empty, ...this.get(name), ...record } });
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
