/** Namespaces, workloads, policies, reports, CRDs and whole tools that are deleted on a real cluster (F3). */
import assert from 'node:assert/strict';
import { after, afterEach, before, suite, test } from 'node:test';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertBooksBalance, logged, ready, scrape } from '../support/daemon.ts';
import { definitionsIn, type Home, Stage, standInFolder } from '../support/stage.ts';
import { until } from '../support/until.ts';
import type { Report } from '../support/vulnerability-reports.ts';
import {
  eventNames,
  putReport,
  removeReport,
  removeReports,
  vulnerabilityReport,
} from '../support/vulnerability-reports.ts';

const reportsCrd = 'vulnerabilityreports.aquasecurity.github.io';
const timing = { discoveryMs: 300, sweepMs: 200 };
/** Two seconds of grace: long enough to be seen, short enough to be waited for. */
const graceSeconds = 2;
/** The controllers here may write Warnings of their own. */
const short = {
  timing,
  config: { sources: { trivy: { graceSeconds }, policyreport: { graceSeconds } } },
};
/** The sources' own, which are hours. */
const long = { timing };

const clusterPolicies = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'clusterpolicies.kyverno.io' },
  spec: {
    group: 'kyverno.io',
    scope: 'Cluster',
    names: {
      kind: 'ClusterPolicy',
      listKind: 'ClusterPolicyList',
      plural: 'clusterpolicies',
      singular: 'clusterpolicy',
    },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

suite('daemon: what was deleted', () => {
  let stage: Stage;
  let home: Home;
  let daemon: TestDaemon;
  let bystander: string;
  let teams: string[];

  before(async () => {
    stage = await Stage.start({ controllerManager: true });
    bystander = await stage.namespace('bystander');
  });
  after(() => stage?.stop());

  /** A daemon, and three reports that have nothing to do with what is deleted. */
  async function begin(settings: typeof short | typeof long): Promise<string> {
    home = await stage.home('events');
    daemon = await stage.daemon(home, settings);
    await ready(daemon);
    for (const workload of ['one', 'two', 'three']) await putReport(stage, other(workload));
    const team = await stage.namespace('team');
    teams = [team];
    return team;
  }
  afterEach(async () => {
    await stage.define(...definitionsIn(standInFolder));
    for (const namespace of [bystander, ...teams]) await removeReports(stage, namespace);
    await stage.endBalanced(daemon);
  });

  const other = (workload: string, at = '2026-01-02T03:04:05Z') =>
    vulnerabilityReport({ namespace: bystander, workload, vulnerabilities: [{ id: 'CVE-2026-9' }], at });
  const reportIn = (namespace: string, change: Partial<Parameters<typeof vulnerabilityReport>[0]> = {}) =>
    vulnerabilityReport({ namespace, workload: 'web', vulnerabilities: [{ id: 'CVE-2026-1' }], ...change });

  const eventWhen = (name: string, what: string, is: (event: StoredEvent) => boolean) =>
    stage.eventWhen(home.namespace, name, what, is);
  const freshOf = (event: StoredEvent) => event.status?.conditions?.find(({ type }) => type === 'Fresh');
  const resolved = (name: string, reason: string) =>
    eventWhen(name, `resolved as ${reason}`, ({ status }) => status?.phase === 'Resolved' && status.reason === reason);
  const stale = (name: string, reason: string) =>
    eventWhen(
      name,
      `not fresh: ${reason}`,
      (event) => freshOf(event)?.status === 'False' && freshOf(event)?.reason === reason,
    );
  const fresh = (name: string) => eventWhen(name, 'fresh again', (event) => freshOf(event)?.status === 'True');

  /** Puts a report and waits for the event of its only finding. */
  async function found(report: Report): Promise<string> {
    const [name = ''] = eventNames(report);
    await putReport(stage, report);
    await eventWhen(name, 'there', () => true);
    return name;
  }

  test('a namespace: its findings are over as soon as it is gone, without any grace', async () => {
    const team = await begin(long);
    const name = await found(reportIn(team));
    teams = [];
    await stage.must(200, 'DELETE', `/api/v1/namespaces/${team}`);
    const event = await resolved(name, 'resource-deleted');
    assert.equal((await stage.rest.send('GET', `/api/v1/namespaces/${team}`)).code, 404);
    assert.equal(freshOf(event), undefined);
    await logged(daemon, 'event resolved', { event: name, reason: 'resource-deleted' });
    assert.equal((await scrape(daemon)).value('zen_watcher_halted_channels'), 0);
  });

  test('a report: its findings stay Active and say that nobody vouches for them, until it returns', async () => {
    const team = await begin(short);
    const report = reportIn(team);
    const name = await found(report);
    await removeReport(stage, report);
    const event = await stale(name, 'ReportMissing');
    assert.equal(event.status?.phase, 'Active');
    assert.equal((await scrape(daemon)).value('zen_watcher_stale_events', { reason: 'ReportMissing' }), 1);
    await putReport(stage, report);
    await fresh(name);
    assert.equal((await scrape(daemon)).value('zen_watcher_stale_events', { reason: 'ReportMissing' }), 0);
    const writes = stage.audit.writes(home.namespace).filter(({ name: written }) => written === name);
    assert.deepEqual(
      writes.map(({ verb, code }) => `${verb} ${code}`),
      ['create 201', 'patch 200', 'patch 200'],
    );
  });

  test('a workload, whose report the garbage collector takes along: over after the grace, while Pods of it run not', async () => {
    const team = await begin(short);
    const deployments = `/apis/apps/v1/namespaces/${team}/deployments`;
    const labels = { app: 'web' };
    await stage.must(201, 'POST', deployments, {
      metadata: { name: 'web' },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'example.test/web' }] } },
      },
    });
    const replicaSet = await until('the ReplicaSet', async () => {
      const { items } = await stage.must(200, 'GET', `/apis/apps/v1/namespaces/${team}/replicasets`);
      return items[0];
    });
    const pods = async () => (await stage.must(200, 'GET', `/api/v1/namespaces/${team}/pods`)).items;
    await until('a Pod', async () => (await pods()).length > 0);
    const report = reportIn(team, { hash: replicaSet.metadata.labels['pod-template-hash'] });
    const { name: owner, uid } = replicaSet.metadata;
    const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid, controller: true }];
    const owned = { ...report, metadata: { ...report.metadata, ownerReferences } };
    const name = await found(owned);
    assert.equal((await stage.event(home.namespace, name))?.spec.resource?.kind, 'Deployment');

    await removeReport(stage, report);
    await putReport(stage, other('one', '2026-01-03T00:00:00Z'));
    await stale(name, 'ReportMissing');
    await putReport(stage, owned);
    await fresh(name);

    await stage.must(200, 'DELETE', `${deployments}/web?propagationPolicy=Background`);
    await until('its Pods to be gone', async () => (await pods()).length === 0);
    await until('its report to be gone', async () => {
      const path = `/apis/aquasecurity.github.io/v1alpha1/namespaces/${team}/vulnerabilityreports`;
      return (await stage.must(200, 'GET', path)).items.length === 0;
    });
    let day = 4;
    await until('the event to be over', async () => {
      // The tool goes on with the others.
      await putReport(stage, other('one', `2026-01-${String(day).padStart(2, '0')}T00:00:00Z`));
      day = (day % 28) + 1;
      return (await stage.event(home.namespace, name))?.status?.phase === 'Resolved';
    });
    await resolved(name, 'resource-deleted');
    for (const workload of ['one', 'two', 'three']) {
      const [theirs = ''] = eventNames(other(workload));
      assert.equal((await stage.event(home.namespace, theirs))?.status?.phase, 'Active');
    }
  });

  test('a policy: what it found is over, whether its report is rewritten or deleted; never called fixed', async () => {
    await stage.define(clusterPolicies);
    const team = await begin(long);
    const policiesPath = '/apis/kyverno.io/v1/clusterpolicies';
    for (const policy of ['no-root', 'no-latest', 'kept']) {
      await stage.must(201, 'POST', policiesPath, {
        apiVersion: 'kyverno.io/v1',
        kind: 'ClusterPolicy',
        metadata: { name: policy },
      });
    }
    const reports = `/apis/wgpolicyk8s.io/v1alpha2/namespaces/${team}/policyreports`;
    const put = (name: string, policies: readonly string[]) =>
      stage.apply(`${reports}/${name}`, {
        apiVersion: 'wgpolicyk8s.io/v1alpha2',
        kind: 'PolicyReport',
        metadata: { name, namespace: team },
        scope: { apiVersion: 'apps/v1', kind: 'Deployment', name, namespace: team },
        results: policies.map((policy) => ({
          policy,
          rule: 'check',
          result: 'fail',
          source: 'kyverno',
          severity: 'high',
        })),
      });
    await put('web', ['no-root', 'kept']);
    await put('api', ['no-latest']);
    const named = (policy: string) =>
      until(`the event of ${policy}`, async () => {
        const events = await stage.events(home.namespace);
        return events.find(({ spec }) => spec.details?.['policy'] === policy)?.metadata.name;
      });
    const names = [await named('no-root'), await named('no-latest'), await named('kept')] as const;

    await stage.must(200, 'DELETE', `${policiesPath}/no-root`);
    await stage.must(200, 'DELETE', `${policiesPath}/no-latest`);
    await until('the policies to be known', async () => {
      const labels = { resource: 'clusterpolicies.kyverno.io' };
      return (await scrape(daemon)).value('zen_watcher_informer_objects', labels) === 1;
    });
    await put('web', ['kept']);
    await stage.must(200, 'DELETE', `${reports}/api`);
    await resolved(names[0], 'policy-deleted');
    await resolved(names[1], 'policy-deleted');
    await put('web', []);
    await resolved(names[2], 'fixed');
    await stage.undefine(clusterPolicies.metadata.name);
  });

  test('a CRD with all its reports: everything stays Active, not fresh; fresh again when both are back', async () => {
    const team = await begin(short);
    const report = reportIn(team);
    const name = await found(report);
    await stage.undefine(reportsCrd);
    const event = await stale(name, 'SourceGone');
    assert.equal(event.status?.phase, 'Active');
    for (const one of await stage.events(home.namespace)) assert.equal(one.status?.phase, 'Active');
    await stage.define(...definitionsIn(standInFolder, [reportsCrd]));
    await putReport(stage, report);
    await fresh(name);
  });

  test('a whole tool: uninstalling it turns nothing green, at once, after the grace or after a restart', async () => {
    const team = await begin(short);
    const name = await found(reportIn(team));
    const names = [name, ...['one', 'two', 'three'].flatMap((workload) => eventNames(other(workload)))];
    for (const namespace of [bystander, team]) await removeReports(stage, namespace);
    await until('the loss to be told', async () => (await scrape(daemon)).value('zen_watcher_halted_channels') === 1);
    await stage.undefine(reportsCrd);
    await stage.undefine(`cluster${reportsCrd}`);
    for (const one of names) await eventWhen(one, 'not fresh', (event) => freshOf(event)?.status === 'False');
    await stage.end(daemon);
    daemon = await stage.daemon(home, short);
    await ready(daemon);
    const before = stage.audit.writes(home.namespace).length;
    await assertBooksBalance(daemon);
    for (const one of names) assert.equal((await stage.event(home.namespace, one))?.status?.phase, 'Active');
    assert.equal(stage.audit.writes(home.namespace).length, before);
  });
});
