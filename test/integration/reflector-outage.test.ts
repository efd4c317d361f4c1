/** The reflector and an API server that restarts or has forgotten the past. In a control plane of its own. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { KubeEventStore } from '../../src/kube/event-store.ts';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { waitFor } from '../support/recorder.ts';
import { Rest } from '../support/rest.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { TcpGate } from '../support/tcp-gate.ts';
import { clientFor, Watching, type WatchingOptions } from '../support/watching.ts';
import { WidgetCrd } from '../support/widget-crd.ts';

const namespace = 'default';

suite('an API server', () => {
  let controlPlane: ControlPlane;
  let rest: Rest;
  let crd: WidgetCrd;

  before(async () => {
    controlPlane = await startControlPlane({
      controllerManager: false,
      extraApiServerFlags: ['--etcd-compaction-interval=1s'],
    });
    rest = new Rest(controlPlane);
    crd = new WidgetCrd(rest);
    await crd.serve();
  });

  after(async () => {
    await rest.close();
    await controlPlane.stop();
  });

  function watch(options: Partial<WatchingOptions> = {}): Watching {
    const { group, resource } = crd;
    return new Watching(controlPlane, {
      collection: { group, version: 'v1', resource, namespace },
      ...options,
    }).start();
  }

  test('without the CRD of events: creating one is tried again, reading one fails', async () => {
    const client = clientFor(controlPlane);
    const store = new KubeEventStore(client);
    const answer = await store.create(namespace, JSON.stringify(sampleEvent('outage')));
    assert.deepEqual([answer.kind, 'cause' in answer && answer.cause], ['retry', 'namespace-missing']);
    await assert.rejects(store.read(namespace, 'x'), { status: 404 });
    await client.close();
  });

  test('that has forgotten the past: 410, listed anew, converged', async () => {
    const gate = await TcpGate.open(controlPlane.server);
    await crd.create(namespace, 'same');
    await crd.create(namespace, 'deleted');
    const one = watch({ server: gate.url });
    const { recorder } = one;
    await recorder.logged('live');
    gate.shut();
    await crd.delete(namespace, 'deleted');
    const created = await crd.create(namespace, 'created');
    // After its restart the server knows the past only from etcd's history, which is compacted.
    const place = Number(one.places.at(-1) ?? 0) || Number(created.metadata.resourceVersion);
    await waitFor('the compaction', async () => {
      const list = `/apis/${crd.group}/v1/${crd.resource}?resourceVersionMatch=Exact&limit=1&resourceVersion=${place}`;
      return (await rest.send('GET', list)).code === 410;
    });
    await controlPlane.restart('kube-apiserver');
    await waitFor('the server', async () => (await rest.send('GET', '/readyz')).code === 200);
    gate.reopen();
    await recorder.logged('listing complete', 2);
    await recorder.logged('live', 2);
    assert.ok(one.asked.includes('watch 410') || one.received.includes('"code":410'), one.asked.join(', '));
    assert.deepEqual([...recorder.picture.keys()].sort(), [`${namespace}/created`, `${namespace}/same`]);
    assert.equal(recorder.tales.filter((tale) => tale.includes('/same@')).length, 1);
    assert.equal(recorder.count(`gone ${namespace}/deleted`), 1);
    await one.stop();
    await gate.close();
  });

  test('that forgets the past between two pages of a list: listed from the start, nothing gone', async () => {
    for (let i = 100; i < 170; i += 1) await crd.create(namespace, `p${i}`);
    const gate = Promise.withResolvers<void>();
    const one = watch({ paged: true });
    const { recorder } = one;
    recorder.room = () => (recorder.picture.size < 20 ? Promise.resolve() : gate.promise);
    await waitFor('the first objects', () => recorder.picture.size === 20);
    const { metadata } = await crd.create(namespace, 'zz-late');
    const list = `/apis/${crd.group}/v1/${crd.resource}?resourceVersionMatch=Exact&limit=1&resourceVersion=`;
    await waitFor('the compaction', async () => {
      await crd.change(namespace, 'zz-late', { spec: { at: Date.now() } });
      return (await rest.send('GET', list + metadata.resourceVersion)).code === 410;
    });
    gate.resolve();
    await recorder.logged('live');
    assert.ok(one.asked.includes('list 410'), one.asked.join(', '));
    assert.ok(recorder.picture.has(`${namespace}/zz-late`));
    assert.ok(!recorder.tales.some((tale) => tale.startsWith('gone')));
    assert.equal(recorder.tales.length, recorder.picture.size, 'each told once');
    await one.stop();
  });

  test('that restarts, twice, once by SIGKILL: everything is told, nothing twice', async () => {
    const many = await Promise.all([1, 2, 3].map(() => watch()));
    for (const { recorder } of many) await recorder.logged('live');
    const state = many.map(({ recorder }) => recorder.tales.length);
    await controlPlane.restart('kube-apiserver');
    await crd.create(namespace, 'after-restart');
    await controlPlane.kill('kube-apiserver');
    for (const { recorder } of many) await recorder.logged('stale');
    await controlPlane.start();
    await crd.delete(namespace, 'after-restart');
    const last = await crd.create(namespace, 'after-kill');
    for (const [index, { recorder }] of many.entries()) {
      await recorder.logged(`object ${namespace}/after-kill@${last.metadata.resourceVersion}`);
      await waitFor('the end of after-restart', () => !recorder.picture.has(`${namespace}/after-restart`));
      await waitFor('live', () => recorder.state?.kind === 'live');
      const tales = recorder.tales.slice(state[index]);
      assert.deepEqual(
        tales.filter((tale) => !tale.includes('/after-')),
        [],
      );
      assert.equal(tales.filter((tale) => tale.startsWith('object') && tale.includes('/after-kill@')).length, 1);
    }
    await Promise.all(many.map((one) => one.stop()));
  });
});
