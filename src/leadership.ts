/**
 * Whether this replica may write: the leader's Lease, the slots that tell which replicas there are, and a watch that sees
 * at once when the leader gives its Lease back. Without an election this process leads from the start to the end.
 */
import type { KubeConfig } from '@kubernetes/client-node';
import type { Registry } from 'prom-client';
import { leaderLeases } from './config/access.ts';
import type { Config } from './config/schema.ts';
import type { KubeClientOptions } from './kube/client.ts';
import { KubeClient } from './kube/client.ts';
import type { LeaseEnd, LeaseTiming } from './kube/lease.ts';
import { Lease } from './kube/lease.ts';
import { KubeLeaseStore, leasesIn } from './kube/lease-store.ts';
import { Reflector } from './kube/reflector.ts';
import { Slots } from './kube/slots.ts';
import type { Budget } from './pipeline/budget.ts';
import type { Reconciler } from './pipeline/reconciler.ts';
import type { Writer } from './pipeline/writer.ts';
import { LeaderReporter } from './telemetry/leader-reporter.ts';
import type { Logger } from './telemetry/logger.ts';

export interface LeadershipParts {
  readonly config: Config;
  readonly kubeConfig: KubeConfig;
  readonly asking: Pick<KubeClientOptions, 'clock' | 'userAgent' | 'onRequest'>;
  readonly random: () => number;
  /** Of this process, and of no other at any time. */
  readonly identity: string;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly writer: Pick<Writer, 'fence'>;
  readonly budget: Pick<Budget, 'forgetPlan'>;
  readonly reconciler: Pick<Reconciler, 'takeOver' | 'resign'>;
  /** Has everything read again that counts signals. */
  readSignals(): void;
  /** Asks for a look at everything. */
  lookSoon(): void;
}

/** Who leads. */
export interface Leadership {
  /** Whether this replica may write at this moment, by its clocks. */
  readonly isLeading: boolean;
  /** The number of our slot, and of all slots that are held. */
  readonly own: number | undefined;
  readonly members: readonly number[];
  start(): void;
  /** Gives back what we hold: another replica takes over. */
  stop(): Promise<void>;
}

/** For a process that has no others beside it. */
const alone: Leadership = { isLeading: true, own: 0, members: [0], start() {}, async stop() {} };

/** The election, by the configuration. */
export function leadershipBy(parts: LeadershipParts): Leadership {
  const { config, logger, registry, identity } = parts;
  const reporter = new LeaderReporter({
    logger,
    registry,
    identity,
    isLeading: () => leadership.isLeading,
    members: () => leadership.members.length,
  });
  const leadership = config.leaderElection.enabled ? elect(parts, reporter) : alone;
  return leadership;
}

function elect(parts: LeadershipParts, reporter: LeaderReporter): Leadership {
  const { config, kubeConfig, asking, random, identity } = parts;
  const { leaderElection } = config;
  const { namespace } = config.events;
  const timing: LeaseTiming = {
    leaseSeconds: leaderElection.leaseSeconds,
    renewDeadlineMs: leaderElection.renewDeadlineSeconds * 1000,
    retryMs: leaderElection.retrySeconds * 1000,
  };
  // Of its own: a renewal must not wait for connections that writes hold, and there is time for two within the deadline.
  const client = new KubeClient(kubeConfig, { ...asking, connections: 2, timeoutMs: timing.renewDeadlineMs / 2 });
  const store = new KubeLeaseStore(client, namespace);
  const [name = '', ...names] = leaderLeases(leaderElection.replicas);
  const { clock } = asking;
  const common = { clock, random, identity, store, timing };
  const lease = new Lease({
    ...common,
    name,
    failed: (message) => reporter.failed(name, message),
    // A term may end in the middle of a decision: what follows from that waits for its end.
    acquired: () => queueMicrotask(acquired),
    lost: (end) => queueMicrotask(() => lost(end)),
  });
  function acquired(): void {
    reporter.acquired();
    forget();
    if (parts.reconciler.takeOver()) parts.readSignals();
    parts.lookSoon();
  }
  function lost(end: LeaseEnd): void {
    reporter.lost(end);
    forget();
    parts.reconciler.resign();
  }
  /** What was decided in another term is not to be done in this one. */
  function forget(): void {
    parts.writer.fence();
    parts.budget.forgetPlan();
  }
  const slots = new Slots({ ...common, names, failed: (message) => reporter.failed('zen-watcher-slot', message) });
  const bell = new Reflector(
    { clock, random, client, collection: leasesIn(namespace), fieldSelector: `metadata.name=${name}`, shape: 'full' },
    {
      object: () => lease.nudge(),
      gone: () => lease.nudge(),
      listingBegan() {},
      listingComplete() {},
      stateChanged() {},
      malformed() {},
      room: () => Promise.resolve(),
    },
  );
  return {
    get isLeading() {
      return lease.isHeld;
    },
    get own() {
      return slots.own;
    },
    get members() {
      return slots.members;
    },
    start() {
      lease.start();
      slots.start();
      bell.start();
    },
    async stop() {
      await bell.stop();
      await Promise.all([lease.stop(), slots.stop()]);
      await client.close();
    },
  };
}
