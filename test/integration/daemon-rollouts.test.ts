/**
 * What changes around a finding while it stays the same: ReplicaSets, Pods and Jobs come and go, reports are made anew
 * under other names, tags are rebuilt, results change places. By the API server's audit log nothing is written (E4, F2).
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, suite, test } from 'node:test';
import { apply, kubectlOutput } from '../cluster/kubectl.ts';
import { tallyOf } from '../support/audit-log.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertBooksBalance, ready, received, scrape } from '../support/daemon.ts';
import { type Home, Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import type { Report } from '../support/vulnerability-reports.ts';
import { putReport, removeReport, removeReports, vulnerabilityReport } from '../support/vulnerability-reports.ts';

const vulnerabilities = [{ id: 'CVE-2026-1' }, { id: 'CVE-2026-2', severity: 'CRITICAL' }, { id: 'CVE-2026-3' }];
const policies = ['no-latest', 'no-root'];
const podTemplate = (app: string, image = 'registry.example/app:1') => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'main', image }] },
});

interface Scope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
}

suite('daemon: rollouts', () => {
  let stage: Stage;
  let home: Home;
  let team: string;
  let daemon: TestDaemon;
  let minute = 0;

  before(async () => {
    stage = await Stage.start({ controllerManager: true });
  });
  after(() => stage?.stop());
  beforeEach(async () => {
    home = await stage.home('events');
    team = await stage.namespaceForPods('team');
    daemon = await stage.daemon(home);
    await ready(daemon);
  });
  afterEach(async () => {
    await removeReports(stage, team);
    await stage.rest.send('DELETE', policyReports());
    await stage.endBalanced(daemon);
  });

  const policyReports = () => `/apis/wgpolicyk8s.io/v1alpha2/namespaces/${team}/policyreports`;
  const kubectl = (...args: string[]) => kubectlOutput(stage.controlPlane, [...args, '-n', team]);
  const make = (object: object) =>
    apply(stage.controlPlane, JSON.stringify({ ...object, metadata: { ...metadataOf(object), namespace: team } }));
  const namesOf = async (kind: string, app: string) =>
    (await kubectl('get', kind, '-l', `app=${app}`, '-o', 'jsonpath={.items[*].metadata.name}')).split(' ').toSorted();
  const writes = () => tallyOf(stage.audit.writes(home.namespace));

  /** A report of Trivy; each is a later scan than the one before. */
  function scanned(kind: string, name: string): Report {
    minute += 1;
    const at = new Date(Date.UTC(2026, 0, 2, 0, minute)).toISOString();
    return vulnerabilityReport({ namespace: team, workload: 'app', resource: { kind, name }, vulnerabilities, at });
  }

  /** As Kyverno reports: under the uid of the object, with which the report goes. */
  async function reportPolicies(scope: Scope): Promise<void> {
    const path = `/api/v1/namespaces/${team}/pods/${scope.name}`;
    const { uid = '' } = (await stage.must(200, 'GET', path)).metadata as { uid?: string };
    await stage.apply(`${policyReports()}/${uid}`, {
      apiVersion: 'wgpolicyk8s.io/v1alpha2',
      kind: 'PolicyReport',
      metadata: { name: uid, namespace: team, ownerReferences: [{ ...scope, uid }] },
      scope: { ...scope, namespace: team },
      results: policies.map((policy) => ({
        source: 'kyverno',
        policy,
        rule: 'check',
        result: 'fail',
        severity: 'high',
        message: `${scope.name} is against it`,
      })),
    });
  }

  /** Waits until the daemon has seen that so many reports are there. */
  const known = (resource: string, count: number) =>
    until(`${count} ${resource}`, async () => {
      return (await scrape(daemon)).value('zen_watcher_informer_objects', { resource }) === count;
    });
  const vulnerabilityReportsKnown = (count: number) => known('vulnerabilityreports.aquasecurity.github.io', count);
  const policyReportsKnown = (count: number) => known('policyreports.wgpolicyk8s.io', count);

  /** Waits for that many events, all Active and about one workload. */
  async function eventsOn(subject: string, count: number): Promise<void> {
    const events = await until(`${count} events`, async () => {
      const now = await stage.events(home.namespace);
      return now.length >= count ? now : undefined;
    });
    const words = events.map(({ spec, status }) => `${spec.subject} ${status?.phase}`);
    assert.deepEqual(words, Array(count).fill(`${subject} Active`));
  }

  /** A new Deployment's ReplicaSet and Pod, or those of its next rollout. */
  async function rolledOut(image: string, before: readonly string[]): Promise<[replicaSet: string, pod: string]> {
    await make({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { selector: { matchLabels: { app: 'web' } }, template: podTemplate('web', image) },
    });
    return until('the new ReplicaSet and its Pod', async () => {
      const replicaSet = (await namesOf('replicasets', 'web')).find((name) => name !== '' && !before.includes(name));
      const pod = (await namesOf('pods', 'web')).find(
        (name) => replicaSet !== undefined && name.startsWith(replicaSet),
      );
      return replicaSet === undefined || pod === undefined ? undefined : [replicaSet, pod];
    });
  }

  test("a Deployment's rollouts, the new reports before the old ones go and after: nothing is written", async () => {
    const [first, firstPod] = await rolledOut('registry.example/app:1', []);
    const pod = (name: string): Scope => ({ apiVersion: 'v1', kind: 'Pod', name });
    const old = scanned('ReplicaSet', first);
    await putReport(stage, old);
    await reportPolicies(pod(firstPod));
    const all = vulnerabilities.length + policies.length;
    await eventsOn('Deployment/web', all);

    // The new ReplicaSet is scanned while the old one is still there.
    const [second, secondPod] = await rolledOut('registry.example/app:2', [first]);
    const newer = scanned('ReplicaSet', second);
    await putReport(stage, newer);
    await reportPolicies(pod(secondPod));
    await vulnerabilityReportsKnown(2);
    await received(daemon, 2 * all);
    await removeReport(stage, old);
    await kubectl('delete', 'pod', firstPod, '--grace-period=0', '--force');
    await vulnerabilityReportsKnown(1);
    await policyReportsKnown(1);

    // The old reports go first: for a while nothing speaks of the findings.
    const [third, thirdPod] = await rolledOut('registry.example/app:3', [first, second]);
    await removeReport(stage, newer);
    await kubectl('delete', 'pod', secondPod, '--grace-period=0', '--force');
    await vulnerabilityReportsKnown(0);
    await policyReportsKnown(0);
    await assertBooksBalance(daemon);
    await eventsOn('Deployment/web', all);
    await putReport(stage, scanned('ReplicaSet', third));
    await reportPolicies(pod(thirdPod));
    await received(daemon, 3 * all);
    await eventsOn('Deployment/web', all);
    assert.deepEqual(writes(), { 'create 201': all });
  });

  test('a rollout while no daemon runs: the next one writes nothing', async () => {
    const [first] = await rolledOut('registry.example/app:1', []);
    const old = scanned('ReplicaSet', first);
    await putReport(stage, old);
    await eventsOn('Deployment/web', vulnerabilities.length);
    await stage.end(daemon);
    const [second] = await rolledOut('registry.example/app:2', [first]);
    await putReport(stage, scanned('ReplicaSet', second));
    await removeReport(stage, old);
    daemon = await stage.daemon(home);
    await ready(daemon);
    await received(daemon, vulnerabilities.length);
    await eventsOn('Deployment/web', vulnerabilities.length);
    assert.deepEqual(writes(), { 'create 201': vulnerabilities.length });
  });

  test("a CronJob's next Job, scanned before the report of the last one goes and after: nothing is written", async () => {
    const spec = {
      template: { ...podTemplate('backup'), spec: { ...podTemplate('backup').spec, restartPolicy: 'Never' } },
    };
    await make({
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'backup' },
      spec: { schedule: '0 0 1 1 *', suspend: true, jobTemplate: { spec } },
    });
    // As the controller names them: minutes since the epoch.
    const next = async (minutes: number) => {
      await kubectl('create', 'job', '--from=cronjob/backup', `backup-${minutes}`);
      return scanned('Job', `backup-${minutes}`);
    };
    const first = await next(29_600_000);
    await putReport(stage, first);
    await eventsOn('CronJob/backup', vulnerabilities.length);
    const second = await next(29_601_440);
    await putReport(stage, second);
    await received(daemon, 2 * vulnerabilities.length);
    await removeReport(stage, first);
    await vulnerabilityReportsKnown(1);
    await removeReport(stage, second);
    await vulnerabilityReportsKnown(0);
    await putReport(stage, await next(29_602_880));
    await received(daemon, 3 * vulnerabilities.length);
    await eventsOn('CronJob/backup', vulnerabilities.length);
    assert.deepEqual(writes(), { 'create 201': vulnerabilities.length });
  });

  test('a report under another name, a tag that was rebuilt, results in another order: nothing is written', async () => {
    const report = scanned('Deployment', 'web');
    await putReport(stage, report);
    await eventsOn('Deployment/web', vulnerabilities.length);

    const { metadata, report: content } = scanned('Deployment', 'web');
    const renamed = { ...report, metadata: { ...metadata, name: 'another-name-for-it' }, report: content };
    await putReport(stage, renamed);
    await received(daemon, 2 * vulnerabilities.length);
    await removeReport(stage, report);
    await vulnerabilityReportsKnown(1);

    const rebuilt = scanned('Deployment', 'web').report;
    const artifact = { ...rebuilt.artifact, tag: '2.0', digest: `sha256:${'ab'.repeat(32)}` };
    await putReport(stage, { ...renamed, report: { ...rebuilt, artifact } });
    await received(daemon, 3 * vulnerabilities.length);

    const reordered = scanned('Deployment', 'web').report;
    const results = reordered.vulnerabilities.toReversed();
    await putReport(stage, { ...renamed, report: { ...reordered, artifact, vulnerabilities: results } });
    await received(daemon, 4 * vulnerabilities.length);
    await eventsOn('Deployment/web', vulnerabilities.length);
    assert.deepEqual(writes(), { 'create 201': vulnerabilities.length });
  });
});

const metadataOf = (object: object) => (object as { readonly metadata: object }).metadata;
