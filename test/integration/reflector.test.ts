/** The reflector against a real API server. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeError } from '../../src/kube/kube-error.ts';
import { ApiProxy } from '../support/api-proxy.ts';
import { makeNamespace, removeNamespace } from '../support/namespace.ts';
import { waitFor } from '../support/recorder.ts';
import { Rest } from '../support/rest.ts';
import { type UsedControlPlane, useControlPlane } from '../support/shared-control-plane.ts';
import { TcpGate } from '../support/tcp-gate.ts';
import { Watching, type WatchingOptions } from '../support/watching.ts';
import { WidgetCrd } from '../support/widget-crd.ts';

suite('a reflector on a real server', () => {
  let used: UsedControlPlane;
  let rest: Rest;
  let crd: WidgetCrd;
  const namespaces: string[] = [];

  before(async () => {
    used = await useControlPlane();
    rest = new Rest(used.controlPlane);
    crd = new WidgetCrd(rest);
    await crd.serve();
  });

  after(async () => {
    await crd.remove();
    for (const namespace of namespaces) await removeNamespace(used.controlPlane, namespace);
    await rest.close();
    await used.stop();
  });

  async function newNamespace(): Promise<string> {
    const namespace = await makeNamespace(used.controlPlane, 'reflector');
    namespaces.push(namespace);
    return namespace;
  }

  /** Reflects the widgets of a namespace while `run` runs. */
  async function watching(
    namespace: string,
    run: (watching: Watching) => Promise<void>,
    options: Partial<WatchingOptions> = {},
  ): Promise<void> {
    const { group, resource } = crd;
    const collection = { group, version: 'v1', resource, namespace };
    const one = new Watching(used.controlPlane, { collection, ...options }).start();
    await run(one).finally(() => one.stop());
  }

  test('a streaming list and a paged one tell the same; objects without kind are told whole', async () => {
    const namespace = await newNamespace();
    for (let i = 0; i < 7; i += 1) await crd.create(namespace, `w${i}`, { spec: { i } });
    const told: [string, string][][] = [];
    for (const paged of [false, true]) {
      await watching(
        namespace,
        async ({ recorder, asked }) => {
          await recorder.logged('live');
          told.push([...recorder.picture].sort());
          assert.deepEqual(
            recorder.objects.map((object) => (object['spec'] as { i: number }).i).sort(),
            [0, 1, 2, 3, 4, 5, 6],
          );
          const isRefused = asked[0] === 'stream list 422'; // By us, or by a server of before 1.34.
          assert.ok(isRefused || !paged);
          assert.deepEqual(asked.slice(0, 2), isRefused ? ['stream list 422', 'list 200'] : ['stream list 200']);
        },
        { paged },
      );
    }
    assert.equal(told[0]?.length, 7);
    assert.deepEqual(told[0], told[1]);
  });

  test('pages: more objects than one page holds', async () => {
    const namespace = await newNamespace();
    await Promise.all(Array.from({ length: 60 }, (_, i) => crd.create(namespace, `w${i}`)));
    await watching(
      namespace,
      async (one) => {
        await one.recorder.logged('live');
        assert.equal(one.recorder.picture.size, 60);
        assert.equal(one.count('list'), 2);
      },
      { paged: true },
    );
  });

  for (const paged of [false, true]) {
    test(`a watch that the server ends is resumed: no listing, nothing twice, nothing missed (${paged ? 'paged' : 'stream'})`, async () => {
      const namespace = await newNamespace();
      await crd.create(namespace, 'quiet');
      await watching(
        namespace,
        async (one) => {
          const { recorder } = one;
          await recorder.logged('live');
          const expected = [...recorder.tales];
          for (let i = 0; one.count('watch') < 4; i += 1) {
            const { metadata } = await crd.create(namespace, `w${i}`);
            await crd.delete(namespace, `w${i}`);
            expected.push(`object ${namespace}/w${i}@${metadata.resourceVersion}`, `gone ${namespace}/w${i}`);
            await recorder.logged(`gone ${namespace}/w${i}`);
          }
          assert.deepEqual(recorder.tales, expected);
          assert.equal(recorder.listings, 1);
          assert.equal(recorder.count('stale'), 0);
        },
        { paged, timing: { watchSeconds: 1 } },
      );
    });
  }

  test('bookmarks move the place on where it resumes', async () => {
    const [namespace, other] = [await newNamespace(), await newNamespace()];
    await watching(
      namespace,
      async (one) => {
        await one.recorder.logged('live');
        // The server sends a bookmark two seconds before it ends a watch.
        for (let i = 0; new Set(one.places).size < 2; i += 1) {
          await crd.create(other, `w${i}`);
          await sleep(500);
        }
        assert.deepEqual(one.recorder.tales, []);
        assert.equal(one.recorder.listings, 1);
      },
      { timing: { watchSeconds: 5 } },
    );
  });

  test('what is created, changed and deleted while the network is down is told afterwards', async () => {
    const namespace = await newNamespace();
    const gate = await TcpGate.open(used.controlPlane.server);
    for (const name of ['same', 'changed', 'deleted', 'remade']) await crd.create(namespace, name);
    await watching(
      namespace,
      async ({ recorder }) => {
        await recorder.logged('live');
        const before = recorder.tales.length;
        gate.shut();
        await recorder.logged('stale');
        await crd.create(namespace, 'created');
        await crd.change(namespace, 'changed', { spec: { a: 1 } });
        await crd.delete(namespace, 'deleted');
        await crd.delete(namespace, 'remade');
        const remade = await crd.create(namespace, 'remade');
        gate.reopen();
        await recorder.logged(`object ${namespace}/remade@${remade.metadata.resourceVersion}`);
        await recorder.logged('live', 2);
        const tales = recorder.tales.slice(before);
        for (const name of ['created', 'changed']) {
          assert.equal(tales.filter((tale) => tale.startsWith(`object ${namespace}/${name}@`)).length, 1, name);
        }
        assert.ok(tales.includes(`gone ${namespace}/deleted`));
        assert.ok(!tales.some((tale) => tale.includes('/same')));
        assert.deepEqual(
          [...recorder.picture.keys()].sort(),
          ['changed', 'created', 'remade', 'same'].map((name) => `${namespace}/${name}`),
        );
      },
      { server: gate.url },
    );
    await gate.close();
  });

  for (const paged of [false, true]) {
    test(`a relist tells what changed, what is new and what is gone, and nothing else (${paged ? 'paged' : 'stream'})`, async () => {
      const namespace = await newNamespace();
      const gate = await TcpGate.open(used.controlPlane.server);
      for (const name of ['same', 'changed', 'deleted', 'remade']) await crd.create(namespace, name);
      await watching(
        namespace,
        async (one) => {
          const { recorder } = one;
          await recorder.logged('live');
          const before = recorder.tales.length;
          gate.shut();
          one.failNext = new KubeError({ status: 410, reason: 'Expired', message: 'too old' });
          const changed = await crd.change(namespace, 'changed', { spec: { a: 1 } });
          await crd.delete(namespace, 'deleted');
          await crd.delete(namespace, 'remade');
          const remade = await crd.create(namespace, 'remade');
          gate.reopen();
          await recorder.logged('listing complete', 2);
          assert.deepEqual(recorder.tales.slice(before).sort(), [
            `gone ${namespace}/deleted`,
            `object ${namespace}/changed@${changed.metadata.resourceVersion}`,
            `object ${namespace}/remade@${remade.metadata.resourceVersion}`,
          ]);
          assert.deepEqual(
            recorder.corrections.toSorted(),
            ['changed', 'deleted', 'remade'].map((name) => `unwatched ${namespace}/${name}`),
          );
          const uids = recorder.objects.map(({ metadata }) => metadata['uid']);
          assert.ok(
            uids.includes(remade['metadata' as string].uid),
            'one that was deleted and made anew is told as it is now',
          );
        },
        { paged, server: gate.url },
      );
      await gate.close();
    });
  }

  for (const paged of [false, true]) {
    test(`what a watch left out is corrected by a relist and told as missed, what changed meanwhile is not (${paged ? 'paged' : 'stream'})`, async () => {
      const namespace = await newNamespace();
      const proxy = await ApiProxy.open(used.controlPlane);
      for (const name of ['same', 'changed', 'deleted', 'later']) await crd.create(namespace, name);
      const ran = watching(
        namespace,
        async ({ recorder, reflector }) => {
          await recorder.logged('live');
          proxy.line = (line) => (/"name":"(changed|deleted|created)"/.test(line) ? undefined : line);
          const changed = await crd.change(namespace, 'changed', { spec: { a: 1 } });
          await crd.delete(namespace, 'deleted');
          const created = await crd.create(namespace, 'created');
          const last = await crd.create(namespace, 'last');
          await recorder.logged(`object ${namespace}/last@${last.metadata.resourceVersion}`);
          assert.equal(recorder.picture.has(`${namespace}/deleted`), true);
          // From here on the watch tells nothing at all, and the place where it stands stays before these changes.
          proxy.line = () => undefined;
          const later = await crd.change(namespace, 'later', { spec: { a: 1 } });
          const meanwhile = await crd.create(namespace, 'meanwhile');
          proxy.line = (line) => line;
          reflector.relist();
          await recorder.logged('listing complete', 2);
          await waitFor('the verdict', () => recorder.corrections.length > 0);
          const missed = ['changed', 'created', 'deleted'].map((name) => `missed ${namespace}/${name}`);
          assert.deepEqual(recorder.corrections.toSorted(), missed);
          const right = { same: undefined, changed, created, last, later, meanwhile };
          assert.deepEqual(
            [...recorder.picture.keys()].toSorted(),
            Object.keys(right)
              .map((name) => `${namespace}/${name}`)
              .toSorted(),
          );
          reflector.retell();
          await recorder.logged('listing complete', 3);
          assert.deepEqual(recorder.corrections.length, 3);
        },
        { paged, server: proxy.url },
      );
      await ran.finally(() => proxy.close());
    });
  }

  for (const paged of [false, true]) {
    test(`metadata only: nothing of a Pod's spec arrives (${paged ? 'paged' : 'stream'})`, async () => {
      const namespace = await newNamespace();
      const pods = `/api/v1/namespaces/${namespace}/pods`;
      const pod = (name: string) => ({
        metadata: { name, labels: { app: 'x' } },
        spec: { containers: [{ name: 'c', image: 'marker-in-spec', env: [{ name: 'A', value: 'marker-in-env' }] }] },
      });
      // Pods need the namespace's service account, which a controller makes.
      await waitFor('a Pod', async () => (await rest.send('POST', pods, pod('one'))).code === 201);
      const collection = { group: '', version: 'v1', resource: 'pods', namespace };
      await watching(
        namespace,
        async (one) => {
          await one.recorder.logged('live');
          assert.equal((await rest.send('POST', pods, pod('two'))).code, 201);
          await waitFor('the second Pod', () => one.recorder.picture.has(`${namespace}/two`));
          assert.equal(one.recorder.picture.size, 2);
          for (const object of one.recorder.objects) {
            assert.deepEqual(
              Object.keys(object).filter((key) => !['apiVersion', 'kind'].includes(key)),
              ['metadata'],
            );
            assert.deepEqual(object.metadata['labels'], { app: 'x' });
          }
          assert.ok(one.received.includes('PartialObjectMetadata') && one.received.includes('"two"'));
          assert.ok(!one.received.includes('marker-in'));
        },
        { paged, collection, reflector: { shape: 'metadata' } },
      );
    });
  }

  test('metadata only: Namespaces', async () => {
    const namespace = await newNamespace();
    await watching(
      namespace,
      async (one) => {
        await one.recorder.logged('live');
        assert.ok(one.recorder.picture.has(`/${namespace}`));
        assert.ok(
          one.received.includes(namespace) &&
            !one.received.includes('"phase"') &&
            !one.received.includes('"finalizers":["kubernetes"]'),
        );
      },
      { collection: { group: '', version: 'v1', resource: 'namespaces' }, reflector: { shape: 'metadata' } },
    );
  });

  test('labels select on the server', async () => {
    const namespace = await newNamespace();
    await crd.create(namespace, 'in', { metadata: { name: 'in', labels: { take: 'me' } } });
    await crd.create(namespace, 'out');
    await watching(
      namespace,
      async ({ recorder }) => {
        await recorder.logged('live');
        assert.deepEqual([...recorder.picture.keys()], [`${namespace}/in`]);
        await crd.change(namespace, 'in', { metadata: { labels: { take: 'other' } } });
        await recorder.logged(`gone ${namespace}/in`);
      },
      { reflector: { labelSelector: 'take=me' } },
    );
  });
});
