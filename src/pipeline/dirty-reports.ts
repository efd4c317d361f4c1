/**
 * Reports that must be read again: the queue was full when the watch showed them, a Pod they name was not known yet, an
 * event of theirs was changed by hand. Each key waits once and is read by one at a time; reading waits for room in the
 * queue.
 */
import type { BackoffOptions } from '../lib/backoff.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { RawDocument } from '../sources/source.ts';
import type { Reread } from './ports.ts';
import type { ObjectKey } from './report-table.ts';
import type { WorkQueue } from './work-queue.ts';

export interface DirtyReportsParts {
  readonly queue: WorkQueue;
  readonly clock: Clock;
  readonly random: () => number;
  readonly reread: Reread;
  readonly retry?: BackoffOptions;
  /** Takes in what was read; undefined: it is gone. */
  take(key: ObjectKey, document: RawDocument | undefined): void;
  failed(key: ObjectKey, error: unknown): void;
}

interface Waiting {
  readonly notBeforeMs: number;
  /** How often reading it has failed so far. */
  readonly failures: number;
}

interface Running {
  /** The watch told something newer meanwhile: what is read now may be older than that. */
  isOutdated: boolean;
}

const concurrency = 4;
const defaultRetry: BackoffOptions = { firstMs: 500, maximumMs: 30_000 };

export class DirtyReports {
  readonly #parts: DirtyReportsParts;
  readonly #waiting = new Map<ObjectKey, Waiting>();
  readonly #running = new Map<ObjectKey, Running>();
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #isStopped = false;
  #awaitsRoom = false;

  constructor(parts: DirtyReportsParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#waiting.size + this.#running.size;
  }

  /** Asks for a report to be read again, not before `afterMs`. The sooner of two wishes wins, unless reading it fails. */
  add(key: ObjectKey, afterMs: number): void {
    const notBeforeMs = this.#parts.clock.monotonicMs() + afterMs;
    const earlier = this.#waiting.get(key);
    if (earlier !== undefined && (earlier.failures > 0 || earlier.notBeforeMs <= notBeforeMs)) return;
    this.#waiting.set(key, { notBeforeMs, failures: 0 });
    this.#schedule(notBeforeMs);
  }

  /** The watch told of the report: there is nothing to read, and what is being read is old. */
  forget(key: ObjectKey): void {
    this.#waiting.delete(key);
    const running = this.#running.get(key);
    if (running !== undefined) running.isOutdated = true;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Sees to it that there is a look at the waiting keys at that time at the latest. */
  #schedule(atMs: number): void {
    if (this.#isStopped || atMs >= this.#timerDueMs) return;
    clearTimeout(this.#timer);
    this.#timerDueMs = atMs;
    const delayMs = Math.max(1, Math.ceil(atMs - this.#parts.clock.monotonicMs()));
    this.#timer = setTimeout(() => {
      this.#timerDueMs = Number.POSITIVE_INFINITY;
      this.#pump();
    }, delayMs);
  }

  #pump(): void {
    if (this.#isStopped || this.#awaitsRoom) return;
    if (this.#parts.queue.isFull) {
      this.#awaitsRoom = true;
      void this.#parts.queue.room().then(() => {
        this.#awaitsRoom = false;
        this.#pump();
      });
      return;
    }
    const now = this.#parts.clock.monotonicMs();
    let soonestMs = Number.POSITIVE_INFINITY;
    for (const [key, { notBeforeMs, failures }] of this.#waiting) {
      if (this.#running.size >= concurrency) return;
      if (this.#running.has(key)) continue;
      if (notBeforeMs > now) {
        soonestMs = Math.min(soonestMs, notBeforeMs);
        continue;
      }
      this.#waiting.delete(key);
      const running = { isOutdated: false };
      this.#running.set(key, running);
      void this.#read(key, running, failures).finally(() => {
        this.#running.delete(key);
        this.#pump();
      });
    }
    if (soonestMs !== Number.POSITIVE_INFINITY) this.#schedule(soonestMs);
  }

  async #read(key: ObjectKey, running: Running, failures: number): Promise<void> {
    try {
      const document = await this.#parts.reread(key);
      if (!this.#isStopped && !running.isOutdated) this.#parts.take(key, document);
    } catch (error) {
      if (this.#isStopped || running.isOutdated) return;
      this.#parts.failed(key, error);
      const waitMs = backoffMs(failures + 1, this.#parts.retry ?? defaultRetry, this.#parts.random);
      this.#waiting.set(key, { notBeforeMs: this.#parts.clock.monotonicMs() + waitMs, failures: failures + 1 });
    }
  }
}
