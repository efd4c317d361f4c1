/** P1: a backlog of reports becomes events, against the raw create rate of the same server. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchCluster } from './cluster.ts';
import { eventsPath, inParallel, makeNamespace, reportsPath, send } from './cluster.ts';
import { eventBodies } from './event-bodies.ts';
import type { Figure } from './figure.ts';
import { median, rounded } from './figure.ts';
import { observe, secondsBetween } from './observer.ts';
import { runScript, startWatcher } from './processes.ts';
import { vulnerabilityReport } from './reports.ts';

const reports = 250;
const findings = 10;
const pairs = 5;
const inFlight = 8;
/** One pair. What drifts evenly within four turns cancels out; the shorter a turn, the less the machine changes within four. */
const turns = ['raw', 'daemon', 'daemon', 'raw', 'raw', 'daemon', 'daemon', 'raw'] as const;
const reportNamespace = 'bench-p1-reports';

/** The daemon's default of requests in flight, write budget off; reports are there before the start. */
export async function measureBacklog(cluster: BenchCluster, log: (line: string) => void): Promise<Figure[]> {
  await makeNamespace(cluster, reportNamespace);
  const documents = Array.from({ length: reports }, (_, index) =>
    vulnerabilityReport({ namespace: reportNamespace, index, kept: findings, filtered: 0, scan: 0 }),
  );
  await inParallel(reports, 8, (index) =>
    send(cluster, 'POST', reportsPath(reportNamespace), documents[index]).then(() => {}),
  );

  const ratios: number[] = [];
  const daemonRates: number[] = [];
  const rawRates: number[] = [];
  for (let pair = 0; pair <= pairs; pair += 1) {
    const seconds = { raw: 0, daemon: 0 };
    for (const [turn, what] of turns.entries()) {
      const namespace = `bench-p1-${pair}-${turn}`;
      const measure = what === 'raw' ? measureRaw : measureDaemon;
      seconds[what] += await measure(cluster, namespace, documents);
    }
    for (const turn of turns.keys()) await clear(cluster, `bench-p1-${pair}-${turn}`);
    const eventsOfEach = (turns.length / 2) * (reports * findings - 1);
    const raw = eventsOfEach / seconds.raw;
    const daemon = eventsOfEach / seconds.daemon;
    log(`P1 ${pair === 0 ? 'warm-up' : `pair ${pair}`}: raw ${raw.toFixed(0)}/s, daemon ${daemon.toFixed(0)}/s`);
    if (pair === 0) continue;
    ratios.push(daemon / raw);
    daemonRates.push(daemon);
    rawRates.push(raw);
  }
  for (const document of documents)
    await send(cluster, 'DELETE', `${reportsPath(reportNamespace)}/${document.metadata.name}`);

  const ratio = median(ratios);
  const spread = Math.max(...ratios) - Math.min(...ratios);
  return [
    {
      id: 'P1',
      value: rounded(median(daemonRates), 1),
      unit: 'events/s',
      ratio: rounded(ratio),
      goal: 'ratio to the raw create rate >= 0.9, spread of the pairs <= 0.15',
      ok: ratio >= 0.9 && spread <= 0.15,
      note: `raw ${rounded(median(rawRates), 1)}/s with ${inFlight} in flight; ratios ${ratios.map((one) => one.toFixed(2)).join(' ')}; spread ${spread.toFixed(2)}`,
    },
  ];
}

/** Seconds from the first event to the last one. */
async function measureRaw(cluster: BenchCluster, namespace: string, documents: readonly object[]): Promise<number> {
  await makeNamespace(cluster, namespace);
  const bodiesPath = join(cluster.controlPlane.folder, 'bodies.ndjson');
  writeFileSync(bodiesPath, eventBodies(documents, namespace).join('\n'));
  const observer = await observe(cluster, namespace);
  const { server, caPath } = cluster.controlPlane;
  const raw = { server, caPath, token: cluster.token, path: eventsPath(namespace), bodiesPath, inFlight };
  await runScript('raw-create.ts', raw);
  await observer.until(reports * findings);
  await observer.stop();
  return secondsBetween(observer.seen);
}

/** The same of the daemon. */
async function measureDaemon(cluster: BenchCluster, namespace: string): Promise<number> {
  await makeNamespace(cluster, namespace);
  const observer = await observe(cluster, namespace);
  const watcher = startWatcher(cluster, namespace);
  await observer.until(reports * findings);
  await watcher.stop();
  await observer.stop();
  return secondsBetween(observer.seen);
}

async function clear(cluster: BenchCluster, namespace: string): Promise<void> {
  await send(cluster, 'DELETE', eventsPath(namespace));
}
