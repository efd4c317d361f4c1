/** Tells when events are on the server that somebody waits for: the promise behind the answer to a webhook. */
import type { WorkQueue } from './work-queue.ts';

interface Waiter {
  readonly keys: Set<string>;
  readonly resolve: (isSettled: boolean) => void;
}

export class Settlements {
  readonly #queue: WorkQueue;
  /** By event name. */
  readonly #waiters = new Map<string, Set<Waiter>>();

  constructor(queue: WorkQueue) {
    this.#queue = queue;
  }

  /** Events that are waited for. */
  get size(): number {
    return this.#waiters.size;
  }

  /**
   * True as soon as none of the events is about to be written any more: the server has it, refuses it, or needs nothing of
   * it; what was put off is a repeat of an event that it has. False after `timeoutMs`.
   */
  wait(keys: Iterable<string>, timeoutMs: number): Promise<boolean> {
    const imminent = new Set<string>();
    for (const key of keys) if (this.#queue.isImminent(key)) imminent.add(key);
    if (imminent.size === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const waiter: Waiter = {
        keys: imminent,
        resolve: (isSettled) => {
          clearTimeout(timer);
          resolve(isSettled);
        },
      };
      const timer = setTimeout(() => {
        this.#forget(waiter);
        resolve(false);
      }, timeoutMs);
      for (const key of imminent) this.#waitersOf(key).add(waiter);
    });
  }

  /** An intent for the event came to its end. */
  ended(key: string): void {
    const waiters = this.#waiters.get(key);
    // Another intent of it may wait already, and be the one that is waited for.
    if (waiters === undefined || this.#queue.isImminent(key)) return;
    this.#waiters.delete(key);
    for (const waiter of waiters) {
      waiter.keys.delete(key);
      if (waiter.keys.size === 0) waiter.resolve(true);
    }
  }

  /** Nothing more is written: whoever still waits does so in vain. */
  giveUp(): void {
    const waiters = new Set([...this.#waiters.values()].flatMap((some) => [...some]));
    this.#waiters.clear();
    for (const waiter of waiters) waiter.resolve(false);
  }

  #waitersOf(key: string): Set<Waiter> {
    let waiters = this.#waiters.get(key);
    if (waiters === undefined) {
      waiters = new Set();
      this.#waiters.set(key, waiters);
    }
    return waiters;
  }

  #forget(waiter: Waiter): void {
    for (const key of waiter.keys) {
      const waiters = this.#waiters.get(key);
      waiters?.delete(waiter);
      if (waiters?.size === 0) this.#waiters.delete(key);
    }
  }
}
