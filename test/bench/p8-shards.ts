/**
 * P8: shards. With nothing to write, all reports are listed anew (a change of rules asks for that), read, normalized and
 * compared: reports a CPU second of a replica, with 1, 2 and 4 shards and as many replicas. Beside it what each replica
 * receives, takes in memory and writes, and how long a shard is without a leader that was killed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Scrape } from '../support/metrics-text.ts';
import type { BenchCluster } from './cluster.ts';
import { inParallel, makeNamespace, reportsPath, send } from './cluster.ts';
import type { Figure } from './figure.ts';
import { median, rounded } from './figure.ts';
import type { Running } from './processes.ts';
import { cpuSeconds, get, residentMegabytes, startWatcher } from './processes.ts';
import { vulnerabilityReport } from './reports.ts';
import { serverWrites } from './server-writes.ts';

const namespaces = 120;
const reports = 1_200;
const kept = 2;
const filtered = 98;
const eventNamespace = 'bench-p8-events';
const rounds = 3;
/** A report has some 46,000. */
const leastBytes = 40_000;
/** As many are new once, for who writes. */
const added = 120;
/** And as many more for who takes over: 20,000 events. */
const more = { first: 10_000, reports: 2_000, kept: 10 } as const;
/** So often a replica is killed. */
const kills = 4;
/** What is configured where nothing is said. */
const leaseSeconds = 15;

/** What one division came to, each figure by replica. */
interface Outcome {
  readonly shards: number;
  /** So many were there: what was added for an earlier one stays. */
  readonly reports: number;
  /** CPU seconds for one listing of everything: the median round, the mean and the most of its replicas. */
  readonly meanCpu: number;
  readonly mostCpu: number;
  readonly received: readonly number[];
  readonly resident: readonly number[];
  readonly written: readonly number[];
}

export async function measureShards(cluster: BenchCluster, log: (line: string) => void): Promise<Figure[]> {
  await makeNamespace(cluster, eventNamespace);
  for (let n = 0; n < namespaces; n += 1) await makeNamespace(cluster, namespaceOf(n));
  await inParallel(reports, 6, (index) => put(cluster, index, 0));
  const outcomes: Outcome[] = [];
  let writesInVain = 0;
  for (const shards of [1, 2, 4]) {
    const replicas = await startReplicas(cluster, shards);
    await untilAll(replicas, reports * kept * (shards === 1 ? 1 : 0));
    const before = await serverWrites(cluster);
    const cpu = await listings(cluster, replicas, shards, log);
    const after = await serverWrites(cluster);
    writesInVain += after.creates + after.others - before.creates - before.others;
    const resident = replicas.map(({ pid }) => residentMegabytes(pid).now);
    const written = await writeSome(cluster, replicas, outcomes.length);
    await stopAll(replicas);
    const there = reports + outcomes.length * added;
    outcomes.push({ shards, reports: there, ...cpu, resident, written });
  }
  return [...figuresOf(outcomes, writesInVain), await measureFollowing(cluster, log)];
}

/** With so many events that to list them takes seconds: they have to be known before anybody writes in the shard. */
async function measureFollowing(cluster: BenchCluster, log: (line: string) => void): Promise<Figure> {
  await inParallel(more.reports, 6, async (index) => {
    const namespace = namespaceOf(index);
    const document = vulnerabilityReport({
      namespace,
      index: more.first + index,
      kept: more.kept,
      filtered: 0,
      scan: 0,
    });
    await send(cluster, 'POST', reportsPath(namespace), document);
  });
  const replicas = await startReplicas(cluster, 2);
  const events = more.reports * more.kept;
  await until(
    async () => total(await Promise.all(replicas.map(async (one) => (await scrape(one)).settled('written')))) >= events,
  );
  const times = await followed(cluster, replicas, log);
  await stopAll(replicas);
  const longestMs = Math.max(...times);
  return {
    id: 'P8.follow',
    value: rounded(longestMs / 1000, 1),
    unit: `s from SIGKILL until another replica led in the shard and had its events listed, lease ${leaseSeconds} s, the longest of ${kills}`,
    ratio: null,
    goal: 'within the lease time',
    ok: longestMs > 0 && longestMs < leaseSeconds * 1000,
    note: `${listed(
      times.map((ms) => ms / 1000),
      1,
    )} s, with more than ${events} events in two shards`,
  };
}

function figuresOf(outcomes: readonly Outcome[], writesInVain: number): Figure[] {
  const [one, two, four] = outcomes;
  const rate = (of: Outcome | undefined) => (of === undefined ? Number.NaN : of.reports / of.meanCpu);
  const ratio = (other: Outcome | undefined) => rate(other) / rate(one);
  const words = ({ shards, reports: there, meanCpu, mostCpu, received, resident, written }: Outcome) =>
    `${shards}: ${there} reports, ${meanCpu.toFixed(2)} CPU s a replica (most ${mostCpu.toFixed(2)}), ${listed(received, 1)} MB received, ` +
    `${listed(resident, 0)} MB resident, ${listed(written, 0)} events written`;
  return [
    {
      id: 'P8',
      value: rounded(rate(two), 0),
      unit: 'reports a CPU second of a replica, two shards',
      ratio: rounded(ratio(two)),
      goal: 'two shards carry 1.8 x of one',
      ok: ratio(two) >= 1.8 && writesInVain === 0,
      note: `${outcomes.map(words).join('; ')}; ${writesInVain} writes by the listings`,
    },
    {
      id: 'P8.four',
      value: rounded(rate(four), 0),
      unit: 'reports a CPU second of a replica, four shards',
      ratio: rounded(ratio(four)),
      goal: 'none: how far it goes',
      ok: true,
    },
  ];
}

const listed = (values: readonly number[], digits: number) => values.map((value) => value.toFixed(digits)).join(', ');
const namespaceOf = (n: number) => `bench-p8-team-${n % namespaces}`;

async function put(cluster: BenchCluster, index: number, scan: number): Promise<void> {
  const namespace = namespaceOf(index);
  await send(
    cluster,
    'POST',
    reportsPath(namespace),
    vulnerabilityReport({ namespace, index, kept, filtered, scan }),
    [409],
  );
}

/** One for each shard, one after the other, so that each is there before the next one looks. */
async function startReplicas(cluster: BenchCluster, shards: number): Promise<Running[]> {
  const replicas = Array.from({ length: shards }, (_, replica) => startReplica(cluster, shards, replica));
  await untilOneEach(replicas);
  return replicas;
}

function startReplica(cluster: BenchCluster, shards: number, replica: number): Running {
  return startWatcher(cluster, eventNamespace, { config: configOf(shards, 0), name: `p8-${shards}-${replica}` });
}

/** Waits until each leads in one shard. */
async function untilOneEach(replicas: readonly Running[]): Promise<void> {
  await until(async () => (await Promise.all(replicas.map(ledBy))).every((led) => led === 1));
}

/** `round`: rules that change nothing, for something that is not there. */
function configOf(shards: number, round: number) {
  const leaderElection = { enabled: true, replicas: 6, shards };
  return { leaderElection, thresholds: { sources: { falco: round % 2 === 0 ? 'low' : 'high' } } };
}

/**
 * Has everything listed anew, some times, by one replica after the other: two at once on two cores beside the API server
 * take each other's caches, and a CPU second of theirs is worth less than that of one alone.
 */
async function listings(
  cluster: BenchCluster,
  replicas: readonly Running[],
  shards: number,
  log: (line: string) => void,
): Promise<Pick<Outcome, 'meanCpu' | 'mostCpu' | 'received'>> {
  const means: number[] = [];
  const mosts: number[] = [];
  let bytes: number[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const receivedBefore = await receivedBy(replicas);
    const cpu: number[] = [];
    bytes = [];
    for (const [at, replica] of replicas.entries()) {
      // From here on it is asked nothing: to answer costs CPU as well.
      const cpuBefore = cpuSeconds(replica.pid);
      const bytesBefore = readBytes(replica);
      const path = join(cluster.controlPlane.folder, `p8-${shards}-${at}.yaml`);
      writeFileSync(path, JSON.stringify({ budget: { events: 1_000_000 }, ...configOf(shards, round + 1) }));
      await untilListed([replica], [bytesBefore]);
      cpu.push(cpuSeconds(replica.pid) - cpuBefore);
      bytes.push((readBytes(replica) - bytesBefore) / 1e6);
    }
    const read = (await receivedBy(replicas)) - receivedBefore;
    if (read < reports * (kept + filtered)) throw new Error(`P8: only ${read} findings were read`);
    log(`P8 ${shards} shards, ${round === 0 ? 'warm-up' : `round ${round}`}: ${listed(cpu, 2)} CPU s`);
    if (round === 0) continue;
    means.push(cpu.reduce((sum, seconds) => sum + seconds, 0) / shards);
    mosts.push(Math.max(...cpu));
  }
  return { meanCpu: median(means), mostCpu: median(mosts), received: bytes };
}

async function stopAll(replicas: readonly Running[]): Promise<void> {
  await Promise.all(replicas.map((replica) => replica.stop().catch(() => null)));
}

/** New reports, each written by the leader of its shard: how many events each replica wrote. */
async function writeSome(cluster: BenchCluster, replicas: readonly Running[], batch: number): Promise<number[]> {
  const writtenBy = async (replica: Running) => (await scrape(replica)).settled('written');
  const before = await Promise.all(replicas.map(writtenBy));
  const first = reports + batch * added;
  await inParallel(added, 6, (index) => put(cluster, first + index, 0));
  let now = before;
  await until(async () => {
    now = await Promise.all(replicas.map(writtenBy));
    return total(now) - total(before) >= added * kept;
  });
  return now.map((written, at) => written - (before[at] ?? 0));
}

/** The second one is killed and started again, some times: how long it took until the first one led in both shards. */
async function followed(cluster: BenchCluster, replicas: Running[], log: (line: string) => void): Promise<number[]> {
  const [survivor] = replicas;
  if (survivor === undefined) throw new Error('there are no replicas');
  const times: number[] = [];
  while (times.length < kills) {
    const killed = replicas.pop();
    if (killed === undefined || killed === survivor) throw new Error('there are no two replicas');
    // At any moment between two renewals.
    await sleep(Math.random() * 2_000);
    const begin = performance.now();
    process.kill(killed.pid, 'SIGKILL');
    await until(async () => (await ledBy(survivor)) === 2);
    times.push(performance.now() - begin);
    log(`P8 followed after ${listed(times.slice(-1), 0)} ms`);
    replicas.push(startReplica(cluster, 2, 1));
    await untilOneEach(replicas);
  }
  return times;
}

const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

async function scrape(replica: Running): Promise<Scrape> {
  return new Scrape((await get(await replica.port(), '/metrics'))?.text ?? '');
}

async function ledBy(replica: Running): Promise<number> {
  return (await scrape(replica)).value('zen_watcher_shards', { state: 'led' });
}

async function receivedBy(replicas: readonly Running[]): Promise<number> {
  return total(await Promise.all(replicas.map(async (replica) => (await scrape(replica)).received)));
}

/** Waits until everything was read and so many events were written. */
async function untilAll(replicas: readonly Running[], written: number): Promise<void> {
  await until(async () => {
    const scrapes = await Promise.all(replicas.map(scrape));
    const isRead = total(scrapes.map(({ received }) => received)) >= reports * (kept + filtered);
    return (
      isRead && total(scrapes.map((one) => one.settled('written'))) >= written && scrapes.every((one) => one.isQuiet)
    );
  });
}

/** Waits until each has received all reports, and nothing for a while. */
async function untilListed(replicas: readonly Running[], before: readonly number[]): Promise<void> {
  const growth = () => replicas.map((replica, at) => readBytes(replica) - (before[at] ?? 0));
  let last = growth();
  await until(async () => {
    await sleep(700);
    const now = growth();
    const isOver = now.every((bytes, at) => bytes > reports * leastBytes && bytes - (last[at] ?? 0) < 100_000);
    last = now;
    return isOver;
  });
}

/** What was read by system calls: from sockets, but for some lines of the configuration. */
function readBytes({ pid }: Running): number {
  return Number(/rchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);
}

async function until(look: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 180_000;
  while (!(await look().catch(() => false))) {
    if (performance.now() > deadline) throw new Error('P8: waited for three minutes in vain');
    await sleep(100);
  }
}
