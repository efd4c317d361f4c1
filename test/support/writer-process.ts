/** A writer with all that it needs, as one process has it, over a model of the server. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Books, discrepancy } from '../../src/pipeline/books.ts';
import { Breaker } from '../../src/pipeline/breaker.ts';
import type { Ending } from '../../src/pipeline/event-changes.ts';
import { EventIndex } from '../../src/pipeline/event-index.ts';
import type { Intent } from '../../src/pipeline/intent.ts';
import { OwnEvents } from '../../src/pipeline/own-events.ts';
import { Pace } from '../../src/pipeline/pace.ts';
import { WorkQueue } from '../../src/pipeline/work-queue.ts';
import { WriteBudget } from '../../src/pipeline/write-budget.ts';
import { WriteGates } from '../../src/pipeline/write-gates.ts';
import { Writer } from '../../src/pipeline/writer.ts';
import { ModelServer } from './model-server.ts';

export interface ProcessOptions {
  readonly server?: ModelServer;
  readonly concurrency?: number;
  readonly mayWrite?: () => boolean;
  readonly budget?: WriteBudget;
}

/** One process: its own view of a server that may be shared. */
export function processOf({
  server = new ModelServer(),
  concurrency = 4,
  mayWrite = () => true,
  budget,
}: ProcessOptions = {}) {
  const monotonicMs = () => performance.now();
  const index = new EventIndex();
  const own = new OwnEvents(index);
  const books = new Books();
  const queue = new WorkQueue({ items: 1000, bytes: 2 ** 24 }, monotonicMs);
  const backoff = { firstMs: 1, maximumMs: 4 };
  const random = () => 0.5;
  const breaker = new Breaker(backoff, monotonicMs, random);
  const pace = new Pace(concurrency, new Breaker(backoff, monotonicMs, random));
  const gateChanges: string[] = [];
  const gates = new WriteGates({
    index,
    backoff,
    random,
    monotonicMs,
    changed: (cause, namespace, isStopped) => void gateChanges.push(`${cause} ${namespace} ${isStopped}`),
  });
  const endings: string[] = [];
  const delays: string[] = [];
  const tampered: string[] = [];
  const writer = new Writer({
    queue,
    store: server,
    index,
    own,
    books,
    breaker,
    pace,
    gates,
    budget: budget ?? new WriteBudget({ perSecond: 0, burst: 1 }, monotonicMs),
    clock: { now: () => new Date('2026-01-02T00:00:00Z'), monotonicMs },
    concurrency,
    backoff: { firstMs: 0.1, maximumMs: 2 },
    mayWrite,
    observer: {
      ended: (_intent: Intent, ending: Ending) => void endings.push(ending.kind),
      delayed: (_intent, cause) => void delays.push(cause),
      tampered: (_intent, what) => void tampered.push(what),
    },
  });
  const put = (intent: Intent) => {
    const result = queue.put(intent);
    if (result.kind === 'full') return;
    books.open(intent.partition, intent.occurrences);
    if (result.kind === 'merged') books.close(result.partition, 'merged', result.occurrences);
  };
  const rest = async () => {
    for (let round = 0; queue.items > 0; round += 1) {
      assert.equal(discrepancy(books.balance()), 0);
      assert.ok(round < 20_000, 'comes to rest');
      // The writer's waits are real: turns alone would be over before them on a quiet machine.
      await sleep(1);
    }
  };
  writer.start();
  return {
    server,
    index,
    own,
    books,
    queue,
    breaker,
    pace,
    gates,
    gateChanges,
    writer,
    endings,
    delays,
    tampered,
    put,
    rest,
  };
}
