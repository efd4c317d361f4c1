/** What becomes of findings whose report, resource, policy, tool or repetition is gone (F3). Time is the test's. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { hash52 } from '../../src/lib/hash.ts';
import { blindView, resourceHash } from '../../src/pipeline/evidence.ts';
import type { FindingOptions } from '../support/findings.ts';
import { finding, keyOf, reading, start } from '../support/findings.ts';
import { changes, onlyEvent, World } from '../support/pipeline-world.ts';

const minute = 60_000;
const pod = { apiVersion: 'v1', kind: 'Pod', name: 'alone', namespace: 'shop' };
const web = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', namespace: 'shop' };

/** Reports `r` about one finding, and reports about others of the same tool, so that one loss is not most of them. */
async function settled(world: World, options: FindingOptions = {}): Promise<string> {
  await changes(world, () => world.report('r', reading('r', [finding('a', options)])));
  const { name } = onlyEvent(world).metadata;
  for (const other of ['o1', 'o2', 'o3']) othersSpeak(world, other);
  await world.rest();
  return name;
}

let spoken = 0;
function othersSpeak(world: World, name = 'o1'): void {
  spoken += 1;
  const reportedAt = new Date(start.getTime() + spoken * 1000);
  world.report(name, reading(name, [], { reportKey: ['format', name], reportedAt }));
}

const eventOf = (world: World, name: string) => world.server.events.get(name) as StoredEvent;
const freshOf = (world: World, name: string) =>
  eventOf(world, name).status?.conditions?.map(({ type, status, reason }) => `${type}=${status} ${reason}`);

suite('life cycle: a report that vanished', () => {
  test('leaves its findings alone within the grace, then Active but not fresh; it is fresh when the report returns', async () => {
    const world = new World();
    const name = await settled(world);
    world.unreport('r');
    await world.later(world.graceMs - 1);
    assert.equal(freshOf(world, name), undefined);
    await world.later(2);
    assert.deepEqual(freshOf(world, name), ['Fresh=False ReportMissing']);
    assert.deepEqual(world.state, ['a']);
    assert.equal(await changes(world, () => world.later(minute)), 0, 'it is said once');
    await changes(world, () => world.report('r', reading('r', [finding('a')])));
    await world.later(1);
    assert.deepEqual(freshOf(world, name), ['Fresh=True Reported']);
    assert.equal(await changes(world, () => world.later(minute)), 0);
  });

  test('ends them as resource-deleted when the tool goes on reporting about others for a whole grace', async () => {
    const world = new World();
    await settled(world);
    world.unreport('r');
    await world.later(10);
    othersSpeak(world);
    await world.later(world.graceMs - 20);
    assert.deepEqual(world.state, ['a']);
    await world.later(20);
    assert.deepEqual(world.state, ['(a resource-deleted)']);
    await world.later(1);
    assert.equal(world.life.reports.objects, 3, 'the report is forgotten');
    await changes(world, () => world.report('r', reading('r', [finding('a')])));
    assert.deepEqual(world.state, ['a'], 'what returns is Active again');
  });

  test('does not end what is seen to run, however long its report is away', async () => {
    const world = new World();
    const name = await settled(world);
    world.view = { ...blindView, runningResources: () => new Set([resourceHash(web)]) };
    world.unreport('r');
    await world.later(10);
    for (let round = 0; round < 5; round += 1) {
      othersSpeak(world);
      await world.later(world.graceMs);
    }
    assert.deepEqual(world.state, ['a']);
    assert.deepEqual(freshOf(world, name), ['Fresh=False ReportMissing']);
  });

  test('is not taken for the only one when all others are as silent', async () => {
    const world = new World();
    const name = await settled(world);
    world.unreport('r');
    await world.later(10 * world.graceMs);
    assert.deepEqual(world.state, ['a']);
    // They speak again: the tool needs time to come to this one.
    othersSpeak(world);
    await world.later(world.graceMs - 1);
    othersSpeak(world);
    assert.deepEqual(world.state, ['a']);
    await world.later(1);
    assert.deepEqual(world.state, ['(a resource-deleted)']);
    assert.equal(eventOf(world, name).status?.reason, 'resource-deleted');
  });

  test('and a month later ends as unverified', async () => {
    const world = new World();
    await settled(world);
    world.unreport('r');
    await world.later(world.graceMs);
    await world.later(world.unverifiedMs - 1);
    assert.deepEqual(world.state, ['a']);
    await world.later(2);
    assert.deepEqual(world.state, ['(a unverified)']);
  });

  test('has its grace from the start of the process that finds it gone', async () => {
    const world = new World();
    const name = await settled(world);
    world.reports.delete('r');
    await world.restart();
    await world.later(1);
    await world.later(world.graceMs - 1);
    assert.equal(freshOf(world, name), undefined);
    await world.later(1);
    assert.deepEqual(freshOf(world, name), ['Fresh=False ReportMissing']);
    await world.restart();
    assert.equal(await changes(world, () => world.later(world.graceMs)), 0, 'what is known is not said again');
  });

  test('and one that is partial or older than the one that held a finding says nothing about it', async () => {
    const world = new World();
    const name = await settled(world);
    await changes(world, () => world.report('r', reading('r', [], { completeness: 'partial' })));
    await world.restart();
    await world.later(1);
    othersSpeak(world);
    await world.later(10 * world.graceMs);
    assert.deepEqual(world.state, ['a']);
    assert.equal(freshOf(world, name), undefined);
  });
});

suite('life cycle: what the cluster shows', () => {
  test('a namespace that is gone ends its findings at once; while it is being deleted it does not', async () => {
    const world = new World();
    await settled(world);
    world.view = { ...blindView, isLeaving: () => true };
    world.unreport('r');
    await world.later(1);
    assert.deepEqual(world.state, ['a']);
    world.view = { ...blindView, isLeaving: () => true, isNamespaceGone: (namespace) => namespace === 'shop' };
    await world.later(1);
    assert.deepEqual(world.state, ['(a resource-deleted)']);
  });

  test('a Pod that is gone ends the findings of its vanished report; one that runs does not', async () => {
    const world = new World();
    await settled(world, { resource: pod });
    world.view = { ...blindView, runningResources: () => new Set([resourceHash(pod)]) };
    world.unreport('r');
    await world.later(1);
    assert.deepEqual(world.state, ['a']);
    world.view = { ...blindView, runningResources: () => new Set() };
    await world.later(1);
    assert.deepEqual(world.state, ['(a resource-deleted)']);
  });

  test('an object that is what its findings are about ends them at once, and only where it is known to be gone', async () => {
    for (const end of ['resource-deleted', 'policy-deleted', 'folded'] as const) {
      const world = new World();
      await settled(world);
      world.unreport('r');
      world.view = {
        ...blindView,
        endOfReport: (kind, describer) =>
          kind === 'tool.example|Report' && describer !== hash52(keyOf('r')) ? end : undefined,
      };
      await world.later(1);
      assert.deepEqual(world.state, ['a'], 'another object is gone');
      world.view = {
        ...blindView,
        endOfReport: (_kind, describer) => (describer === hash52(keyOf('r')) ? end : undefined),
      };
      await world.later(1);
      assert.deepEqual(world.state, [`(a ${end})`]);
    }
  });

  test('a policy that is gone ends what no report holds, and is the reason when a newer report drops it', async () => {
    const world = new World();
    await settled(world, { policy: 'no-root' });
    await changes(world, () => world.report('r', reading('r', [finding('a', { policy: 'no-root' })])));
    world.view = { ...blindView, isPolicyGone: (_source, policy) => policy === 'no-root' };
    await world.later(1);
    assert.deepEqual(world.state, ['a'], 'the report holds it');
    await changes(world, () => world.report('r', reading('r', [])));
    assert.deepEqual(world.state, ['(a policy-deleted)']);

    const other = new World();
    await settled(other, { policy: 'no-root' });
    other.view = world.view;
    other.unreport('r');
    await other.later(1);
    assert.deepEqual(other.state, ['(a policy-deleted)']);
  });
});

suite('life cycle: a tool that vanished', () => {
  test('its CRD gone or its reports unreadable beyond the grace: Active, not fresh, fresh again when it is back', async () => {
    for (const [kind, reason] of [
      ['gone', 'SourceGone'],
      ['silent', 'SourceSilent'],
    ] as const) {
      const world = new World();
      const name = await settled(world);
      world.kindState = { kind, sinceMs: world.elapsedMs };
      await world.later(world.graceMs - 1);
      assert.equal(freshOf(world, name), undefined);
      await world.later(1);
      assert.deepEqual(freshOf(world, name), [`Fresh=False ${reason}`]);
      assert.deepEqual(world.state, ['a']);
      world.kindState = { kind: 'listed' };
      await world.later(1);
      assert.deepEqual(freshOf(world, name), ['Fresh=True Reported']);
    }
  });

  test('more than half of its reports gone at once: nothing of it is resolved until one speaks, and then after a grace', async () => {
    const world = new World();
    await settled(world);
    for (const name of ['r', 'o1', 'o2']) world.unreport(name);
    assert.deepEqual(world.life.halts, ['tool.example|Report tool true']);
    await world.later(10 * world.graceMs);
    assert.deepEqual(world.state, ['a']);
    othersSpeak(world, 'o1');
    assert.deepEqual(world.life.halts.at(-1), 'tool.example|Report tool false');
    await world.later(1);
    assert.deepEqual(world.state, ['a'], 'the reports return one by one: each has its grace');
    othersSpeak(world, 'o2');
    await world.later(world.graceMs);
    assert.deepEqual(world.state, ['(a resource-deleted)']);
  });

  test('what was missing before that, and was about to be over, is not resolved either', async () => {
    const world = new World();
    await settled(world);
    world.unreport('r');
    await world.later(10);
    othersSpeak(world);
    await world.later(world.graceMs - 20);
    for (const name of ['o1', 'o2']) world.unreport(name);
    assert.equal(world.life.halts.length, 1);
    await world.later(20);
    assert.deepEqual(world.state, ['a']);
  });

  test('losses that are spread over time, made up for, or in a namespace that is being deleted, do not count', async () => {
    const spread = new World();
    await settled(spread);
    for (const name of ['r', 'o1', 'o2', 'o3']) {
      spread.unreport(name);
      if (name !== 'o3') await spread.later(11 * minute);
    }
    assert.deepEqual(spread.life.halts, ['tool.example|Report tool true'], 'the last one is all there is');

    const renewed = new World();
    await settled(renewed);
    for (const name of ['r', 'o1', 'o2', 'o3']) {
      renewed.unreport(name);
      othersSpeak(renewed, name);
    }
    assert.deepEqual(renewed.life.halts, []);

    const leaving = new World();
    await settled(leaving);
    leaving.view = { ...blindView, isLeaving: () => true };
    for (const name of ['r', 'o1', 'o2', 'o3']) leaving.unreport(name);
    assert.deepEqual(leaving.life.halts, []);
  });

  test('another tool that writes the same kind of report says nothing for it', async () => {
    const world = new World();
    await settled(world);
    for (const name of ['x1', 'x2'])
      world.report(name, reading(name, [], { reportKey: ['format', name], speaksFor: ['other'] }));
    world.unreport('r');
    await world.later(10);
    world.report('x1', reading('x1', [], { reportKey: ['format', 'x1'], speaksFor: ['other'] }));
    await world.later(world.graceMs);
    assert.deepEqual(world.state, ['a']);
  });
});
