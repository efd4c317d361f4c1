/** Intents that are put off: the work queue keeps them until their time, and they stand in nobody's way. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Intent } from '../../src/pipeline/intent.ts';
import { WorkQueue } from '../../src/pipeline/work-queue.ts';
import { presentOf, signalOf } from '../support/intents.ts';

function queueOf(items = 100, bytes = 1_000_000) {
  const clock = { ms: 0 };
  const queue = new WorkQueue({ items, bytes }, () => clock.ms);
  let calls = 0;
  queue.onReady(() => {
    calls += 1;
  });
  return { clock, queue, told: () => calls };
}

/** The next intent, with what it counts. */
function taken(queue: WorkQueue): number | undefined {
  const intent = queue.take();
  if (intent !== undefined) queue.done(intent);
  return intent?.kind === 'signal' ? intent.count : undefined;
}

suite('an intent that is put off', () => {
  test('is not taken before its time, and those who wait are told when that is', () => {
    const { queue, clock, told } = queueOf();
    assert.deepEqual(queue.put(signalOf('a', 1), 50), { kind: 'queued' });
    assert.equal(told(), 1, 'a timer has to be set');
    assert.deepEqual([taken(queue), queue.nextDelayMs(), queue.items, queue.delayed], [undefined, 50, 1, 1]);
    clock.ms = 49;
    assert.equal(taken(queue), undefined);
    clock.ms = 50;
    assert.equal(taken(queue), 1);
    assert.deepEqual([queue.items, queue.bytes, queue.nextDelayMs()], [0, 0, undefined]);
  });

  test('takes in more of its kind without waiting longer, and not as long when one may not wait', () => {
    const { queue, clock } = queueOf();
    queue.put(signalOf('a', 1), 50);
    queue.put(signalOf('a', 2), 90);
    clock.ms = 50;
    assert.equal(taken(queue), 3);
    queue.put(signalOf('a', 4), 200);
    queue.put(signalOf('a', 8), 100);
    clock.ms = 100;
    assert.equal(taken(queue), 12);
    queue.put(signalOf('a', 16), 200);
    queue.put(signalOf('a', 32), 0);
    assert.equal(taken(queue), 48);
  });

  test('waits for its time too when its key was being carried out', () => {
    const { queue, clock } = queueOf();
    queue.put(signalOf('a', 1));
    const running = queue.take() as Intent;
    queue.put(signalOf('a', 2), 70);
    queue.done(running);
    assert.deepEqual([taken(queue), queue.nextDelayMs()], [undefined, 70]);
    clock.ms = 70;
    assert.equal(taken(queue), 2);
  });

  test('goes with the one before it when that has to be tried again', () => {
    const { queue, clock } = queueOf();
    queue.put(signalOf('a', 1));
    const running = queue.take() as Intent;
    queue.put(signalOf('a', 2), 900);
    assert.equal(queue.retry(running, 10), 0);
    assert.equal(queue.items, 1);
    // What failed keeps its pause, whoever is in a hurry.
    queue.put(signalOf('a', 4), 0);
    assert.equal(taken(queue), undefined);
    clock.ms = 10;
    assert.equal(taken(queue), 7);
    assert.equal(queue.bytes, 0);
  });

  test('does not make the queue full; of those beyond half of the limits none waits', () => {
    const { queue } = queueOf(4);
    for (const id of ['a', 'b', 'c']) queue.put(signalOf(id, 1), 50);
    assert.deepEqual([queue.items, queue.delayed, queue.isFull], [3, 2, false]);
    for (const id of ['d', 'e', 'f']) assert.equal(queue.put(presentOf(id)).kind, 'queued');
    assert.equal(queue.isFull, true);
    assert.equal(queue.put(signalOf('g', 1), 50).kind, 'full');
    assert.equal(queue.put(signalOf('a', 1), 50).kind, 'merged');

    const { bytes } = signalOf('a', 1);
    const small = queueOf(100, bytes * 3).queue;
    for (const id of ['a', 'b', 'c']) small.put(signalOf(id, 1), 50);
    assert.deepEqual([small.delayed, small.isFull], [2, false]);
  });

  test('room comes although it waits', async () => {
    const { queue } = queueOf(2);
    queue.put(signalOf('a', 1), 50);
    for (const id of ['d', 'e']) queue.put(presentOf(id));
    const room = queue.room();
    const running = [queue.take() as Intent, queue.take() as Intent];
    for (const intent of running) queue.done(intent);
    await room;
    assert.equal(queue.items, 1);
  });

  test('is not put off any longer after a flush, what failed is', () => {
    const { queue, clock } = queueOf();
    queue.put(signalOf('a', 1));
    queue.retry(queue.take() as Intent, 80);
    queue.put(signalOf('b', 1));
    const running = queue.take() as Intent;
    queue.put(signalOf('b', 2), 5000);
    queue.put(signalOf('c', 4), 5000);
    queue.flush();
    assert.equal(taken(queue), 4);
    queue.done(running);
    assert.equal(taken(queue), 2);
    assert.equal(taken(queue), undefined);
    clock.ms = 80;
    assert.equal(taken(queue), 1);
    assert.equal(queue.bytes, 0);
  });

  test('is replaced by a newer state at once, and its occurrences end by that', () => {
    const { queue } = queueOf();
    queue.put(signalOf('a', 3), 5000);
    const result = queue.put({
      ...presentOf('a'),
      kind: 'resolved',
      reason: 'folded',
      at: new Date(0),
      occurrences: 0,
    });
    assert.deepEqual(result, { kind: 'merged', occurrences: 3, partition: 'shop' });
    assert.equal(queue.take()?.kind, 'resolved');
  });
});

suite('signals that become one', () => {
  test('are told as the most severe of them, else as the first', () => {
    const { queue } = queueOf();
    const of = (severity: 'low' | 'high', body: string) => {
      const intent = signalOf('a', 1);
      return { ...intent, body, facts: { ...intent.facts, severity } };
    };
    const bodies = (...all: Parameters<typeof of>[]) => {
      for (const one of all) queue.put(of(...one));
      const intent = queue.take() as Intent;
      queue.done(intent);
      return 'body' in intent ? intent.body : '';
    };
    assert.equal(bodies(['low', 'first'], ['low', 'second']), 'first');
    assert.equal(bodies(['low', 'first'], ['high', 'second'], ['low', 'third']), 'second');
  });
});
