/**
 * P3 and P4: reports of 100 findings, most of them below the thresholds; memory, rescans, restart. Scaled, or in full with
 * the Pods and namespaces of a large cluster.
 */
import type { BenchCluster } from './cluster.ts';
import { inParallel, makeNamespace, reportsPath, send } from './cluster.ts';
import type { Figure } from './figure.ts';
import { rounded } from './figure.ts';
import { get, residentMegabytes, startWatcher, untilReady } from './processes.ts';
import { vulnerabilityReport } from './reports.ts';
import { serverWrites } from './server-writes.ts';

interface Size {
  readonly reports: number;
  /** Of the 100 findings of each. */
  readonly kept: number;
  readonly namespaces: number;
  readonly pods: number;
  readonly rescans: number;
}

/** By the number of reports: always 20,000 events. */
const sizes: Readonly<Record<number, Size>> = {
  2000: { reports: 2_000, kept: 10, namespaces: 20, pods: 0, rescans: 2 },
  10000: { reports: 10_000, kept: 2, namespaces: 1_000, pods: 20_000, rescans: 2 },
};
const findings = 100;
const eventNamespace = 'bench-p3-events';

type Log = (line: string) => void;

export async function measureMemory(cluster: BenchCluster, reportCount: number, log: Log): Promise<Figure[]> {
  const size = sizes[reportCount];
  if (size === undefined) throw new Error(`P3 has ${Object.keys(sizes).join(' or ')} reports`);
  const { reports, kept, namespaces, pods, rescans } = size;
  await makeNamespace(cluster, eventNamespace);
  await inParallel(namespaces, 8, (n) => makeNamespace(cluster, namespaceOf(n, size)));
  await makePods(cluster, size, log);
  await writeReports(cluster, size, 0, log);

  const first = startWatcher(cluster, eventNamespace);
  const port = await first.port();
  await untilBooksHold(port, { written: reports * kept });
  const afterFill = residentMegabytes(first.pid);
  log(`P3 filled: ${afterFill.now.toFixed(0)} MB resident, peak ${afterFill.peak.toFixed(0)} MB`);
  const writesBefore = await allWrites(cluster);

  const peaks: number[] = [];
  for (let scan = 1; scan <= rescans; scan += 1) {
    const before = await account(port, 'unchanged');
    await writeReports(cluster, size, scan, log);
    await untilBooksHold(port, { unchanged: before + reports * kept });
    peaks.push(residentMegabytes(first.pid).now);
    log(`P3 rescan ${scan}: ${peaks.at(-1)?.toFixed(0)} MB resident`);
  }
  const rescanWrites = (await allWrites(cluster)) - writesBefore;
  const { peak: peakOfFirst } = residentMegabytes(first.pid);
  await first.stop();

  const restarted = startWatcher(cluster, eventNamespace);
  const restartedPort = await restarted.port();
  const startedAt = performance.now();
  await untilReady(restartedPort);
  const readyMs = performance.now() - startedAt;
  await untilBooksHold(restartedPort, { unchanged: reports * kept });
  const restartWrites = (await allWrites(cluster)) - writesBefore - rescanWrites;
  const afterRestart = residentMegabytes(restarted.pid);
  await restarted.stop();

  const peak = Math.max(peakOfFirst, afterRestart.peak);
  const ratio = (peaks[1] ?? 0) / (peaks[0] ?? 1);
  const { creates, others } = await serverWrites(cluster);
  return [
    {
      id: 'P3',
      value: rounded(peak, 1),
      unit: 'MB resident (peak)',
      ratio: rounded(ratio),
      goal: 'under 200 MiB (209.7 MB) at the peak, the second rescan within 5 % of the first',
      ok: peak < 209.7 && ratio <= 1.05,
      note: `${reports} reports of ${findings} findings, ${reports * kept} kept, ${namespaces} namespaces, ${pods} Pods; ${cluster.container?.limits ?? 'no limits'}; after filling ${afterFill.now.toFixed(0)} MB, rescans ${peaks.map((one) => one.toFixed(0)).join(' and ')} MB; ready ${(readyMs / 1000).toFixed(1)} s after the restart listened, then ${afterRestart.now.toFixed(0)} MB, peak ${afterRestart.peak.toFixed(0)} MB`,
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

const namespaceOf = (n: number, { namespaces }: Size) => `bench-p3-reports-${n % namespaces}`;

async function writeReports(cluster: BenchCluster, size: Size, scan: number, log: Log): Promise<void> {
  const { reports, kept } = size;
  const startedAt = performance.now();
  await inParallel(reports, 6, async (index) => {
    const namespace = namespaceOf(index, size);
    const document = vulnerabilityReport({ namespace, index, kept, filtered: findings - kept, scan });
    if (scan === 0) return void (await send(cluster, 'POST', reportsPath(namespace), document));
    // As a scan that found nothing new: only its time is another one.
    const { updateTimestamp } = document.report;
    const path = `${reportsPath(namespace)}/${document.metadata.name}`;
    await send(cluster, 'PATCH', path, { report: { updateTimestamp } });
  });
  log(`P3 wrote ${reports} reports (scan ${scan}) in ${seconds(startedAt)} s`);
}

/** Pods as a Deployment's, with the fields that a Pod has at least: the daemon reads their metadata only. */
async function makePods(cluster: BenchCluster, size: Size, log: Log): Promise<void> {
  if (size.pods === 0) return;
  const startedAt = performance.now();
  // The controller manager makes each namespace's account in its own time.
  await inParallel(size.namespaces, 8, async (n) => {
    const accounts = `/api/v1/namespaces/${namespaceOf(n, size)}/serviceaccounts`;
    await send(cluster, 'POST', accounts, { metadata: { name: 'default' } }, [409]);
  });
  await inParallel(size.pods, 8, async (index) => {
    const namespace = namespaceOf(index, size);
    const labels = {
      app: `workload-${index}`,
      'pod-template-hash': '5d59d67564',
      'app.kubernetes.io/part-of': 'bench',
    };
    const containers = [{ name: 'app', image: 'registry.example/app:1.0.0' }];
    const metadata = { name: `workload-${index}-5d59d67564-x2x4z`, labels };
    await send(cluster, 'POST', `/api/v1/namespaces/${namespace}/pods`, { metadata, spec: { containers } });
  });
  log(`P3 made ${size.pods} Pods in ${seconds(startedAt)} s`);
}

const seconds = (startedAt: number) => ((performance.now() - startedAt) / 1000).toFixed(0);

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
