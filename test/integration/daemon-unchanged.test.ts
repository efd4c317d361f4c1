/** What is said again, listed again or seen by two is written once; and what it takes to write it at all (F2, F4, P4). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, beforeEach, suite, test } from 'node:test';
import { limits } from '../../src/api/schema.ts';
import { createdTwice, tallyOf, writesWithoutChange } from '../support/audit-log.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertBooksBalance, ready, received, scrape } from '../support/daemon.ts';
import { type Home, Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import type { Vulnerability } from '../support/vulnerability-reports.ts';
import {
  createReport,
  eventNames,
  putReport,
  removeReport,
  removeReports,
  vulnerabilities,
  vulnerabilityReport,
} from '../support/vulnerability-reports.ts';

const resource = 'vulnerabilityreports.aquasecurity.github.io';

suite('daemon: nothing twice', () => {
  let stage: Stage;
  let home: Home;
  let team: string;
  let daemons: TestDaemon[] = [];

  before(async () => {
    stage = await Stage.start();
  });
  after(() => stage?.stop());
  beforeEach(async () => {
    home = await stage.home('events');
    team = await stage.namespace('team');
  });
  afterEach(async () => {
    await removeReports(stage, team);
    try {
      for (const daemon of daemons) await assertBooksBalance(daemon);
    } finally {
      for (const daemon of daemons) await stage.end(daemon);
      daemons = [];
    }
  });

  async function start(settings?: Parameters<Stage['daemon']>[1]): Promise<TestDaemon> {
    const daemon = await stage.daemon(home, settings);
    daemons.push(daemon);
    await ready(daemon);
    return daemon;
  }
  const report = (entries: readonly Vulnerability[], at?: string) =>
    vulnerabilityReport({
      namespace: team,
      workload: 'web',
      vulnerabilities: entries,
      ...(at === undefined ? {} : { at }),
    });
  const writes = () => stage.audit.writes(home.namespace);
  const known = (daemon: TestDaemon, count: number) =>
    until(`${count} reports`, async () => {
      return (await scrape(daemon)).value('zen_watcher_informer_objects', { resource }) === count;
    });

  /** Lists of the reports and of the events that the daemon was answered, as streams or by pages, by the API server's audit log. */
  const listings = () =>
    readFileSync(stage.controlPlane.auditLogPath ?? '', 'utf8')
      .split('\n')
      .filter((line) => line.includes(`"username":"${home.account.user}"`))
      .filter(
        (line) =>
          (line.includes('sendInitialEvents=true') && /"stage":"ResponseStarted".*"code":200/.test(line)) ||
          /"stage":"ResponseComplete".*"verb":"list".*"code":200/.test(line),
      )
      .filter((line) => /"resource":"(vulnerabilityreports|zenagentevents)"/.test(line)).length;

  test('a report that is sent again as it was, or deleted and made anew, writes nothing', async () => {
    const daemon = await start();
    const same = report(vulnerabilities(5));
    await putReport(stage, same);
    await received(daemon, 5);
    // The server gives it another resourceVersion each time; what it says is as it was.
    for (let time = 1; time <= 3; time += 1) {
      const metadata = { ...same.metadata, annotations: { 'sent-again': String(time) } };
      await putReport(stage, { ...same, metadata });
      await received(daemon, 5 + 5 * time);
    }
    for (let time = 1; time <= 2; time += 1) {
      await removeReport(stage, same);
      await known(daemon, 0);
      await putReport(stage, same);
      await received(daemon, 20 + 5 * time);
    }
    assert.deepEqual(tallyOf(writes()), { 'create 201': 5 });
  });

  test('watches that end every second, an API server that forgot the past: listed again, and nothing is written', async () => {
    const daemon = await start({ timing: { reflector: { watchSeconds: 1 } } });
    await putReport(stage, report(vulnerabilities(50)));
    await received(daemon, 50);
    const watches = async () => (await scrape(daemon)).value('zen_watcher_api_requests_total', { verb: 'watch' });
    const before = await watches();
    await until('many watches', async () => (await watches()) >= before + 20);
    assert.deepEqual(tallyOf(writes()), { 'create 201': 50 });
    // A server that has just started knows nothing of what was before: 410.
    const listed = listings();
    await stage.namespace('another');
    await stage.controlPlane.restart('kube-apiserver');
    await until('the reports and the events to be listed again', () => listings() >= listed + 2);
    const shop = vulnerabilityReport({ namespace: team, workload: 'shop', vulnerabilities: vulnerabilities(1) });
    await until('the server', async () => putReport(stage, shop).then(() => true));
    await received(daemon, 51);
    assert.deepEqual(tallyOf(writes()), { 'create 201': 51 });
  });

  test('a restart with 1,000 events of 50 reports: all is read and compared, and nothing is written', async () => {
    const daemon = await start();
    for (let index = 0; index < 50; index += 1) {
      const parts = { namespace: team, workload: `app-${index}`, vulnerabilities: vulnerabilities(20) };
      await createReport(stage, vulnerabilityReport(parts));
    }
    await received(daemon, 1_000);
    assert.deepEqual(tallyOf(writes()), { 'create 201': 1_000 });
    await stage.end(daemon);
    daemons = [];
    const next = await start();
    assert.equal((await received(next, 1_000)).settled('unchanged'), 1_000);
    assert.deepEqual(tallyOf(writes()), { 'create 201': 1_000 });
  });

  test('two daemons on one cluster: each finding is created once, each change is written once', async () => {
    const both = await Promise.all([start(), start()]);
    const entries = vulnerabilities(60);
    const first = report(entries);
    await putReport(stage, first);
    for (const daemon of both) await received(daemon, 60);
    const raised = entries.map((entry) => ({ ...entry, severity: 'CRITICAL' }));
    await putReport(stage, report(raised, '2026-01-03T00:00:00Z'));
    for (const daemon of both) await received(daemon, 120);
    await putReport(stage, report([], '2026-01-04T00:00:00Z'));
    await until('all to be resolved', async () => {
      return (await stage.events(home.namespace)).every(({ status }) => status?.phase === 'Resolved');
    });
    for (const daemon of both) await assertBooksBalance(daemon);
    const successful = writes().filter(({ code }) => code < 300);
    assert.deepEqual(tallyOf(successful), { 'create 201': 60, 'update 200': 60, 'patch status 200': 60 });
    assert.deepEqual(createdTwice(writes()), []);
    assert.deepEqual(writesWithoutChange(writes()), []);
    for (const daemon of both) assert.equal((await scrape(daemon)).value('zen_watcher_tampered_events_total'), 0);
  });

  test('a report of years ago is events like any other, and nothing grows too old in a queue that is slow', async () => {
    const daemon = await start({ writes: { perSecond: 15, burst: 1 } });
    const old = report(vulnerabilities(30), '2016-05-04T03:02:01Z');
    await putReport(stage, old);
    const last = await received(daemon, 30);
    assert.equal(last.settled('written'), 30);
    const names = (await stage.events(home.namespace)).map(({ metadata }) => metadata.name);
    assert.deepEqual(names.sort(), eventNames(old).sort());
  });

  test('a source that is switched off costs no request, and no object is asked for by itself', async () => {
    const daemon = await start({ config: { sources: { policyreport: { enabled: false } } } });
    await putReport(stage, report(vulnerabilities(20)));
    await received(daemon, 20);
    await putReport(stage, report(vulnerabilities(10), '2026-01-03T00:00:00Z'));
    const now = await received(daemon, 30);
    const requests = now.samples.filter(({ name }) => name === 'zen_watcher_api_requests_total');
    const resources = new Set(requests.map(({ labels }) => labels['resource']));
    assert.ok(resources.has('vulnerabilityreports'), [...resources].join(', '));
    assert.deepEqual(
      [...resources].filter((one) => one?.endsWith('policyreports')),
      [],
    );
    assert.equal(now.value('zen_watcher_api_requests_total', { verb: 'get' }), 0);
  });

  test('texts without end: every finding is an event on the server, none of them larger than 16 KiB', async () => {
    const daemon = await start();
    const title = 'once upon a time 漢字 "there" was '.repeat(4_000);
    const entries = vulnerabilities(4).map((entry) => ({ ...entry, title, package: `library-${'x'.repeat(3_000)}` }));
    await putReport(stage, report(entries));
    const now = await received(daemon, 4);
    assert.equal(now.settled('written'), 4);
    const events = await stage.events(home.namespace);
    assert.equal(events.length, 4);
    for (const {
      metadata: { managedFields: _managedFields, ...metadata },
      ...event
    } of events) {
      const bytes = Buffer.byteLength(JSON.stringify({ ...event, metadata }));
      assert.ok(bytes <= limits.eventBytes, `${bytes} bytes`);
      assert.match(event.spec.title ?? '', /…$/);
    }
  });

  test('a process that may write no file works: there is no store beside the events', async () => {
    const nodeFlags = ['--permission', '--allow-fs-read=*', '--allow-net'];
    const daemon = await stage.daemonProcess(home, { nodeFlags });
    daemons.push(daemon);
    await ready(daemon);
    await putReport(stage, report(vulnerabilities(20)));
    await received(daemon, 20);
    assert.equal((await stage.events(home.namespace)).length, 20);
  });
});
