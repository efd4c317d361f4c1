/**
 * How fast to write when the server asks for less (429): half as many at once and half as many a second, a little more
 * with each success, as TCP does. A server that has recovered is not hit by all that has piled up.
 */
import type { Breaker } from './breaker.ts';

const smallestShare = 1 / 64;
/** Successes after which a halved rate is whole again: some seconds at the default rate. */
const recoverySteps = 200;

export class Pace {
  readonly #greatest: number;
  readonly #breaker: Breaker;
  #width: number;
  #share = 1;

  /** `breaker`: its own, for the pauses. */
  constructor(greatest: number, breaker: Breaker) {
    this.#greatest = greatest;
    this.#width = greatest;
    this.#breaker = breaker;
  }

  /** How many requests may be in flight. */
  get width(): number {
    return this.#breaker.isProbing ? 1 : Math.max(1, Math.floor(this.#width));
  }

  /** Which share of the write budget may be spent. */
  get share(): number {
    return this.#share;
  }

  /** Milliseconds until the next request may be sent. */
  waitMs(): number {
    return this.#breaker.waitMs();
  }

  /** The server asked for less. Several answers to requests that were sent together count as one. */
  throttled(afterMs: number): void {
    if (this.#breaker.waitMs() === 0) {
      this.#width = Math.max(1, this.#width / 2);
      this.#share = Math.max(smallestShare, this.#share / 2);
    }
    this.#breaker.failed(afterMs);
  }

  succeeded(): void {
    this.#breaker.succeeded();
    this.#width = Math.min(this.#greatest, this.#width + 1 / this.#width);
    this.#share = Math.min(1, this.#share + 1 / recoverySteps);
  }
}
