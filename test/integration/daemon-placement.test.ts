/** Events in the namespaces of their resources, and their way there and back (E6, R3), on the real server. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, suite, test } from 'node:test';
import { daemonMigrationRules } from '../../src/api/roles.ts';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { kubectlOutput } from '../cluster/kubectl.ts';
import type { AuditedWrite } from '../support/audit-log.ts';
import { createdTwice, tallyOf } from '../support/audit-log.ts';
import { eventsPath } from '../support/crd.ts';
import type { DaemonSettings, TestDaemon } from '../support/daemon.ts';
import { assertBooksBalance, linesOf, logged, ready, received, scrape } from '../support/daemon.ts';
import { changeRules, makeDaemonAccount, readRules, writeRules } from '../support/daemon-account.ts';
import { Rest } from '../support/rest.ts';
import type { Home } from '../support/stage.ts';
import { Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import {
  eventNames,
  putReport,
  removeReport,
  removeReports,
  vulnerabilities,
  vulnerabilityReport,
} from '../support/vulnerability-reports.ts';

type Mode = 'central' | 'resource' | 'migrate';

const everywhere = [...readRules, ...writeRules];
const rulesOf = { central: readRules, resource: everywhere, migrate: [...readRules, ...daemonMigrationRules] } as const;
const clusterReports = '/apis/wgpolicyk8s.io/v1alpha2/clusterpolicyreports';

suite('daemon: placement of events', () => {
  let stage: Stage;
  let home: Home;
  let daemon: TestDaemon;
  let red: string;
  let blue: string;
  let skipped: number;

  before(async () => {
    stage = await Stage.start({ controllerManager: true });
  });
  after(() => stage?.stop());

  beforeEach(async () => {
    home = await stage.home('events');
    [red, blue] = [await stage.namespace('red'), await stage.namespace('blue')];
    skipped = stage.audit.allWrites().length;
  });
  afterEach(async () => {
    for (const namespace of [red, blue]) await removeReports(stage, namespace);
    await stage.must(200, 'DELETE', clusterReports);
    try {
      await assertBooksBalance(daemon);
      const refused = stage.audit.requestsOf(home.account.user).filter(({ code }) => code === 403);
      assert.deepEqual(refused, []);
    } finally {
      await stage.end(daemon);
      // The next test's daemon looks into all namespaces.
      for (const namespace of [red, blue, home.namespace]) await stage.must(200, 'DELETE', eventsPath(namespace));
    }
  });

  const settings = (mode: Mode, more: DaemonSettings = {}): DaemonSettings => ({
    timing: { discoveryMs: 300, sweepMs: 200 },
    config: {
      events: {
        namespace: home.namespace,
        placement: mode === 'resource' ? 'resource' : 'central',
        migrate: mode === 'migrate',
      },
    },
    ...more,
  });
  async function start(mode: Mode): Promise<void> {
    await changeRules(stage.rest, home.account, rulesOf[mode]);
    daemon = await stage.daemon(home, settings(mode));
    await ready(daemon);
  }
  async function restart(mode: Mode): Promise<void> {
    await assertBooksBalance(daemon);
    await stage.end(daemon);
    await start(mode);
  }
  const reportIn = (namespace: string, count: number, at?: string, first = 1) =>
    vulnerabilityReport({
      namespace,
      workload: 'web',
      vulnerabilities: vulnerabilities(count, first),
      ...(at === undefined ? {} : { at }),
    });
  /** A report of the whole cluster about a Deployment of a namespace, or about a cluster-scoped resource. */
  const clusterReport = (namespace?: string) => ({
    apiVersion: 'wgpolicyk8s.io/v1alpha2',
    kind: 'ClusterPolicyReport',
    metadata: { name: 'whole-cluster', labels: { 'app.kubernetes.io/managed-by': 'kyverno' } },
    results: [
      {
        source: 'kyverno',
        policy: 'require-labels',
        rule: 'team',
        result: 'fail',
        severity: 'high',
        resources: [
          namespace === undefined
            ? { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', name: 'everything' }
            : { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shop', namespace },
        ],
      },
    ],
  });
  const putClusterReport = (namespace?: string) =>
    stage.apply(`${clusterReports}/whole-cluster`, clusterReport(namespace));
  const ours = (): AuditedWrite[] =>
    stage.audit
      .allWrites()
      .slice(skipped)
      .filter(({ user }) => user === home.account.user);
  const successes = () => ours().filter(({ code }) => code < 300);

  async function countsAre(expected: Readonly<Record<string, number>>): Promise<void> {
    let counts: [string, number][] = [];
    try {
      await until('the events to be where they belong', async () => {
        const namespaces = Object.keys(expected);
        counts = await Promise.all(
          namespaces.map(async (namespace) => [namespace, (await stage.events(namespace)).length] as [string, number]),
        );
        return counts.every(([namespace, count]) => count === expected[namespace]);
      });
    } catch (error) {
      throw new Error(`${JSON.stringify(counts)}, wanted ${JSON.stringify(expected)}`, { cause: error });
    }
  }

  test('by resource: tenants see their own, what is of no namespace stays central', async () => {
    await start('resource');
    await putReport(stage, reportIn(red, 2));
    await putReport(stage, reportIn(blue, 3));
    await putClusterReport();
    await countsAre({ [red]: 2, [blue]: 3, [home.namespace]: 1 });
    assert.deepEqual(tallyOf(ours()), { 'create 201': 6 });
    await logged(daemon, 'event created', { namespace: red });

    // A tenant's own Role.
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${red}`;
    const account = await makeDaemonAccount(stage.rest, red, []);
    const rules = [{ apiGroups: ['zen.kube-zen.io'], resources: ['zenagentevents'], verbs: ['get', 'list', 'watch'] }];
    await stage.must(201, 'POST', `${rbac}/roles`, { metadata: { name: 'tenant' }, rules });
    await stage.must(201, 'POST', `${rbac}/rolebindings`, {
      metadata: { name: 'tenant' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'tenant' },
      subjects: [{ kind: 'ServiceAccount', name: 'zen-watcher', namespace: red }],
    });
    const tenant = new Rest(stage.controlPlane, account.token);
    try {
      await until('the role to count', async () => (await tenant.send('GET', eventsPath(red))).code === 200);
      assert.equal((await tenant.send('GET', eventsPath(red))).body['items'].length, 2);
      for (const path of [blue, home.namespace].map(eventsPath))
        assert.equal((await tenant.send('GET', path)).code, 403);
      assert.equal((await tenant.send('GET', '/apis/zen.kube-zen.io/v1/zenagentevents')).code, 403);
    } finally {
      await tenant.close();
    }
    const table = await kubectlOutput(stage.controlPlane, ['get', 'zenevents', '-A', '--no-headers']);
    const namespaces = table
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/)[0]);
    for (const namespace of [red, blue, home.namespace]) assert.ok(namespaces.includes(namespace), table);

    // A rescan, a change and a fix, and a restart, in the tenants' namespaces.
    await putReport(stage, reportIn(red, 1, '2026-01-03T00:00:00Z'));
    const fixed = eventNames(reportIn(red, 2))[1] ?? '';
    await until('the fix', async () => (await stage.event(red, fixed))?.status?.phase === 'Resolved');
    await restart('resource');
    await assertBooksBalance(daemon);
    assert.deepEqual(tallyOf(ours()), { 'create 201': 6, 'patch status 200': 1 });
    const [deleted = ''] = eventNames(reportIn(red, 1));
    await stage.must(200, 'DELETE', `${eventsPath(red)}/${deleted}`);
    await until('the event to come back', () => stage.event(red, deleted));
  });

  test('central asks about events in its own namespace only', async () => {
    await start('central');
    await putReport(stage, reportIn(red, 2));
    await putReport(stage, reportIn(blue, 2));
    await countsAre({ [home.namespace]: 4, [red]: 0, [blue]: 0 });
    await putReport(stage, reportIn(red, 1, '2026-01-03T00:00:00Z'));
    const fixed = eventNames(reportIn(red, 2))[1] ?? '';
    await until('the fix', async () => (await stage.event(home.namespace, fixed))?.status?.phase === 'Resolved');
    await restart('central');
    const requests = stage.audit.requestsOf(home.account.user);
    const verbs = new Set(requests.map(({ verb }) => verb));
    for (const verb of ['watch', 'create', 'patch']) assert.ok(verbs.has(verb), [...verbs].join());
    assert.deepEqual(
      requests.filter(({ namespace }) => namespace !== home.namespace),
      [],
    );
  });

  test('central, by resource and back: each event is made and removed once, with all that is known of it', async () => {
    await start('central');
    await putReport(stage, reportIn(red, 3));
    await putReport(stage, reportIn(blue, 2));
    await putClusterReport();
    await countsAre({ [home.namespace]: 6 });
    await putReport(stage, reportIn(red, 2, '2026-01-03T00:00:00Z'));
    const [noted = '', , fixed = ''] = eventNames(reportIn(red, 3));
    await until('the fix', async () => (await stage.event(home.namespace, fixed))?.status?.phase === 'Resolved');
    const path = `${eventsPath(home.namespace)}/${noted}`;
    const metadata = { labels: { acknowledged: 'ann' }, annotations: { 'team.example/note': 'known' } };
    await stage.must(200, 'PATCH', path, { metadata }, 'merge');
    await stage.must(200, 'PATCH', `${path}/status`, { status: { synced: true, saasEventId: 's-7' } }, 'merge');
    const known = new Map((await stage.events(home.namespace)).map((event) => [event.metadata.name, event]));

    for (const [mode, counts] of [
      ['resource', { [home.namespace]: 1, [red]: 3, [blue]: 2 }],
      ['migrate', { [home.namespace]: 6, [red]: 0, [blue]: 0 }],
    ] as const) {
      const before = ours().length;
      await restart(mode);
      await countsAre(counts);
      await until('the end of the moves', async () => {
        const now = await scrape(daemon);
        return now.value('zen_watcher_moved_events_total') === 5 && now.value('zen_watcher_misplaced_events') === 0;
      });
      const writes = ours().slice(before);
      // One of them is Resolved, one was noted by a consumer: these two have a status.
      assert.deepEqual(tallyOf(writes), { 'create 201': 5, 'patch status 200': 2, 'delete 200': 5 });
      assert.deepEqual(linesOf(daemon, 'event created'), []);
      assert.deepEqual(linesOf(daemon, 'event resolved'), []);
      assert.equal(linesOf(daemon, 'event moved').length, 5);
      await logged(daemon, 'all events are in the namespaces that they belong to');
      const events = (await Promise.all([home.namespace, red, blue].map((one) => stage.events(one)))).flat();
      assert.equal(events.length, known.size);
      for (const event of events) assertSame(event, known.get(event.metadata.name));
      assert.equal((await assertBooksBalance(daemon)).settled('written'), 0);
    }
    // Life goes on where they are.
    await restart('central');
    await putReport(stage, reportIn(red, 3, '2026-01-04T00:00:00Z'));
    await until('the return', async () => (await stage.event(home.namespace, fixed))?.status?.phase === 'Active');
  });

  test('killed in the middle of the way there and of the way back, three times each', async (t) => {
    const count = 120;
    const first = reportIn(red, count);
    await start('central');
    await putReport(stage, first);
    await received(daemon, count);
    await countsAre({ [home.namespace]: count });
    const known = new Map((await stage.events(home.namespace)).map((event) => [event.metadata.name, event]));
    await stage.end(daemon);
    for (const [mode, to] of [
      ['resource', red],
      ['migrate', home.namespace],
    ] as const) {
      await changeRules(stage.rest, home.account, rulesOf[mode]);
      const before = successes().length;
      const slow = settings(mode, { writes: { perSecond: 60, burst: 1 } });
      for (let life = 1; life <= 3; life += 1) {
        const process = await stage.daemonProcess(home, slow);
        const atStart = (await stage.events(to)).length;
        await until('some moves', async () => (await stage.events(to)).length >= Math.min(count, atStart + 15));
        await process.end('SIGKILL');
        const both = await Promise.all([stage.events(home.namespace), stage.events(red)]);
        t.diagnostic(`${mode}: life ${life} ended with ${both.map(({ length }) => length).join(' + ')} events`);
      }
      daemon = await stage.daemon(home, settings(mode));
      await ready(daemon);
      await countsAre({ [home.namespace]: 0, [red]: 0, [to]: count });
      await until('the end', async () => (await scrape(daemon)).value('zen_watcher_misplaced_events') === 0);
      for (const event of await stage.events(to)) assertSame(event, known.get(event.metadata.name));
      // A request that the kill cut off may have been carried out and be answered with an error to nobody.
      const writes = successes().slice(before);
      assert.deepEqual(createdTwice(writes), []);
      const deleted = writes.filter(({ verb }) => verb === 'delete').map((write) => write.name);
      assert.equal(new Set(deleted).size, deleted.length);
      assert.ok(deleted.length > count - 3 * 8);
      assert.deepEqual(
        writes.filter(({ verb }) => verb !== 'create' && verb !== 'delete'),
        [],
      );
      await received(daemon, count);
      await assertBooksBalance(daemon);
      if (mode === 'resource') await stage.end(daemon);
    }
  });

  test('a namespace that comes later gets its event; one that is deleted takes it along', async () => {
    await start('resource');
    const later = `later-${red}`;
    await putClusterReport(later);
    await countsAre({ [home.namespace]: 1 });
    await stage.must(201, 'POST', '/api/v1/namespaces', { metadata: { name: later } });
    await countsAre({ [home.namespace]: 0, [later]: 1 });
    assert.deepEqual(tallyOf(ours()), { 'create 201': 2, 'delete 200': 1 });

    // The report of the cluster still speaks of it: the event returns, where there is a place for it.
    const reported = vulnerabilityReport({ namespace: later, workload: 'web', vulnerabilities: vulnerabilities(4) });
    await putReport(stage, reported);
    await countsAre({ [later]: 5 });
    await stage.must(200, 'DELETE', `/api/v1/namespaces/${later}`);
    await until('the namespace to be gone', async () => {
      return (await stage.rest.send('GET', `/api/v1/namespaces/${later}`)).code === 404;
    });
    const central = await until('what is left', async () => {
      const events = await stage.events(home.namespace);
      return events.some(({ spec }) => spec.source === 'kyverno') ? events : undefined;
    });
    const active = central.filter(({ status }) => status?.phase === 'Active');
    assert.deepEqual(
      active.map(({ spec }) => spec.source),
      ['kyverno'],
    );
    const created = successes().filter(({ verb, namespace }) => verb === 'create' && namespace === later);
    assert.equal(created.length, 5);
  });

  test('events of both ages are joined: what central left behind comes home when it is asked to', async () => {
    await start('resource');
    const first = reportIn(red, 2);
    await putReport(stage, first);
    await countsAre({ [red]: 2 });
    const old = await stage.events(red);
    const [noted = ''] = eventNames(first);
    await stage.must(
      200,
      'PATCH',
      `${eventsPath(red)}/${noted}`,
      { metadata: { labels: { acknowledged: 'ann' } } },
      'merge',
    );
    // Without migration central knows nothing of them.
    await restart('central');
    await countsAre({ [red]: 2, [home.namespace]: 2 });
    await restart('migrate');
    await countsAre({ [red]: 0, [home.namespace]: 2 });
    const joined = await stage.events(home.namespace);
    const times = (events: readonly StoredEvent[]) => events.map(({ spec }) => spec.detectedAt).sort();
    assert.deepEqual(times(joined), times(old));
    const event = joined.find(({ metadata }) => metadata.name === noted);
    assert.equal(event?.metadata.labels?.['acknowledged'], 'ann');
    await removeReport(stage, first);
  });
});

/** The same event, wherever it is: spec, status, and what others put on it. */
function assertSame(event: StoredEvent, before: StoredEvent | undefined): void {
  assert.ok(before, `${event.metadata.name} was not there before`);
  assert.deepEqual(event.spec, before.spec);
  assert.deepEqual(event.status, before.status);
  assert.deepEqual(event.metadata.labels, before.metadata.labels);
  const { 'zen.kube-zen.io/moved-from': _, ...annotations } = event.metadata.annotations ?? {};
  assert.deepEqual(annotations, before.metadata.annotations);
}
