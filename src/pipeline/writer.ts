/**
 * Carries intents out: takes them from the work queue, a few at a time, and brings the server to what they say. What has
 * to be sent is decided here, at the last moment, from what the server is known to have. An intent ends only when the
 * server has it, refuses it for good, or needs nothing.
 */
import PQueue from 'p-queue';
import type { ZenAgentEvent } from '../api/event.ts';
import type { Clock } from '../lib/clock.ts';
import type { RejectionReason } from '../sources/source.ts';
import type { Books } from './books.ts';
import type { Breaker } from './breaker.ts';
import { contentHash, isOurLabel } from './event-builder.ts';
import type { EventIndex } from './event-index.ts';
import type { Intent, PresentIntent, ResolvedIntent, SignalIntent } from './intent.ts';
import type { OwnEvents } from './own-events.ts';
import { isEditedByOthers } from './own-events.ts';
import type { Answer, RetryCause, StatusPatch, StoredEvent } from '../api/stored-event.ts';
import type { EventStore } from './ports.ts';
import type { WorkQueue } from './work-queue.ts';
import type { WriteBudget } from './write-budget.ts';

/** How an intent ended. */
export type Ending =
  | { readonly kind: 'created' | 'changed' | 'reopened' | 'resolved' | 'unchanged' | 'fenced' }
  | { readonly kind: 'rejected'; readonly reason: RejectionReason; readonly message: string };

/** Told as things happen, for logs and metrics. */
export interface WriterObserver {
  ended(intent: Intent, ending: Ending): void;
  delayed(intent: Intent, cause: RetryCause, message: string, waitMs: number): void;
  /** An event of ours was found with content that is not ours; it was put right. */
  tampered(intent: Intent, what: 'replaced' | 'mended'): void;
}

export interface WriterParts {
  readonly queue: WorkQueue;
  readonly store: EventStore;
  readonly index: EventIndex;
  readonly own: OwnEvents;
  readonly books: Books;
  readonly budget: WriteBudget;
  readonly breaker: Breaker;
  readonly clock: Clock;
  readonly observer: WriterObserver;
  /** Requests in flight at the most. */
  readonly concurrency: number;
  /** Asked last before every write: false once another replica may own the partition. */
  mayWrite(partition: string): boolean;
}

type Step = Ending | { readonly kind: 'again'; readonly cause: RetryCause; readonly message: string; readonly afterMs: number };

/** How often one intent re-reads a conflicting event before it goes back to the queue. */
const conflictRounds = 4;
const conflictPauseMs = 200;

export class Writer {
  readonly #parts: WriterParts;
  readonly #running: PQueue;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = true;

  constructor(parts: WriterParts) {
    this.#parts = parts;
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

  /** Resolves when nothing waits or runs any more, or after `timeoutMs`. True when it is empty. */
  async drain(timeoutMs: number): Promise<boolean> {
    const { queue, clock } = this.#parts;
    const deadline = clock.monotonicMs() + timeoutMs;
    while (queue.items > 0 && clock.monotonicMs() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return queue.items === 0;
  }

  #pump(): void {
    const { queue, breaker, budget, concurrency } = this.#parts;
    while (!this.#isStopped && this.#running.pending + this.#running.size < (breaker.isProbing ? 1 : concurrency)) {
      const pauseMs = breaker.waitMs();
      if (pauseMs > 0) return this.#pumpAfter(pauseMs);
      if (queue.items === 0) return;
      const budgetMs = budget.take();
      if (budgetMs > 0) return this.#pumpAfter(budgetMs);
      const intent = queue.take();
      if (intent === undefined) {
        budget.giveBack();
        const delayMs = queue.nextDelayMs();
        if (delayMs !== undefined) this.#pumpAfter(delayMs);
        return;
      }
      void this.#running.add(() => this.#carryOut(intent)).finally(() => this.#pump());
    }
  }

  #pumpAfter(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#pump(), Math.ceil(delayMs));
  }

  async #carryOut(intent: Intent): Promise<void> {
    const { queue, own, breaker, books, observer } = this.#parts;
    own.begin(intent.key);
    let step: Step;
    try {
      step = await this.#decide(intent);
    } catch (error) {
      step = { kind: 'again', cause: 'unavailable', message: messageOf(error), afterMs: 0 };
    } finally {
      own.end(intent.key);
    }
    if (step.kind !== 'again') {
      if (step.kind !== 'fenced') breaker.succeeded();
      queue.done(intent);
      this.#book(intent, step);
      observer.ended(intent, step);
      return;
    }
    if (step.cause !== 'conflict') breaker.failed(step.afterMs);
    books.close(intent.partition, 'merged', queue.retry(intent, step.afterMs));
    observer.delayed(intent, step.cause, step.message, breaker.waitMs());
  }

  #book(intent: Intent, ending: Ending): void {
    const { books } = this.#parts;
    if (intent.occurrences === 0) return;
    if (ending.kind === 'rejected') books.closeRejected(intent.partition, ending.reason, intent.occurrences);
    else if (ending.kind === 'unchanged' || ending.kind === 'fenced') books.close(intent.partition, ending.kind, intent.occurrences);
    else books.close(intent.partition, 'written', intent.occurrences);
  }

  #decide(intent: Intent): Promise<Step> {
    if (!this.#parts.mayWrite(intent.partition)) return Promise.resolve({ kind: 'fenced' });
    switch (intent.kind) {
      case 'present':
        return this.#present(intent);
      case 'resolved':
        return this.#resolve(intent);
      case 'signal':
        return this.#signal(intent);
    }
  }

  async #present(intent: PresentIntent): Promise<Step> {
    const { index, store, own } = this.#parts;
    const row = index.find(intent.key);
    if (!index.isOnServer(row)) {
      const answer = await store.create(intent.namespace, intent.body);
      if (answer.kind === 'created') {
        own.answered(answer.event);
        return { kind: 'created' };
      }
      if (answer.kind !== 'conflict') return this.#settle(answer);
    } else if (index.isActive(row) && index.storedHash(row) === intent.contentHash) {
      return { kind: 'unchanged' };
    }
    return this.#converge(intent, (current) => this.#bringTo(intent, current));
  }

  /** Makes the stored event what the intent says: content first, then phase. */
  async #bringTo(intent: PresentIntent, current: StoredEvent): Promise<Step | 'conflict'> {
    const { store, own, clock, observer } = this.#parts;
    let event = current;
    let changed: Step = { kind: 'unchanged' };
    if (contentHash(current) !== intent.contentHash) {
      const wanted = JSON.parse(intent.body) as ZenAgentEvent;
      const answer = await store.replace(current, keepWhatIsNotOurs(wanted, current));
      if (answer.kind !== 'changed') return answer.kind === 'conflict' ? 'conflict' : this.#settle(answer);
      if (isEditedByOthers(current)) observer.tampered(intent, 'mended');
      event = answer.event;
      own.answered(event);
      changed = { kind: 'changed' };
    }
    if (event.status?.phase === 'Resolved') {
      const patch: StatusPatch = { phase: 'Active', reason: null, resolvedAt: null, lastSeen: clock.now().toISOString() };
      const answer = await this.#patch(event, patch);
      if (answer.kind !== 'changed') return answer.kind === 'conflict' ? 'conflict' : this.#settle(answer);
      changed = { kind: 'reopened' };
    }
    return changed;
  }

  async #resolve(intent: ResolvedIntent): Promise<Step> {
    const { index, store, own } = this.#parts;
    const row = index.find(intent.key);
    if (!index.isActive(row)) return { kind: 'unchanged' };
    const patch: StatusPatch = { phase: 'Resolved', reason: intent.reason, resolvedAt: intent.at.toISOString() };
    const answer = await store.patchStatus(intent.namespace, intent.key, index.resourceVersion(row), patch);
    if (answer.kind === 'changed') {
      own.answered(answer.event);
      return { kind: 'resolved' };
    }
    if (answer.kind === 'gone') {
      own.missing(intent.key);
      return { kind: 'unchanged' };
    }
    if (answer.kind !== 'conflict') return this.#settle(answer);
    return this.#converge(intent, async (current) => {
      if (current.status?.phase === 'Resolved') return { kind: 'unchanged' };
      const patched = await this.#patch(current, patch);
      if (patched.kind === 'conflict') return 'conflict';
      return patched.kind === 'changed' ? { kind: 'resolved' } : this.#settle(patched);
    });
  }

  /** A signal's first write creates it; each further one adds to its count, at the version that the sum was made on. */
  async #signal(intent: SignalIntent): Promise<Step> {
    const { index, store, own } = this.#parts;
    let added = intent.count;
    let outcome: Step = { kind: 'changed' };
    if (!index.isOnServer(index.find(intent.key))) {
      const answer = await store.create(intent.namespace, intent.body);
      if (answer.kind === 'created') {
        own.answered(answer.event);
        if (intent.count === 1) return { kind: 'created' };
        added = intent.count - 1;
        outcome = { kind: 'created' };
      } else if (answer.kind !== 'conflict') return this.#settle(answer);
    }
    return this.#converge(intent, async (current) => {
      const lastSeen = intent.lastSeen.toISOString();
      const wasResolved = current.status?.phase === 'Resolved';
      const answer = await this.#patch(current, {
        count: (current.status?.count ?? 1) + added,
        lastSeen,
        ...(wasResolved ? { phase: 'Active', reason: null, resolvedAt: null } : {}),
      });
      if (answer.kind === 'conflict') return 'conflict';
      if (answer.kind !== 'changed') return this.#settle(answer);
      return wasResolved ? { kind: 'reopened' } : outcome;
    });
  }

  async #patch(event: StoredEvent, patch: StatusPatch): Promise<Answer> {
    const { namespace, name, resourceVersion } = event.metadata;
    const answer = await this.#parts.store.patchStatus(namespace, name, resourceVersion, patch);
    if (answer.kind === 'changed') this.#parts.own.answered(answer.event);
    return answer;
  }

  /**
   * Reads the event and acts on what is there, until no one comes in between. What stands under the name but is not ours
   * (no fingerprint, or another one with the same head) is taken for tampering: removed and made anew.
   */
  async #converge(intent: Intent, act: (current: StoredEvent) => Promise<Step | 'conflict'>): Promise<Step> {
    const { store, own, observer } = this.#parts;
    for (let round = 0; round < conflictRounds; round += 1) {
      const current = await store.read(intent.namespace, intent.key);
      if (current === undefined || !isTheSame(current, intent)) {
        own.missing(intent.key);
        if (intent.kind === 'resolved') return { kind: 'unchanged' };
        if (current !== undefined) {
          const removed = await store.remove(current);
          if (removed.kind === 'conflict') continue;
          if (removed.kind !== 'changed' && removed.kind !== 'gone') return this.#settle(removed);
          observer.tampered(intent, 'replaced');
        }
        const answer = await store.create(intent.namespace, intent.body);
        if (answer.kind === 'conflict') continue;
        if (answer.kind !== 'created') return this.#settle(answer);
        own.answered(answer.event);
        return { kind: 'created' };
      }
      own.answered(current);
      const step = await act(current);
      if (step !== 'conflict') return step;
    }
    return { kind: 'again', cause: 'conflict', message: 'the event kept changing under us', afterMs: conflictPauseMs };
  }

  #settle(answer: Answer): Step {
    switch (answer.kind) {
      case 'retry':
        return { kind: 'again', cause: answer.cause, message: answer.message, afterMs: answer.afterMs ?? 0 };
      case 'rejected':
        return { kind: 'rejected', reason: 'refused-by-server', message: answer.message };
      case 'nowhere':
        return { kind: 'rejected', reason: 'namespace-terminating', message: answer.message };
      default:
        return { kind: 'again', cause: 'conflict', message: `unexpected answer ${answer.kind}`, afterMs: conflictPauseMs };
    }
  }
}

/** Whether what is stored under the intent's name carries the intent's source and whole fingerprint. */
function isTheSame(current: StoredEvent, intent: Intent): boolean {
  if (intent.kind === 'resolved') return current.spec?.fingerprint !== undefined;
  const wanted = JSON.parse(intent.body) as ZenAgentEvent;
  return current.spec?.fingerprint === wanted.spec.fingerprint && current.spec.source === wanted.spec.source;
}

/** The wanted event with the first time of the stored one, and the labels and annotations that others put there. */
function keepWhatIsNotOurs(wanted: ZenAgentEvent, current: StoredEvent): ZenAgentEvent {
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(current.metadata.labels ?? {})) if (!isOurLabel(key)) labels[key] = value;
  const detectedAt = current.spec.detectedAt ?? wanted.spec.detectedAt;
  return {
    ...wanted,
    metadata: {
      ...wanted.metadata,
      labels: { ...labels, ...wanted.metadata.labels },
      annotations: { ...current.metadata.annotations, ...wanted.metadata.annotations },
    },
    spec: { ...wanted.spec, ...(detectedAt === undefined ? {} : { detectedAt }) },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
