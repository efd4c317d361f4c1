/**
 * What one event, one report and one Pod cost: memory that the daemon keeps (after a garbage collection), bytes in etcd,
 * and requests at rest. From these docs/benchmarks.md derives its table of sizes.
 */
import { request } from 'undici';
import { freePort } from '../cluster/ports.ts';
import type { BenchCluster } from './cluster.ts';
import { eventsPath, inParallel, makeNamespace, reportsPath, send } from './cluster.ts';
import type { Figure } from './figure.ts';
import { rounded } from './figure.ts';
import type { Running } from './processes.ts';
import { get, residentMegabytes, startWatcher, untilReady } from './processes.ts';
import { vulnerabilityReport } from './reports.ts';

const pods = 2_000;
const reports = 2_000;
const findings = 10;
const podNamespace = 'bench-size-pods';
const reportNamespace = 'bench-size-reports';
const eventNamespace = 'bench-size-events';
const restSeconds = 60;

/** What a daemon that has just read everything keeps. */
interface Kept {
  /** Heap in use and memory outside of it, in bytes. */
  readonly bytes: number;
  readonly resident: number;
}

/** In this order, each with what was there before: nothing, Pods, reports of which nothing is kept, reports whose findings are. */
export async function measureSizes(cluster: BenchCluster, log: (line: string) => void): Promise<Figure[]> {
  for (const namespace of [podNamespace, reportNamespace, eventNamespace]) await makeNamespace(cluster, namespace);
  const empty = await measured(cluster, log, 'nothing');

  await inParallel(pods, 6, (index) =>
    send(cluster, 'POST', `/api/v1/namespaces/${podNamespace}/pods`, pod(index)).then(() => {}),
  );
  const withPods = await measured(cluster, log, `${pods} Pods`);

  await putReports(cluster, 'POST', 0);
  const withReports = await measured(cluster, log, `and ${reports} reports`);

  const storedBefore = await storedBytes(cluster);
  await putReports(cluster, 'PUT', findings);
  const reportsStored = (await storedBytes(cluster)) - storedBefore;
  const filling = startWatcher(cluster, eventNamespace);
  await untilWritten(filling);
  const requestsPerHour = await requestsAtRest(filling);
  await filling.stop();
  const eventsStored = (await storedBytes(cluster)) - storedBefore - reportsStored;
  const { length } = await send(cluster, 'GET', `${eventsPath(eventNamespace)}?limit=500`);
  const withEvents = await measured(cluster, log, `and ${reports * findings} events`);

  const of = (after: Kept, before: Kept, count: number) => rounded((after.bytes - before.bytes) / count, 0);
  const note = 'memory that is kept after a garbage collection; none of it is garbage of reading';
  const figure = (id: string, value: number, unit: string): Figure => ({
    id,
    value,
    unit,
    ratio: null,
    goal: 'told, for the table of sizes',
    ok: true,
    note,
  });
  return [
    figure('SIZE.base', rounded(empty.bytes / 1e6, 1), 'MB kept with nothing in the cluster'),
    figure('SIZE.pod', of(withPods, empty, pods), 'bytes kept for a Pod'),
    figure('SIZE.report', of(withReports, withPods, reports), 'bytes kept for a report'),
    figure(
      'SIZE.event',
      of(withEvents, withReports, reports * findings),
      'bytes kept for an event, its finding included',
    ),
    figure(
      'SIZE.resident',
      rounded(withEvents.resident, 0),
      `MB resident after reading ${pods} Pods, ${reports} reports, ${reports * findings} events`,
    ),
    figure('SIZE.etcd', rounded(eventsStored / (reports * findings), 0), 'bytes in etcd for an event'),
    figure(
      'SIZE.json',
      rounded(length / 500, 0),
      'bytes of JSON of an event with its managedFields, as the server hands it out',
    ),
    figure('SIZE.requests', rounded(requestsPerHour, 0), 'requests an hour with nothing to write'),
  ];
}

/** A daemon is started, reads everything, and collects its garbage. */
async function measured(cluster: BenchCluster, log: (line: string) => void, what: string): Promise<Kept> {
  const inspectorPort = await freePort();
  const watcher = startWatcher(cluster, eventNamespace, { nodeOptions: `--inspect-port=127.0.0.1:${inspectorPort}` });
  try {
    const port = await watcher.port();
    await untilReady(port);
    await collectGarbage(watcher.pid, inspectorPort);
    const text = (await get(port, '/metrics'))?.text ?? '';
    const bytes = sampleOf(text, 'nodejs_heap_size_used_bytes') + sampleOf(text, 'nodejs_external_memory_bytes');
    const resident = residentMegabytes(watcher.pid).now;
    log(`SIZE ${what}: ${(bytes / 1e6).toFixed(1)} MB kept, ${resident.toFixed(0)} MB resident`);
    return { bytes, resident };
  } finally {
    await watcher.stop();
  }
}

/** By the inspector, which a signal opens: the daemon that is measured is the one that is shipped. */
async function collectGarbage(pid: number, port: number): Promise<void> {
  process.kill(pid, 'SIGUSR1');
  let address: string | undefined;
  while (address === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    address = await request(`http://127.0.0.1:${port}/json/list`).then(
      async ({ body }) => ((await body.json()) as { webSocketDebuggerUrl: string }[])[0]?.webSocketDebuggerUrl,
      () => undefined,
    );
  }
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  for (const id of [1, 2, 3]) {
    const answered = new Promise((resolve) => {
      socket.onmessage = resolve;
    });
    socket.send(JSON.stringify({ id, method: 'HeapProfiler.collectGarbage' }));
    await answered;
  }
  socket.close();
}

async function putReports(cluster: BenchCluster, method: 'POST' | 'PUT', kept: number): Promise<void> {
  const path = reportsPath(reportNamespace);
  await inParallel(reports, 6, async (index) => {
    const shape = { namespace: reportNamespace, index, kept, filtered: 20, scan: 0 };
    const document = vulnerabilityReport(shape);
    if (method === 'POST') return void (await send(cluster, 'POST', path, document));
    const own = `${path}/${document.metadata.name}`;
    const { metadata } = JSON.parse(await send(cluster, 'GET', own)) as { metadata: { resourceVersion: string } };
    const { resourceVersion } = metadata;
    await send(cluster, 'PUT', own, { ...document, metadata: { ...document.metadata, resourceVersion } });
  });
}

async function untilWritten(watcher: Running): Promise<void> {
  const port = await watcher.port();
  for (;;) {
    const text = (await get(port, '/metrics'))?.text ?? '';
    if (sampleOf(text, 'zen_watcher_findings_settled_total{account="written"}') >= reports * findings) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function requestsAtRest(watcher: Running): Promise<number> {
  const port = await watcher.port();
  const count = async () => {
    const lines = ((await get(port, '/metrics'))?.text ?? '').split('\n');
    const requests = lines.filter((line) => line.startsWith('zen_watcher_api_requests_total{'));
    return requests.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  };
  const before = await count();
  await new Promise((resolve) => setTimeout(resolve, restSeconds * 1000));
  return (((await count()) - before) * 3600) / restSeconds;
}

/** Bytes that etcd has in use. */
async function storedBytes(cluster: BenchCluster): Promise<number> {
  const { body } = await request(`http://127.0.0.1:${cluster.controlPlane.state.ports.etcd}/metrics`);
  return sampleOf(await body.text(), 'etcd_mvcc_db_total_size_in_use_in_bytes');
}

function sampleOf(text: string, series: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? Number.NaN);
}

function pod(index: number): object {
  const app = `app-${index % 200}`;
  return {
    metadata: {
      name: `${app}-7d9c8b6f5d-${String(index).padStart(5, '0')}`,
      labels: { app, 'pod-template-hash': '7d9c8b6f5d', 'app.kubernetes.io/part-of': 'shop' },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: `${app}-7d9c8b6f5d`,
          uid: `uid-${index % 200}`,
          controller: true,
        },
      ],
    },
    spec: {
      containers: [{ name: 'app', image: 'registry.example/app:1.0.0' }],
      schedulingGates: [{ name: 'example.com/never' }],
    },
  };
}
