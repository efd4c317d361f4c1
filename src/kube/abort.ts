/**
 * Limits in time on top of a longer-lived signal. AbortSignal.any() and AbortSignal.timeout() leave something behind for
 * each call, on the longer-lived signal and in the list of timers; these leave nothing once released.
 */

import { setTimeout as sleep } from 'node:timers/promises';

/** Rings once when it was not set anew for too long. */
export class Alarm {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  #lastChance: NodeJS.Immediate | undefined;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  set(milliseconds: number): void {
    this.clear();
    this.#timer = setTimeout(() => {
      // If this process was too busy to look, what arrived meanwhile is read first: then it counts.
      this.#lastChance = setImmediate(this.#ring);
    }, milliseconds);
  }

  clear(): void {
    clearTimeout(this.#timer);
    if (this.#lastChance !== undefined) clearImmediate(this.#lastChance);
  }
}

/** Aborts when the outer signal does, or when it was not restarted for too long. Release it when the work is done. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #what: string;
  #alarm: Alarm | undefined;
  #isExpired = false;

  /** `what` goes into the message: `no answer within 30 s`. */
  constructor(milliseconds: number, outer: AbortSignal | undefined, what: string) {
    this.#outer = outer;
    this.#what = what;
    if (outer?.aborted) this.#follow();
    else {
      outer?.addEventListener('abort', this.#follow);
      this.restart(milliseconds);
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** True when time ran out; false when the outer signal aborted first. */
  get isExpired(): boolean {
    return this.#isExpired;
  }

  /** Starts to count anew: there was a sign of life. */
  restart(milliseconds: number): void {
    this.#alarm?.clear();
    if (this.signal.aborted) return;
    this.#alarm = new Alarm(() => {
      this.#isExpired = true;
      this.#controller.abort(new Error(`${this.#what} within ${milliseconds / 1000} s`));
    });
    this.#alarm.set(milliseconds);
  }

  release(): void {
    this.#alarm?.clear();
    this.#outer?.removeEventListener('abort', this.#follow);
  }

  readonly #follow = (): void => {
    this.#alarm?.clear();
    this.#controller.abort(this.#outer?.reason);
  };
}

/** The promise's outcome, or a rejection as soon as the signal aborts. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Resolves after so long, or as soon as the signal aborts. */
export async function paused(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => {});
}
