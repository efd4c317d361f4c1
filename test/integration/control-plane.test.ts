/** The control plane itself: what the other integration tests take for granted. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { apply, kubectl, kubectlOutput } from '../cluster/kubectl.ts';
import { isOurs } from '../cluster/processes.ts';
import { useControlPlane } from '../support/shared-control-plane.ts';

const { controlPlane, stop } = await useControlPlane();
const skip = controlPlane.hasControllerManager ? false : 'there is no kube-controller-manager';
const namespace = `control-plane-${randomUUID().slice(0, 8)}`;

function configMap(name: string, metadata: object = {}): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, ...metadata } });
}

/** Tries until it is so; the limit is far above what it takes anywhere. */
async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 120_000; Date.now() < end; await sleep(200)) if (await isSo()) return;
  assert.fail(`never happened: ${what}`);
}

async function isAbsent(plane: ControlPlane, ...what: string[]): Promise<boolean> {
  const { code, stderr } = await kubectl(plane, ['get', ...what]);
  assert.ok(code === 0 || stderr.includes('NotFound'), stderr);
  return code !== 0;
}

suite('the shared control plane', () => {
  before(() => kubectlOutput(controlPlane, ['create', 'namespace', namespace]));
  after(async () => {
    await kubectlOutput(controlPlane, ['delete', 'namespace', namespace, '--ignore-not-found', '--wait=false']);
    await stop();
  });

  test('answers kubectl', async () => {
    assert.match(await kubectlOutput(controlPlane, ['get', 'namespaces', '-o', 'name']), /^namespace\/kube-system$/m);
    const { code, stderr } = await kubectl(controlPlane, ['get', 'nonsense']);
    assert.equal(code, 1);
    assert.match(stderr, /nonsense/);
  });

  test('names the version it was built from', async () => {
    const { gitVersion, major } = JSON.parse(await kubectlOutput(controlPlane, ['get', '--raw', '/version']));
    assert.equal(major, '1');
    assert.match(gitVersion, /^v1\.\d+\.\d+$/);
    assert.notEqual(gitVersion, 'v1.0.0');
  });

  test('refuses a user without rights', async () => {
    const token = controlPlane.restrictedToken;
    const who = JSON.parse(await kubectlOutput(controlPlane, ['auth', 'whoami', '-o', 'json'], { token }));
    assert.equal(who.status.userInfo.username, 'zen-test');
    const { code, stderr } = await kubectl(controlPlane, ['get', 'configmaps', '-n', namespace], { token });
    assert.equal(code, 1);
    assert.match(stderr, /Forbidden.*"zen-test"/);
  });

  test('collects objects whose owner is gone', { skip }, async () => {
    await apply(controlPlane, configMap('owner'));
    const ownerPath = ['configmap', 'owner', '-n', namespace];
    const uid = await kubectlOutput(controlPlane, ['get', ...ownerPath, '-o', 'jsonpath={.metadata.uid}']);
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid }];
    await apply(controlPlane, configMap('owned', { ownerReferences }));
    await kubectlOutput(controlPlane, ['delete', ...ownerPath]);
    await eventually('the owned ConfigMap goes', () => isAbsent(controlPlane, 'configmap', 'owned', '-n', namespace));
  });

  test('signs tokens of service accounts', { skip }, async () => {
    await kubectlOutput(controlPlane, ['create', 'serviceaccount', 'reader', '-n', namespace]);
    const token = (await kubectlOutput(controlPlane, ['create', 'token', 'reader', '-n', namespace])).trim();
    const { stderr } = await kubectl(controlPlane, ['get', 'configmaps', '-n', namespace], { token });
    assert.match(stderr, new RegExp(`system:serviceaccount:${namespace}:reader`));
  });

  test('ends a deleted namespace', { skip }, async () => {
    const doomed = `${namespace}-doomed`;
    await kubectlOutput(controlPlane, ['create', 'namespace', doomed]);
    await kubectlOutput(controlPlane, ['create', 'configmap', 'inside', '-n', doomed]);
    await kubectlOutput(controlPlane, ['delete', 'namespace', doomed, '--wait=false']);
    await eventually('the namespace goes', () => isAbsent(controlPlane, 'namespace', doomed));
  });

  test('has every answered request in the audit log', async () => {
    assert.ok(controlPlane.auditLogPath);
    const name = `audited-${randomUUID()}`;
    await kubectl(controlPlane, ['get', 'configmap', name, '-n', namespace]);
    const lines = readFileSync(controlPlane.auditLogPath, 'utf8').split('\n');
    const entry = JSON.parse(lines.find((line) => line.includes(name)) ?? '{}');
    assert.equal(entry.stage, 'ResponseComplete');
    assert.equal(entry.level, 'Metadata');
    assert.equal(entry.responseStatus.code, 404);
    assert.equal(entry.objectRef.namespace, namespace);
  });
});

suite('a control plane of its own', () => {
  let own: ControlPlane;
  before(async () => {
    own = await startControlPlane({ binaries: controlPlane.binaries, controllerManager: false });
  });
  after(() => own.stop());

  test('keeps its data when the API server or etcd is killed and started again', async () => {
    await kubectlOutput(own, ['create', 'configmap', 'kept', '--from-literal=key=value']);
    for (const component of ['kube-apiserver', 'etcd'] as const) {
      const { [component]: before, ...others } = own.pids;
      await own.kill(component);
      assert.equal(own.pids[component], undefined);
      await own.restart(component);
      const { [component]: now, ...same } = own.pids;
      assert.notEqual(now, before);
      assert.deepEqual(same, others);
      await eventually(
        'the API server answers',
        async () => (await kubectl(own, ['get', '--raw', '/readyz'])).code === 0,
      );
      const value = await kubectlOutput(own, ['get', 'configmap', 'kept', '-o', 'jsonpath={.data.key}']);
      assert.equal(value, 'value');
    }
  });

  test('a component that was killed has left its port', async () => {
    await own.kill('kube-apiserver');
    const server = createServer().listen(own.state.ports.apiServer, '127.0.0.1');
    await once(server, 'listening');
    await new Promise((resolve) => server.close(resolve));
    await own.restart('kube-apiserver');
  });

  test('says why a component did not start', async () => {
    const extraApiServerFlags = ['--no-such-flag'];
    const start = startControlPlane({ binaries: own.binaries, controllerManager: false, extraApiServerFlags });
    await assert.rejects(start, /kube-apiserver ended at start:.*no-such-flag/s);
  });

  test('leaves no process and no folder behind', async () => {
    const brief = await startControlPlane({ binaries: own.binaries, controllerManager: false });
    const { folder, pids } = brief;
    await brief.stop();
    assert.equal(Object.keys(pids).length, 2);
    for (const pid of Object.values(pids)) assert.ok(!isOurs(pid, folder));
    assert.ok(!existsSync(folder));
  });
});
