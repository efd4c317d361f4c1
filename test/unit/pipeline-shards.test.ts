/** Shards: what belongs to which, what a replica takes in and forgets, and two of them that hand shards to each other (R7). */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { shardOfBytes } from '../../src/pipeline/event-head.ts';
import { Shards } from '../../src/pipeline/shards.ts';
import { shardOfEvent, summaryIntent, summaryName } from '../../src/pipeline/summary-event.ts';
import type { Finding } from '../../src/sources/source.ts';
import { finding, reading as readingOf, signal, start } from '../support/findings.ts';
import { World } from '../support/pipeline-world.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { SeededRandom } from '../support/seeded-random.ts';

/** 400 were run when this was written. */
const seeds = 25;

/** Namespaces of each of two shards. */
const [firsts, seconds] = (() => {
  const shards = new Shards(2);
  const names = Array.from({ length: 40 }, (_, index) => `team-${index}`);
  const of = (shard: number) => names.filter((name) => shards.ofNamespace(name) === shard);
  return [of(0), of(1)] as const;
})();

const [one = ''] = firsts;
const [two = ''] = seconds;

/** Each report has a key of its own. */
const reading: typeof readingOf = (name, findings, options) =>
  readingOf(name, findings, { reportKey: ['format', name], ...options });

function found(id: string, namespace: string): Finding {
  return finding(id, { resource: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', namespace } });
}

function shardsReading(...scope: number[]): Shards {
  const shards = new Shards(2);
  shards.setScope(scope);
  return shards;
}

suite('shards', () => {
  test('everybody gives the same answer, and namespaces are spread evenly', () => {
    for (const count of [2, 4, 16]) {
      const counts = Array.from({ length: count }, () => 0);
      const [first, second] = [new Shards(count), new Shards(count)];
      for (let index = 0; index < 4_000; index += 1) {
        const shard = first.ofNamespace(`tenant-${index}`);
        assert.equal(second.ofNamespace(`tenant-${index}`), shard);
        counts[shard] = (counts[shard] ?? 0) + 1;
      }
      const fair = 4_000 / count;
      for (const size of counts) assert.ok(size > fair * 0.8 && size < fair * 1.2, `${count} shards: ${counts}`);
    }
  });

  test('a resource belongs to the shard of its namespace; a Namespace is its own, and the rest is of none', () => {
    const shards = new Shards(16);
    const shard = shards.ofNamespace('shop');
    assert.equal(shards.of({ kind: 'Deployment', name: 'web', namespace: 'shop' }), shard);
    assert.equal(shards.of({ kind: 'Namespace', name: 'shop' }), shard);
    assert.equal(shards.of({ kind: 'Namespace', name: 'other', namespace: 'shop' }), shard);
    assert.equal(shards.of({ kind: 'Node', name: 'shop' }), shards.ofNamespace(''));
  });

  test('of one there is one, which is always read', () => {
    const shards = new Shards(1);
    shards.setScope([]);
    assert.deepEqual([shards.of({ namespace: 'a' }), shards.reads(0), shards.readsNamespace('b')], [0, true, true]);
  });

  test('a stored event is told to its shard by its bytes as by its text', () => {
    const shards = new Shards(16);
    const { metadata, spec } = sampleEvent('shards');
    const resources = [
      { kind: 'Deployment', name: 'web', namespace: 'shop' },
      { kind: 'Namespace', name: 'shop' },
      { kind: 'Node', name: 'n1' },
      { kind: 'Pod', name: 'w"eb', namespace: 'shop' },
    ];
    for (const resource of resources) {
      const event = { metadata, spec: { ...spec, resource } };
      const bytes = Buffer.from(`  ${JSON.stringify(event)}`);
      const shard = shardOfBytes(bytes, 2, shards);
      if (resource.name.includes('"')) assert.equal(shard, undefined, 'it has to be parsed');
      else assert.equal(shard, shardOfEvent(event, shards), JSON.stringify(resource));
    }
    const { resource: _resource, ...without } = spec;
    for (const text of [
      JSON.stringify({ metadata, spec: without }),
      '{"spec":{"eventType":"x","resource":7}}',
      '{',
      '',
    ]) {
      assert.equal(shardOfBytes(Buffer.from(text), 0, shards), undefined, text);
    }
  });

  test('a summary of all namespaces is the shard’s that wrote it, and no other one has its name', () => {
    const group = { source: 'trivy', namespace: undefined };
    const context = { namespace: 'zen', cluster: undefined, events: 10, moment: { now: start, monotonicMs: 0 } };
    const summaries = [0, 1].map((shard) => summaryIntent({ ...group, shard }, { low: 3 }, { ...context, shard }));
    const names = new Set([...summaries.map(({ key }) => key), summaryName(group)]);
    assert.equal(names.size, 3);
    const shards = new Shards(2);
    for (const [shard, { body }] of summaries.entries()) {
      const event = JSON.parse(body);
      assert.equal(shardOfEvent(event, shards), shard);
      assert.equal(shardOfBytes(Buffer.from(body), 0, shards), undefined, 'it has to be parsed');
      event.spec.details.shard = 7;
      assert.equal(shardOfEvent(event, shards), shards.ofNamespace(''), 'of a number that is none');
    }
  });
});

suite('a replica that reads one of two shards', () => {
  test('takes in what is in it, of a report about both, and neither receives nor knows the rest', async () => {
    const world = new World({ shards: shardsReading(0) });
    const rejection = { reason: 'malformed', place: '.x', message: 'no' } as const;
    const both = [found('a', one), found('b', two)];
    world.report('r', reading('r', both, { partition: two, rejected: [rejection], completeness: 'partial' }));
    await world.rest();
    assert.deepEqual(world.state, ['a']);
    assert.equal(world.life.index.size, 1);
    const { received, rejected } = world.life.books.balance();
    assert.deepEqual([received, rejected.malformed], [1, 0], 'the report is of the other shard');
    world.report('r', reading('r', [found('b', two)]));
    await world.rest();
    assert.deepEqual(world.state, ['(a fixed)']);
  });

  test('signals of the other shard are not counted, and their object is no report of states', async () => {
    const world = new World({ shards: shardsReading(0) });
    const happened = (id: string, namespace: string) =>
      signal(id, { occurrences: 2, at: start }, { resource: { kind: 'Pod', name: 'p', namespace } });
    world.report('e', reading('e', [happened('s', two)], { completeness: 'partial' }));
    world.report('f', reading('f', [happened('t', one)], { completeness: 'partial' }));
    await world.rest();
    assert.deepEqual(world.state, ['t']);
    assert.equal(world.life.reports.objects, 0);
    assert.equal(world.life.books.balance().received, 2);
  });

  test('an event of the other shard is not indexed, unless it has to do with us', async () => {
    const other = new World({ shards: shardsReading(1) });
    other.report('r', reading('r', [found('b', two)]));
    await other.rest();
    const world = new World({ shards: shardsReading(0), replicaOf: other });
    world.beginListing();
    world.completeListing();
    assert.equal(world.life.index.size, 0);
  });
});

suite('a shard that changes hands', () => {
  const pairOf = () => {
    const a = new World({ shards: shardsReading(0, 1) });
    const b = new World({ shards: shardsReading(), replicaOf: a });
    b.life.isLeading = true;
    return { a, b, worlds: [a, b] };
  };

  test('given back, all of it is forgotten and nothing resolved; the other one finds it as it is', async () => {
    const { a, b, worlds } = pairOf();
    for (const world of worlds) {
      world.report('r', reading('r', [found('a', one), found('b', two)]));
      world.report('s', reading('s', [found('c', two)]));
    }
    await a.rest();
    const before = a.server.changes.length;
    await a.leave(1);
    b.join(1);
    for (const world of worlds) await world.rest();
    assert.deepEqual([a.state, a.server.changes.length], [['a', 'b', 'c'], before]);
    assert.deepEqual([a.life.index.size, b.life.index.size], [1, 2]);
    // Who reads it resolves it, and nobody else.
    for (const world of worlds) world.report('r', reading('r', []));
    for (const world of worlds) await world.rest();
    assert.deepEqual(a.state, ['(a fixed)', '(b fixed)', 'c']);
    assert.deepEqual(a.life.outcomes.filter((kind) => kind === 'resolved').length, 1);
    assert.deepEqual(b.life.outcomes, ['resolved']);
  });

  test('reports that are not read any more are forgotten, and no tool seems to have lost them', async () => {
    const { a } = pairOf();
    const names = ['r0', 'r1', 'r2'];
    for (const name of names) a.report(name, reading(name, [found(name, two)]));
    a.report('s', reading('s', [found('s', one)]));
    await a.rest();
    await a.leave(1, (key) => names.some((name) => key.endsWith(`|${name}`)));
    assert.deepEqual([a.life.reports.objects, a.life.index.size], [1, 1]);
    assert.deepEqual(a.life.halts, []);
    assert.deepEqual(a.state, ['r0', 'r1', 'r2', 's']);
  });

  test('what was fixed and what was found while nobody led there is written by who comes', async () => {
    const { a, b, worlds } = pairOf();
    for (const world of worlds) world.report('r', reading('r', [found('b', two), found('c', two)]));
    await a.rest();
    await a.leave(1);
    for (const world of worlds) world.report('r', reading('r', [found('c', two), found('d', two)]));
    await a.rest();
    assert.deepEqual(a.state, ['b', 'c']);
    b.join(1);
    await b.rest();
    assert.deepEqual(a.state, ['(b fixed)', 'c', 'd']);
  });

  test('at random: in the end the events are what the reports say, none made twice, none written in vain', async () => {
    for (let seed = 1; seed <= seeds; seed += 1) {
      const random = new SeededRandom(seed);
      const { a, b, worlds } = pairOf();
      a.server.latency = () => turn();
      const places = [...firsts.slice(0, 3), ...seconds.slice(0, 3)];
      const said = new Map<string, readonly string[]>();
      const rest = async () => {
        for (let times = 0; times < 2; times += 1) for (const world of worlds) await world.rest();
      };
      for (let step = 0; step < 30; step += 1) {
        if (random.isLucky(0.7)) {
          const name = random.pick(['r0', 'r1', 'r2', 'r3']);
          const ids = places.filter(() => random.isLucky(0.5)).map((place) => `${name} ${place}`);
          said.set(name, ids);
          const findings = ids.map((id) => found(id, id.split(' ')[1] ?? ''));
          for (const world of worlds) world.report(name, reading(name, findings));
        } else {
          const shard = random.between(0, 1);
          const [from, to] = a.life.shards.reads(shard) ? [a, b] : [b, a];
          await from.leave(shard);
          if (random.isLucky(0.5)) for (const world of worlds) await world.rest();
          to.join(shard);
        }
        if (random.isLucky(0.3)) await turn();
      }
      await rest();
      const active = a.state.filter((word) => !word.startsWith('('));
      assert.deepEqual(active, [...said.values()].flat().sort(), `seed ${seed}`);
      const made = a.server.changes.filter(({ verb }) => verb === 'create').map(({ name }) => name);
      assert.equal(new Set(made).size, made.length, `seed ${seed}`);
      const before = a.server.changes.length;
      for (const shard of [0, 1]) {
        const [from, to] = a.life.shards.reads(shard) ? [a, b] : [b, a];
        await from.leave(shard);
        to.join(shard);
        await rest();
      }
      assert.equal(a.server.changes.length, before, `seed ${seed}: a change of hands at rest wrote something`);
      assert.equal(a.life.index.size + b.life.index.size, a.server.events.size, `seed ${seed}: each knows its own`);
    }
  });
});
