/** Findings about Pods become findings about what made the Pods, looked up among the Pods of a real controller (T1, T2). */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, beforeEach, suite, test } from 'node:test';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { apply, kubectlOutput } from '../cluster/kubectl.ts';
import { tallyOf } from '../support/audit-log.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertBooksBalance, ready, scrape } from '../support/daemon.ts';
import { type Home, Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';

const node = 'worker-1';
const template = (app: string) => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'main', image: 'registry.example/app:1' }] },
});

interface Scope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
}

suite('daemon: owners of Pods', () => {
  let stage: Stage;
  let home: Home;
  let team: string;
  let daemon: TestDaemon;

  before(async () => {
    stage = await Stage.start({ controllerManager: true });
    // A DaemonSet makes Pods for Nodes; nobody runs them.
    await apply(stage.controlPlane, JSON.stringify({ apiVersion: 'v1', kind: 'Node', metadata: { name: node } }));
  });
  after(() => stage?.stop());
  beforeEach(async () => {
    home = await stage.home('events');
    team = await stage.namespaceForPods('team');
    daemon = await stage.daemon(home);
    await ready(daemon);
  });
  afterEach(async () => {
    await stage.rest.send('DELETE', reports());
    await stage.endBalanced(daemon);
  });

  const reports = () => `/apis/wgpolicyk8s.io/v1alpha2/namespaces/${team}/policyreports`;
  const make = (...objects: readonly object[]) =>
    apply(stage.controlPlane, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects.map(inTeam) }));
  const inTeam = (object: object) => {
    const { metadata } = object as { metadata: object };
    return { ...object, metadata: { ...metadata, namespace: team } };
  };

  /** As Kyverno reports it: under the uid of the object, with which the report goes. */
  async function report(scope: Scope, uid?: string): Promise<void> {
    const result = {
      source: 'kyverno',
      policy: 'no-latest',
      rule: 'check',
      result: 'fail',
      severity: 'high',
      message: '',
    };
    const name = uid ?? randomUUID();
    const ownerReferences = uid === undefined ? [] : [{ ...scope, uid }];
    await stage.apply(`${reports()}/${name}`, {
      apiVersion: 'wgpolicyk8s.io/v1alpha2',
      kind: 'PolicyReport',
      metadata: { name, namespace: team, ownerReferences },
      scope: { ...scope, namespace: team },
      results: [result],
    });
  }
  const reportOfPod = async (name: string) => report(pod(name), await uidOf(`/api/v1/namespaces/${team}/pods/${name}`));
  const gone = (path: string) =>
    until(`${path} to be gone`, async () => (await stage.rest.send('GET', path)).code === 404);
  const uidOf = async (path: string) => ((await stage.must(200, 'GET', path)).metadata as { uid?: string }).uid;

  const pod = (name: string): Scope => ({ apiVersion: 'v1', kind: 'Pod', name });
  const podOf = (app: string) =>
    until(`a Pod of ${app}`, async () => {
      const args = ['get', 'pods', '-n', team, '-l', `app=${app}`, '-o', 'jsonpath={.items[0].metadata.name}'];
      return (await kubectlOutput(stage.controlPlane, args).catch(() => '')) || undefined;
    });
  const words = ({ spec }: StoredEvent) => `${spec.resource?.apiVersion} ${spec.subject}`;
  const active = async () =>
    (await stage.events(home.namespace))
      .filter(({ status }) => status?.phase === 'Active')
      .map(words)
      .sort();
  const eventually = (expected: readonly string[]) =>
    until(`events on ${expected.join(', ')}`, async () => {
      const found = await active();
      if (JSON.stringify(found) !== JSON.stringify(expected)) throw new Error(`found ${found.join(', ')}`);
      return true;
    });

  test('Pods of a DaemonSet, a StatefulSet, a CronJob and a Node', async () => {
    const selector = (app: string) => ({ matchLabels: { app } });
    const job = { template: { ...template('backup'), spec: { ...template('backup').spec, restartPolicy: 'Never' } } };
    await make(
      {
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: { name: 'agent' },
        spec: { selector: selector('agent'), template: template('agent') },
      },
      {
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata: { name: 'db' },
        spec: { serviceName: 'db', selector: selector('db'), template: template('db') },
      },
      {
        apiVersion: 'batch/v1',
        kind: 'CronJob',
        metadata: { name: 'backup' },
        spec: { schedule: '0 0 1 1 *', suspend: true, jobTemplate: { spec: job } },
      },
    );
    // As the controller names them: minutes since the epoch.
    await kubectlOutput(stage.controlPlane, ['create', 'job', '-n', team, '--from=cronjob/backup', 'backup-29600000']);
    const uid = await uidOf(`/api/v1/nodes/${node}`);
    const reference = { apiVersion: 'v1', kind: 'Node', name: node, uid, controller: true };
    await make({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `etcd-${node}`, labels: { app: 'etcd' }, ownerReferences: [reference] },
      spec: { ...template('etcd').spec, nodeName: node },
    });
    const pods = await Promise.all(['agent', 'db', 'backup', 'etcd'].map(podOf));
    const [agent = '', db] = pods;
    assert.equal(db, 'db-0');
    const uidOfAgent = await uidOf(`/api/v1/namespaces/${team}/pods/${agent}`);
    for (const name of pods) await reportOfPod(name);
    const expected = [
      'apps/v1 DaemonSet/agent',
      'apps/v1 StatefulSet/db',
      'batch/v1 CronJob/backup',
      `v1 Pod/etcd-${node}`,
    ];
    await eventually(expected);
    const [event] = (await stage.events(home.namespace)).filter(({ spec }) => spec.resource?.kind === 'DaemonSet');
    assert.match(JSON.stringify(event?.spec.details), new RegExp(`Pod/${agent}`), 'the Pod itself is not told');

    // The same through the workload itself is the same finding.
    await report({ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'agent' });
    await until('both reports', async () => (await scrape(daemon)).received >= 5);
    // So is it with the next Pod of it, and after a restart.
    await kubectlOutput(stage.controlPlane, ['delete', 'pod', '-n', team, agent, '--grace-period=0', '--force']);
    await gone(`${reports()}/${uidOfAgent}`);
    await stage.end(daemon);
    daemon = await stage.daemon(home);
    await ready(daemon);
    const next = await podOf('agent');
    assert.notEqual(next, agent);
    await reportOfPod(next);
    await assertBooksBalance(daemon);
    await eventually(expected);
    assert.deepEqual(tallyOf(stage.audit.writes(home.namespace)), { 'create 201': 4 });
  });

  test('a report that is faster than its Pod: the event moves to the workload when the Pod appears', async () => {
    await report(pod('late-0'));
    await eventually(['v1 Pod/late-0']);
    await make({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'late' },
      spec: { serviceName: 'late', selector: { matchLabels: { app: 'late' } }, template: template('late') },
    });
    await eventually(['apps/v1 StatefulSet/late']);
    const moved = (await stage.events(home.namespace)).find(({ spec }) => spec.resource?.kind === 'Pod');
    assert.deepEqual([moved?.status?.phase, moved?.status?.reason], ['Resolved', 'folded']);
  });

  test('a report that comes at the same time as its Pod: one event, on the workload', async () => {
    await Promise.all([
      report(pod('quick-0')),
      make({
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata: { name: 'quick' },
        spec: { serviceName: 'quick', selector: { matchLabels: { app: 'quick' } }, template: template('quick') },
      }),
    ]);
    await eventually(['apps/v1 StatefulSet/quick']);
    assert.deepEqual(tallyOf(stage.audit.writes(home.namespace)), { 'create 201': 1 });
  });
});
