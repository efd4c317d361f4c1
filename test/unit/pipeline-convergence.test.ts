/** What happens to events and reports besides reports changing: hands, full queues, late Pods. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { ResourceReference } from '../../src/sources/source.ts';
import { finding, keyOf, reading, tool } from '../support/findings.ts';
import { changes, onlyEvent, World } from '../support/pipeline-world.ts';

suite('reconciler: events changed by hand', () => {
  test('an event deleted by hand returns while its finding exists, and only then', async () => {
    const world = new World();
    await changes(world, () => world.report('r', reading('r', [finding('a')])));
    const { name } = onlyEvent(world).metadata;
    assert.equal(await changes(world, () => world.server.deleteByHand(name)), 1);
    assert.deepEqual(world.state, ['a']);
    await changes(world, () => world.report('r', reading('r', [])));
    assert.equal(await changes(world, () => world.server.deleteByHand(name)), 0);
    assert.deepEqual(world.state, []);
    assert.equal(world.life.index.size, 0);
  });

  test('an event edited by hand is mended, told as tampering, and keeps what is not ours', async () => {
    const world = new World();
    await changes(world, () => world.report('r', reading('r', [finding('a')])));
    const event = onlyEvent(world);
    const { metadata, spec } = event;
    const labels = { ...metadata.labels, severity: 'low', team: 'blue' };
    const edited = { ...event, metadata: { ...metadata, labels }, spec: { ...spec, severity: 'low' as const } };
    assert.equal(await changes(world, () => void world.server.putByHand(edited)), 1);
    const mended = onlyEvent(world);
    assert.equal(mended.spec.severity, 'high');
    assert.deepEqual([mended.metadata.labels?.['severity'], mended.metadata.labels?.['team']], ['high', 'blue']);
    assert.deepEqual(world.life.tampered, [`mended ${metadata.name}`]);
  });

  test("a consumer's status and labels of others are no change", async () => {
    const world = new World();
    await changes(world, () => world.report('r', reading('r', [finding('a')])));
    const event = onlyEvent(world);
    assert.equal(await changes(world, () => world.server.touchByConsumer(event.metadata.name)), 0);
    const labelled = { ...event, metadata: { ...event.metadata, labels: { ...event.metadata.labels, team: 'blue' } } };
    assert.equal(await changes(world, () => void world.server.putByHand(labelled)), 0);
    assert.equal(await changes(world, () => world.report('r', reading('r', []))), 1);
    assert.equal(onlyEvent(world).status?.synced, undefined);
  });

  test('an event resolved by hand is Active again while its finding is held, and the other way round', async () => {
    const world = new World();
    await changes(world, () => world.report('r', reading('r', [finding('a')])));
    const event = onlyEvent(world);
    const put = (phase: 'Active' | 'Resolved') => void world.server.putByHand({ ...event, status: { phase } });
    await changes(world, () => put('Resolved'));
    assert.deepEqual(world.state, ['a']);
    await changes(world, () => world.report('r', reading('r', [])));
    await changes(world, () => put('Active'));
    assert.deepEqual(world.state, ['(a fixed)']);
  });
});

suite('reconciler: hands that are faster than our answers', () => {
  const slow = () => {
    const world = new World();
    world.server.latency = () => new Promise((resolve) => setTimeout(resolve, 3));
    world.report('r', reading('r', [finding('a')]));
    world.echo();
    return world;
  };

  test('an event that is edited before its creation was answered is mended', async () => {
    const world = slow();
    const event = onlyEvent(world);
    world.server.putByHand({ ...event, spec: { ...event.spec, severity: 'low' } });
    world.echo();
    await world.rest();
    assert.equal(onlyEvent(world).spec.severity, 'high');
  });

  test('an event that is deleted before its creation was answered returns', async () => {
    const world = slow();
    world.server.deleteByHand(onlyEvent(world).metadata.name);
    world.echo();
    await world.rest();
    assert.deepEqual(world.state, ['a']);
  });

  test('and also when a listing that lacks it was faster than the answer', async () => {
    const world = new World();
    world.server.latency = () => new Promise((resolve) => setTimeout(resolve, 3));
    world.report('r', reading('r', [finding('a')]));
    world.server.deleteByHand(onlyEvent(world).metadata.name);
    world.beginListing();
    world.completeListing();
    await world.rest();
    assert.deepEqual(world.state, ['a']);
  });

  test('an event whose creation was never answered is resolved although its finding was gone by then', async () => {
    const world = new World();
    world.server.fault = (verb) => (verb === 'create' ? 'lost' : 'none');
    world.report('r', reading('r', [finding('a')]));
    world.report('r', reading('r', []));
    while (world.life.queue.items > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.deepEqual(world.life.outcomes, []);
    await world.rest();
    assert.deepEqual(world.state, ['(a fixed)']);
  });
});

suite('reconciler: a full queue', () => {
  test('marks the report dirty; all is written at last, and received says what was taken', async () => {
    const world = new World({ queueItems: 3, concurrency: 1 });
    const ids = Array.from({ length: 40 }, (_, number) => `f${number}`);
    world.report(
      'r',
      reading(
        'r',
        ids.map((id) => finding(id)),
      ),
    );
    assert.deepEqual([...world.life.dirty], [[keyOf('r'), 'queue-full']]);
    assert.equal(world.life.books.balance().received, 3);
    await world.rest();
    assert.deepEqual(world.state, ids.toSorted());
    await changes(world, () => world.report('r', reading('r', [])));
    assert.equal(world.state.filter((event) => event.includes('fixed')).length, 40);
  });

  test('an event whose finding is gone before it was written is never written', async () => {
    const world = new World({ concurrency: 1 });
    world.server.latency = () => new Promise((resolve) => setTimeout(resolve, 2));
    world.report('r', reading('r', [finding('a'), finding('b')]));
    world.report('r', reading('r', [finding('a')]));
    await world.rest();
    assert.deepEqual(world.state, ['a']);
    assert.equal(world.server.requests.length, 1);
  });

  test('what is resolved while it is being created is resolved after that', async () => {
    const world = new World();
    world.server.latency = () => new Promise((resolve) => setTimeout(resolve, 2));
    world.report('old', reading('old', [finding('a')]));
    world.report('new', reading('new', []));
    world.unreport('old');
    await world.rest();
    assert.deepEqual(world.state, ['(a fixed)']);
  });
});

const pod: ResourceReference = { apiVersion: 'v1', kind: 'Pod', name: 'db-0', namespace: 'shop' };
const byPod = finding('a', { resource: pod, byOwner: true });
const podReading = reading('r', [byPod], { reportKey: ['format', { ownerOf: pod }] });
const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db' };

suite('reconciler: Pods that are not known yet', () => {
  test('a report that names one is put off, and read when the Pod appears', async () => {
    const world = new World();
    world.lookUpPod = () => 'unknown';
    world.report('r', podReading);
    assert.equal(world.life.queue.items, 0);
    assert.equal(world.life.dirty.get(keyOf('r')), 'pods-unknown');
    world.life.dirty.clear();
    world.lookUpPod = () => owner;
    world.life.reconciler.podAppeared('shop', 'db-0');
    assert.equal(world.life.dirty.get(keyOf('r')), 'pod-appeared');
    await world.rest();
    assert.equal(onlyEvent(world).spec.resource?.kind, 'StatefulSet');
    assert.equal(world.life.reconciler.wantedPods, 0);
  });

  test('a second report about it in the meantime does not cut the wait short', async () => {
    const world = new World();
    world.lookUpPod = () => 'unknown';
    world.report('r', podReading);
    world.elapsedMs += 1000;
    world.tell('r');
    assert.equal(world.life.queue.items, 0);
    world.elapsedMs += 3000;
    world.tell('r');
    await world.rest();
    assert.equal(onlyEvent(world).spec.resource?.kind, 'Pod');
    await changes(world, () => world.report('r', { ...podReading, findings: [] }));
    assert.deepEqual(world.state, ['(a fixed)']);
  });

  test("what was named by the Pod in vain is folded into the owner's event when it appears", async () => {
    const world = new World();
    world.lookUpPod = () => 'unknown';
    world.report('r', podReading);
    world.elapsedMs += 4000;
    world.tell('r');
    await world.rest();
    world.lookUpPod = () => owner;
    world.life.reconciler.podAppeared('shop', 'db-0');
    await world.rest();
    assert.deepEqual(world.state, ['(a folded)', 'a']);
    assert.equal(await changes(world, () => world.restart()), 0);
  });

  test('and after a restart too', async () => {
    const world = new World();
    world.lookUpPod = () => 'unknown';
    world.report('r', podReading);
    world.elapsedMs += 4000;
    world.tell('r');
    await world.rest();
    world.lookUpPod = () => owner;
    assert.equal(await changes(world, () => world.restart()), 2);
    assert.deepEqual(world.state, ['(a folded)', 'a']);
  });

  test('nothing is resolved while a report that waits may hold it', async () => {
    const world = new World();
    const key = ['format', 'shared'];
    await changes(world, () => world.report('one', reading('one', [finding('b')], { reportKey: key })));
    await changes(world, () => world.report('two', reading('two', [finding('b'), byPod], { reportKey: key })));
    await changes(world, () => world.report('one', reading('one', [], { reportKey: key })));
    world.lookUpPod = () => 'unknown';
    assert.equal(
      await changes(world, async () => {
        await world.restart(['one', 'two'], false);
        world.life.dirty.clear();
        world.life.reconciler.setSettled(tool, true);
      }),
      0,
    );
    world.lookUpPod = () => 'none';
    world.life.reconciler.podAppeared('shop', 'db-0');
    assert.equal(await changes(world, () => {}), 0);
    assert.deepEqual(world.state, ['a', 'b']);
  });

  test('a report that is deleted while it waits leaves nothing behind', async () => {
    const world = new World();
    world.lookUpPod = () => 'unknown';
    world.report('r', podReading);
    world.unreport('r');
    world.life.dirty.clear();
    assert.deepEqual([world.life.reports.objects, world.life.reconciler.wantedPods], [0, 0]);
    world.report('r', { ...podReading, completeness: 'not-yet', findings: [] });
    world.elapsedMs += 4000;
    world.tell('r');
    world.unreport('r');
    assert.deepEqual([world.life.reports.objects, world.life.reconciler.wantedPods], [0, 0]);
  });
});
