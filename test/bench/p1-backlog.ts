/**
 * P1: a backlog of reports becomes events, against the raw create rate of the same server. What two shared cores are worth
 * changes by a third within seconds, and a garbage collection of the API server takes a second or more of them, so the
 * daemon and the raw loop of a pair take turns of a quarter of a second: the other one is stopped meanwhile.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchCluster } from './cluster.ts';
import { eventsPath, inParallel, makeNamespace, removeAll, reportsPath, send, untilIdle } from './cluster.ts';
import { eventBodies } from './event-bodies.ts';
import type { Figure } from './figure.ts';
import { median, rounded } from './figure.ts';
import type { Observer } from './observer.ts';
import { observe } from './observer.ts';
import { startScript, startWatcher } from './processes.ts';
import { vulnerabilityReport } from './reports.ts';

/** As many events as P3 and P6 keep. */
const reports = 2_000;
const findings = 10;
const events = reports * findings;
/** The raw loop has more bodies than that: it may be done with none of its turns for want of work. */
const spareReports = 1_000;
const pairs = 5;
const turnsToWarmUp = 20;
const inFlight = 8;
/** At random between these, and in random order: what happens every few seconds must not meet one of the two alone. */
const leastTurnMs = 150;
const mostTurnMs = 350;
/** After a turn, until what was in flight is written: it belongs to nobody else's. */
const pauseMs = 50;
const reportNamespace = 'bench-p1-reports';

/** The daemon's default of requests in flight, write budget off; reports are there before the start. */
export async function measureBacklog(cluster: BenchCluster, log: (line: string) => void): Promise<Figure[]> {
  await makeNamespace(cluster, reportNamespace);
  const documents = Array.from({ length: reports + spareReports }, (_, index) =>
    vulnerabilityReport({ namespace: reportNamespace, index, kept: findings, filtered: 0, scan: 0 }),
  );
  await inParallel(reports, 8, (index) =>
    send(cluster, 'POST', reportsPath(reportNamespace), documents[index]).then(() => {}),
  );

  const rates: Rates[] = [];
  for (let pair = 0; pair <= pairs; pair += 1) {
    await untilIdle(cluster);
    const one = await measurePair(cluster, pair, documents);
    const words = `raw ${one.raw.toFixed(0)}/s, daemon ${one.daemon.toFixed(0)}/s`;
    log(`P1 ${pair === 0 ? 'warm-up' : `pair ${pair}`}: ${words}`);
    if (pair > 0) rates.push(one);
  }
  for (const document of documents.slice(0, reports))
    await send(cluster, 'DELETE', `${reportsPath(reportNamespace)}/${document.metadata.name}`);

  const ratios = rates.map(({ raw, daemon }) => daemon / raw);
  const ratio = median(ratios);
  const spread = Math.max(...ratios) - Math.min(...ratios);
  return [
    {
      id: 'P1',
      value: rounded(median(rates.map(({ daemon }) => daemon)), 1),
      unit: 'events/s',
      ratio: rounded(ratio),
      goal: 'ratio to the raw create rate >= 0.9, spread of the pairs <= 0.15',
      ok: ratio >= 0.9 && spread <= 0.15,
      note: `raw ${rounded(median(rates.map(({ raw }) => raw)), 1)}/s with ${inFlight} in flight; ratios ${ratios.map((one) => one.toFixed(2)).join(' ')}; spread ${spread.toFixed(2)}`,
    },
  ];
}

/** Events a second of its own turns. */
interface Rates {
  readonly raw: number;
  readonly daemon: number;
}

/** One of the two while they take turns. */
interface Side {
  readonly pid: number;
  readonly observer: Observer;
  /** Events it has to create in all. */
  readonly backlog: number;
  ms: number;
  /** Events that came by its turns. */
  events: number;
}

/** Both from their first event on until the daemon has worked its backlog off, with the same events in namespaces of their own. */
async function measurePair(cluster: BenchCluster, pair: number, documents: readonly object[]): Promise<Rates> {
  const namespaces = [`bench-p1-${pair}-daemon`, `bench-p1-${pair}-raw`] as const;
  for (const namespace of namespaces) await makeNamespace(cluster, namespace);
  const [watched, rawly] = [await observe(cluster, namespaces[0]), await observe(cluster, namespaces[1])];

  const watcher = startWatcher(cluster, namespaces[0]);
  const pids = [watcher.pid];
  const sides: Side[] = [];
  try {
    sides.push(await stoppedAtFirst(watcher.pid, watched, events));
    const loop = startScript('raw-create.ts', rawArguments(cluster, namespaces[1], documents));
    pids.push(loop.pid);
    // It is killed before its end.
    loop.done.catch(() => {});
    sides.push(await stoppedAtFirst(loop.pid, rawly, documents.length * findings));
    const most = pair === 0 ? turnsToWarmUp : Number.POSITIVE_INFINITY;
    for (let turn = 0; turn < most && watched.seen.size < events; turn += 1) {
      for (const side of Math.random() < 0.5 ? sides : sides.toReversed()) await takeTurn(side);
    }
  } finally {
    // Stopped, they would stay for ever.
    for (const pid of pids) process.kill(pid, 'SIGKILL');
  }
  await watcher.stop();
  if (rawly.seen.size >= documents.length * findings) throw new Error('the raw loop has too few bodies');
  for (const { observer } of sides) await observer.stop();
  for (const namespace of namespaces) await removeAll(cluster, eventsPath(namespace));
  const [daemon = Number.NaN, raw = Number.NaN] = sides.map(({ events: count, ms }) => count / (ms / 1000));
  return { raw, daemon };
}

async function stoppedAtFirst(pid: number, observer: Observer, backlog: number): Promise<Side> {
  await observer.until(1);
  process.kill(pid, 'SIGSTOP');
  await sleep(pauseMs);
  return { pid, observer, backlog, ms: 0, events: 0 };
}

async function takeTurn(side: Side): Promise<void> {
  const { seen } = side.observer;
  const before = seen.size;
  const begin = performance.now();
  const end = begin + leastTurnMs + Math.random() * (mostTurnMs - leastTurnMs);
  process.kill(side.pid, 'SIGCONT');
  // The daemon's last turn ends with its backlog.
  while (performance.now() < end && seen.size < side.backlog) await sleep(5);
  process.kill(side.pid, 'SIGSTOP');
  const stoppedAt = performance.now();
  await sleep(pauseMs);
  // What was in flight is of the turn, and so is its time.
  side.ms += Math.max(stoppedAt, side.observer.lastSeenMs) - begin;
  side.events += seen.size - before;
}

function rawArguments(cluster: BenchCluster, namespace: string, documents: readonly object[]) {
  const bodiesPath = join(cluster.controlPlane.folder, 'bodies.ndjson');
  writeFileSync(bodiesPath, eventBodies(documents, namespace).join('\n'));
  const { server, caPath } = cluster.controlPlane;
  return { server, caPath, token: cluster.token, path: eventsPath(namespace), bodiesPath, inFlight };
}
