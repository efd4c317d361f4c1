/**
 * Records what a healthy daemon exposes: `node test/observability/record.ts [minutes]`. A real control plane, reports that
 * come, change and are scanned again, webhooks that are sent; a scrape every 30 s. Writes the series that alerts look at to
 * test/observability/healthy-series.json, against which every alert must stay quiet (test/unit/alerts.test.ts).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, ready } from '../support/daemon.ts';
import { Stage } from '../support/stage.ts';
import { putReport, vulnerabilities, vulnerabilityReport } from '../support/vulnerability-reports.ts';

const everySeconds = 30;
const minutes = Number(process.argv[2] ?? 10);
const alerts = readFileSync(join(import.meta.dirname, '../../charts/zen-watcher/files/alerts.yaml'), 'utf8');
const names = new Set(alerts.match(/\b(?:zen_watcher|nodejs)_\w+/g));

const stage = await Stage.start();
try {
  const home = await stage.home('events');
  const team = await stage.namespace('team');
  const daemon = await stage.daemonProcess(home, {
    config: { webhooks: { port: 0, routes: { kubearmor: { open: true } } } },
  });
  await ready(daemon);
  const webhookPort = daemon.lines().find(({ message }) => message === 'webhooks are served')?.['port'];
  const series = new Map<string, (number | undefined)[]>();
  const scrapes = Math.ceil((minutes * 60) / everySeconds) + 1;
  for (let scrape = 0; scrape < scrapes; scrape += 1) {
    const { text } = await ask(daemon, '/metrics');
    for (const line of text.split('\n')) {
      const [, key = '', name = '', value = ''] = /^((\w+)(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
      if (!names.has(name)) continue;
      const values = series.get(key) ?? [];
      values[scrape] = Number(value);
      series.set(key, values);
    }
    console.log(`scrape ${scrape + 1} of ${scrapes}, ${series.size} series`);
    const at = new Date().toISOString();
    for (const workload of ['web', 'cart', 'ledger']) {
      await putReport(
        stage,
        vulnerabilityReport({ namespace: team, workload, at, vulnerabilities: vulnerabilities(3 + (scrape % 4)) }),
      );
    }
    if (webhookPort !== undefined) {
      const body = JSON.stringify({
        Type: 'MatchedPolicy',
        PolicyName: 'p',
        Severity: '3',
        NamespaceName: team,
        PodName: 'web',
        Message: 'm',
        Operation: 'File',
        Result: 'Passed',
        timestamp: 1,
      });
      await fetch(`http://127.0.0.1:${webhookPort}/webhook/kubearmor`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
    }
    if (scrape < scrapes - 1) await sleep(everySeconds * 1000);
  }
  const recorded = {
    minutes,
    everySeconds,
    series: Object.fromEntries([...series].map(([key, values]) => [key, Array.from(values, (value) => value ?? null)])),
  };
  writeFileSync(join(import.meta.dirname, 'healthy-series.json'), `${JSON.stringify(recorded)}\n`);
} finally {
  await stage.stop();
}
