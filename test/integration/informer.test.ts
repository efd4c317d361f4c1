/** Informers and discovery on a real API server: CRDs that come, go and change their version; rights that come late. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { KubeClient } from '../../src/kube/client.ts';
import { Discovery } from '../../src/kube/discovery.ts';
import { Informer, type InformerOptions } from '../../src/kube/informer.ts';
import type { KubeError } from '../../src/kube/kube-error.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { kubeConfigFor } from '../support/misbehaving-server.ts';
import { makeNamespace, removeNamespace } from '../support/namespace.ts';
import { Recorder, waitFor } from '../support/recorder.ts';
import { Rest } from '../support/rest.ts';
import { type UsedControlPlane, useControlPlane } from '../support/shared-control-plane.ts';
import { clientFor } from '../support/watching.ts';
import { WidgetCrd } from '../support/widget-crd.ts';

suite('an informer on a real server', () => {
  let used: UsedControlPlane;
  let rest: Rest;
  let namespace: string;

  before(async () => {
    used = await useControlPlane();
    rest = new Rest(used.controlPlane);
    namespace = await makeNamespace(used.controlPlane, 'informer');
  });

  after(async () => {
    await removeNamespace(used.controlPlane, namespace);
    await rest.close();
    await used.stop();
  });

  /** An informer of the CRD's widgets in the namespace, fed by discovery. */
  async function informing(
    crd: WidgetCrd,
    run: (informer: Informer, recorder: Recorder) => Promise<void>,
    options: Partial<InformerOptions> = {},
  ): Promise<void> {
    const client = clientFor(used.controlPlane);
    const recorder = new Recorder();
    const { group, resource } = crd;
    const informer = new Informer(
      {
        client,
        group,
        resource,
        versions: ['v2', 'v1'],
        namespaced: true,
        namespace,
        shape: 'full',
        clock: systemClock,
        random: Math.random,
        timing: { backoffFirstMs: 50, backoffMaximumMs: 500 },
        ...options,
      },
      recorder,
    );
    const discovery = new Discovery(
      { client, intervalMs: 200, random: Math.random },
      {
        changed: (served) => void informer.follow(served),
        failed: (message) => assert.fail(message),
        recovered: () => {},
      },
    );
    discovery.start();
    try {
      await run(informer, recorder);
    } finally {
      discovery.stop();
      await informer.stop();
      await options.client?.close();
      await client.close();
    }
  }

  test('waits for its CRD, sees it vanish, and takes it back in another version', async () => {
    const crd = new WidgetCrd(rest);
    await informing(crd, async (informer, recorder) => {
      await recorder.logged('absent');
      await informer.settled();
      assert.equal(informer.isSynced, false);
      await assert.rejects(informer.get(namespace, 'one'), { reason: 'Absent' });

      await crd.serve(['v1']);
      await informer.synced();
      await crd.create(namespace, 'one');
      await crd.create(namespace, 'two');
      await waitFor('both', () => informer.size === 2);
      assert.equal((await informer.get(namespace, 'one'))?.['kind'], 'Widget');
      assert.equal(await informer.get(namespace, 'three'), undefined);

      await crd.remove();
      await recorder.logged('absent', 2);
      await waitFor('not synced', () => !informer.isSynced);
      await assert.rejects(informer.get(namespace, 'one'), 'nobody knows');

      await crd.serve(['v2']);
      const two = await crd.create(namespace, 'two', {}, 'v2');
      await recorder.logged(`object ${namespace}/two@${two.metadata.resourceVersion}`);
      await waitFor('the end of one', () => !recorder.picture.has(`${namespace}/one`));
      assert.equal(recorder.count(`gone ${namespace}/one`), 1);
      assert.equal(informer.isSynced, true);
      assert.equal(informer.state.kind, 'live');
    });
    await crd.remove('v2');
  });

  test('reads again what it was told from the memory of the server, and what that does not have from etcd', async () => {
    const crd = new WidgetCrd(rest);
    await crd.serve();
    const one = await crd.create(namespace, 'one');
    const client = clientFor(used.controlPlane);
    const asked: (string | null)[] = [];
    let isAhead = false;
    const request = client.request.bind(client);
    client.request = (options) => {
      const url = new URL(options.path, used.controlPlane.server);
      const { searchParams } = url;
      if (searchParams.get('fieldSelector') === null) return request(options);
      asked.push(searchParams.get('resourceVersion'));
      assert.equal(
        searchParams.get('resourceVersionMatch'),
        searchParams.has('resourceVersion') ? 'NotOlderThan' : null,
      );
      // As where the server lags behind, or its etcd was put back.
      if (isAhead && searchParams.has('resourceVersion')) searchParams.set('resourceVersion', '999999999999');
      return request({ ...options, path: `${url.pathname}${url.search}` });
    };
    await informing(
      crd,
      async (informer) => {
        await informer.synced();
        const { resourceVersion } = one.metadata;
        const read = () => informer.get(namespace, 'one').then((object) => object?.metadata.resourceVersion);
        assert.equal(await read(), resourceVersion);
        assert.equal(await informer.get(namespace, 'two'), undefined);
        isAhead = true;
        assert.equal(await read(), resourceVersion);
        assert.deepEqual(asked, [resourceVersion, null, resourceVersion, null]);
      },
      { client },
    );
    await crd.remove();
  });

  test('moves to a better version without telling anything twice', async () => {
    const crd = new WidgetCrd(rest);
    await crd.serve(['v1', 'v2']);
    await crd.create(namespace, 'one');
    const key = `${crd.group}/${crd.resource}`;
    const client = clientFor(used.controlPlane);
    const recorder = new Recorder();
    const { group, resource } = crd;
    const common = { shape: 'full', clock: systemClock, random: Math.random, namespaced: true, namespace } as const;
    const informer = new Informer({ client, group, resource, versions: ['v2', 'v1'], ...common }, recorder);
    const served = (...versions: string[]) => new Map([[key, { kind: 'Widget', namespaced: true, versions }]]);
    await informer.follow(served('v1'));
    await informer.synced();
    const calls = [['v1', 'v2'], [], ['v1'], [], ['v1', 'v2']].map((versions) => informer.follow(served(...versions)));
    await Promise.all(calls);
    const three = await crd.create(namespace, 'three');
    await recorder.logged(`object ${namespace}/three@${three.metadata.resourceVersion}`);
    assert.equal(recorder.objects.at(-1)?.['apiVersion'], `${crd.group}/v2`);
    assert.equal(recorder.tales.length, 2);
    assert.equal(informer.state.kind, 'live');
    await informer.stop();
    await informer.follow(served('v1'));
    assert.equal(recorder.tales.length, 2, 'stopped is stopped');
    await client.close();
    await crd.remove();
  });

  test('that may not list is forbidden, and heals once it may', async () => {
    const crd = new WidgetCrd(rest);
    await crd.serve();
    await crd.create(namespace, 'one');
    const { group, resource } = crd;
    const client = clientFor(used.controlPlane, { token: used.controlPlane.restrictedToken });
    await informing(
      crd,
      async (informer, recorder) => {
        await recorder.logged('forbidden');
        await informer.settled();
        assert.equal(informer.isSynced, false);
        await assert.rejects(informer.get(namespace, 'one'), (error: KubeError) => error.status === 403);
        const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
        const rules = [{ apiGroups: [group], resources: [resource], verbs: ['list', 'watch'] }];
        await rest.send('POST', `${rbac}/roles`, { metadata: { name: 'r' }, rules });
        const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' };
        const subjects = [{ kind: 'User', name: 'zen-test', apiGroup: 'rbac.authorization.k8s.io' }];
        await rest.send('POST', `${rbac}/rolebindings`, { metadata: { name: 'r' }, roleRef, subjects });
        await informer.synced();
        await recorder.logged('live');
        assert.deepEqual([...recorder.picture.keys()], [`${namespace}/one`]);

        // And back: the watch that runs is not cut by the server, the next one is refused.
        await rest.send('DELETE', `${rbac}/rolebindings/r`);
        await recorder.logged('forbidden', 2);
        assert.equal(recorder.picture.size, 1, 'what we may not see is not gone');
      },
      { client, timing: { backoffFirstMs: 50, backoffMaximumMs: 500, watchSeconds: 1 } },
    );
    await crd.remove();
  });

  test('discovery costs a 304 without a body while nothing changes, and needs no rights', async () => {
    const codes: number[] = [];
    const { server, restrictedToken, caPath } = used.controlPlane;
    const client = new KubeClient(kubeConfigFor(server, { token: restrictedToken }, caPath), {
      clock: systemClock,
      connections: 1,
      timeoutMs: 30_000,
      userAgent: 'zen-watcher-test',
      onRequest: ({ code }) => codes.push(code),
    });
    const seen: string[] = [];
    const discovery = new Discovery(
      { client, intervalMs: 20, random: Math.random },
      {
        changed: (served) =>
          seen.push(
            `${served.get('apps/deployments')?.versions} ${served.has('authorization.k8s.io/selfsubjectaccessreviews')}`,
          ),
        failed: (message) => assert.fail(message),
        recovered: () => {},
      },
    );
    discovery.start();
    await waitFor('a 304', () => codes.includes(304));
    discovery.stop();
    await client.close();
    assert.ok(codes.every((code) => code === 200 || code === 304));
    assert.ok(seen.every((one) => one === 'v1 false') && seen.length === codes.filter((code) => code === 200).length);
  });
});
