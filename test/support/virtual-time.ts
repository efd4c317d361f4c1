/** Time that passes as fast as can be computed: pauses and requests on their way are queued by when they end. */
import { setImmediate as settled } from 'node:timers/promises';
import type { Clock } from '../../src/lib/clock.ts';

interface Waiting {
  readonly atMs: number;
  readonly go: () => void;
}

export class VirtualTime {
  #nowMs = 0;
  #isOver = false;
  readonly #waiting = new Set<Waiting>();

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Ends after so long, or as soon as the signal aborts. */
  pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (this.#isOver || signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const waiting = { atMs: this.#nowMs + milliseconds, go: resolve };
      this.#waiting.add(waiting);
      const abort = () => {
        this.#waiting.delete(waiting);
        resolve();
      };
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Lets it pass until then, or until a condition holds, that is asked whenever anything happened. */
  async pass(untilMs: number, isEnough: () => boolean = () => false): Promise<void> {
    await settled();
    while (!isEnough()) {
      const next = [...this.#waiting].reduce<Waiting | undefined>(
        (first, one) => (first === undefined || one.atMs < first.atMs ? one : first),
        undefined,
      );
      if (next === undefined || next.atMs > untilMs) break;
      this.#waiting.delete(next);
      this.#nowMs = next.atMs;
      next.go();
      await settled();
    }
    if (!isEnough()) this.#nowMs = untilMs;
  }

  /** From now on nothing waits. */
  end(): void {
    this.#isOver = true;
    for (const { go } of this.#waiting) go();
    this.#waiting.clear();
  }

  /** Clocks of one host: they show another time than those of others, and run at a rate of their own. */
  clockOf(rate = 1, offsetMs = 0): Clock {
    const monotonicMs = () => offsetMs + this.#nowMs * rate;
    return { monotonicMs, now: () => new Date(Date.UTC(2026, 0, 1) + monotonicMs()) };
  }
}
