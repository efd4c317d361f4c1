/** The daemon as a process: how it ends, what a kill costs, what it says on its port and in its log (I3, I5, I6). */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { createdTwice, tallyOf } from '../support/audit-log.ts';
import type { DaemonProcess } from '../support/daemon.ts';
import { ask, assertBooksBalance, linesOf, logged, ready, received, scrape } from '../support/daemon.ts';
import { type Home, Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import {
  eventNames,
  putReport,
  removeReports,
  vulnerabilities,
  vulnerabilityReport,
} from '../support/vulnerability-reports.ts';

suite('daemon: the process', () => {
  let stage: Stage;
  let home: Home;
  let team: string;

  before(async () => {
    stage = await Stage.start();
    team = await stage.namespace('team');
  });
  after(() => stage?.stop());

  const report = (count: number, first = 1) =>
    vulnerabilityReport({ namespace: team, workload: 'web', vulnerabilities: vulnerabilities(count, first) });
  const writes = () => stage.audit.writes(home.namespace);

  async function written(daemon: DaemonProcess, count: number): Promise<void> {
    await until(`${count} findings to be written`, async () => (await scrape(daemon)).settled('written') >= count);
  }

  test('SIGTERM: what is queued is written, and it ends with 0', async (t) => {
    t.after(() => removeReports(stage, team));
    home = await stage.home('events');
    const daemon = await stage.daemonProcess(home);
    await ready(daemon);
    const many = report(300);
    await putReport(stage, many);
    const before = await until('a queue', async () => {
      const now = await scrape(daemon);
      return now.received === 300 ? now : undefined;
    });
    t.diagnostic(`${before.pending} of 300 findings were waiting at the signal`);
    assert.equal(await daemon.end('SIGTERM'), 0);
    assert.equal((await stage.events(home.namespace)).length, 300);
    assert.deepEqual(tallyOf(writes()), { 'create 201': 300 });
    const messages = daemon.lines().map(({ message }) => message);
    assert.ok(messages.includes('stopping'));
    assert.equal(messages.at(-1), 'zen-watcher stopped');
    assert.deepEqual(linesOf(daemon, 'zen-watcher stopped', { drained: true, left: 0 }).length, 1);
    assert.equal(daemon.stderr(), '');
  });

  test('nobody reads its log any more: what is queued is written, and it ends with 1 and says why', async (t) => {
    t.after(() => removeReports(stage, team));
    home = await stage.home('events');
    const daemon = await stage.daemonProcess(home);
    await ready(daemon);
    await putReport(stage, report(300, 2000));
    await until('a queue', async () => (await scrape(daemon)).received === 300);
    assert.equal(await daemon.breakOutput(), 1);
    assert.equal((await stage.events(home.namespace)).length, 300);
    assert.equal(daemon.stderr(), 'zen-watcher: stopped, because nobody reads standard output any more\n');
  });

  test('SIGKILL in the middle of 500 findings, three times: every finding is there, none was made twice', async (t) => {
    t.after(() => removeReports(stage, team));
    home = await stage.home('events');
    const many = report(500, 1000);
    let daemon = await stage.daemonProcess(home);
    await ready(daemon);
    await putReport(stage, many);
    for (let life = 1; life <= 3; life += 1) {
      await written(daemon, 60);
      assert.equal(await daemon.end('SIGKILL'), null);
      t.diagnostic(`life ${life} ended with ${(await stage.events(home.namespace)).length} events on the server`);
      daemon = await stage.daemonProcess(home);
    }
    await ready(daemon);
    await received(daemon, 500);
    const names = (await stage.events(home.namespace)).map(({ metadata }) => metadata.name);
    assert.deepEqual(names.sort(), eventNames(many).sort());
    assert.deepEqual(createdTwice(writes()), []);
    const others = Object.keys(tallyOf(writes())).filter((word) => !word.startsWith('create'));
    assert.deepEqual(others, []);
    const now = await assertBooksBalance(daemon);
    assert.equal(now.value('zen_watcher_tampered_events_total'), 0);
    await stage.end(daemon);
  });

  test('the port, the metrics and the log', async (t) => {
    t.after(() => removeReports(stage, team));
    home = await stage.home('events');
    const daemon = await stage.daemonProcess(home);
    await ready(daemon);
    for (const path of ['/healthz', '/health', '/readyz', '/ready']) {
      assert.deepEqual(await ask(daemon, path), { code: 200, text: 'ok\n' });
    }
    assert.equal((await ask(daemon, '/nothing')).code, 404);
    // Counters are there before the first event.
    const first = await scrape(daemon);
    const ofTrivy = { source: 'trivy', category: 'security', severity: 'high' };
    assert.equal(first.value('zen_watcher_events_total', ofTrivy), 0);
    assert.equal(first.value('zen_watcher_tools_active', { tool: 'trivy' }), 1);

    const secret = `ghp_${'0123456789abcdefghijABCDEFGHIJ'.slice(0, 36)}456789`;
    const bad = { id: 'CVE-2026-7', title: `leaks ${secret}\u202e and \u001b[31m more` };
    const leaky = vulnerabilityReport({
      namespace: team,
      workload: 'web',
      vulnerabilities: [bad, { id: 'CVE-2026-8' }],
    });
    await putReport(stage, leaky);
    const [name = '', other = ''] = eventNames(leaky);
    const line = await logged(daemon, 'event created', { event: name });
    await logged(daemon, 'event created', { event: other });
    const { time, title, ...fields } = line;
    assert.ok(!Number.isNaN(Date.parse(String(time))));
    assert.match(String(title), /^CVE-2026-7 /);
    assert.deepEqual(fields, {
      level: 'info',
      message: 'event created',
      event: name,
      source: 'trivy',
      severity: 'high',
      category: 'security',
      type: 'vulnerability',
      subject: 'Deployment/web',
      namespace: team,
    });
    const event = JSON.stringify(await stage.event(home.namespace, name));
    for (const text of [event, JSON.stringify(daemon.lines()), (await ask(daemon, '/metrics')).text]) {
      assert.ok(!text.includes(secret), 'a secret is told');
      const hostile = ['\u202e', '\u001b', '\\u202e', '\\u001b'].filter((character) => text.includes(character));
      assert.deepEqual(hostile, []);
    }
    // A rescan is no news.
    await putReport(stage, { ...leaky, report: { ...leaky.report, updateTimestamp: '2026-01-03T00:00:00Z' } });
    const last = await received(daemon, 4);
    assert.equal(linesOf(daemon, 'event created').length, 2);
    assert.equal(last.value('zen_watcher_events_total', ofTrivy), 2);
    assert.equal(last.value('zen_watcher_detected_to_written_seconds_count'), 2);
    assert.equal(
      last.value('zen_watcher_informer_live', { resource: 'vulnerabilityreports.aquasecurity.github.io' }),
      1,
    );
    assert.equal(last.value('zen_watcher_known_events'), 2);
    await assertBooksBalance(daemon);
    await stage.end(daemon);
  });

  test('with the thresholds of the product: what is below is filtered, counted, and never written', async (t) => {
    t.after(() => removeReports(stage, team));
    home = await stage.home('events');
    const words = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW', 'NONE', 'UNKNOWN', 'strange'];
    const severities = words.map((severity, index) => ({ id: `CVE-2026-${index}`, severity }));
    const all = vulnerabilityReport({ namespace: team, workload: 'web', vulnerabilities: severities });
    const daemon = await stage.daemonProcess(home, { thresholds: {} });
    await ready(daemon);
    await putReport(stage, all);
    const now = await received(daemon, words.length);
    assert.equal(now.settled('filtered'), 3);
    assert.equal(now.settled('written'), 4);
    const stored = (await stage.events(home.namespace))
      .map(({ spec }) => `${spec.sourceSeverity} ${spec.severity}`)
      .sort();
    assert.deepEqual(stored, ['CRITICAL critical', 'HIGH high', 'UNKNOWN unknown', 'strange unknown']);

    // What drops below its threshold is filtered, not fixed: its event stays, with the severity of today.
    const dropped = all.report.vulnerabilities.map((entry) =>
      entry.severity === 'HIGH' ? { ...entry, severity: 'LOW' } : entry,
    );
    await putReport(stage, { ...all, report: { ...all.report, vulnerabilities: dropped } });
    const name = eventNames(all)[1] ?? '';
    const low = await until('the severity of today', async () => {
      const event = await stage.event(home.namespace, name);
      return event?.spec.severity === 'low' ? event : undefined;
    });
    assert.equal(low.status?.phase, 'Active');
    assert.deepEqual(tallyOf(writes()), { 'create 201': 4, 'update 200': 1 });
    await assertBooksBalance(daemon);
    await stage.end(daemon);
  });
});
