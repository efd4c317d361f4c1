/**
 * Reports that must be read again: the queue was full when the watch showed them, a Pod they name was not known yet, an
 * event of theirs was changed by hand. Each key waits once; reading waits for room in the queue.
 */
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
  /** Takes in what was read; undefined: it is gone. */
  take(key: ObjectKey, document: RawDocument | undefined): void;
  failed(key: ObjectKey, error: unknown): void;
}

interface Waiting {
  readonly notBeforeMs: number;
  readonly attempt: number;
}

const concurrency = 4;
const retry = { firstMs: 500, maximumMs: 30_000 };

export class DirtyReports {
  readonly #parts: DirtyReportsParts;
  readonly #waiting = new Map<ObjectKey, Waiting>();
  #running = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #awaitsRoom = false;

  constructor(parts: DirtyReportsParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#waiting.size + this.#running;
  }

  /** Asks for a report to be read again, not before `afterMs`. The later of two wishes wins. */
  add(key: ObjectKey, afterMs: number): void {
    const notBeforeMs = this.#parts.clock.monotonicMs() + afterMs;
    const earlier = this.#waiting.get(key);
    if (earlier !== undefined && earlier.notBeforeMs >= notBeforeMs) return;
    this.#waiting.set(key, { notBeforeMs, attempt: earlier?.attempt ?? 0 });
    this.#schedule(afterMs);
  }

  /** The report is gone: there is nothing to read. */
  forget(key: ObjectKey): void {
    this.#waiting.delete(key);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(afterMs: number): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => this.#pump(), Math.max(1, Math.ceil(afterMs)));
  }

  #pump(): void {
    if (this.#isStopped) return;
    if (this.#awaitsRoom) return;
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
    for (const [key, { notBeforeMs, attempt }] of this.#waiting) {
      if (this.#running >= concurrency) return;
      if (notBeforeMs > now) {
        soonestMs = Math.min(soonestMs, notBeforeMs);
        continue;
      }
      this.#waiting.delete(key);
      this.#running += 1;
      void this.#read(key, attempt).finally(() => {
        this.#running -= 1;
        this.#pump();
      });
    }
    if (soonestMs !== Number.POSITIVE_INFINITY) this.#schedule(soonestMs - now);
  }

  async #read(key: ObjectKey, attempt: number): Promise<void> {
    try {
      const document = await this.#parts.reread(key);
      if (!this.#isStopped) this.#parts.take(key, document);
    } catch (error) {
      if (this.#isStopped) return;
      this.#parts.failed(key, error);
      const next = attempt + 1;
      const notBeforeMs = this.#parts.clock.monotonicMs() + backoffMs(next, retry, this.#parts.random);
      if (!this.#waiting.has(key)) this.#waiting.set(key, { notBeforeMs, attempt: next });
    }
  }
}
