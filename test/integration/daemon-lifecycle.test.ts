/** The life of an event, seen on the real server: fixed, changed, returned, edited and deleted by hand (E2, F2, F3). */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, suite, test } from 'node:test';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { tallyOf } from '../support/audit-log.ts';
import { eventsPath } from '../support/crd.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertBooksBalance, linesOf, logged, ready, received, scrape } from '../support/daemon.ts';
import type { Home } from '../support/stage.ts';
import { Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import type { Report, Vulnerability } from '../support/vulnerability-reports.ts';
import {
  eventNames,
  putReport,
  removeReport,
  removeReports,
  vulnerabilityReport,
} from '../support/vulnerability-reports.ts';

suite('daemon: the life of an event', () => {
  let stage: Stage;
  let home: Home;
  let team: string;
  let daemon: TestDaemon;

  before(async () => {
    stage = await Stage.start();
  });
  after(() => stage?.stop());

  beforeEach(async () => {
    home = await stage.home('events');
    team = await stage.namespace('team');
    daemon = await stage.daemon(home);
    await ready(daemon);
  });
  afterEach(async () => {
    // Whatever comes of it, the next test's daemon shall see its own reports only.
    await removeReports(stage, team);
    await stage.endBalanced(daemon);
  });

  const report = (vulnerabilities: readonly Vulnerability[], at?: string, hash?: string) =>
    vulnerabilityReport({
      namespace: team,
      workload: 'web',
      vulnerabilities,
      ...(at === undefined ? {} : { at }),
      ...(hash === undefined ? {} : { hash }),
    });
  const nameOfFirst = (of: Report) => eventNames(of)[0] ?? '';
  const path = (name: string, subresource = '') => `${eventsPath(home.namespace)}/${name}${subresource}`;
  const writes = () => stage.audit.writes(home.namespace);
  const ours = () => tallyOf(writes().filter(({ user }) => user === home.account.user));

  const eventWhen = (name: string, what: string, is: (event: StoredEvent) => boolean) =>
    stage.eventWhen(home.namespace, name, what, is);
  const there = (name: string) => eventWhen(name, 'there', () => true);
  const active = (name: string) => eventWhen(name, 'Active', ({ status }) => status?.phase === 'Active');
  const resolved = (name: string) => eventWhen(name, 'Resolved', ({ status }) => status?.phase === 'Resolved');

  const two = [{ id: 'CVE-2026-1' }, { id: 'CVE-2026-2' }];

  test('a finding that a newer report does not have is fixed; when it returns, so does its event', async () => {
    const first = report(two);
    const [one = '', other = ''] = eventNames(first);
    await putReport(stage, first);
    const created = await there(one);
    assert.deepEqual(created.status, { phase: 'Active', count: 1 });

    await putReport(stage, report([{ id: 'CVE-2026-2' }], '2026-01-03T00:00:00Z'));
    const fixed = await resolved(one);
    assert.equal(fixed.status?.reason, 'fixed');
    assert.ok(Date.parse(fixed.status?.resolvedAt ?? '') >= Date.parse(created.spec.detectedAt ?? ''));
    assert.deepEqual(fixed.spec, created.spec);
    assert.equal((await there(other)).status?.phase, 'Active');
    assert.equal((await logged(daemon, 'event resolved', { event: one }))['reason'], 'fixed');

    await putReport(stage, report(two, '2026-01-04T00:00:00Z'));
    const back = await active(one);
    assert.equal(back.spec.detectedAt, created.spec.detectedAt);
    assert.equal(back.metadata.uid, created.metadata.uid);
    assert.equal(back.status?.reason, undefined);
    assert.equal(back.status?.resolvedAt, undefined);
    assert.ok(back.status?.lastSeen !== undefined);
    await logged(daemon, 'event reopened', { event: one });
    assert.deepEqual(ours(), { 'create 201': 2, 'patch status 200': 2 });
  });

  test('a fixed finding that returns with another severity is Active again, with that severity', async () => {
    const first = report([{ id: 'CVE-2026-1', severity: 'LOW' }]);
    const name = nameOfFirst(first);
    await putReport(stage, first);
    await there(name);
    await putReport(stage, report([], '2026-01-03T00:00:00Z'));
    await resolved(name);
    await putReport(stage, report([{ id: 'CVE-2026-1', severity: 'CRITICAL' }], '2026-01-04T00:00:00Z'));
    const back = await active(name);
    assert.equal(back.spec.severity, 'critical');
    assert.equal(back.status?.resolvedAt, undefined);
    await logged(daemon, 'event reopened', { event: name });
    assert.deepEqual(ours(), { 'create 201': 1, 'patch status 200': 2, 'update 200': 1 });
  });

  test('an empty report fixes all; a deleted one fixes nothing', async () => {
    const first = report(two);
    const names = eventNames(first);
    await putReport(stage, first);
    for (const name of names) await there(name);
    await removeReport(stage, first);
    await until('the report to be gone', async () => {
      const objects = (await scrape(daemon)).value('zen_watcher_informer_objects', {
        resource: 'vulnerabilityreports.aquasecurity.github.io',
      });
      return objects === 0;
    });
    await assertBooksBalance(daemon);
    for (const name of names) assert.equal((await there(name)).status?.phase, 'Active');
    assert.deepEqual(ours(), { 'create 201': 2 });

    await putReport(stage, report([], '2026-01-03T00:00:00Z'));
    for (const name of names) assert.equal((await resolved(name)).status?.reason, 'fixed');
    assert.deepEqual(ours(), { 'create 201': 2, 'patch status 200': 2 });
  });

  test('a severity changes in place, labels too; nothing is resolved or made anew', async () => {
    const first = report([{ id: 'CVE-2026-1', severity: 'MEDIUM' }]);
    const name = nameOfFirst(first);
    await putReport(stage, first);
    const created = await there(name);
    await putReport(stage, report([{ id: 'CVE-2026-1', severity: 'CRITICAL' }], '2026-01-03T00:00:00Z'));
    const changed = await eventWhen(name, 'critical', ({ spec }) => spec.severity === 'critical');
    assert.equal(changed.metadata.uid, created.metadata.uid);
    assert.equal(changed.metadata.labels?.['severity'], 'critical');
    assert.equal(changed.metadata.labels?.['zen.kube-zen.io/severity'], 'critical');
    assert.equal(changed.spec.detectedAt, created.spec.detectedAt);
    assert.equal(changed.spec.sourceSeverity, 'CRITICAL');
    assert.deepEqual(changed.status, created.status);
    assert.deepEqual(ours(), { 'create 201': 1, 'update 200': 1 });
    assert.equal((await scrape(daemon)).value('zen_watcher_tampered_events_total'), 0);
  });

  test('a rollout and a rescan write nothing', async () => {
    const first = report(two);
    await putReport(stage, first);
    for (const name of eventNames(first)) await there(name);
    // The new ReplicaSet's report comes before the old one goes, and the other way round.
    const second = report(two, '2026-01-03T00:00:00Z', '7c9b5bf674');
    assert.deepEqual(eventNames(second), eventNames(first));
    await putReport(stage, second);
    await received(daemon, 4);
    await removeReport(stage, first);
    await putReport(stage, report(two, '2026-01-04T00:00:00Z', '7c9b5bf674'));
    await received(daemon, 6);
    await removeReport(stage, second);
    await putReport(stage, report(two, '2026-01-05T00:00:00Z', '6d8f4c9b58'));
    await received(daemon, 8);
    assert.deepEqual(tallyOf(writes()), { 'create 201': 2 });
  });

  test('an event that was deleted by hand comes back while its finding exists, and only then', async () => {
    const first = report(two);
    const [one = '', other = ''] = eventNames(first);
    await putReport(stage, first);
    const before = await there(one);
    await there(other);
    await stage.must(200, 'DELETE', path(one));
    const again = await eventWhen(one, 'made anew', ({ metadata }) => metadata.uid !== before.metadata.uid);
    assert.deepEqual({ ...again.spec, detectedAt: '' }, { ...before.spec, detectedAt: '' });

    await putReport(stage, report([{ id: 'CVE-2026-2' }], '2026-01-03T00:00:00Z'));
    await resolved(one);
    await stage.must(200, 'DELETE', path(one));
    await putReport(stage, report([{ id: 'CVE-2026-2', severity: 'LOW' }], '2026-01-04T00:00:00Z'));
    await eventWhen(other, 'low', ({ spec }) => spec.severity === 'low');
    await assertBooksBalance(daemon);
    assert.equal(await stage.event(home.namespace, one), undefined);
  });

  test('an event that was edited by hand is mended; what people added to it stays', async () => {
    const first = report([{ id: 'CVE-2026-1' }]);
    const name = nameOfFirst(first);
    await putReport(stage, first);
    const created = await there(name);
    const metadata = { labels: { reviewed: 'yes' }, annotations: { 'team.example/note': 'known since May' } };
    await stage.must(200, 'PATCH', path(name), { metadata }, 'merge');
    await stage.must(200, 'PATCH', path(name), { spec: { severity: 'low', title: 'nothing to see' } }, 'merge');
    const mended = await eventWhen(name, 'mended', ({ spec }) => spec.severity === 'high');
    assert.deepEqual(mended.spec, created.spec);
    assert.equal(mended.metadata.labels?.['reviewed'], 'yes');
    assert.equal(mended.metadata.annotations?.['team.example/note'], 'known since May');
    await logged(daemon, 'event was not as we wrote it: put right', { event: name, action: 'mended' });
    assert.equal((await scrape(daemon)).value('zen_watcher_tampered_events_total', { action: 'mended' }), 1);

    // A label of ours that was taken away comes back as well.
    await stage.must(200, 'PATCH', path(name), { metadata: { labels: { severity: null } } }, 'merge');
    await eventWhen(name, 'labelled', (event) => event.metadata.labels?.['severity'] === 'high');
    assert.deepEqual(ours(), { 'create 201': 1, 'update 200': 2 });
    assert.equal((await there(name)).metadata.labels?.['reviewed'], 'yes');
  });

  test('an event that somebody resolved by hand is Active again while its finding exists', async () => {
    const first = report([{ id: 'CVE-2026-1' }]);
    const name = nameOfFirst(first);
    await putReport(stage, first);
    await there(name);
    await stage.must(200, 'PATCH', path(name, '/status'), { status: { phase: 'Resolved', reason: 'fixed' } }, 'merge');
    const back = await active(name);
    assert.equal(back.status?.reason, undefined);
  });

  test("a consumer's status survives what we write, and causes no write of ours", async () => {
    const first = report([{ id: 'CVE-2026-1' }]);
    const name = nameOfFirst(first);
    await putReport(stage, first);
    const created = await there(name);
    const status = { synced: true, saasEventId: 'saas-7', lastSyncAttempt: '2026-01-02T03:04:05Z' };
    await stage.must(200, 'PUT', path(name, '/status'), { ...created, status });
    // A rescan that changes nothing comes after it.
    await putReport(stage, report([{ id: 'CVE-2026-1' }], '2026-01-03T00:00:00Z'));
    await received(daemon, 2);
    assert.deepEqual(ours(), { 'create 201': 1 });
    await putReport(stage, report([{ id: 'CVE-2026-1', severity: 'LOW' }], '2026-01-04T00:00:00Z'));
    await eventWhen(name, 'low', ({ spec }) => spec.severity === 'low');
    await putReport(stage, report([], '2026-01-05T00:00:00Z'));
    const fixed = await resolved(name);
    assert.deepEqual({ ...fixed.status, ...status }, fixed.status);
    assert.equal(fixed.status?.count, 1);
  });

  test('what changed while no daemon ran is put right by the next one', async () => {
    const first = report([{ id: 'CVE-2026-1' }, { id: 'CVE-2026-2' }, { id: 'CVE-2026-3' }]);
    const shop = vulnerabilityReport({ namespace: team, workload: 'shop', vulnerabilities: two });
    const [kept = '', gone = '', deleted = ''] = eventNames(first);
    await putReport(stage, first);
    await putReport(stage, shop);
    for (const name of [kept, gone, deleted, ...eventNames(shop)]) await there(name);
    await stage.end(daemon);
    const before = writes().length;

    const changed = [{ id: 'CVE-2026-1', severity: 'CRITICAL' }, { id: 'CVE-2026-3' }, { id: 'CVE-2026-4' }];
    const second = report(changed, '2026-01-03T00:00:00Z');
    await putReport(stage, second);
    await removeReport(stage, shop);
    await stage.must(200, 'DELETE', path(deleted));

    daemon = await stage.daemon(home);
    await eventWhen(kept, 'critical', ({ spec }) => spec.severity === 'critical');
    await resolved(gone);
    await there(deleted);
    await there(eventNames(second)[2] ?? '');
    await ready(daemon);
    await assertBooksBalance(daemon);
    for (const name of eventNames(shop)) assert.equal((await there(name)).status?.phase, 'Active');
    const since = writes()
      .slice(before)
      .filter(({ user }) => user === home.account.user);
    assert.deepEqual(tallyOf(since), { 'create 201': 2, 'update 200': 1, 'patch status 200': 1 });
    assert.equal(linesOf(daemon, 'event created').length, 2);
  });
});
