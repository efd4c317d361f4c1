/** The event budget on the real server: never more events than the cap, the most severe kept, the rest counted (F5). */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { summaryType } from '../../src/pipeline/summary-kind.ts';
import { tallyOf } from '../support/audit-log.ts';
import { eventsPath } from '../support/crd.ts';
import type { DaemonSettings, TestDaemon } from '../support/daemon.ts';
import { assertBooksBalance, logged, ready, scrape } from '../support/daemon.ts';
import { watchEvents } from '../support/event-watch.ts';
import type { Home } from '../support/stage.ts';
import { Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import type { Report } from '../support/vulnerability-reports.ts';
import { createReport, removeReports, vulnerabilities, vulnerabilityReport } from '../support/vulnerability-reports.ts';

const cap = 300;
const teamCount = 10;
const workloadCount = 6;
const severities = { CRITICAL: 1, HIGH: 9, MEDIUM: 30, LOW: 60 } as const;
const findingsEach = Object.values(severities).reduce((sum, one) => sum + one, 0);
const settings: DaemonSettings = {
  config: { budget: { events: cap } },
  timing: { sweepMs: 500, summaryMs: 500 },
};

suite('daemon: the event budget', () => {
  let stage: Stage;
  let home: Home;
  let teams: string[];

  before(async () => {
    stage = await Stage.start();
    teams = [];
    for (let team = 0; team < teamCount; team += 1) teams.push(await stage.namespace('team'));
  });
  after(() => stage?.stop());

  const writes = () => stage.audit.writes(home.namespace);
  const isSummary = ({ spec }: StoredEvent) => spec.eventType === summaryType;

  function report(namespace: string, workload: number): Report {
    let first = 1;
    const entries = Object.entries(severities).flatMap(([severity, count]) => {
      const some = vulnerabilities(count, first).map((one) => ({ ...one, severity }));
      first += count;
      return some;
    });
    return vulnerabilityReport({ namespace, workload: `app-${workload}`, vulnerabilities: entries });
  }

  /** The events once kept and counted ones are so many in all, and nothing is under way. */
  const accounted = (daemon: TestDaemon, wanted: number) =>
    until(
      `${wanted} findings to be accounted for`,
      async () => {
        const now = await scrape(daemon);
        if (!now.isQuiet) return undefined;
        const events = await stage.events(home.namespace);
        const active = events.filter(({ status }) => status?.phase === 'Active');
        const summaries = active.filter(isSummary);
        const counted = summaries.reduce((sum, { status }) => sum + (status?.count ?? 0), 0);
        const kept = active.length - summaries.length;
        const isAll = kept + counted === wanted && now.value('zen_watcher_folded_findings') === counted;
        return isAll && events.length === active.length ? { events, kept, summaries, counted, now } : undefined;
      },
      { limitSeconds: 120, pauseMs: 300 },
    );

  test('the cap holds at any moment; the most severe are kept, the rest is counted; a restart writes nothing', async (t) => {
    home = await stage.home('events');
    for (const team of teams) {
      for (let workload = 0; workload < workloadCount; workload += 1) await createReport(stage, report(team, workload));
    }
    const wanted = teamCount * workloadCount * findingsEach;
    const present = new Set<string>();
    let most = 0;
    const watch = await watchEvents(
      stage.controlPlane,
      home.namespace,
      ({ metadata }) => {
        present.add(metadata.name);
        most = Math.max(most, present.size);
      },
      ({ metadata }) => void present.delete(metadata.name),
    );
    let daemon = await stage.daemon(home, settings);
    await ready(daemon);
    const { events, summaries, kept, now } = await accounted(daemon, wanted);
    t.diagnostic(`${kept} kept, ${summaries.length} summaries, ${wanted} findings; never more than ${most} events`);
    assert.ok(most <= cap, `${most} events at once`);
    assert.ok(events.length <= cap && events.length >= cap - 1, `${events.length} events`);
    const tally = Object.groupBy(
      events.filter((event) => !isSummary(event)),
      ({ spec }) => spec.severity,
    );
    assert.equal(tally.critical?.length, teamCount * workloadCount * severities.CRITICAL);
    assert.equal(tally.high?.length, kept - teamCount * workloadCount * severities.CRITICAL);
    assert.equal(now.value('zen_watcher_budget_limit'), cap);
    assert.equal(now.value('zen_watcher_budget_events'), events.length);
    await logged(daemon, 'the event budget is used up: findings are folded into summaries', { limit: cap });
    await assertBooksBalance(daemon);

    // The same again after a restart: nothing to write.
    await stage.end(daemon);
    const before = writes().length;
    daemon = await stage.daemon(home, settings);
    await ready(daemon);
    await accounted(daemon, wanted);
    assert.deepEqual(tallyOf(writes().slice(before)), {});

    await assertBooksBalance(daemon);
    for (const team of teams) await removeReports(stage, team);
    await watch.stop();
    await stage.end(daemon);
  });

  test('findings that go make room for folded ones, until none is folded', async () => {
    home = await stage.home('events');
    const team = await stage.namespace('team');
    const reports = Array.from({ length: 5 }, (_, at) => report(team, at));
    for (const one of reports) await createReport(stage, one);
    const daemon = await stage.daemon(home, settings);
    await ready(daemon);
    await accounted(daemon, 5 * findingsEach);
    // Fixed: the reports are there, complete and empty.
    for (const one of reports.slice(3)) {
      const { namespace, name } = one.metadata;
      const path = `/apis/aquasecurity.github.io/v1alpha1/namespaces/${namespace}/vulnerabilityreports/${name}`;
      const fixed = { report: { vulnerabilities: [], updateTimestamp: '2026-01-03T00:00:00Z' } };
      await stage.must(200, 'PATCH', path, fixed, 'merge');
    }
    await logged(daemon, 'all findings have events of their own again', { limit: cap });
    const end = await until('every finding to have its event', async () => {
      const events = await stage.events(home.namespace);
      const active = events.filter(({ status }) => status?.phase === 'Active');
      return active.length === 3 * findingsEach && !events.some(isSummary) ? events : undefined;
    });
    assert.ok(end.length <= cap);
    assert.equal((await scrape(daemon)).value('zen_watcher_folded_findings'), 0);
    await assertBooksBalance(daemon);
    await removeReports(stage, team);
    await stage.end(daemon);
  });

  test('Resolved events are removed after their time, and return as new ones', async () => {
    home = await stage.home('events');
    const team = await stage.namespace('team');
    const one = vulnerabilityReport({ namespace: team, workload: 'web', vulnerabilities: vulnerabilities(2) });
    await createReport(stage, one);
    const hour = 3_600;
    const daemon = await stage.daemon(home, { ...settings, config: { budget: { resolvedTtlHours: 2 / hour } } });
    const there = (count: number) =>
      until(`${count} events`, async () => {
        const events = await stage.events(home.namespace);
        return events.length === count ? events : undefined;
      });
    const [first] = await there(2);
    const path = `/apis/aquasecurity.github.io/v1alpha1/namespaces/${team}/vulnerabilityreports/${one.metadata.name}`;
    const { vulnerabilities: found } = one.report;
    const say = (entries: readonly unknown[], at: string) =>
      stage.must(200, 'PATCH', path, { report: { vulnerabilities: entries, updateTimestamp: at } }, 'merge');
    await say([], '2026-01-03T00:00:00Z');
    await there(0);
    assert.deepEqual(tallyOf(writes()), { 'create 201': 2, 'patch status 200': 2, 'delete 200': 2 });
    await say(found, '2026-01-04T00:00:00Z');
    const again = await there(2);
    assert.ok(again.every(({ metadata }) => metadata.uid !== first?.metadata.uid));
    assert.equal((await stage.rest.send('GET', eventsPath(home.namespace))).code, 200);
    await assertBooksBalance(daemon);
    await removeReports(stage, team);
    await stage.end(daemon);
  });
});
