/** Says who leads, once for each change, and counts it. */

import type { Registry } from 'prom-client';
import { Counter, Gauge } from 'prom-client';
import { messageOf } from '../lib/error-message.ts';
import { brief } from './brief.ts';
import type { Logger } from './logger.ts';

/** Why a term ended: `taken` by another replica, `expired`, or `released` by this one. */
export type TermEnd = 'taken' | 'expired' | 'released';

export interface LeaderReporterParts {
  readonly logger: Logger;
  readonly registry: Registry;
  readonly identity: string;
  isLeading(): boolean;
  /** How many replicas hold a slot. */
  members(): number;
  /** How many shards there are, and how many of them this replica reads and leads in. */
  shards(): { readonly total: number; readonly read: number; readonly led: number };
}

const ends: Readonly<Record<TermEnd, string>> = {
  taken: 'another replica holds the lease',
  expired: 'the lease was not renewed in time',
  released: 'given back',
};

function named(shard: number | undefined) {
  return shard === undefined ? {} : { shard };
}

export class LeaderReporter {
  readonly #parts: LeaderReporterParts;
  readonly #transitions: Counter<'change'>;
  readonly #failures: Counter;
  #isFailing = false;

  constructor(parts: LeaderReporterParts) {
    this.#parts = parts;
    const registers = [parts.registry];
    new Gauge({
      name: 'zen_watcher_leader',
      help: '1 while this replica may write: it holds the lease of the leader, or there is no election.',
      registers,
      collect() {
        this.set(parts.isLeading() ? 1 : 0);
      },
    });
    new Gauge({
      name: 'zen_watcher_replicas',
      help: 'Replicas that hold a slot, as far as this one sees.',
      registers,
      collect() {
        this.set(parts.members());
      },
    });
    new Gauge({
      name: 'zen_watcher_shards',
      help: 'Shards, by what this replica does with them: total, read (it knows them), led (it writes in them).',
      labelNames: ['state'],
      registers,
      collect() {
        for (const [state, count] of Object.entries(parts.shards())) this.set({ state }, count);
      },
    });
    this.#transitions = new Counter({
      name: 'zen_watcher_lease_transitions_total',
      help: 'Terms of this replica as leader, by what happened: acquired, taken, expired, released.',
      labelNames: ['change'],
      registers,
    });
    this.#failures = new Counter({
      name: 'zen_watcher_lease_failures_total',
      help: 'Attempts to get or renew a lease that failed, somebody being faster not counted.',
      registers,
    });
    for (const change of ['acquired', ...Object.keys(ends)]) this.#transitions.inc({ change }, 0);
  }

  /** `shard`: where there are several. */
  acquired(shard?: number): void {
    const { logger, identity } = this.#parts;
    this.#isFailing = false;
    this.#transitions.inc({ change: 'acquired' });
    logger.info('this replica leads: it writes events from now on', { identity, ...named(shard) });
  }

  lost(end: TermEnd, shard?: number): void {
    const { logger, identity } = this.#parts;
    this.#transitions.inc({ change: end });
    const level = end === 'released' ? 'info' : 'warn';
    const reason = ends[end];
    logger[level]('this replica does not lead any more: it writes no events', { identity, reason, ...named(shard) });
  }

  /** It reads those from now on. */
  reads(shards: readonly number[]): void {
    this.#parts.logger.info('this replica reads shards', { shards: shards.join(',') });
  }

  /** Replicas that divide the work otherwise are there, or gone. */
  disputed(isDisputed: boolean, shards: number): void {
    const { logger } = this.#parts;
    if (isDisputed) logger.warn('replicas with another number of shards are at work: this one waits', { shards });
    else logger.info('no replica has another number of shards any more', { shards });
  }

  /** Told once until this replica leads. */
  failed(lease: string, error: unknown): void {
    this.#failures.inc();
    if (this.#isFailing) return;
    this.#isFailing = true;
    const isForbidden = (error as { readonly status?: unknown }).status === 403;
    const hint = 'allow get, list, watch, create and update on leases of these names in the namespace of the events';
    this.#parts.logger.warn('a lease cannot be had or renewed at the moment', {
      lease,
      reason: brief(messageOf(error)),
      ...(isForbidden ? { hint } : {}),
    });
  }
}
