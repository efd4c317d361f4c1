/**
 * What the server does not let us do in one namespace stops that alone: creating where a ResourceQuota is used up, and
 * whatever RBAC forbids or a missing namespace makes impossible. All else goes on. One intent at a time tries again, after
 * a growing pause.
 */
import type { RetryCause } from '../api/stored-event.ts';
import type { BackoffOptions } from '../lib/backoff.ts';
import { Breaker } from './breaker.ts';
import type { Ending } from './event-changes.ts';
import type { EventIndex } from './event-index.ts';
import type { Intent } from './intent.ts';
import { isWriting } from './intent.ts';

export const gateCauses = ['forbidden', 'quota', 'namespace-missing'] as const;
export type GateCause = (typeof gateCauses)[number];

/** Told when something is stopped in a namespace, and when all of that goes on. */
export type GateChanged = (cause: GateCause, namespace: string, isStopped: boolean, message: string) => void;

export interface WriteGatesParts {
  readonly index: EventIndex;
  readonly backoff: BackoffOptions;
  readonly random: () => number;
  monotonicMs(): number;
  changed: GateChanged;
}

interface Gate {
  readonly cause: GateCause;
  readonly namespace: string;
  readonly breaker: Breaker;
  /** Key of the intent that tries. */
  probe: string | undefined;
}

/** Whether a cause is one of a namespace rather than of the whole server. */
export function isGateCause(cause: RetryCause): cause is GateCause {
  return gateCauses.some((one) => one === cause);
}

export class WriteGates {
  readonly #parts: WriteGatesParts;
  /** By namespace and by what is stopped: create or change. */
  readonly #gates = new Map<string, Gate>();

  constructor(parts: WriteGatesParts) {
    this.#parts = parts;
  }

  /** How many there are by cause. */
  count(cause: GateCause): number {
    let count = 0;
    for (const gate of this.#gates.values()) if (gate.cause === cause) count += 1;
    return count;
  }

  /** 0 when the intent may be carried out, which makes it the probe of a gate that is due; else how long it has to wait. */
  enter(intent: Intent): number {
    const gate = this.#gates.get(this.#keyOf(intent));
    if (gate === undefined) return 0;
    const waitMs = gate.breaker.waitMs();
    if (waitMs > 0) return waitMs;
    if (gate.probe !== undefined && gate.probe !== intent.key) return this.#parts.backoff.firstMs;
    gate.probe = intent.key;
    return 0;
  }

  /** The intent that was let in is not being carried out any more. */
  leave(intent: Intent): void {
    for (const gate of this.#gates.values()) if (gate.probe === intent.key) gate.probe = undefined;
  }

  /** The server did not let it. */
  failed(intent: Intent, cause: GateCause, message: string, afterMs: number): void {
    const { backoff, monotonicMs, random, changed } = this.#parts;
    const { namespace } = intent;
    const key = this.#keyOf(intent);
    let gate = this.#gates.get(key);
    if (gate?.cause !== cause) {
      if (gate !== undefined) this.#close(key, gate);
      const isNews = !this.#isStopped(cause, namespace);
      gate = { cause, namespace, breaker: new Breaker(backoff, monotonicMs, random), probe: undefined };
      this.#gates.set(key, gate);
      if (isNews) changed(cause, namespace, true, message);
    }
    gate.breaker.failed(afterMs);
  }

  /** The intent came to its end: where the server did something, what it did is allowed. */
  ended({ namespace }: Intent, { kind }: Ending): void {
    if (kind === 'rejected' || kind === 'fenced' || kind === 'unchanged') return;
    const key = keyOf(namespace, kind === 'created');
    const gate = this.#gates.get(key);
    if (gate !== undefined) this.#close(key, gate);
  }

  #close(key: string, { cause, namespace }: Gate): void {
    this.#gates.delete(key);
    if (!this.#isStopped(cause, namespace)) this.#parts.changed(cause, namespace, false, '');
  }

  #isStopped(cause: GateCause, namespace: string): boolean {
    return [...this.#gates.values()].some((gate) => gate.cause === cause && gate.namespace === namespace);
  }

  #keyOf(intent: Intent): string {
    const { index } = this.#parts;
    return keyOf(intent.namespace, isWriting(intent) && !index.isOnServer(index.find(intent.key)));
  }
}

function keyOf(namespace: string, isCreate: boolean): string {
  return `${namespace}/${isCreate ? 'create' : 'change'}`;
}
