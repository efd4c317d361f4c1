/** Many findings: all of them on the server, one write each by the API server's own count (F2, F4, P2, P4). */
import assert from 'node:assert/strict';
import { after, afterEach, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createdTwice, tallyOf } from '../support/audit-log.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { ready, received, scrape } from '../support/daemon.ts';
import { watchEvents } from '../support/event-watch.ts';
import { type Home, Stage } from '../support/stage.ts';
import { quantile, until } from '../support/until.ts';
import type { Report } from '../support/vulnerability-reports.ts';
import {
  createReport,
  eventNames,
  removeReports,
  rescanReport,
  vulnerabilities,
  vulnerabilityReport,
} from '../support/vulnerability-reports.ts';

/** `npm run test:load` has 1,000 of them. */
const reportCount = Number(process.env['ZEN_TEST_REPORTS'] ?? 300);
const latencyCount = 30;
const findingsEach = 10;
const inFlight = 16;

suite('daemon: load', () => {
  let stage: Stage;
  let home: Home;
  let team: string;
  let daemon: TestDaemon;

  before(async () => {
    stage = await Stage.start();
    team = await stage.namespace('team');
  });
  after(() => stage?.stop());
  afterEach(async () => {
    await removeReports(stage, team);
    await stage.endBalanced(daemon);
  });

  const report = (index: number, count: number): Report =>
    vulnerabilityReport({ namespace: team, workload: `app-${index}`, vulnerabilities: vulnerabilities(count) });
  const writes = () => stage.audit.writes(home.namespace);

  async function forAll(reports: readonly Report[], act: (report: Report) => Promise<void>): Promise<void> {
    const waiting = [...reports];
    const work = async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await act(next);
    };
    await Promise.all(Array.from({ length: inFlight }, work));
  }

  test(`${reportCount} reports of ${findingsEach} findings, made while the daemon runs: one write per event`, async (t) => {
    home = await stage.home('events');
    daemon = await stage.daemonProcess(home, { config: { budget: { events: 2 * reportCount * findingsEach } } });
    await ready(daemon);
    const reports = Array.from({ length: reportCount }, (_, index) => report(index, findingsEach));
    const names = reports.flatMap(eventNames);
    assert.equal(new Set(names).size, reportCount * findingsEach);
    const begin = performance.now();
    await forAll(reports, (one) => createReport(stage, one));
    const putSeconds = (performance.now() - begin) / 1000;
    const done = await until(
      'all findings to be written',
      async () => {
        const now = await scrape(daemon);
        return now.settled('written') >= names.length && now.isQuiet ? now : undefined;
      },
      { limitSeconds: 240, pauseMs: 1000 },
    );
    const seconds = (performance.now() - begin) / 1000;
    t.diagnostic(`${names.length} events in ${seconds.toFixed(1)} s: ${Math.round(names.length / seconds)} a second`);
    const megabytes = Math.round(done.value('process_resident_memory_bytes') / 2 ** 20);
    const cpu = done.value('process_cpu_seconds_total').toFixed(1);
    t.diagnostic(`the reports took ${putSeconds.toFixed(1)} s of it; the daemon ${cpu} s of CPU and ${megabytes} MB`);
    const found = new Set((await stage.events(home.namespace)).map(({ metadata }) => metadata.name));
    assert.deepEqual(
      names.filter((name) => !found.has(name)),
      [],
    );
    assert.equal(found.size, names.length);
    assert.deepEqual(tallyOf(writes()), { 'create 201': names.length });
    assert.deepEqual(createdTwice(writes()), []);
    assert.deepEqual([...new Set(writes().map(({ user }) => user))], [home.account.user]);

    // A rescan of everything writes nothing.
    const receivedBefore = done.received;
    await forAll(reports, (one) => rescanReport(stage, one, '2026-01-03T00:00:00Z'));
    await received(daemon, receivedBefore + names.length);
    assert.equal(writes().length, names.length);
  });

  test('at 10 reports a second: how long from a report to its event', async (t) => {
    home = await stage.home('events');
    daemon = await stage.daemonProcess(home);
    await ready(daemon);
    const seen = new Map<string, number>();
    const watch = await watchEvents(stage.controlPlane, home.namespace, ({ metadata }) => {
      seen.set(metadata.name, performance.now());
    });
    const created = new Map<string, number>();
    const putting: Promise<void>[] = [];
    for (let index = 0; index < latencyCount; index += 1) {
      const next = report(10_000 + index, 1);
      created.set(eventNames(next)[0] ?? '', performance.now());
      putting.push(createReport(stage, next));
      await sleep(100);
    }
    await Promise.all(putting);
    await until('all events to be seen', () => seen.size === created.size);
    await watch.stop();
    const waits = [...created].map(([name, at]) => (seen.get(name) ?? Number.NaN) - at);
    const words = [0.5, 0.99].map((share) => `p${share * 100} ${quantile(waits, share).toFixed(1)} ms`);
    t.diagnostic(`from sending a report to seeing its event: ${words.join(', ')}`);
    assert.deepEqual(tallyOf(writes()), { 'create 201': created.size });
  });

  test('a queue that is far too small for what comes: nothing is lost, nothing is written twice', async (t) => {
    home = await stage.home('events');
    daemon = await stage.daemonProcess(home, { queue: { items: 50 }, writes: { perSecond: 300, burst: 20 } });
    await ready(daemon);
    const reports = Array.from({ length: 100 }, (_, index) => report(20_000 + index, findingsEach));
    const names = reports.flatMap(eventNames);
    await forAll(reports, (one) => createReport(stage, one));
    const done = await until('all findings to be written', async () => {
      const now = await scrape(daemon);
      return now.settled('written') >= names.length && now.isQuiet ? now : undefined;
    });
    t.diagnostic(`${done.value('zen_watcher_rereads_total', { reason: 'queue-full' })} reports were read again`);
    assert.ok(done.value('zen_watcher_rereads_total', { reason: 'queue-full' }) > 0, 'the queue was never full');
    const found = new Set((await stage.events(home.namespace)).map(({ metadata }) => metadata.name));
    assert.deepEqual([...found].sort(), names.toSorted());
    assert.deepEqual(tallyOf(writes()), { 'create 201': names.length });
  });
});
