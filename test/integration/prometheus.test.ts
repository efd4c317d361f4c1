/** A real Prometheus scrapes the daemon: what alerts, dashboards and pages name is there, and alerts fire (I5, R5). */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { parse } from 'yaml';
import { eventsPath } from '../support/crd.ts';
import { assertBooksBalance, type DaemonProcess, ready, received } from '../support/daemon.ts';
import { skipWithout } from '../support/debian-tools.ts';
import { Prometheus } from '../support/prometheus.ts';
import { repositoryRoot } from '../support/repository.ts';
import { type Home, Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import { eventNames, putReport, vulnerabilityReport } from '../support/vulnerability-reports.ts';

const files = join(repositoryRoot, 'charts/zen-watcher/files');
const rulesFile = join(files, 'alerts.yaml');
const skip = skipWithout('prometheus');
const metricName = /\b(?:zen_watcher|nodejs|process)_[a-z0-9_]+/g;
/** Counted only once something of the kind happens: labels are not known before. */
const notAtTheStart = ['zen_watcher_webhook_duration_seconds'];

/** Every query of the dashboards. */
function dashboardQueries(): string[] {
  return readdirSync(join(files, 'dashboards')).flatMap((file) => {
    const { panels } = JSON.parse(readFileSync(join(files, 'dashboards', file), 'utf8'));
    return panels.flatMap(({ targets }: { targets: { expr: string }[] }) => targets.map(({ expr }) => expr));
  });
}

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

  test('has every metric that alerts, dashboards and docs name, by a scrape of OpenMetrics', async () => {
    const names = new Set(await prometheus.names());
    const rules = parse(readFileSync(rulesFile, 'utf8')).groups.flatMap(
      (group: { rules: { expr: string }[] }) => group.rules,
    );
    const queries = [...dashboardQueries(), ...rules.map(({ expr }: { expr: string }) => expr)];
    const doc = readFileSync(join(repositoryRoot, 'docs/metrics.md'), 'utf8');
    const documented = [...doc.matchAll(/^\| `(\w+)` \| (\w+)/gm)].map(([, name = '', type]) =>
      type === 'histogram' ? `${name}_count` : name,
    );
    const named = [...queries.flatMap((expr) => expr.match(metricName) ?? []), ...documented];
    assert.ok(named.length > 80);
    const missing = named.filter((name) => !names.has(name) && !notAtTheStart.some((late) => name.startsWith(late)));
    assert.deepEqual([...new Set(missing)], []);
  });

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
});
