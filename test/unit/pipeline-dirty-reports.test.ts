/** Reports that are read again. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { DirtyReports } from '../../src/pipeline/dirty-reports.ts';
import type { Intent } from '../../src/pipeline/intent.ts';
import { WorkQueue } from '../../src/pipeline/work-queue.ts';
import type { RawDocument } from '../../src/sources/source.ts';
import { presentOf } from '../support/intents.ts';

/** With a server that answers when the test says. */
function start(items = 10) {
  const monotonicMs = () => performance.now();
  const queue = new WorkQueue({ items, bytes: 2 ** 20 }, monotonicMs);
  const asked: { readonly key: string; answer(document: RawDocument | undefined): void; fail(error: Error): void }[] =
    [];
  const taken: [key: string, document: RawDocument | undefined][] = [];
  const failed: string[] = [];
  const dirty = new DirtyReports({
    queue,
    clock: { now: () => new Date(0), monotonicMs },
    random: () => 0,
    retry: { firstMs: 2, maximumMs: 4 },
    reread: (key) => new Promise((answer, fail) => asked.push({ key, answer, fail })),
    take: (key, document) => void taken.push([key, document]),
    failed: (key) => void failed.push(key),
  });
  const until = async (count: number) => {
    while (asked.length < count) await wait(1);
    return asked[count - 1] as (typeof asked)[number];
  };
  return { queue, dirty, asked, taken, failed, until };
}

suite('dirty reports', () => {
  test('are read once however often they are marked, and the sooner wish wins', async () => {
    const { dirty, taken, until, asked } = start();
    dirty.add('a', 60_000);
    dirty.add('b', 60_000);
    dirty.add('a', 1);
    dirty.add('a', 60_000);
    (await until(1)).answer({ a: 1 });
    await wait(5);
    assert.deepEqual([taken, asked.length, dirty.size], [[['a', { a: 1 }]], 1, 1]);
    dirty.stop();
  });

  test('a later wish for one does not put off another', async () => {
    const { dirty, until } = start();
    dirty.add('a', 5);
    for (let number = 0; number < 20; number += 1) dirty.add(`b${number}`, 60_000);
    assert.equal((await until(1)).key, 'a');
    dirty.stop();
  });

  test('what is read while the watch tells something newer is dropped', async () => {
    const { dirty, taken, until } = start();
    dirty.add('a', 0);
    const old = await until(1);
    dirty.forget('a');
    old.answer({ old: true });
    await wait(2);
    assert.deepEqual([taken, dirty.size], [[], 0]);
    dirty.add('b', 0);
    const failing = await until(2);
    dirty.forget('b');
    failing.fail(new Error('no answer'));
    await wait(2);
    assert.equal(dirty.size, 0);
  });

  test('one report is read by one at a time, and again when it was marked meanwhile', async () => {
    const { dirty, taken, asked, until } = start();
    dirty.add('a', 0);
    const first = await until(1);
    dirty.add('a', 0);
    await wait(5);
    assert.equal(asked.length, 1);
    first.answer({ n: 1 });
    (await until(2)).answer({ n: 2 });
    await wait(2);
    assert.deepEqual(
      taken.map(([, document]) => document?.['n']),
      [1, 2],
    );
  });

  test('a failed read is told and tried again with growing waits, which no wish cuts short', async () => {
    const { dirty, taken, failed, until } = start();
    dirty.add('a', 0);
    (await until(1)).fail(new Error('500'));
    await wait(0);
    dirty.add('a', 0);
    (await until(2)).fail(new Error('500'));
    (await until(3)).answer(undefined);
    await wait(2);
    assert.deepEqual([failed, taken, dirty.size], [['a', 'a'], [['a', undefined]], 0]);
  });

  test('reading waits for room in the queue, and a few are read at a time', async () => {
    const { dirty, queue, asked, until } = start(2);
    queue.put(presentOf('x'));
    queue.put(presentOf('y'));
    for (let number = 0; number < 9; number += 1) dirty.add(`r${number}`, 0);
    await wait(10);
    assert.equal(asked.length, 0);
    queue.done(queue.take() as Intent);
    await until(4);
    await wait(5);
    assert.equal(asked.length, 4);
    for (let number = 1; number <= 9; number += 1) (await until(number)).answer(undefined);
    await wait(2);
    assert.equal(dirty.size, 0);
  });

  test('after stop nothing is read and nothing taken in', async () => {
    const { dirty, taken, asked, until } = start();
    dirty.add('a', 0);
    const running = await until(1);
    dirty.stop();
    dirty.add('b', 0);
    running.answer({});
    await wait(10);
    assert.deepEqual([taken, asked.length], [[], 1]);
  });
});
