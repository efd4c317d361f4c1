/** Objects that say something else by the clock alone: when each of them is to be read again. By the wall clock, as they do. */
import type { Clock } from '../lib/clock.ts';
import type { ObjectKey } from './report-table.ts';

export interface LookAgainParts {
  readonly clock: Clock;
  /** It is time: the object is to be read. */
  due(key: ObjectKey): void;
  /** Milliseconds between two looks at the clock at the most: it may be set. */
  readonly longestMs?: number;
}

const defaultLongestMs = 60_000;
/** A look just before the time would see the old verdict. */
const shortestMs = 50;

export class LookAgain {
  readonly #parts: LookAgainParts;
  /** Milliseconds since the epoch, by key. */
  readonly #at = new Map<ObjectKey, number>();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(parts: LookAgainParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#at.size;
  }

  /** When the object is to be read again; undefined: only when it changes. Replaces what was said of it before. */
  set(key: ObjectKey, at: Date | undefined): void {
    const isKnown = this.#at.delete(key);
    if (at !== undefined) this.#at.set(key, at.getTime());
    if (isKnown || at !== undefined) this.#schedule();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#isStopped || this.#at.size === 0) return;
    const waitMs = Math.min(...this.#at.values()) - this.#parts.clock.now().getTime();
    const longestMs = this.#parts.longestMs ?? defaultLongestMs;
    this.#timer = setTimeout(() => this.#look(), Math.min(longestMs, Math.max(shortestMs, waitMs)));
  }

  #look(): void {
    const now = this.#parts.clock.now().getTime();
    for (const [key, at] of [...this.#at]) {
      if (at > now) continue;
      this.#at.delete(key);
      this.#parts.due(key);
    }
    this.#schedule();
  }
}
