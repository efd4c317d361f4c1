/** Signals through the whole pipeline over a model of the server: counted, written in time, expired, returned (E2, F3, F6). */
import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { reading, signal, start } from '../support/findings.ts';
import type { WorldOptions } from '../support/pipeline-world.ts';
import { SignalWorld } from '../support/signal-world.ts';

const hour = 3_600_000;
const seed = 20_260_102;

/** Whatever comes of it, its writer's timer must not keep the process. */
function open(t: TestContext, options: WorldOptions = {}): SignalWorld {
  const signals = new SignalWorld(options);
  t.after(() => signals.world.life.writer.stop());
  return signals;
}

suite('signals', () => {
  test('the first occurrence is one write at once, and says when it happened', async (t) => {
    const signals = open(t);
    signals.tellThat('a', 'x');
    await signals.settle();
    assert.deepEqual(signals.writes, ['create']);
    const event = signals.event('x');
    assert.deepEqual(event?.status, { phase: 'Active', count: 1 });
    assert.equal(event?.spec.detectedAt, new Date(start.getTime() + 1).toISOString());
    assert.equal(signals.world.life.books.balance().accounts.written, 1);
    await signals.end();
  });

  test('one that happened several times before its first write costs two', async (t) => {
    const signals = open(t);
    signals.happen('a', 'x', 93);
    signals.tellThat('a', 'x');
    await signals.settle();
    assert.deepEqual(signals.writes, ['create', 'patch']);
    const { spec, status } = signals.event('x') ?? {};
    assert.equal(status?.count, 94);
    assert.equal(spec?.detectedAt, new Date(start.getTime() + 1).toISOString(), 'the first time');
    assert.equal(status?.lastSeen, new Date(start.getTime() + 94).toISOString());
    await signals.end();
  });

  test('repeats wait 10 s, 30 s, 1, 5 and 15 min after the last write, as one, and are pending in the books', async (t) => {
    const signals = open(t);
    signals.tellThat('a', 'x');
    await signals.settle();
    const waited: number[] = [];
    for (let write = 1; write <= 6; write += 1) {
      const fromMs = signals.world.elapsedMs;
      signals.tellThat('a', 'x');
      signals.tellThat('a', 'x', 2);
      while (signals.writes.length === write) {
        assert.equal(signals.world.life.books.balance().pending, 3);
        assert.equal(signals.world.life.queue.items, 1);
        await signals.pass(1000);
      }
      assert.equal(signals.event('x')?.status?.count, 1 + 3 * write);
      assert.equal(signals.world.life.books.balance().pending, 0);
      waited.push(Math.floor((signals.world.elapsedMs - fromMs) / 1000));
    }
    assert.deepEqual(waited, [10, 30, 60, 300, 900, 900]);
    assert.deepEqual(signals.writes, ['create', 'patch', 'patch', 'patch', 'patch', 'patch', 'patch']);
    await signals.end();
  });

  test('after an hour without a write the next repeat is written at once, and the steps begin anew', async (t) => {
    const signals = open(t);
    signals.tellThat('a', 'x');
    await signals.settle();
    signals.tellThat('a', 'x');
    await signals.pass(10_000);
    await signals.pass(hour);
    // Another event's write is when it is noticed.
    signals.tellThat('b', 'y');
    signals.tellThat('a', 'x');
    await signals.settle();
    assert.equal(signals.event('x')?.status?.count, 3);
    signals.tellThat('a', 'x');
    await signals.pass(9000);
    assert.equal(signals.event('x')?.status?.count, 3);
    await signals.pass(1000);
    assert.equal(signals.event('x')?.status?.count, 4);
    await signals.end();
  });

  test('a higher severity is written at once, into the spec and the labels; a lower one neither delays nor lowers', async (t) => {
    const signals = open(t);
    signals.tellThat('a', 'x', 1, 'low');
    await signals.settle();
    signals.tellThat('a', 'x', 1, 'low');
    signals.tellThat('a', 'x', 1, 'high');
    await signals.settle();
    assert.deepEqual(signals.writes, ['create', 'replace', 'patch']);
    const raised = signals.event('x');
    assert.deepEqual(
      [
        raised?.spec.severity,
        raised?.spec.sourceSeverity,
        raised?.metadata.labels?.['severity'],
        raised?.status?.count,
      ],
      ['high', 'HIGH', 'high', 3],
    );
    assert.equal(raised?.spec.detectedAt, new Date(start.getTime() + 1).toISOString());
    signals.tellThat('a', 'x', 1, 'low');
    await signals.pass(15_000);
    assert.equal(signals.event('x')?.status?.count, 3, 'it waits for its turn');
    await signals.pass(15_000);
    assert.deepEqual(signals.writes.slice(3), ['patch']);
    assert.equal(signals.event('x')?.spec.severity, 'high');
    await signals.end();
  });

  test('a content that somebody edited is put right with the next occurrence, and told', async (t) => {
    const signals = open(t);
    signals.tellThat('a', 'x');
    await signals.settle();
    const event = signals.event('x');
    assert.ok(event);
    signals.world.server.putByHand({ ...event, spec: { ...event.spec, title: 'nothing to see' } });
    await signals.settle();
    assert.deepEqual(signals.writes, ['create'], 'a signal is no state: nothing says that it must be there');
    signals.tellThat('a', 'x');
    await signals.pass(10_000);
    assert.equal(signals.event('x')?.spec.title, 'Finding x');
    assert.deepEqual(signals.world.life.tampered, [`mended ${event.metadata.name}`]);
    await signals.end();
  });

  test('absence says nothing: neither the end of an object nor a restart without it resolves', async (t) => {
    const signals = open(t);
    signals.tellThat('a', 'x');
    await signals.settle();
    signals.remove('a');
    await signals.settle();
    await signals.restart();
    assert.deepEqual(signals.world.state, ['x']);
    assert.deepEqual(signals.writes, ['create']);
    await signals.end();
  });

  test('objects that come and go in numbers are no loss of reports', async (t) => {
    const signals = open(t);
    for (const object of ['a', 'b', 'c', 'd']) signals.tellThat(object, 'x');
    assert.equal(signals.world.life.health.live('tool.example|Report', 'tool'), 0);
    assert.equal(signals.world.life.reconciler.countingObjects, 4);
    for (const object of ['a', 'b', 'c', 'd']) signals.remove(object);
    assert.deepEqual(signals.world.life.halts, []);
    assert.equal(signals.world.life.reports.objects, 0);
    assert.equal(signals.world.life.reconciler.countingObjects, 0, 'memory is bounded by what is there');
    await signals.end();
  });

  test('replays, listings and restarts count nothing again', async (t) => {
    const signals = open(t);
    signals.tellThat('a', 'x', 5);
    signals.tellThat('b', 'x', 2);
    await signals.pass(10_000);
    const before = signals.writes.length;
    for (const object of ['a', 'b', 'a']) signals.tell(object);
    await signals.settle();
    await signals.restartInOrder();
    await signals.restart();
    assert.equal(signals.event('x')?.status?.count, 7);
    assert.equal(signals.writes.length, before);
    assert.equal(signals.world.life.books.balance().accounts.unchanged, 2);
    await signals.end();
  });

  test('what happened while no process ran is counted, once', async (t) => {
    const signals = open(t);
    signals.tellThat('a', 'x', 5);
    await signals.settle();
    await signals.restartInOrder(() => {
      signals.happen('a', 'x', 3);
      signals.happen('b', 'x', 4);
    });
    await signals.pass(10_000);
    assert.equal(signals.event('x')?.status?.count, 12);
    await signals.end();
  });

  test('a replica that takes over counts what nobody counted, and nothing again', async (t) => {
    const signals = open(t);
    signals.tellThat('a', 'x', 5);
    await signals.settle();
    // Put off, and dropped at the end of the term.
    signals.tellThat('a', 'x', 3);
    signals.world.resign();
    signals.tellThat('a', 'x', 2);
    signals.tellThat('b', 'x', 1);
    await signals.pass(10_000);
    assert.equal(signals.event('x')?.status?.count, 5);
    assert.equal(signals.world.life.books.balance().accounts.fenced, 5);
    assert.equal(signals.world.takeOver(), true, 'they have to be read again');
    for (const object of ['a', 'b']) signals.tell(object);
    await signals.pass(10_000);
    assert.equal(signals.event('x')?.status?.count, 11);
    // Another term, with nothing new in between.
    const before = signals.writes.length;
    signals.world.resign();
    assert.equal(signals.world.takeOver(), true);
    for (const object of ['a', 'b']) signals.tell(object);
    await signals.pass(10_000);
    assert.equal(signals.writes.length, before);
    await signals.end();
  });

  test('an end in order writes what is put off', async (t) => {
    const signals = open(t);
    signals.tellThat('a', 'x');
    await signals.settle();
    signals.tellThat('a', 'x', 6);
    await signals.settle();
    assert.equal(signals.event('x')?.status?.count, 1);
    assert.equal(await signals.world.life.writer.drain(10_000), true);
    assert.equal(signals.event('x')?.status?.count, 7);
    await signals.end();
  });

  test('a deleted event returns with the next occurrence only, which counts for itself', async (t) => {
    const signals = open(t);
    signals.tellThat('a', 'x', 5);
    await signals.settle();
    signals.world.server.deleteByHand(signals.event('x')?.metadata.name ?? '');
    await signals.settle();
    signals.tell('a');
    await signals.settle();
    assert.equal(signals.event('x'), undefined);
    signals.tellThat('a', 'x');
    await signals.settle();
    assert.deepEqual(signals.event('x')?.status, { phase: 'Active', count: 1 });
    await signals.end();
  });

  test('it is over when it was quiet for long enough, and returns with its history', async (t) => {
    const signals = open(t);
    signals.world.quietMs = 24 * hour;
    signals.tellThat('a', 'x', 5);
    await signals.settle();
    const expire = async () => {
      signals.world.life.lifecycle.sweep(signals.world.moment);
      await signals.settle();
    };
    const lastMs = Date.parse(signals.event('x')?.status?.lastSeen ?? '');
    await signals.pass(lastMs + 24 * hour - 1 - signals.world.clock.now().getTime());
    await expire();
    assert.deepEqual(signals.world.state, ['x']);
    await signals.pass(1);
    await expire();
    await expire();
    assert.deepEqual(signals.world.state, ['(x expired)']);
    assert.deepEqual(signals.writes, ['create', 'patch', 'patch']);

    // The object is still there after a restart: it is history.
    await signals.restart();
    assert.deepEqual(signals.world.state, ['(x expired)']);
    assert.equal(signals.world.life.books.balance().accounts.written, 0);

    signals.tellThat('a', 'x', 2);
    await signals.settle();
    const { status, spec } = signals.event('x') ?? {};
    assert.deepEqual([status?.phase, status?.count, status?.reason], ['Active', 7, undefined]);
    assert.equal(spec?.detectedAt, new Date(start.getTime() + 1).toISOString());
    assert.equal(signals.world.life.outcomes.at(-1), 'reopened');
    await signals.end();
  });

  test('what was over before it was first seen is filtered', async (t) => {
    const signals = open(t);
    signals.world.quietMs = hour;
    signals.happen('a', 'x', 5);
    await signals.pass(hour);
    signals.tell('a');
    await signals.settle();
    assert.deepEqual(signals.writes, []);
    assert.equal(signals.world.life.books.balance().accounts.filtered, 1);
    signals.tellThat('a', 'x');
    await signals.settle();
    assert.equal(signals.event('x')?.status?.count, 1);
    await signals.end();
  });

  test('below the threshold it is filtered, not counted and not remembered', async (t) => {
    const signals = open(t, { rules: { thresholds: { 'cluster-warning': 'medium' } } });
    signals.tellThat('a', 'x', 5, 'low');
    await signals.settle();
    assert.deepEqual(signals.writes, []);
    assert.equal(signals.world.life.books.balance().accounts.filtered, 1);
    await signals.end();
  });

  test('muted by hand it is counted all the same, in the account of what is muted', async (t) => {
    const signals = open(t);
    signals.tellThat('a', 'x');
    await signals.settle();
    const event = signals.event('x');
    assert.ok(event);
    const annotations = { ...event.metadata.annotations, 'zen.kube-zen.io/muted-until': '2027-01-01T00:00:00Z' };
    signals.world.server.putByHand({ ...event, metadata: { ...event.metadata, annotations } });
    await signals.settle();
    signals.tellThat('a', 'x', 3);
    await signals.pass(10_000);
    assert.equal(signals.event('x')?.status?.count, 4);
    const { accounts } = signals.world.life.books.balance();
    assert.deepEqual([accounts.written, accounts.muted], [1, 3]);
    await signals.end();
  });

  test('when the queue is full nothing of it is noted: it is read again', async (t) => {
    const signals = open(t, { queueItems: 1, concurrency: 1 });
    for (const id of ['x', 'y', 'z']) signals.tellThat(id, id, 2);
    assert.deepEqual([...signals.world.life.dirty.values()], ['queue-full', 'queue-full']);
    assert.equal(signals.world.life.books.balance().received, 2);
    await signals.settle();
    assert.deepEqual(signals.counts, { x: 2, y: 2, z: 2 });
    await signals.end();
  });

  test('those that wait for their time do not fill the queue; beyond half of it they wait no longer', async (t) => {
    const signals = open(t, { queueItems: 4 });
    const ids = ['v', 'w', 'x', 'y', 'z'];
    for (const id of ids) {
      signals.tellThat(id, id);
      await signals.settle();
    }
    for (const id of ids) {
      signals.tellThat(id, id);
      await signals.settle();
    }
    assert.equal(signals.world.life.queue.isFull, false);
    assert.equal(signals.world.life.queue.items, 2);
    assert.deepEqual(signals.counts, { v: 1, w: 1, x: 2, y: 2, z: 2 });
    await signals.end();
    assert.deepEqual(signals.counts, { v: 2, w: 2, x: 2, y: 2, z: 2 });
  });

  test('one that the server refuses is tried again with a repeat, not with each', async (t) => {
    const signals = open(t);
    signals.world.server.fault = () => ({ kind: 'rejected', message: 'no' });
    signals.tellThat('a', 'x');
    await signals.settle();
    for (let again = 0; again < 5; again += 1) {
      signals.tellThat('a', 'x');
      await signals.settle();
    }
    assert.equal(signals.world.server.requests.length, 1);
    assert.equal(signals.world.life.books.balance().rejected['refused-by-server'], 1);
    signals.world.server.fault = () => 'none';
    await signals.pass(10_000);
    assert.equal(signals.event('x')?.status?.count, 5);
    await signals.end();
  });

  test('ids of occurrences: a batch that comes twice is counted once', async (t) => {
    const signals = open(t);
    const batch = (name: string, ...occurrenceIds: string[]) => {
      const nature = { occurrences: occurrenceIds.length, occurrenceIds, at: signals.world.clock.now() };
      signals.world.report(name, reading(name, [signal('x', nature)], { completeness: 'partial' }));
    };
    batch('first', 'a', 'b');
    batch('first again', 'a', 'b');
    batch('second', 'b', 'c');
    await signals.pass(10_000);
    assert.deepEqual(signals.counts, { x: 3 });
    assert.equal(signals.world.life.books.balance().accounts.unchanged, 1);
    await signals.end();
  });
});

type Step =
  | { readonly kind: 'happen' | 'happen untold'; readonly object: number; readonly times: number }
  | { readonly kind: 'tell' | 'remove'; readonly object: number }
  | { readonly kind: 'relist' | 'settle' | 'restart in order' | 'crash' }
  | { readonly kind: 'pass'; readonly seconds: number };

const object = fc.nat(3);
const usual: fc.Arbitrary<Step>[] = [
  fc.record({
    kind: fc.constantFrom('happen', 'happen', 'happen untold'),
    object,
    times: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({ kind: fc.constantFrom('tell', 'remove'), object }),
  fc.record({ kind: fc.constantFrom('relist', 'settle') }),
  fc.record({ kind: fc.constant('pass' as const), seconds: fc.constantFrom(1, 11, 70, 400, 1000, 4000) }),
];

/** Objects 0 and 1 count one signal, 2 and 3 one each. */
const idOf = (number: number) => (number < 2 ? 'shared' : `own-${number}`);

async function run(steps: readonly Step[]): Promise<SignalWorld> {
  const signals = new SignalWorld();
  try {
    await carryOut(steps, signals);
  } finally {
    await signals.world.life.writer.stop();
  }
  return signals;
}

async function carryOut(steps: readonly Step[], signals: SignalWorld): Promise<void> {
  for (const step of steps) {
    const name = 'object' in step ? `object-${step.object}` : '';
    switch (step.kind) {
      case 'happen':
        signals.tellThat(name, idOf(step.object), step.times);
        break;
      case 'happen untold':
        signals.happen(name, idOf(step.object), step.times);
        break;
      case 'tell':
        signals.tell(name);
        break;
      case 'remove':
        // What nobody was told of before is lost with the object, for everybody.
        signals.tell(name);
        signals.remove(name);
        break;
      case 'relist':
        for (const one of signals.world.reports.keys()) signals.tell(one);
        break;
      case 'settle':
        await signals.settle();
        break;
      case 'pass':
        await signals.pass(step.seconds * 1000);
        break;
      case 'restart in order':
        for (const one of signals.world.reports.keys()) signals.tell(one);
        await signals.restartInOrder();
        break;
      case 'crash':
        await signals.restart();
    }
  }
  for (const one of signals.world.reports.keys()) signals.tell(one);
  await signals.end();
}

/** No event was made twice: each exists because of exactly one create. */
function assertMadeOnce(signals: SignalWorld): void {
  const made = signals.world.server.changes.filter(({ verb }) => verb === 'create').map(({ name }) => name);
  assert.deepEqual(made, [...new Set(made)]);
  assert.equal(made.length, signals.truth.size);
}

suite('whatever happens to signals', () => {
  const inOrder: fc.Arbitrary<Step> = fc.record({ kind: fc.constant('restart in order' as const) });
  const crash: fc.Arbitrary<Step> = fc.record({ kind: fc.constant('crash' as const) });

  test('without a crash every occurrence is counted exactly once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(...usual), { maxLength: 40 }), async (steps) => {
        const signals = await run(steps);
        assert.deepEqual(signals.counts, Object.fromEntries(signals.truth));
        assertMadeOnce(signals);
      }),
      { seed, numRuns: 150 },
    );
  });

  test('with restarts in order too, as long as objects are there', async () => {
    const steps = fc.array(fc.oneof(...usual, inOrder), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const signals = await run(all.filter(({ kind }) => kind !== 'remove'));
        assert.deepEqual(signals.counts, Object.fromEntries(signals.truth));
        assertMadeOnce(signals);
      }),
      { seed, numRuns: 150 },
    );
  });

  test('with crashes nothing is counted twice, nothing is missing, and one object by itself stays exact', async () => {
    const steps = fc.array(fc.oneof(...usual, inOrder, crash), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const signals = await run(all.filter(({ kind }) => kind !== 'remove'));
        const { shared, ...own } = signals.counts;
        const { shared: trueShared, ...trueOwn } = Object.fromEntries(signals.truth);
        assert.deepEqual(own, trueOwn);
        if (trueShared !== undefined) assert.ok(shared !== undefined && shared >= 1 && shared <= trueShared);
        assertMadeOnce(signals);
      }),
      { seed, numRuns: 150 },
    );
  });
});
