/** Says who leads, once for each change, and counts it. */

import type { Registry } from 'prom-client';
import { Counter, Gauge } from 'prom-client';
import type { Logger } from './logger.ts';
import { brief } from './reporter.ts';

/** Why a term ended: `taken` by another replica, `expired`, or `released` by this one. */
export type TermEnd = 'taken' | 'expired' | 'released';

export interface LeaderReporterParts {
  readonly logger: Logger;
  readonly registry: Registry;
  readonly identity: string;
  isLeading(): boolean;
  /** How many replicas hold a slot. */
  members(): number;
}

const ends: Readonly<Record<TermEnd, string>> = {
  taken: 'another replica holds the lease',
  expired: 'the lease was not renewed in time',
  released: 'given back',
};

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

  acquired(): void {
    this.#isFailing = false;
    this.#transitions.inc({ change: 'acquired' });
    this.#parts.logger.info('this replica leads: it writes events from now on', { identity: this.#parts.identity });
  }

  lost(end: TermEnd): void {
    const { logger, identity } = this.#parts;
    this.#transitions.inc({ change: end });
    const level = end === 'released' ? 'info' : 'warn';
    logger[level]('this replica does not lead any more: it writes no events', { identity, reason: ends[end] });
  }

  /** Told once until this replica leads. */
  failed(lease: string, message: string): void {
    this.#failures.inc();
    if (this.#isFailing) return;
    this.#isFailing = true;
    const hint = 'allow get, list, watch, create and update on leases of these names in the namespace of the events';
    this.#parts.logger.warn('a lease cannot be had or renewed at the moment', { lease, reason: brief(message), hint });
  }
}
