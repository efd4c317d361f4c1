/** P3 and P4, scaled: 2,000 reports of 100 findings, a tenth of them above the thresholds; memory, rescans, restart. */
import type { BenchCluster } from './cluster.ts';
import { inParallel, makeNamespace, reportsPath, send } from './cluster.ts';
import type { Figure } from './figure.ts';
import { rounded } from './figure.ts';
import { get, residentMegabytes, startWatcher, untilReady } from './processes.ts';
import { vulnerabilityReport } from './reports.ts';
import { serverWrites } from './server-writes.ts';

const reports = 2_000;
const kept = 10;
const filtered = 90;
const namespaces = 20;
const eventNamespace = 'bench-p3-events';

export async function measureMemory(cluster: BenchCluster, log: (line: string) => void): Promise<Figure[]> {
  await makeNamespace(cluster, eventNamespace);
  for (let n = 0; n < namespaces; n += 1) await makeNamespace(cluster, namespaceOf(n));
  await writeReports(cluster, 0, log);

  const first = startWatcher(cluster, eventNamespace);
  const port = await first.port();
  await untilBooksHold(port, { written: reports * kept });
  const afterFill = residentMegabytes(first.pid);
  log(`P3 filled: ${afterFill.now.toFixed(0)} MB resident, peak ${afterFill.peak.toFixed(0)} MB`);
  const writesBefore = await allWrites(cluster);

  const peaks: number[] = [];
  for (const scan of [1, 2]) {
    const before = await account(port, 'unchanged');
    await writeReports(cluster, scan, log);
    await untilBooksHold(port, { unchanged: before + reports * kept });
    peaks.push(residentMegabytes(first.pid).now);
    log(`P3 rescan ${scan}: ${peaks.at(-1)?.toFixed(0)} MB resident`);
  }
  const rescanWrites = (await allWrites(cluster)) - writesBefore;
  const { peak } = residentMegabytes(first.pid);
  await first.stop();

  const restarted = startWatcher(cluster, eventNamespace);
  const restartedPort = await restarted.port();
  const startedAt = performance.now();
  await untilReady(restartedPort);
  const readyMs = performance.now() - startedAt;
  await untilBooksHold(restartedPort, { unchanged: reports * kept });
  const restartWrites = (await allWrites(cluster)) - writesBefore - rescanWrites;
  await restarted.stop();

  const ratio = (peaks[1] ?? 0) / (peaks[0] ?? 1);
  const { creates, others } = await serverWrites(cluster);
  return [
    {
      id: 'P3',
      value: rounded(peak, 1),
      unit: 'MB resident (peak)',
      ratio: rounded(ratio),
      goal: 'under 200 MiB (209.7 MB) at the peak, the second rescan within 5 % of the first (a fifth of the full size: 200,000 findings in, 20,000 kept)',
      ok: peak < 209.7 && ratio <= 1.05,
      note: `after filling ${afterFill.now.toFixed(0)} MB, rescans ${peaks.map((one) => one.toFixed(0)).join(' and ')} MB; ready ${readyMs.toFixed(0)} ms after the restart listened, with 20,000 events and 2,000 reports`,
    },
    {
      id: 'P4',
      value: rescanWrites + restartWrites,
      unit: 'writes by two rescans and a restart',
      ratio: null,
      goal: 'one write per new finding, none on an unchanged rescan or a restart',
      ok: rescanWrites === 0 && restartWrites === 0,
      note: `by the API server's own counters: ${creates} creates and ${others} other writes of events since it started, all figures of this run together`,
    },
  ];
}

const namespaceOf = (n: number) => `bench-p3-reports-${n % namespaces}`;

async function writeReports(cluster: BenchCluster, scan: number, log: (line: string) => void): Promise<void> {
  const startedAt = performance.now();
  await inParallel(reports, 6, async (index) => {
    const namespace = namespaceOf(index);
    const document = vulnerabilityReport({ namespace, index, kept, filtered, scan });
    if (scan === 0) await send(cluster, 'POST', reportsPath(namespace), document);
    else
      await send(
        cluster,
        'PUT',
        `${reportsPath(namespace)}/${document.metadata.name}`,
        await withVersion(cluster, namespace, document),
      );
  });
  log(`P3 wrote ${reports} reports (scan ${scan}) in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
}

/** Custom resources cannot be replaced without a resourceVersion. */
async function withVersion(cluster: BenchCluster, namespace: string, document: ReturnType<typeof vulnerabilityReport>) {
  const stored = JSON.parse(await send(cluster, 'GET', `${reportsPath(namespace)}/${document.metadata.name}`)) as {
    metadata: { resourceVersion: string };
  };
  return { ...document, metadata: { ...document.metadata, resourceVersion: stored.metadata.resourceVersion } };
}

async function account(port: number, name: string): Promise<number> {
  const text = (await get(port, '/metrics'))?.text ?? '';
  return Number(new RegExp(`findings_settled_total\\{account="${name}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
}

async function untilBooksHold(port: number, wanted: Readonly<Record<string, number>>): Promise<void> {
  for (;;) {
    const counts = await Promise.all(Object.keys(wanted).map((name) => account(port, name)));
    if (Object.values(wanted).every((least, at) => (counts[at] ?? 0) >= least)) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function allWrites(cluster: BenchCluster): Promise<number> {
  const { creates, others } = await serverWrites(cluster);
  return creates + others;
}
