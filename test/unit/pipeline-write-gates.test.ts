/** What the server does not allow in one namespace stops that alone; what it asks to slow down, it gets (F4). */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Breaker } from '../../src/pipeline/breaker.ts';
import { Pace } from '../../src/pipeline/pace.ts';
import { WriteBudget } from '../../src/pipeline/write-budget.ts';
import { eventOf, presentOf } from '../support/intents.ts';
import { processOf } from '../support/writer-process.ts';

suite('writer: what is not allowed in one namespace', () => {
  test('a permission that is missing there does not stop writing elsewhere, and is tried by one at a time', async () => {
    const { server, put, rest, gates, gateChanges, breaker } = processOf({ concurrency: 4 });
    let isForbidden = true;
    const closed = new Set(Array.from({ length: 10 }, (_, at) => presentOf(`closed-${at}`).key));
    let asked = '';
    let trying = 0;
    let mostTrying = 0;
    server.fault = (_verb, name) => {
      asked = name;
      return isForbidden && closed.has(name) ? { kind: 'retry', cause: 'forbidden', message: 'no' } : 'none';
    };
    server.latency = async () => {
      if (!closed.has(asked) || gates.count('forbidden') === 0) return;
      trying += 1;
      mostTrying = Math.max(mostTrying, trying);
      for (let left = 50; left > 0; left -= 1) await turn();
      trying -= 1;
    };
    for (let at = 0; at < 10; at += 1) {
      put(presentOf(`closed-${at}`, { namespace: 'closed' }));
      put(presentOf(`open-${at}`));
    }
    while (server.events.size < 10 || mostTrying === 0) await turn();
    for (let left = 300; left > 0; left -= 1) await turn();
    assert.equal(mostTrying, 1);
    assert.equal(breaker.isProbing, false);
    assert.equal(gates.count('forbidden'), 1);
    isForbidden = false;
    await rest();
    assert.equal(server.events.size, 20);
    assert.deepEqual(gateChanges, ['forbidden closed true', 'forbidden closed false']);
  });

  test('a quota stops what creates, and nothing else', async () => {
    const { server, own, put, rest, gates, gateChanges } = processOf();
    let isFull = true;
    server.fault = (verb) =>
      isFull && verb === 'create' ? { kind: 'retry', cause: 'quota', message: 'exceeded quota: q' } : 'none';
    own.observe(server.putByHand(eventOf('old'), 'zen-watcher'));
    put(presentOf('new'));
    while (gates.count('quota') === 0) await turn();
    const { key, namespace, source, partition } = presentOf('old');
    const base = { key, namespace, source, shard: 0, partition, occurrences: 0, readAtMs: 0, bytes: 1 };
    put({ ...base, kind: 'removal', reason: 'folded', at: new Date(0) });
    while (server.events.size > 0) await turn();
    assert.equal(gates.count('quota'), 1, 'what is removed says nothing of creating');
    isFull = false;
    await rest();
    assert.equal(server.events.size, 1);
    assert.deepEqual(gateChanges, ['quota zen-system true', 'quota zen-system false']);
  });
});

suite('the pace of writing', () => {
  test('is halved when the server asks for less, once for answers that come together, and grows back in steps', () => {
    let now = 0;
    const pace = new Pace(
      8,
      new Breaker(
        { firstMs: 100, maximumMs: 1_000 },
        () => now,
        () => 0.5,
      ),
    );
    pace.throttled(2_000);
    pace.throttled(0);
    assert.deepEqual([pace.width, pace.share, pace.waitMs()], [1, 0.5, 2_000]);
    now = 2_000;
    pace.succeeded();
    assert.deepEqual([pace.width, pace.waitMs()], [4, 0]);
    for (let success = 0; success < 4; success += 1) pace.succeeded();
    assert.equal(pace.width, 5);
    for (let success = 0; success < 200; success += 1) pace.succeeded();
    assert.deepEqual([pace.width, pace.share], [8, 1]);
  });

  test('halves the write budget', () => {
    let now = 0;
    const budget = new WriteBudget({ perSecond: 10, burst: 4 }, () => now);
    budget.setShare(0.5);
    assert.deepEqual([budget.take(), budget.take(), budget.take()], [0, 0, 200]);
    now = 200;
    assert.equal(budget.take(), 0);
  });
});
