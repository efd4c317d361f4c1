/** P2: from a report being created to its event on a watch, at 10 reports a second, against a bare watch-and-create loop. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { BenchCluster } from './cluster.ts';
import { eventsPath, makeNamespace, reportsPath, send } from './cluster.ts';
import type { Figure } from './figure.ts';
import { percentile, rounded } from './figure.ts';
import { observe } from './observer.ts';
import { startWatcher, untilReady } from './processes.ts';
import { vulnerabilityReport } from './reports.ts';

const reports = 150;
const intervalMs = 100;

export async function measureLatency(cluster: BenchCluster, log: (line: string) => void): Promise<Figure[]> {
  const daemon: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < 2; round += 1) {
    bare.push(...(await measureBare(cluster, round)));
    daemon.push(...(await measureDaemon(cluster, round)));
    log(
      `P2 round ${round + 1}: bare p50 ${percentile(bare, 0.5).toFixed(1)} ms, daemon p50 ${percentile(daemon, 0.5).toFixed(1)} ms`,
    );
  }
  const p50 = percentile(daemon, 0.5);
  const ratio = p50 / percentile(bare, 0.5);
  return [
    {
      id: 'P2',
      value: rounded(p50, 1),
      unit: 'ms (p50)',
      ratio: rounded(ratio),
      goal: 'p50 within 1.5 x of a bare watch-and-create loop',
      ok: ratio <= 1.5,
      note: `daemon p99 ${percentile(daemon, 0.99).toFixed(1)} ms; bare p50 ${percentile(bare, 0.5).toFixed(1)} ms, p99 ${percentile(bare, 0.99).toFixed(1)} ms`,
    },
  ];
}

async function measureDaemon(cluster: BenchCluster, round: number): Promise<number[]> {
  const namespace = `bench-p2-daemon-${round}`;
  await makeNamespace(cluster, namespace);
  const watcher = startWatcher(cluster, namespace);
  await untilReady(await watcher.port());
  const latencies = await feed(cluster, namespace);
  await watcher.stop();
  return latencies;
}

async function measureBare(cluster: BenchCluster, round: number): Promise<number[]> {
  const namespace = `bench-p2-bare-${round}`;
  await makeNamespace(cluster, namespace);
  const { server, caPath } = cluster.controlPlane;
  const argument = {
    server,
    caPath,
    token: cluster.token,
    reports: reportsPath(namespace),
    events: eventsPath(namespace),
    namespace,
  };
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bare-loop.ts'), JSON.stringify(argument)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
  const latencies = await feed(cluster, namespace);
  const closed = new Promise((resolve) => child.on('close', resolve));
  child.kill('SIGTERM');
  await closed;
  return latencies;
}

/** Creates reports of one finding each, evenly, and waits for the event of each. Milliseconds from before the create. */
async function feed(cluster: BenchCluster, namespace: string): Promise<number[]> {
  const observer = await observe(cluster, namespace);
  const latencies: number[] = [];
  const startedAt = performance.now();
  for (let index = 0; index < reports; index += 1) {
    const dueAt = startedAt + index * intervalMs;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueAt - performance.now())));
    const sentAt = performance.now();
    const before = observer.seen.size;
    const document = vulnerabilityReport({ namespace, index, kept: 1, filtered: 0, scan: 0 });
    await send(cluster, 'POST', reportsPath(namespace), document);
    await observer.until(before + 1, 10_000);
    latencies.push(([...observer.seen.values()].at(-1) ?? 0) - sentAt);
  }
  await observer.stop();
  for (let index = 0; index < reports; index += 1) {
    await send(cluster, 'DELETE', `${reportsPath(namespace)}/deployment-workload-${index}-app`);
  }
  return latencies;
}
