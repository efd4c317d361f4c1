/** The deduplicating work queue. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import type { Intent, PresentIntent, SignalIntent } from '../../src/pipeline/intent.ts';
import { WorkQueue } from '../../src/pipeline/work-queue.ts';

const facts = {
  category: 'security',
  severity: 'high',
  eventType: 'x',
  subject: '',
  resourceNamespace: '',
  title: '',
} as const;

const about = { resourceHash: 1, isPod: false, reportKind: '', policy: '', detectedAtMs: 0 };

function present(key: string, change: Partial<PresentIntent> = {}): PresentIntent {
  const source = key.slice(0, key.indexOf('-'));
  const base = { key, namespace: 'ns', source, shard: 0, partition: 'p', occurrences: 1, readAtMs: 5, bytes: 10 };
  return { kind: 'present', ...base, facts, about, body: key, contentHash: 1, ...change };
}

function signal(key: string, count: number, lastSeen: number): SignalIntent {
  return { ...present(key), kind: 'signal', occurrences: count, count, lastSeen: new Date(lastSeen) };
}

function queueOf(items = 100, bytes = 10_000) {
  const clock = { ms: 0 };
  return { clock, queue: new WorkQueue({ items, bytes }, () => clock.ms) };
}

function takeAll(queue: WorkQueue): string[] {
  const keys: string[] = [];
  for (let intent = queue.take(); intent !== undefined; intent = queue.take()) keys.push(intent.key);
  return keys;
}

suite('work queue', () => {
  test('a state intent replaces its predecessor, a signal adds to it', () => {
    const { queue } = queueOf();
    assert.deepEqual(queue.put(present('a-1', { readAtMs: 3, partition: 'old' })), { kind: 'queued' });
    const replaced = queue.put(present('a-1', { contentHash: 2, readAtMs: 9 }));
    assert.deepEqual(replaced, { kind: 'merged', occurrences: 1, partition: 'old' });
    const taken = queue.take();
    assert.deepEqual([taken?.kind === 'present' && taken.contentHash, taken?.readAtMs, taken?.partition], [2, 3, 'p']);
    queue.put(signal('b-1', 2, 20));
    assert.deepEqual(queue.put(signal('b-1', 3, 10)), { kind: 'merged', occurrences: 0, partition: 'p' });
    const sum = queue.take();
    assert.ok(sum?.kind === 'signal');
    assert.deepEqual([sum.count, sum.occurrences, sum.lastSeen.getTime()], [5, 5, 20]);
  });

  test('a key that runs is not taken again before it is done', () => {
    const { queue } = queueOf();
    queue.put(present('a-1'));
    const first = queue.take();
    assert.deepEqual(queue.put(present('a-1', { contentHash: 2 })), { kind: 'queued' });
    assert.equal(queue.take(), undefined);
    assert.equal(queue.items, 2);
    queue.done(first as Intent);
    assert.deepEqual(takeAll(queue), ['a-1']);
  });

  test('sources take turns, each in order', () => {
    const { queue } = queueOf();
    for (const key of ['a-1', 'a-2', 'a-3', 'b-1', 'c-1', 'b-2']) queue.put(present(key));
    assert.deepEqual(takeAll(queue), ['a-1', 'b-1', 'c-1', 'a-2', 'b-2', 'a-3']);
  });

  test('an intent that is tried again waits; a newer one takes its place and waits as long', () => {
    const { queue, clock } = queueOf();
    queue.put(present('a-1'));
    queue.put(present('b-1'));
    const first = queue.take() as Intent;
    queue.put(present('a-1', { contentHash: 2 }));
    assert.equal(queue.retry(first, 50), 1);
    assert.deepEqual(takeAll(queue), ['b-1']);
    assert.equal(queue.nextDelayMs(), 50);
    clock.ms = 49;
    assert.deepEqual([takeAll(queue), queue.nextDelayMs()], [[], 1]);
    clock.ms = 50;
    assert.deepEqual([queue.take()?.key, queue.delayed, queue.nextDelayMs()], ['a-1', 0, undefined]);
  });

  test('signals tried again add up with newer ones', () => {
    const { queue } = queueOf();
    queue.put(signal('a-1', 2, 1));
    const first = queue.take() as Intent;
    queue.put(signal('a-1', 3, 2));
    assert.equal(queue.retry(first, 0), 0);
    const sum = queue.take();
    assert.ok(sum?.kind === 'signal');
    assert.equal(sum.count, 5);
  });

  test('is bounded in items and bytes, those that run included, and refuses without a change', () => {
    const { queue } = queueOf(2);
    queue.put(present('a-1'));
    queue.take();
    queue.put(present('a-2'));
    assert.deepEqual(queue.put(present('a-3')), { kind: 'full' });
    assert.deepEqual([queue.items, queue.isFull, queue.coming('a-3')], [2, true, undefined]);
    assert.equal(queue.put(present('a-2')).kind, 'merged');
    const heavy = queueOf(100, 100).queue;
    heavy.put(present('a-1', { bytes: 100 }));
    assert.deepEqual([heavy.put(present('a-2')), heavy.bytes], [{ kind: 'full' }, 100]);
    heavy.done(heavy.take() as Intent);
    assert.deepEqual([heavy.bytes, heavy.items, heavy.isFull], [0, 0, false]);
    assert.throws(() => queueOf(0), RangeError);
  });

  test('room comes at once, or when half of the limits are free', async () => {
    const { queue } = queueOf(4);
    await queue.room();
    for (const key of ['a-1', 'a-2', 'a-3', 'a-4']) queue.put(present(key));
    let hasRoom = false;
    const room = queue.room().then(() => {
      hasRoom = true;
    });
    queue.done(queue.take() as Intent);
    await Promise.resolve();
    assert.equal(hasRoom, false);
    queue.done(queue.take() as Intent);
    await room;
    assert.equal(hasRoom, true);
  });

  test('room comes too when two intents of one key become one', async () => {
    const { queue } = queueOf(2);
    queue.put(present('a-1'));
    const running = queue.take() as Intent;
    queue.put(present('a-1'));
    const room = queue.room();
    queue.retry(running, 1000);
    await room;
  });

  test('whatever is done to it: one at a time per key, nothing lost, counts right', () => {
    const key = fc.constantFrom('a-1', 'a-2', 'a-3', 'b-1', 'b-2', 'c-1');
    const step = fc.oneof(
      fc.record({ what: fc.constantFrom('put', 'resolve'), key, bytes: fc.integer({ min: 1, max: 60 }) }),
      fc.record({ what: fc.constantFrom('take', 'done', 'retry', 'tick'), key, bytes: fc.nat(30) }),
    );
    const property = fc.property(fc.array(step, { maxLength: 300, size: 'max' }), (steps) => {
      const { queue, clock } = queueOf(6, 200);
      const waiting = new Map<string, { hash: number; bytes: number; notBefore: number }>();
      const running = new Map<string, Intent>();
      const size = () => ({
        items: waiting.size + running.size,
        bytes: [...waiting.values(), ...running.values()].reduce((sum, { bytes }) => sum + bytes, 0),
      });
      let serial = 0;
      for (const { what, key, bytes } of steps) {
        const { items, bytes: total } = size();
        assert.deepEqual([queue.items, queue.bytes], [items, total]);
        assert.equal(queue.isFull, items >= 6 || total >= 200);
        serial += 1;
        if (what === 'put' || what === 'resolve') {
          const earlier = waiting.get(key);
          const base = present(key, { bytes, contentHash: serial });
          const result = queue.put(base);
          const isFull = earlier === undefined && (items >= 6 || total >= 200);
          assert.equal(result.kind, isFull ? 'full' : earlier === undefined ? 'queued' : 'merged');
          if (!isFull) waiting.set(key, { hash: serial, bytes, notBefore: earlier?.notBefore ?? 0 });
        } else if (what === 'take') {
          const intent = queue.take();
          const takable = [...waiting].filter(([one, { notBefore }]) => !running.has(one) && notBefore <= clock.ms);
          assert.equal(intent === undefined, takable.length === 0);
          if (intent === undefined) continue;
          assert.ok(intent.kind === 'present' && takable.some(([one]) => one === intent.key));
          assert.equal(intent.contentHash, waiting.get(intent.key)?.hash);
          waiting.delete(intent.key);
          running.set(intent.key, intent);
        } else if (what === 'tick') {
          clock.ms += bytes;
        } else {
          const intent = running.get(key);
          if (intent === undefined) continue;
          running.delete(key);
          if (what === 'done') queue.done(intent);
          if (what === 'done') continue;
          const newer = waiting.get(key);
          assert.equal(queue.retry(intent, bytes), newer === undefined ? 0 : 1);
          const hash = intent.kind === 'present' ? intent.contentHash : 0;
          waiting.set(key, { ...(newer ?? { hash, bytes: intent.bytes }), notBefore: clock.ms + bytes });
        }
      }
      for (const intent of running.values()) queue.done(intent);
      clock.ms += 1000;
      assert.deepEqual(takeAll(queue).sort(), [...waiting.keys()].sort());
    });
    fc.assert(property, { numRuns: 300, interruptAfterTimeLimit: 10_000 });
  });
});
