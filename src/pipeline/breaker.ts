/**
 * Stops all writing for a while when the server cannot or will not take any: one probe at a time after a growing pause,
 * instead of every waiting event finding out for itself.
 */
import type { BackoffOptions } from '../lib/backoff.ts';
import { backoffMs } from '../lib/backoff.ts';

export class Breaker {
  readonly #backoff: BackoffOptions;
  readonly #monotonicMs: () => number;
  readonly #random: () => number;
  #failures = 0;
  #openUntilMs = 0;

  constructor(backoff: BackoffOptions, monotonicMs: () => number, random: () => number) {
    this.#backoff = backoff;
    this.#monotonicMs = monotonicMs;
    this.#random = random;
  }

  /** Milliseconds until the next request may be sent; 0 when it may now. */
  waitMs(): number {
    return Math.max(0, this.#openUntilMs - this.#monotonicMs());
  }

  /** After a failure only one request at a time may try. */
  get isProbing(): boolean {
    return this.#failures > 0;
  }

  /** Notes a failure; several from requests sent together count as one. `afterMs` is what the server asked for. */
  failed(afterMs = 0): void {
    const now = this.#monotonicMs();
    if (now < this.#openUntilMs) {
      this.#openUntilMs = Math.max(this.#openUntilMs, now + afterMs);
      return;
    }
    this.#failures += 1;
    this.#openUntilMs = now + Math.max(afterMs, backoffMs(this.#failures, this.#backoff, this.#random));
  }

  succeeded(): void {
    this.#failures = 0;
    this.#openUntilMs = 0;
  }
}
