/** The writer against a model of the server: what is sent, when, and how often. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { discrepancy } from '../../src/pipeline/books.ts';
import { WriteBudget } from '../../src/pipeline/write-budget.ts';
import { eventOf, presentOf, signalOf } from '../support/intents.ts';
import { ModelServer } from '../support/model-server.ts';
import { processOf } from '../support/writer-process.ts';

const verbs = (server: ModelServer) => server.requests.map(({ verb }) => verb);

suite('writer: one present event', () => {
  test('that is taken by our own content is unchanged', async () => {
    const { server, put, rest, endings } = processOf();
    server.putByHand(eventOf('a'), 'zen-watcher');
    put(presentOf('a'));
    await rest();
    assert.deepEqual([endings, verbs(server)], [['unchanged'], ['create', 'read']]);
  });

  test('that is taken by other content of ours is changed, by an edit of others mended and told', async () => {
    for (const [manager, told] of [
      ['zen-watcher', []],
      ['kubectl', ['mended']],
    ] as const) {
      const { server, put, rest, endings, tampered } = processOf();
      const { spec, ...rest_ } = eventOf('a');
      server.putByHand({ ...rest_, spec: { ...spec, severity: 'low' } }, manager);
      put(presentOf('a'));
      await rest();
      assert.deepEqual([endings, tampered, verbs(server)], [['changed'], told, ['create', 'read', 'replace']]);
      assert.equal([...server.events.values()][0]?.spec.severity, 'high');
    }
  });

  test('that is taken by what is not ours is replaced, and told', async () => {
    const { server, put, rest, endings, tampered } = processOf();
    const { spec, ...foreign } = eventOf('a');
    const { fingerprint: _, ...old } = spec;
    server.putByHand({ ...foreign, spec: old as typeof spec });
    put(presentOf('a'));
    await rest();
    assert.deepEqual([endings, tampered], [['created'], ['replaced']]);
    assert.deepEqual(verbs(server), ['create', 'read', 'remove', 'create']);
  });

  test('that is Resolved is reopened without losing its history', async () => {
    const { server, put, rest, endings } = processOf();
    const event = eventOf('a');
    const status = { phase: 'Resolved', reason: 'fixed', resolvedAt: 'x', firstSeen: 'y', count: 3 } as const;
    server.putByHand({ ...event, status }, 'zen-watcher');
    put(presentOf('a'));
    await rest();
    assert.deepEqual(endings, ['reopened']);
    const lastSeen = '2026-01-02T00:00:00.000Z';
    assert.deepEqual([...server.events.values()][0]?.status, { phase: 'Active', firstSeen: 'y', count: 3, lastSeen });
  });

  test('that is known to be there as wanted costs no request', async () => {
    const { server, own, put, rest, endings } = processOf();
    own.observe(server.putByHand(eventOf('a'), 'zen-watcher'));
    put(presentOf('a'));
    await rest();
    assert.deepEqual([endings, verbs(server)], [['unchanged'], []]);
  });

  test('that keeps changing under us is read a few times, then waits', async () => {
    const { server, put, rest, endings, delays } = processOf();
    const { spec, ...event } = eventOf('a');
    server.putByHand({ ...event, spec: { ...spec, severity: 'low' } });
    let left = 10;
    server.fault = (verb, name) => {
      left -= verb === 'replace' ? 1 : 0;
      if (verb === 'replace' && left >= 0) server.touchByConsumer(name);
      return 'none';
    };
    put(presentOf('a'));
    await rest();
    assert.deepEqual([endings, delays], [['changed'], ['conflict', 'conflict']]);
    assert.equal(verbs(server).filter((verb) => verb === 'read').length, 11);
  });
});

suite('writer: signals', () => {
  test('two writers that do not see each other count 101 of 101', async () => {
    const server = new ModelServer();
    const writers = [processOf({ server, concurrency: 1 }), processOf({ server, concurrency: 1 })];
    server.latency = async () => {
      for (let left = Math.floor(server.requests.length % 3); left > 0; left -= 1) await turn();
    };
    for (let number = 0; number < 101; number += 1) {
      writers[number % 2]?.put(signalOf('s', 1));
      if (number % 3 === 0) await turn();
    }
    await Promise.all(writers.map(({ rest }) => rest()));
    assert.equal([...server.events.values()][0]?.status?.count, 101);
    assert.ok(writers.every(({ books }) => discrepancy(books.balance()) === 0));
  });

  test('a first write that stands for several counts them, also when its second half fails', async () => {
    for (const fault of [undefined, 'patch', 'read'] as const) {
      const { server, put, rest } = processOf();
      let hasFailed = false;
      server.fault = (verb) => {
        if (verb !== fault || hasFailed) return 'none';
        hasFailed = true;
        return { kind: 'retry', cause: 'throttled', message: '429' };
      };
      put(signalOf('s', 5));
      await rest();
      assert.equal([...server.events.values()][0]?.status?.count, 5, `${fault}`);
    }
  });

  test('an event that is gone by the time is made anew and counts all', async () => {
    const { server, own, put, rest } = processOf();
    own.observe(server.putByHand(eventOf('s')));
    server.events.clear();
    put(signalOf('s', 4));
    await rest();
    assert.equal([...server.events.values()][0]?.status?.count, 4);
  });
});

suite('writer: when the server will not', () => {
  test('the breaker opens once for simultaneous failures and probes with one', async () => {
    const { server, put, rest, breaker } = processOf({ concurrency: 8 });
    let inFlight = 0;
    const widths: number[] = [];
    let isDown = true;
    server.latency = async () => {
      inFlight += 1;
      widths.push(inFlight);
      await turn();
      inFlight -= 1;
    };
    server.fault = () => (isDown ? { kind: 'retry', cause: 'unavailable', message: 'down' } : 'none');
    for (let number = 0; number < 20; number += 1) put(presentOf(`f${number}`));
    while (widths.length < 12) await turn();
    assert.equal(Math.max(...widths.slice(0, 8)), 8);
    assert.deepEqual([...new Set(widths.slice(8))], [1], 'one at a time once it failed');
    assert.equal(breaker.isProbing, true);
    isDown = false;
    await rest();
    assert.equal(server.events.size, 20);
  });

  test('a bad event backs off by itself while the others are written', async () => {
    const { server, put, rest } = processOf({ concurrency: 1 });
    const bad = presentOf('bad');
    let refusals = 30;
    server.fault = (_verb, name) => {
      if (name !== bad.key || refusals === 0) return 'none';
      refusals -= 1;
      return { kind: 'retry', cause: 'unavailable', message: 'webhook failed' };
    };
    put(bad);
    for (let number = 0; number < 50; number += 1) put(presentOf(`f${number}`));
    await rest();
    assert.equal(server.events.size, 51);
  });

  test('the budget is spent per write: nothing for what needs none, and twice for two', () => {
    const clock = { ms: 0 };
    const budget = new WriteBudget({ perSecond: 10, burst: 3 }, () => clock.ms);
    assert.deepEqual([budget.take(), budget.take(), budget.take(), budget.take()], [0, 0, 0, 100]);
    budget.settle(0);
    assert.deepEqual([budget.take(), budget.take()], [0, 100]);
    budget.settle(3);
    assert.equal(budget.take(), 300);
    clock.ms = 10_000;
    assert.deepEqual([budget.take(), budget.take(), budget.take(), budget.take()], [0, 0, 0, 100]);
    assert.equal(new WriteBudget({ perSecond: 0, burst: 1 }, () => 0).take(), 0);
  });

  test('a drain does not wait for the budget, but for a server that asks for less', async (t) => {
    const budget = new WriteBudget({ perSecond: 0.001, burst: 1 }, () => performance.now());
    const { server, put, writer, pace, queue } = processOf({ budget });
    t.after(() => writer.stop());
    for (let number = 0; number < 20; number += 1) put(signalOf(`s${number}`, 1));
    let refusals = 2;
    server.fault = () => {
      refusals -= 1;
      return refusals < 0 ? 'none' : { kind: 'retry', cause: 'throttled', message: '429' };
    };
    assert.equal(await writer.drain(60_000), true);
    assert.deepEqual([server.events.size, queue.items], [20, 0]);
    assert.ok(pace.share < 1);
  });

  test('a fence that falls between two writes of one intent stops the second', async () => {
    const server = new ModelServer();
    let isFenced = false;
    const { put, rest, endings, books } = processOf({ server, mayWrite: () => !isFenced });
    const { spec, ...event } = eventOf('a');
    server.putByHand({ ...event, spec: { ...spec, severity: 'low' }, status: { phase: 'Resolved' } });
    server.fault = (verb) => {
      isFenced ||= verb === 'replace';
      return 'none';
    };
    put(presentOf('a'));
    await rest();
    put(presentOf('b'));
    await rest();
    assert.deepEqual([endings, books.balance().accounts.fenced], [['fenced', 'fenced'], 2]);
    assert.deepEqual(verbs(server), ['create', 'read', 'replace']);
  });
});
