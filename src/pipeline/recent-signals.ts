/**
 * When the repeats of a signal are written: so long after the last write, in growing steps, that a signal which never
 * stops costs four writes an hour. Of each event that was written within the last hour it remembers when, how often, and
 * what had been counted before; after an hour without a write it begins anew.
 */
import type { CountedBefore } from './signal-ledger.ts';

/** How long after the last write the next repeat is written; the last step goes on. */
export const repeatStepsMs: readonly number[] = [10_000, 30_000, 60_000, 5 * 60_000, 15 * 60_000];

const forgottenAfterMs = 60 * 60_000;

interface Recent extends CountedBefore {
  /** Monotonic milliseconds of the last write, or of when the first one was asked for. */
  readonly writtenAtMs: number;
  readonly writes: number;
  readonly isRefused: boolean;
}

export class RecentSignals {
  readonly #stepsMs: readonly number[];
  /** By event name, in the order of their last writes. */
  readonly #recent = new Map<string, Recent>();

  constructor(stepsMs: readonly number[] = repeatStepsMs) {
    if (stepsMs.length === 0) throw new RangeError('there must be a step');
    this.#stepsMs = stepsMs;
  }

  get size(): number {
    return this.#recent.size;
  }

  /** Another replica wrote meanwhile. */
  clear(): void {
    this.#recent.clear();
  }

  /** Another replica writes it from now on. */
  forget(name: string): void {
    this.#recent.delete(name);
  }

  /** What had been counted before this process wrote of it; undefined when it did not lately. */
  countedBefore(name: string): CountedBefore | undefined {
    return this.#recent.get(name);
  }

  /** Monotonic milliseconds when the next repeat may be written; 0 for at once. */
  dueMs(name: string): number {
    const recent = this.#recent.get(name);
    if (recent === undefined) return 0;
    const step = this.#stepsMs[Math.min(Math.max(recent.writes, 1), this.#stepsMs.length) - 1] ?? 0;
    return recent.writtenAtMs + step;
  }

  /** Whether the server refused it the last time. */
  isRefused(name: string): boolean {
    return this.#recent.get(name)?.isRefused ?? false;
  }

  /** A write was asked for. `before`: what had been counted until now. */
  asked(name: string, before: CountedBefore, nowMs: number): void {
    this.#forgetOld(nowMs);
    if (this.#recent.has(name)) return;
    const { untilMs, count } = before;
    this.#recent.set(name, { untilMs, count, writtenAtMs: nowMs, writes: 0, isRefused: false });
  }

  /** A write came to its end. */
  ended(name: string, isRefused: boolean, nowMs: number): void {
    const recent = this.#recent.get(name);
    if (recent === undefined) return;
    this.#recent.delete(name);
    this.#recent.set(name, { ...recent, writtenAtMs: nowMs, writes: recent.writes + 1, isRefused });
  }

  #forgetOld(nowMs: number): void {
    for (const [name, { writtenAtMs }] of this.#recent) {
      if (writtenAtMs + forgottenAfterMs > nowMs) return;
      this.#recent.delete(name);
    }
  }
}
