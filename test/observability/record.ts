/**
 * Records what healthy replicas expose: `node test/observability/record.ts [minutes [file]]`. A real control plane, two replicas of which
 * one leads, reports that come, change and are scanned again, webhooks that are sent to both; after half of the time the leader is
 * replaced in good order, as by a rollout. A real Prometheus scrapes them. Writes the series that alerts look at to
 * test/observability/healthy-series.json, against which every alert must stay quiet (test/unit/alerts.test.ts).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DaemonProcess } from '../support/daemon.ts';
import { ready } from '../support/daemon.ts';
import { caseFile } from '../support/format-cases.ts';
import { Prometheus, type Series } from '../support/prometheus.ts';
import { electingHome, leaderOf } from '../support/replica-run.ts';
import { Stage } from '../support/stage.ts';
import { putReport, vulnerabilities, vulnerabilityReport } from '../support/vulnerability-reports.ts';
import { webhookPort } from '../support/webhook-runs.ts';
import { WebhookSender } from '../support/webhook-sender.ts';

const everySeconds = 15;
const minutes = Number(process.argv[2] ?? 10);
const file = process.argv[3] ?? join(import.meta.dirname, 'healthy-series.json');
const rules = join(import.meta.dirname, '../../charts/zen-watcher/files/alerts.yaml');
const names = new Set(readFileSync(rules, 'utf8').match(/\b(?:zen_watcher|nodejs)_\w+/g));
const alert = readFileSync(caseFile('kubearmor', 'one'), 'utf8');
const settings = {
  config: {
    webhooks: { host: '127.0.0.1', port: 0, routes: { kubearmor: { open: true } } },
    // The product's own times: no `election` of the tests.
    leaderElection: { enabled: true },
  },
};

const stage = await Stage.start();
let prometheus: Prometheus | undefined;
try {
  const home = await electingHome(stage);
  const team = await stage.namespace('team');
  const replicas: (DaemonProcess | undefined)[] = [
    await stage.daemonProcess(home, settings),
    await stage.daemonProcess(home, settings),
  ];
  const running = () => replicas.filter((replica) => replica !== undefined);
  await Promise.all(running().map(ready));
  await leaderOf(running());
  prometheus = await Prometheus.start(
    running().map(({ port }) => port),
    rules,
    { everySeconds },
  );
  const start = Date.now() / 1000;
  const rounds = Math.ceil((minutes * 60) / everySeconds);
  for (let round = 0; round <= rounds; round += 1) {
    if (round === Math.floor(rounds / 2)) await replaceLeader(prometheus);
    await report(round);
    await Promise.all(running().map(send));
    const firing = await prometheus.query('ALERTS{alertstate="firing"}');
    console.log(
      `round ${round} of ${rounds}, firing: ${firing.map(({ metric }) => metric['alertname']).join(', ') || 'none'}`,
    );
    if (round < rounds) await sleep(everySeconds * 1000);
  }
  const series: Record<string, string> = {};
  const range = { start, end: start + rounds * everySeconds, step: everySeconds };
  for (const name of names) {
    for (const one of await prometheus.range(name, range)) series[keyOf(one)] = valuesOf(one, start, rounds + 1);
  }
  const recorded = { minutes, everySeconds, replicas: replicas.length, series };
  writeFileSync(file, `${JSON.stringify(recorded, undefined, 2)}\n`);
  console.log(`${Object.keys(series).length} series of ${names.size} metrics`);

  /** Another Pod comes up, then the leader ends. */
  async function replaceLeader(scraping: Prometheus): Promise<void> {
    const leader = await leaderOf(running());
    const next = await stage.daemonProcess(home, settings);
    await ready(next);
    replicas.push(next);
    scraping.retarget(replicas.map((replica) => replica?.port));
    await stage.end(leader);
    replicas[replicas.indexOf(leader)] = undefined;
    scraping.retarget(replicas.map((replica) => replica?.port));
    await leaderOf(running());
  }

  /** New findings, findings that are over, and reports that are as they were. */
  async function report(round: number): Promise<void> {
    const at = new Date().toISOString();
    for (const workload of ['web', 'cart', 'ledger']) {
      const found = vulnerabilities(3 + (round % 4));
      await putReport(stage, vulnerabilityReport({ namespace: team, workload, at, vulnerabilities: found }));
    }
  }

  async function send(replica: DaemonProcess): Promise<void> {
    const sender = new WebhookSender(webhookPort(replica), '/webhook/kubearmor');
    const status = await sender.send(alert);
    await sender.close();
    if (status !== 200) throw new Error(`a replica answered ${status}`);
  }
} finally {
  await prometheus?.stop();
  await stage.stop();
}

/** As promtool reads it. */
function keyOf({ metric }: Series): string {
  const { __name__: name, job: _job, instance: _instance, ...labels } = metric;
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return `${name}{${pairs.join(',')}}`;
}

/** In promtool's notation: `1 2x3 _` is 1, 2, 2, 2, 2 and no value. */
function valuesOf({ values }: Series, start: number, count: number): string {
  const all = new Array<string>(count).fill('_');
  for (const [at, value] of values) all[Math.round((at - start) / everySeconds)] = value;
  const runs: { readonly value: string; length: number }[] = [];
  for (const value of all) {
    const run = runs.at(-1);
    if (run?.value === value) run.length += 1;
    else runs.push({ value, length: 1 });
  }
  return runs
    .map(({ value, length }) => (value === '_' ? `_x${length}` : length === 1 ? value : `${value}x${length - 1}`))
    .join(' ');
}
