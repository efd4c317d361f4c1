/** Servers that are not up, rights that are missing, namespaces that are not there: said once, healed by itself (F2, F4). */
import assert from 'node:assert/strict';
import { after, afterEach, before, suite, test } from 'node:test';
import { group } from '../../src/api/event.ts';
import { resourceIntakes } from '../../src/sources/intakes.ts';
import { sources } from '../../src/sources/registry.ts';
import { createdTwice, tallyOf } from '../support/audit-log.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { ask, assertBooksBalance, linesOf, logged, ready, received, scrape } from '../support/daemon.ts';
import { allowWriting, changeRules, makeDaemonAccount, readRules, writeRules } from '../support/daemon-account.ts';
import { type Home, Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import {
  eventNames,
  putReport,
  removeReports,
  vulnerabilities,
  vulnerabilityReport,
} from '../support/vulnerability-reports.ts';

const unreachable = 'the API server cannot be reached: trying again';
const forbidden = 'forbidden: allow list and watch on it';
const notWritten = 'events cannot be written at the moment';
const writtenAgain = 'events are written again';
/** As it is, only that the longest pause between two attempts is a second. */
const impatient = { timing: { reflector: { backoffMaximumMs: 1000 } } };
const policyGroup = 'wgpolicyk8s.io';

suite('daemon: outages and missing rights', () => {
  let stage: Stage;
  let home: Home;
  let team: string;
  let daemon: TestDaemon;

  before(async () => {
    // With the controllers that count quotas and end namespaces.
    stage = await Stage.start({ controllerManager: true });
    team = await stage.namespace('team');
  });
  after(() => stage?.stop());
  afterEach(async () => {
    // Whatever comes of it, the next test's daemon shall see its own reports only.
    await removeReports(stage, team);
    await stage.endBalanced(daemon);
  });

  const report = (count: number, first = 1) =>
    vulnerabilityReport({ namespace: team, workload: 'web', vulnerabilities: vulnerabilities(count, first) });
  const writes = () => stage.audit.writes(home.namespace);

  async function eventsOf(names: readonly string[]): Promise<void> {
    await until(`${names.length} events`, async () => {
      const found = new Set((await stage.events(home.namespace)).map(({ metadata }) => metadata.name));
      return names.every((name) => found.has(name));
    });
  }

  const policyReport = () => ({
    apiVersion: `${policyGroup}/v1alpha2`,
    kind: 'PolicyReport',
    metadata: { name: 'cpol-labels', namespace: team },
    results: [
      {
        source: 'kyverno',
        policy: 'require-labels',
        rule: 'check-app',
        result: 'fail',
        severity: 'medium',
        message: 'label app is required',
        resources: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', namespace: team }],
      },
    ],
  });
  const policyReportPath = () => `/apis/${policyGroup}/v1alpha2/namespaces/${team}/policyreports/cpol-labels`;

  test('an API server that is not up yet: said once, alive, not ready; goes on when it is', async (t) => {
    home = await stage.home('events');
    const there = report(2);
    await putReport(stage, there);
    await stage.controlPlane.kill('kube-apiserver');
    const child = await stage.daemonProcess(home);
    daemon = child;
    const line = await logged(daemon, unreachable);
    assert.match(String(line['reason']), /ECONNREFUSED/);
    assert.equal((await ask(daemon, '/healthz')).code, 200);
    const { code, text } = await ask(daemon, '/readyz');
    assert.deepEqual([code, text], [503, 'not ready: the first listing is not complete\n']);
    // Long enough for some attempts more, each of which stays untold.
    await until('several attempts', async () => {
      const requests = (await scrape(daemon)).samples.filter(({ name }) => name === 'zen_watcher_api_requests_total');
      return requests.some(({ labels, value }) => labels['code'] === '0' && value >= 3);
    });
    const begin = performance.now();
    await stage.controlPlane.start();
    await eventsOf(eventNames(there));
    t.diagnostic(`events ${Math.round(performance.now() - begin)} ms after the API server was started`);
    await ready(daemon);
    assert.equal(linesOf(daemon, unreachable).length, 1);
    assert.equal(linesOf(daemon, 'the API server answers again').length, 1);
    assert.deepEqual(tallyOf(writes()), { 'create 201': 2 });
    assert.equal(child.stderr(), '');
  });

  test('an API server that is killed in the middle of 400 findings and comes back: all there, none twice', async () => {
    home = await stage.home('events');
    daemon = await stage.daemonProcess(home);
    await ready(daemon);
    const many = report(400, 1000);
    await putReport(stage, many);
    await until('some events', async () => (await scrape(daemon)).settled('written') >= 30);
    await stage.controlPlane.kill('kube-apiserver');
    await logged(daemon, notWritten, { cause: 'unavailable' });
    assert.equal((await ask(daemon, '/readyz')).code, 200, 'an outage takes readiness away');
    await stage.controlPlane.start();
    await eventsOf(eventNames(many));
    await logged(daemon, writtenAgain);
    assert.equal((await stage.events(home.namespace)).length, 400);
    assert.deepEqual(createdTwice(writes()), []);
    // After its start the server may refuse for a moment, for other reasons, each of which is told once as well.
    const causes = linesOf(daemon, notWritten).map(({ cause }) => cause);
    assert.deepEqual(causes, [...new Set(causes)]);
    const others = Object.keys(tallyOf(writes())).filter((word) => !word.startsWith('create'));
    assert.deepEqual(others, []);
    assert.equal((await scrape(daemon)).value('zen_watcher_tampered_events_total'), 0);
  });

  test('a resource it may not read: said once, the others work, and it goes on when it may', async (t) => {
    home = await stage.home(
      'events',
      readRules.filter(({ apiGroups }) => !apiGroups.includes(policyGroup)),
    );
    daemon = await stage.daemon(home, impatient);
    await ready(daemon);
    const intakes = sources.flatMap(resourceIntakes).filter((intake) => intake.group === policyGroup);
    for (const { resource } of intakes) await logged(daemon, forbidden, { resource: `${resource}.${policyGroup}` });
    await stage.apply(policyReportPath(), policyReport());
    t.after(() => stage.must(200, 'DELETE', policyReportPath()));
    await putReport(stage, report(1));
    await eventsOf(eventNames(report(1)));
    assert.equal((await stage.events(home.namespace)).length, 1);
    await until('several attempts', async () => {
      const refused = { resource: 'policyreports', code: '403' };
      return (await scrape(daemon)).value('zen_watcher_api_requests_total', refused) >= 3;
    });
    assert.equal(linesOf(daemon, forbidden).length, intakes.length);
    await changeRules(stage.rest, home.account, readRules);
    await until('the event of the policy', async () => (await stage.events(home.namespace)).length === 2);
    await logged(daemon, 'watching', { resource: `policyreports.${policyGroup}` });
    assert.equal(linesOf(daemon, forbidden).length, intakes.length);
    const table = (await stage.events(home.namespace)).map(({ spec }) => `${spec.source} ${spec.subject}`).sort();
    assert.deepEqual(table, ['kyverno Deployment/web', 'trivy Deployment/web']);
  });

  test('it may not write: said once with what to allow; findings wait and are written when it may', async () => {
    const namespace = await stage.namespace('events');
    const reading = { apiGroups: [group], resources: ['zenagentevents'], verbs: ['list', 'watch'] };
    home = { namespace, account: await makeDaemonAccount(stage.rest, namespace, [...readRules, reading]) };
    daemon = await stage.daemon(home, impatient);
    await ready(daemon);
    await putReport(stage, report(3));
    const line = await logged(daemon, notWritten, { cause: 'forbidden' });
    assert.match(String(line['hint']), /create.*zenagentevents/);
    await until('several attempts', async () => {
      return (await scrape(daemon)).value('zen_watcher_write_retries_total', { cause: 'forbidden' }) >= 3;
    });
    const waiting = await scrape(daemon);
    assert.deepEqual([waiting.received, waiting.pending], [3, 3]);
    await allowWriting(stage.rest, namespace);
    await eventsOf(eventNames(report(3)));
    await logged(daemon, writtenAgain, { causes: 'forbidden' });
    assert.equal(linesOf(daemon, notWritten).length, 1);
    assert.deepEqual(createdTwice(writes()), []);
  });

  test('a backlog that the queue has no room for is not read before there is', async () => {
    const namespace = await stage.namespace('events');
    const reading = { apiGroups: [group], resources: ['zenagentevents'], verbs: ['list', 'watch'] };
    home = { namespace, account: await makeDaemonAccount(stage.rest, namespace, [...readRules, reading]) };
    const reports = Array.from({ length: 20 }, (_, index) =>
      vulnerabilityReport({ namespace: team, workload: `app-${index}`, vulnerabilities: vulnerabilities(10) }),
    );
    for (const one of reports) await putReport(stage, one);
    daemon = await stage.daemon(home, { ...impatient, queue: { items: 50 } });
    await logged(daemon, notWritten, { cause: 'forbidden' });
    const full = await until('all to be listed', async () => {
      const now = await scrape(daemon);
      return now.value('zen_watcher_rereads_total', { reason: 'queue-full' }) === 15 ? now : undefined;
    });
    assert.equal(full.received, 50);
    await until('that to be all that it waits for', async () =>
      (await ask(daemon, '/readyz')).text.includes('the queue is full'),
    );
    await allowWriting(stage.rest, namespace);
    await eventsOf(reports.flatMap(eventNames));
    assert.deepEqual(createdTwice(writes()), []);
  });

  test('the namespace of the events is missing: said once, written when it is made', async () => {
    const accountNamespace = await stage.namespace('account');
    const namespace = `${accountNamespace}-events`;
    const account = await makeDaemonAccount(stage.rest, accountNamespace, [...readRules, ...writeRules]);
    home = { namespace, account };
    daemon = await stage.daemon(home, impatient);
    await ready(daemon);
    await putReport(stage, report(3));
    const line = await logged(daemon, notWritten, { cause: 'namespace-missing' });
    assert.match(String(line['hint']), /namespace/);
    await stage.must(201, 'POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    await eventsOf(eventNames(report(3)));
    await logged(daemon, writtenAgain, { causes: 'namespace-missing' });
    assert.equal(linesOf(daemon, notWritten).length, 1);
  });

  test('neither the namespace nor the Role is there: not ready, said once, goes on when both are', async () => {
    const accountNamespace = await stage.namespace('account');
    const namespace = `${accountNamespace}-events`;
    home = { namespace, account: await makeDaemonAccount(stage.rest, accountNamespace) };
    await putReport(stage, report(3));
    daemon = await stage.daemon(home, impatient);
    await logged(daemon, forbidden, { resource: `zenagentevents.${group}` });
    assert.equal((await ask(daemon, '/readyz')).code, 503);
    await stage.must(201, 'POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    await allowWriting(stage.rest, accountNamespace, namespace);
    await eventsOf(eventNames(report(3)));
    await ready(daemon);
    assert.equal(linesOf(daemon, forbidden, { resource: `zenagentevents.${group}` }).length, 1);
    await received(daemon, 3);
    assert.deepEqual(tallyOf(writes()), { 'create 201': 3 });
  });

  test('a quota that is used up: said once with what to do; the rest is written when there is room', async () => {
    home = await stage.home('events');
    const quotas = `/api/v1/namespaces/${home.namespace}/resourcequotas`;
    const hard = { [`count/zenagentevents.${group}`]: '2' };
    await stage.must(201, 'POST', quotas, { metadata: { name: 'events' }, spec: { hard } });
    await until('the quota to be counted', async () => {
      return (await stage.must(200, 'GET', `${quotas}/events`))['status']?.used !== undefined;
    });
    daemon = await stage.daemon(home, impatient);
    await ready(daemon);
    await putReport(stage, report(5));
    const line = await logged(daemon, notWritten, { cause: 'quota' });
    assert.match(String(line['hint']), /ResourceQuota/);
    await until('two events', async () => (await stage.events(home.namespace)).length === 2);
    await stage.must(200, 'DELETE', `${quotas}/events`);
    await eventsOf(eventNames(report(5)));
    await assertBooksBalance(daemon);
    assert.deepEqual(createdTwice(writes()), []);
  });

  test('the namespace of the events ends: its events are dropped with it; the next reports bring them back', async () => {
    const accountNamespace = await stage.namespace('account');
    const namespace = await stage.namespace('events');
    const account = await makeDaemonAccount(stage.rest, accountNamespace, [...readRules, ...writeRules]);
    home = { namespace, account };
    daemon = await stage.daemon(home, impatient);
    await ready(daemon);
    await putReport(stage, report(3));
    await eventsOf(eventNames(report(3)));
    const path = `/api/v1/namespaces/${namespace}`;
    // What holds the namespace up: long enough for us to meet it while it ends.
    const holding = { metadata: { name: 'holding', finalizers: ['zen.example/hold'] } };
    await stage.must(201, 'POST', `${path}/configmaps`, holding);
    await stage.must(200, 'DELETE', path);
    await until('all to be refused', async () => {
      const now = await scrape(daemon);
      return now.value('zen_watcher_findings_rejected_total', { reason: 'namespace-terminating' }) === 3;
    });
    assert.deepEqual(tallyOf(writes().filter(({ user }) => user === account.user)), {
      'create 201': 3,
      'create 403': 3,
    });
    await stage.must(200, 'PATCH', `${path}/configmaps/holding`, { metadata: { finalizers: null } }, 'merge');
    await until('the namespace to be gone', async () => (await stage.rest.send('GET', path)).code === 404);
    await stage.must(201, 'POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    await putReport(stage, { ...report(3), report: { ...report(3).report, updateTimestamp: '2026-01-03T00:00:00Z' } });
    await eventsOf(eventNames(report(3)));
  });
});
