/** A real Prometheus scrapes the daemon: what alerts, dashboards and pages name is there, and alerts fire (I5, R5). */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { eventsPath } from '../support/crd.ts';
import { assertBooksBalance, type DaemonProcess, ready, received } from '../support/daemon.ts';
import { skipWithout } from '../support/debian-tools.ts';
import {
  dashboardQueries,
  movedSlowly,
  moveEverything,
  namedMetrics,
  neverMoved,
  startMovingMetrics,
} from '../support/moving-metrics.ts';
import { Prometheus } from '../support/prometheus.ts';
import { repositoryRoot } from '../support/repository.ts';
import { type Home, Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import { eventNames, putReport, vulnerabilityReport } from '../support/vulnerability-reports.ts';

const rulesFile = join(repositoryRoot, 'charts/zen-watcher/files/alerts.yaml');
const skip = skipWithout('prometheus');
/** `npm run test:observability` waits for all of it. */
const isWhole = process.env['ZEN_TEST_METRICS'] === 'all';

suite('Prometheus', { skip }, () => {
  let stage: Stage;
  let home: Home;
  let team: string;
  let daemon: DaemonProcess;
  let prometheus: Prometheus;

  before(async () => {
    stage = await Stage.start();
    home = await stage.home('events');
    team = await stage.namespace('team');
    const routes = { kubearmor: { open: true } };
    daemon = await stage.daemonProcess(home, { config: { webhooks: { host: '127.0.0.1', port: 0, routes } } });
    await ready(daemon);
    prometheus = await Prometheus.start(daemon.port, rulesFile);
  });
  after(async () => {
    await prometheus?.stop();
    await stage?.stop();
  });

  const firing = async () =>
    (await prometheus.query('ALERTS{alertstate="firing"}')).map(({ metric }) => metric['alertname']);

  test('answers every query of the dashboards', async () => {
    const queries = dashboardQueries();
    assert.ok(queries.length > 25);
    for (const query of queries) await prometheus.query(query.replaceAll('$__rate_interval', '30s'));
  });

  test('sees nothing wrong with a daemon that is well', async () => assert.deepEqual(await firing(), []));

  test('counts what happens, fires for a critical finding and for tampering, and leads to the event', async () => {
    const report = vulnerabilityReport({
      namespace: team,
      workload: 'web',
      vulnerabilities: [{ id: 'CVE-2026-1', severity: 'CRITICAL' }, { id: 'CVE-2026-2' }],
    });
    await putReport(stage, report);
    await received(daemon, 2);
    const [name = ''] = eventNames(report);
    await until('the finding in Prometheus', async () => {
      const [sample] = await prometheus.query('sum(zen_watcher_active_events{severity="critical",source="trivy"})');
      return sample?.value[1] === '1';
    });
    await until('the alert', async () => (await firing()).includes('ZenWatcherCriticalFindings'));
    const patch = { spec: { title: 'nothing to see here' } };
    await stage.must(200, 'PATCH', `${eventsPath(home.namespace)}/${name}?fieldManager=somebody`, patch, 'merge');
    await until('the alert', async () => (await firing()).includes('ZenWatcherTampering'));
    assert.deepEqual((await firing()).toSorted(), ['ZenWatcherCriticalFindings', 'ZenWatcherTampering']);
    const exemplars = await prometheus.exemplars('zen_watcher_detected_to_written_seconds_bucket');
    const events = new Set(eventNames(report));
    assert.ok(
      exemplars.some(({ labels }) => events.has(labels['event'] ?? '')),
      JSON.stringify(exemplars),
    );
    await assertBooksBalance(daemon);
  });

  test('every metric moves in some scenario, or the page says that it must stay 0', async (t) => {
    await stage.end(daemon);
    const moving = await startMovingMetrics(stage);
    const whole = await Prometheus.start(moving.daemon.port, rulesFile);
    t.after(async () => {
      await whole.stop();
      await stage.end(moving.daemon);
      await moving.proxy.close();
    });
    for (const line of await moveEverything(moving, whole, { isWhole })) t.diagnostic(line);
    assert.ok(namedMetrics().size > 80);
    assert.deepEqual((await neverMoved(whole)).toSorted(), isWhole ? [] : movedSlowly().toSorted());
  });
});
