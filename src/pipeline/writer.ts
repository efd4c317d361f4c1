/**
 * Takes intents from the work queue, a few at a time, and has them carried out (event-changes.ts) within the write budget,
 * while the server lets it: the breaker stops all when it cannot be reached, the pace slows down when it asks for that, a
 * gate stops what is not allowed in one namespace. An intent ends only when the server has it, refuses it for good, or needs nothing.
 */
import PQueue from 'p-queue';
import type { RetryCause } from '../api/stored-event.ts';
import type { BackoffOptions } from '../lib/backoff.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Books } from './books.ts';
import type { Breaker } from './breaker.ts';
import type { Again, Ending, Step } from './event-changes.ts';
import { EventChanges } from './event-changes.ts';
import type { EventIndex } from './event-index.ts';
import type { Intent } from './intent.ts';
import { mayCarryOut } from './intent.ts';
import type { OwnEvents } from './own-events.ts';
import type { Pace } from './pace.ts';
import type { Placement } from './placement.ts';
import type { EventStore, MayWrite } from './ports.ts';
import type { Shard } from './shards.ts';
import type { WorkQueue } from './work-queue.ts';
import type { WriteBudget } from './write-budget.ts';
import type { WriteGates } from './write-gates.ts';
import { isGateCause } from './write-gates.ts';

/** Told as things happen, for logs and metrics. */
export interface WriterObserver {
  ended(intent: Intent, ending: Ending): void;
  delayed(intent: Intent, cause: RetryCause, message: string, waitMs: number): void;
  /** An event of ours was found with content that is not ours; it was put right. */
  tampered(intent: Intent, what: 'replaced' | 'mended'): void;
  moved?(name: string, from: string, to: string): void;
}

export interface WriterParts {
  readonly queue: WorkQueue;
  readonly store: EventStore;
  readonly index: EventIndex;
  readonly own: OwnEvents;
  readonly books: Books;
  readonly budget: WriteBudget;
  readonly breaker: Breaker;
  readonly pace: Pace;
  readonly gates: WriteGates;
  readonly clock: Clock;
  readonly placement?: Placement | undefined;
  readonly observer: WriterObserver;
  /** Requests in flight at the most. */
  readonly concurrency: number;
  /** How long an intent that failed waits before it is tried again, by how often it has. */
  readonly backoff?: BackoffOptions;
  /** Asked last before every write. */
  readonly mayWrite: MayWrite;
}

const defaultBackoff: BackoffOptions = { firstMs: 200, maximumMs: 30_000 };

export class Writer {
  readonly #parts: WriterParts;
  readonly #changes: EventChanges;
  readonly #running: PQueue;
  /** How often the intents that wait to be tried again have failed: one bad event must not take turns with all others. */
  readonly #failures = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = true;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#changes = new EventChanges({
      store: parts.store,
      index: parts.index,
      own: parts.own,
      clock: parts.clock,
      placement: parts.placement,
      moved: (name, from, to) => parts.observer.moved?.(name, from, to),
      mayWrite: parts.mayWrite,
      tampered: (intent, what) => parts.observer.tampered(intent, what),
    });
    this.#running = new PQueue({ concurrency: parts.concurrency });
    parts.queue.onReady(() => this.#pump());
  }

  start(): void {
    this.#isStopped = false;
    this.#pump();
  }

  /** Takes nothing more and waits for what is running. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#running.onIdle();
  }

  /**
   * Writes what waits, also what was put off, as fast as the server takes it: what was sent by webhook is nowhere else.
   * Resolves when nothing is left, or after `timeoutMs`. True when it is empty.
   */
  async drain(timeoutMs: number): Promise<boolean> {
    const { queue, clock, budget } = this.#parts;
    budget.lift();
    queue.flush();
    this.#pump();
    const deadline = clock.monotonicMs() + timeoutMs;
    while (queue.items > 0 && clock.monotonicMs() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return queue.items === 0;
  }

  /** Another replica writes in the shard from now on: what waits is not written any more, but what only this one was sent. */
  fence(of: Shard): void {
    const { queue, observer } = this.#parts;
    for (const intent of queue.remove(({ isSent, shard }) => isSent !== true && shard === of)) {
      this.#failures.delete(intent.key);
      this.#book(intent, { kind: 'fenced' });
      observer.ended(intent, { kind: 'fenced' });
    }
  }

  /** Starts what may be started, and sees to it that it is called again when more may be. */
  #pump(): void {
    while (!this.#isStopped && this.#running.pending + this.#running.size < this.#width()) {
      const next = this.#next();
      if (next === undefined) return;
      if (typeof next === 'number') {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#pump(), Math.ceil(next));
        return;
      }
      void this.#running.add(() => this.#carryOut(next)).finally(() => this.#pump());
    }
  }

  #width(): number {
    const { breaker, pace, concurrency } = this.#parts;
    return breaker.isProbing ? 1 : Math.min(concurrency, pace.width);
  }

  /** The next intent; milliseconds where one must be waited for; undefined when there is none. */
  #next(): Intent | number | undefined {
    const { queue, breaker, budget, pace } = this.#parts;
    const pauseMs = Math.max(breaker.waitMs(), pace.waitMs());
    if (pauseMs > 0) return pauseMs;
    if (queue.items === 0) return undefined;
    const budgetMs = budget.take();
    if (budgetMs > 0) return budgetMs;
    const intent = this.#takeAllowed();
    if (intent !== undefined) return intent;
    budget.settle(0);
    return queue.nextDelayMs();
  }

  /** The next intent that no gate holds back; those that one does are put off. */
  #takeAllowed(): Intent | undefined {
    const { queue, gates, books } = this.#parts;
    for (;;) {
      const intent = queue.take();
      const waitMs = intent === undefined ? 0 : gates.enter(intent);
      if (intent === undefined || waitMs === 0) return intent;
      books.close(intent.partition, 'merged', queue.retry(intent, waitMs));
    }
  }

  async #carryOut(intent: Intent): Promise<void> {
    const { queue, breaker, budget, pace, gates, observer, mayWrite } = this.#parts;
    const { step: reached, writes } = await this.#changes.carryOut(intent);
    budget.settle(writes);
    gates.leave(intent);
    // What is to be tried again is for whoever leads by now.
    const isOurs = reached.kind !== 'again' || mayCarryOut(intent, mayWrite);
    const step: Step = isOurs ? reached : { kind: 'fenced' };
    if (step.kind === 'again') return this.#putOff(intent, step);
    if (writes > 0) {
      breaker.succeeded();
      pace.succeeded();
      budget.setShare(pace.share);
    }
    gates.ended(intent, step);
    this.#failures.delete(intent.key);
    queue.done(intent);
    this.#book(intent, step);
    observer.ended(intent, step);
  }

  /** The intent, or what is left of it, goes back to the queue. */
  #putOff(intent: Intent, { cause, message, afterMs, rest = intent }: Again): void {
    const { queue, breaker, pace, gates, budget, books, observer } = this.#parts;
    if (isGateCause(cause)) {
      // The server answers.
      breaker.succeeded();
      gates.failed(intent, cause, message, afterMs);
    } else if (cause === 'unavailable') breaker.failed(afterMs);
    else if (cause === 'throttled') {
      pace.throttled(afterMs);
      budget.setShare(pace.share);
    }
    const failures = (this.#failures.get(intent.key) ?? 0) + 1;
    this.#failures.set(intent.key, failures);
    // No jitter: the breaker's is enough, and few intents wait at a time.
    const waitMs = Math.max(
      afterMs,
      backoffMs(failures, this.#parts.backoff ?? defaultBackoff, () => 1),
    );
    books.close(intent.partition, 'merged', queue.retry(rest, waitMs));
    observer.delayed(intent, cause, message, Math.max(waitMs, breaker.waitMs(), pace.waitMs()));
  }

  #book(intent: Intent, ending: Ending): void {
    const { books } = this.#parts;
    if (intent.occurrences === 0) return;
    if (ending.kind === 'rejected') {
      books.closeRejected(intent.partition, ending.reason, intent.occurrences);
    } else {
      const isWritten = ending.kind !== 'unchanged' && ending.kind !== 'fenced';
      books.close(intent.partition, isWritten ? 'written' : ending.kind, intent.occurrences);
    }
  }
}
