/** Two replicas: one writes, one stands by with all it knows, and takes over without loss and without a needless write (R7). */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Reading } from '../../src/sources/source.ts';
import { finding, reading as readingOf } from '../support/findings.ts';
import { World } from '../support/pipeline-world.ts';
import { SeededRandom } from '../support/seeded-random.ts';

/** Each report has a key of its own, but for those of one workload: `web-one`, `web-two`. */
const reading: typeof readingOf = (name, findings, options) =>
  readingOf(name, findings, { reportKey: ['format', name.split('-')[0] ?? ''], ...options });

/** 400 were run when this was written. */
const seeds = 25;

/** Two replicas over one server. */
class Pair {
  readonly a = new World();
  readonly b = new World({ replicaOf: this.a });

  /** Both watches show it. */
  report(name: string, ...readings: readonly Reading[]): void {
    for (const world of [this.a, this.b]) world.report(name, ...readings);
  }

  unreport(name: string): void {
    for (const world of [this.a, this.b]) world.unreport(name);
  }

  /** Lets both come to rest at the same time. */
  async rest(): Promise<void> {
    const worlds = [this.a, this.b];
    for (let quietRounds = 0, round = 0; quietRounds < 3; round += 1) {
      assert.ok(round < 20_000, 'the replicas do not come to rest');
      quietRounds = worlds.every(({ isQuiet }) => isQuiet) ? quietRounds + 1 : 0;
      for (const world of worlds) {
        world.echo();
        world.reread();
      }
      await turn();
    }
    for (const world of worlds) world.checkHoldings();
  }

  get changes(): number {
    return this.a.server.changes.length;
  }
}

suite('replicas', () => {
  test('the one that stands by writes and asks nothing, and its books balance', async () => {
    const { b } = new Pair();
    b.report('r', reading('r', [finding('a'), finding('b')]));
    b.report('r', reading('r', [finding('b')]));
    await b.rest();
    assert.deepEqual(b.server.requests, []);
    assert.equal(b.life.books.balance().accounts.fenced, 3);
    assert.deepEqual([b.life.queue.items, b.life.dirty.size], [0, 0]);
  });

  test('when all is as it should be, a take-over writes nothing and reads no report again', async () => {
    const pair = new Pair();
    pair.report('r', reading('r', [finding('a'), finding('b')]));
    pair.report('s', reading('s', [finding('c')]));
    await pair.rest();
    pair.report('r', reading('r', [finding('b')]));
    await pair.rest();
    const before = pair.changes;
    pair.a.resign();
    pair.b.takeOver();
    assert.equal(pair.b.life.dirty.size, 0);
    await pair.rest();
    assert.equal(pair.changes, before);
    assert.deepEqual(pair.b.state, ['(a fixed)', 'b', 'c']);
  });

  test('what the leader did not come to write, the next one writes: new, changed and fixed', async () => {
    const pair = new Pair();
    pair.report('r', reading('r', [finding('a'), finding('b'), finding('same')]));
    await pair.rest();
    pair.a.resign();
    const before = pair.changes;
    pair.report('r', reading('r', [finding('b', { severity: 'critical' }), finding('same'), finding('new')]));
    await pair.rest();
    assert.equal(pair.changes, before, 'nobody leads');
    pair.b.takeOver();
    await pair.rest();
    assert.deepEqual(pair.b.state, ['(a fixed)', 'b', 'new', 'same']);
    assert.equal(pair.changes, before + 3);
    const severities = [...pair.b.server.events.values()].map(({ spec }) => `${spec.details?.['id']} ${spec.severity}`);
    assert.ok(severities.includes('b critical'), String(severities));
  });

  test('a report that is changed twice before the first change is on the server: the second one counts', async () => {
    const pair = new Pair();
    pair.report('r', reading('r', [finding('a', { severity: 'low' })]));
    // The leader reads and writes the first state only.
    await pair.a.rest();
    pair.b.report('r', reading('r', [finding('a', { severity: 'critical' })]));
    pair.a.resign();
    await pair.b.rest();
    pair.b.takeOver();
    await pair.b.rest();
    assert.equal([...pair.b.server.events.values()][0]?.spec.severity, 'critical');
  });

  test('a finding that two reports hold is described by the report that the leader chose', async () => {
    const pair = new Pair();
    const one = reading('web-one', [finding('a', { description: { title: 'as one says' } })]);
    const other = reading('web-two', [finding('a', { description: { title: 'as the other says' } })]);
    pair.a.report('web-one', one);
    await pair.a.rest();
    pair.a.report('web-two', other);
    pair.b.report('web-two', other);
    pair.b.report('web-one', one);
    await pair.rest();
    const before = pair.changes;
    pair.a.resign();
    pair.b.takeOver();
    await pair.rest();
    assert.equal(pair.changes, before);
    assert.equal([...pair.b.server.events.values()][0]?.spec.title, 'as one says');
  });

  test('an event deleted or edited by hand is left to the leader, and put right by the next one', async () => {
    const pair = new Pair();
    pair.report('r', reading('r', [finding('a'), finding('b')]));
    await pair.rest();
    pair.a.resign();
    const [first, second] = [...pair.a.server.events.values()];
    assert.ok(first !== undefined && second !== undefined);
    pair.a.server.deleteByHand(first.metadata.name);
    pair.a.server.putByHand({ ...second, spec: { ...second.spec, severity: 'info' } });
    const before = pair.changes;
    await pair.rest();
    assert.equal(pair.changes, before);
    pair.b.takeOver();
    await pair.rest();
    assert.equal(pair.changes, before + 2);
    assert.deepEqual(pair.b.state, ['a', 'b']);
  });

  test('what waits at the end of a term is fenced, not written later', async () => {
    const pair = new Pair();
    const { server } = pair.a;
    server.fault = () => ({ kind: 'retry', cause: 'unavailable', message: 'no answer' });
    pair.report('r', reading('r', [finding('a'), finding('b')]));
    assert.equal(pair.a.life.queue.items, 2);
    pair.a.resign();
    server.fault = () => 'none';
    pair.report('r', reading('r', [finding('b')]));
    await pair.rest();
    assert.deepEqual(pair.a.state, []);
    pair.b.takeOver();
    await pair.rest();
    assert.deepEqual(pair.b.state, ['b']);
    assert.deepEqual(
      server.changes.map(({ verb }) => verb),
      ['create'],
    );
  });

  test('an answer that comes after the term is not tried again by the one that asked', async () => {
    const pair = new Pair();
    pair.a.server.fault = () => {
      if (pair.a.life.isLeading) pair.a.resign();
      return { kind: 'retry', cause: 'unavailable', message: 'no answer' };
    };
    pair.a.report('r', reading('r', [finding('a')]));
    await pair.a.rest();
    assert.equal(pair.a.server.requests.length, 1);
    assert.deepEqual(pair.a.state, []);
  });

  test('with the budget used up, a take-over folds and unfolds nothing', async () => {
    const a = new World({ events: 10 });
    const b = new World({ events: 10, replicaOf: a });
    const many = Array.from({ length: 30 }, (_, index) =>
      finding(`f${index}`, { severity: index < 5 ? 'high' : 'low' }),
    );
    const look = async () => {
      for (const world of [a, b]) {
        await world.rest();
        world.life.budget?.look(world.moment);
        world.elapsedMs += 10_000;
        await world.rest();
      }
    };
    for (const world of [a, b]) world.report('r', reading('r', many));
    for (let round = 0; round < 6; round += 1) await look();
    const before = a.server.changes.length;
    const state = a.state;
    a.resign();
    b.takeOver();
    for (let round = 0; round < 4; round += 1) await look();
    assert.deepEqual(b.state, state);
    assert.equal(a.server.changes.length, before);
    assert.equal(b.life.budget?.state.folded.size, 1);
    // And back again.
    b.resign();
    a.takeOver();
    for (let round = 0; round < 4; round += 1) await look();
    assert.equal(a.server.changes.length, before);
  });

  test('terms that change at random: in the end the events are what the reports say, none made twice', async () => {
    for (let seed = 1; seed <= seeds; seed += 1) {
      const random = new SeededRandom(seed);
      const pair = new Pair();
      const worlds = [pair.a, pair.b];
      pair.a.server.latency = () => turn();
      const said = new Map<string, readonly string[]>();
      for (let step = 0; step < 40; step += 1) {
        const name = random.pick(['r0', 'r1', 'web-1', 'web-2', 'web-3']);
        const key = name.split('-')[0];
        const kind = random.between(0, 9);
        if (kind < 5) {
          const ids = ['a', 'b', 'c', 'd'].filter(() => random.isLucky(0.6)).map((id) => `${key} ${id}`);
          said.set(name, ids);
          pair.report(
            name,
            reading(
              name,
              ids.map((id) => finding(id, { severity: key === 'web' ? 'high' : random.pick(['high', 'low']) })),
            ),
          );
        } else if (kind < 7) {
          const [from, to] = pair.a.life.isLeading ? worlds : worlds.toReversed();
          from?.resign();
          if (random.isLucky(0.5)) await pair.rest();
          to?.takeOver();
        } else if (kind === 7) await pair.rest();
        else random.pick(worlds).echo(random.between(0, 3));
        if (random.isLucky(0.3)) await turn();
      }
      await pair.rest();
      await pair.rest();
      const active = pair.a.state.filter((word) => !word.startsWith('('));
      assert.deepEqual(active, [...new Set([...said.values()].flat())].sort(), `seed ${seed}`);
      const made = pair.a.server.changes.filter(({ verb }) => verb === 'create').map((change) => change.name);
      assert.equal(new Set(made).size, made.length, `seed ${seed}`);
      const changes = pair.changes;
      for (let times = 0; times < 2; times += 1) {
        const [from, to] = pair.a.life.isLeading ? worlds : worlds.toReversed();
        from?.resign();
        to?.takeOver();
        await pair.rest();
      }
      const needless = pair.a.server.changes.slice(changes).map(({ verb, before, after }) => {
        const words = [before, after].map((event) => JSON.stringify([event?.spec, event?.status]));
        return `${verb} ${words.join(' -> ')}`;
      });
      assert.deepEqual(needless, [], `seed ${seed}: a take-over at rest wrote something`);
    }
  });
});
