/**
 * P6: a restart with 20,000 events and their reports on the server: from the start of the process to ready, beside a bare
 * reader that lists the same collections once and parses their JSON, and does nothing else.
 */
import type { BenchCluster } from './cluster.ts';
import { eventsPath, inParallel, makeNamespace, reportsPath, send } from './cluster.ts';
import type { Figure } from './figure.ts';
import { median, rounded } from './figure.ts';
import { get, runScript, startWatcher, untilReady } from './processes.ts';
import { vulnerabilityReport } from './reports.ts';
import { serverWrites } from './server-writes.ts';

const events = 20_000;
const namespaces = 20;
const eventNamespace = 'bench-p6-events';
const pairs = 5;

/** `reports`: 2,000 of 10 kept findings, or 10,000 of 2 kept findings and 98 below the thresholds. */
export async function measureReady(
  cluster: BenchCluster,
  reports: number,
  log: (line: string) => void,
): Promise<Figure[]> {
  await load(cluster, reports, log);
  const writesBefore = await serverWrites(cluster);
  const paged: number[] = [];
  const streamed: number[] = [];
  const ready: number[] = [];
  for (let pair = 0; pair <= pairs; pair += 1) {
    // Readers on both sides of the daemon: what drifts evenly within a pair cancels out.
    const pagedBefore = await read(cluster, false);
    const streamedBefore = await read(cluster, true);
    const daemon = await restart(cluster);
    const streamedAfter = await read(cluster, true);
    const pagedAfter = await read(cluster, false);
    const pagedMs = (pagedBefore + pagedAfter) / 2;
    const streamedMs = (streamedBefore + streamedAfter) / 2;
    const words = [daemon, pagedMs, streamedMs].map((ms) => ms.toFixed(0));
    log(
      `P6 ${pair === 0 ? 'warm-up' : `pair ${pair}`}: ready after ${words[0]} ms, read in pages ${words[1]} ms, as stream ${words[2]} ms`,
    );
    if (pair === 0) continue;
    paged.push(pagedMs);
    streamed.push(streamedMs);
    ready.push(daemon);
  }
  const writesAfter = await serverWrites(cluster);
  const writes = writesAfter.creates + writesAfter.others - writesBefore.creates - writesBefore.others;
  const ratios = (readers: readonly number[]) => ready.map((ms, pair) => ms / (readers[pair] ?? Number.NaN));
  const spread = (values: readonly number[]) => values.map((value) => value.toFixed(2)).join(' ');
  return [
    {
      id: 'P6',
      value: rounded(median(ready), 0),
      unit: 'ms from process start to ready',
      ratio: rounded(median(ratios(paged))),
      goal: `within 2 x of reading the same bytes once, in pages (${events} events, ${reports} reports)`,
      ok: median(ratios(paged)) <= 2,
      note: `reader ${median(paged).toFixed(0)} ms; ratios ${spread(ratios(paged))}`,
    },
    {
      id: 'P6.stream',
      value: rounded(median(ready), 0),
      unit: 'ms from process start to ready',
      ratio: rounded(median(ratios(streamed))),
      goal: 'within 2 x of reading the same bytes once, as streaming lists (as the daemon reads them)',
      ok: median(ratios(streamed)) <= 2,
      note: `reader ${median(streamed).toFixed(0)} ms; ratios ${spread(ratios(streamed))}`,
    },
    {
      id: 'P6.writes',
      value: writes,
      unit: `writes by ${pairs + 1} restarts`,
      ratio: null,
      goal: "none, by the API server's own counters",
      ok: writes === 0,
    },
  ];
}

async function load(cluster: BenchCluster, reports: number, log: (line: string) => void): Promise<void> {
  const kept = events / reports;
  const filtered = reports === 2_000 ? 0 : 98;
  await makeNamespace(cluster, eventNamespace);
  for (let n = 0; n < namespaces; n += 1) await makeNamespace(cluster, namespaceOf(n));
  const startedAt = performance.now();
  await inParallel(reports, 6, async (index) => {
    const namespace = namespaceOf(index);
    const document = vulnerabilityReport({ namespace, index, kept, filtered, scan: 0 });
    await send(cluster, 'POST', reportsPath(namespace), document);
  });
  const watcher = startWatcher(cluster, eventNamespace);
  const port = await watcher.port();
  await untilAllWritten(port);
  await watcher.stop();
  const seconds = (performance.now() - startedAt) / 1000;
  log(`P6 put ${reports} reports and had ${events} events written in ${seconds.toFixed(0)} s`);
}

const namespaceOf = (n: number) => `bench-p6-reports-${n % namespaces}`;

async function untilAllWritten(port: number): Promise<void> {
  for (;;) {
    const text = (await get(port, '/metrics'))?.text ?? '';
    if (Number(/findings_settled_total\{account="written"\} (\d+)/.exec(text)?.[1] ?? 0) >= events) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function restart(cluster: BenchCluster): Promise<number> {
  const startedAt = performance.now();
  const watcher = startWatcher(cluster, eventNamespace);
  await untilReady(await watcher.port());
  const ms = performance.now() - startedAt;
  await watcher.stop();
  return ms;
}

/** From the start of the reader's process to its end. */
async function read(cluster: BenchCluster, isStream: boolean): Promise<number> {
  const { server, caPath } = cluster.controlPlane;
  const collections = [
    eventsPath(eventNamespace),
    '/api/v1/namespaces',
    '/api/v1/pods',
    '/apis/aquasecurity.github.io/v1alpha1/vulnerabilityreports',
    '/apis/wgpolicyk8s.io/v1alpha2/policyreports',
  ];
  const startedAt = performance.now();
  await runScript('bare-read.ts', { server, caPath, token: cluster.token, collections, isStream }, cluster.container);
  return performance.now() - startedAt;
}
