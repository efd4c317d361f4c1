/**
 * Random histories: reports appear, change, vanish and return, processes are killed, requests fail, the watch lags. When
 * all has come to rest, the events are what a model says that was written from the requirements (F2, F3), not the code.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { Severity } from '../../src/api/words.ts';
import type { Reading } from '../../src/sources/source.ts';
import { finding, reading, start } from '../support/findings.ts';
import { HistoryModel } from '../support/history-model.ts';
import { World } from '../support/pipeline-world.ts';

/** Reports by key: two of each, so that they hold the same findings. The key of a finding is its first letter. */
const reportNames = ['a1', 'a2', 'b1', 'b2'] as const;
const idsOf = { a: ['ax', 'ay', 'az'], b: ['bx', 'by', 'bz'] } as const;

const findingSet = fc.record({ ids: fc.subarray([0, 1, 2]), severity: fc.constantFrom<Severity>('high', 'critical') });
const completeness = fc.oneof(
  { weight: 6, arbitrary: fc.constant('complete' as const) },
  { weight: 2, arbitrary: fc.constant('partial' as const) },
  { weight: 1, arbitrary: fc.constant('not-yet' as const) },
);
const name = fc.constantFrom(...reportNames);
const operation = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('report'), name, findingSet, completeness }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('unreport'), name }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('rescan'), name }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart'), order: fc.shuffledSubarray([...reportNames]) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('echo'), count: fc.nat(6) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('turns'), count: fc.nat(12) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('touch'), which: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete'), which: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reread') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('relist') }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** A small generator of its own (mulberry32), so that faults are part of the example that fast-check shrinks. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function unreliable(world: World, seed: number): void {
  const random = generator(seed);
  world.server.fault = (verb, event) => {
    const dice = random();
    if (dice < 0.06 && verb !== 'read') return 'lost';
    if (dice < 0.1) return { kind: 'retry', cause: 'throttled', message: '429' };
    if (dice < 0.12) return { kind: 'retry', cause: 'unavailable', message: '500' };
    if (dice < 0.2) world.server.touchByConsumer(event);
    return 'none';
  };
  world.server.latency = async () => {
    for (let left = Math.floor(random() * 4); left > 0; left -= 1) await turn();
  };
}

let serial = 0;

function readingOf(
  report: string,
  { ids, severity }: { ids: number[]; severity: Severity },
  how: Reading['completeness'],
) {
  const key = report.charAt(0) as 'a' | 'b';
  serial += 1;
  const findings = how === 'not-yet' ? [] : ids.map((id) => finding(idsOf[key][id] ?? '', { severity }));
  const reportedAt = new Date(start.getTime() + serial * 1000);
  return reading(report, findings, { reportKey: ['format', key], completeness: how, reportedAt });
}

async function run(world: World, model: HistoryModel, step: Operation): Promise<void> {
  const { server } = world;
  switch (step.kind) {
    case 'report': {
      const said = readingOf(step.name, step.findingSet, step.completeness);
      world.report(step.name, said);
      model.report(step.name, said);
      return;
    }
    case 'unreport':
      world.unreport(step.name);
      model.unreport(step.name);
      return;
    case 'rescan':
      if (world.reports.has(step.name)) world.tell(step.name);
      return;
    case 'restart':
      await world.restart(
        step.order.filter((report) => world.reports.has(report)),
        false,
      );
      for (const report of world.reports.keys()) if (!step.order.includes(report as 'a1')) world.tell(report);
      world.life.reconciler.setSettled('tool', true);
      model.restart();
      return;
    case 'echo':
      world.echo(step.count);
      return;
    case 'turns':
      for (let left = step.count; left > 0; left -= 1) await turn();
      return;
    case 'touch':
      server.touchByConsumer([...server.events.keys()][step.which] ?? '');
      return;
    case 'delete': {
      // Of those that must return; that others stay deleted is tested apart, since a write may be under way.
      const said = [...server.events.values()].filter(({ spec }) => model.isSaid(String(spec.details?.['id'])));
      server.deleteByHand(said[step.which]?.metadata.name ?? '');
      return;
    }
    case 'reread':
      world.reread();
      return;
    case 'relist':
      world.beginListing(); // it is complete when the watch is asked next
  }
}

/** Every change changed something that counts, and nothing was created that was there. */
function checkChanges(world: World): void {
  for (const { verb, name: event, before, after } of world.server.changes) {
    if (verb === 'create') assert.equal(before, undefined, `${event} was created twice`);
    if (verb === 'replace')
      assert.notEqual(before?.spec.severity, after?.spec.severity, `${event} written for nothing`);
    if (verb === 'patch') assert.notEqual(before?.status?.phase, after?.status?.phase, `${event} patched for nothing`);
  }
}

suite('reconciler, writer and own events: random histories', () => {
  test('end as the requirements say', { timeout: 60_000 }, async (context) => {
    let runs = 0;
    const property = fc.asyncProperty(
      fc.array(operation, { minLength: 5, maxLength: 60 }),
      fc.nat(),
      fc.constantFrom(2, 1000),
      async (steps, seed, queueItems) => {
        runs += 1;
        const world = new World({ queueItems, concurrency: 3 });
        const model = new HistoryModel(queueItems < 10);
        unreliable(world, seed);
        for (const step of steps) await run(world, model, step);
        await world.rest();
        model.check(world.state);
        checkChanges(world);
        // A restart and a rescan say nothing new, except that what vanished before is forgotten.
        model.restart(true);
        await world.restart();
        await world.rest();
        model.check(world.state);
        model.checkSeverities(world.server.events.values());
        const before = world.server.changes.length;
        for (const report of world.reports.keys()) world.tell(report);
        await world.restart();
        await world.rest();
        assert.equal(world.server.changes.length, before, 'a rescan or restart wrote something');
        await world.life.writer.stop();
      },
    );
    await fc.assert(property, {
      seed: 20_260_101,
      numRuns: 400,
      interruptAfterTimeLimit: 15_000,
    });
    context.diagnostic(`${runs} histories`);
  });
});
