/**
 * Replicas under load whose leader is killed, stopped or ended again and again: what is on the server is compared with what
 * was found. By the API server's audit log over all of them: no event was created twice, nothing was written that changed
 * nothing, and every write that was accepted was bound to what it was decided on (R7, Q1).
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditedWrite } from './audit-log.ts';
import { createdTwice, tallyOf, writesWithoutChange } from './audit-log.ts';
import type { DaemonProcess, DaemonSettings } from './daemon.ts';
import { assertBooksBalance, linesOf, ready, scrape } from './daemon.ts';
import { allowElecting } from './daemon-account.ts';
import type { AlertFigures } from './replica-alerts.ts';
import { ReplicaAlerts } from './replica-alerts.ts';
import { ReportChurn } from './report-churn.ts';
import { SeededRandom } from './seeded-random.ts';
import type { Home, Stage } from './stage.ts';
import { quantile, until } from './until.ts';
import { removeReports } from './vulnerability-reports.ts';

export const endings = ['SIGKILL', 'SIGSTOP', 'SIGTERM'] as const;
export type Ending = (typeof endings)[number];

/** How much of it. */
export interface ReplicaRunSize {
  readonly replicas: number;
  /** What happens to the leader, in turns. SIGSTOP: until another one leads, then it is woken. */
  readonly signals: readonly Ending[];
  readonly times: number;
  /** Between two times. */
  readonly seconds: number;
  readonly findings: number;
  readonly seed: number;
  /** Into so many the work is divided; one where nothing is said. */
  readonly shards?: number;
  /** Alerts come by webhook too, to all replicas. Not with SIGSTOP: who is stopped answers nobody, as no replica does. */
  readonly withAlerts?: boolean;
}

/** What happened, in figures. */
export interface ReplicaRunFigures {
  /** From the signal until another one led. */
  readonly takeOverMs: { readonly median: number; readonly most: number };
  readonly findings: number;
  readonly events: { readonly active: number; readonly resolved: number };
  /** `create 201` and the like. */
  readonly writes: Readonly<Record<string, number>>;
  /** Accepted writes that named no version of what they changed. */
  readonly unconditional: number;
  readonly seconds: number;
  readonly alerts?: AlertFigures | undefined;
}

/** Short, so that a test does not wait for it; the same proportions as in the product. */
export const election = { enabled: true, replicas: 4, leaseSeconds: 4, renewDeadlineSeconds: 2.5, retrySeconds: 0.4 };

export const replicaSettings: DaemonSettings = {
  config: { budget: { events: 1_000_000 }, leaderElection: election },
};

const webhooks = { port: 0, host: '127.0.0.1', routes: { falco: { open: true } } };

function settingsFor({ withAlerts = false, shards = 1 }: ReplicaRunSize): DaemonSettings {
  const { config } = replicaSettings;
  const divided = { ...config, leaderElection: { ...election, shards } };
  return { config: withAlerts ? { ...divided, webhooks } : divided };
}

const findingsEach = 10;

/** A home whose account may elect. */
export async function electingHome(stage: Stage, shards = 1): Promise<Home> {
  const home = await stage.home('events');
  await allowElecting(stage.rest, home.namespace, { ...election, shards });
  return home;
}

/** Whether a replica leads at this moment. One that does not answer does not. */
export async function leads(replica: DaemonProcess): Promise<boolean> {
  const answer = await Promise.race([scrape(replica).catch(() => undefined), sleep(1_000, undefined, { ref: false })]);
  return answer?.value('zen_watcher_leader') === 1;
}

/** Waits until these replicas lead in every shard. */
function ledEverywhere(replicas: readonly DaemonProcess[], shards: number): Promise<true> {
  const ledBy = async (replica: DaemonProcess) => {
    const answer = await Promise.race([
      scrape(replica).catch(() => undefined),
      sleep(1_000, undefined, { ref: false }),
    ]);
    return answer?.value('zen_watcher_shards', { state: 'led' }) ?? 0;
  };
  const look = async () => {
    const led = await Promise.all(replicas.map(ledBy));
    return led.reduce((sum, count) => sum + count, 0) >= shards;
  };
  return until('leaders everywhere', look, { pauseMs: 20 }) as Promise<true>;
}

/** Waits until one of the replicas leads, and gives it. */
export function leaderOf(replicas: readonly DaemonProcess[]): Promise<DaemonProcess> {
  return until(
    'a leader',
    async () => {
      for (const replica of replicas) if (await leads(replica)) return replica;
      return undefined;
    },
    { pauseMs: 20 },
  );
}

/** Runs it; throws when anything was lost, doubled, written in vain or written unconditionally. */
export async function disturbLeaders(
  stage: Stage,
  size: ReplicaRunSize,
  say: (line: string) => void,
): Promise<ReplicaRunFigures> {
  const begin = performance.now();
  const { shards = 1 } = size;
  const home = await electingHome(stage, shards);
  const namespace = await stage.namespace('team');
  const others: string[] = [];
  while (others.length < (shards - 1) * 5) others.push(await stage.namespace('team'));
  const random = new SeededRandom(size.seed + 1);
  const churn = new ReportChurn({ stage, namespace, others, random, each: findingsEach });
  const reports = Math.ceil(size.findings / findingsEach);
  while (churn.reports < reports / 2) await churn.add();
  const settings = settingsFor(size);
  const replicas: DaemonProcess[] = [];
  const ending = new Set<DaemonProcess>();
  for (let count = 0; count < size.replicas; count += 1) replicas.push(await stage.daemonProcess(home, settings));
  await Promise.all(replicas.map(ready));
  await ledEverywhere(replicas, shards);

  const load = new Load(churn, reports);
  const alerts = size.withAlerts === true ? new ReplicaAlerts(() => replicas, ending) : undefined;
  const takeOvers: number[] = [];
  try {
    for (let time = 1; time <= size.times; time += 1) {
      await sleep(size.seconds * 1000 + new SeededRandom(size.seed + time).between(0, 700));
      const signal = size.signals[(time - 1) % size.signals.length] ?? 'SIGKILL';
      takeOvers.push(await disturb(replicas, { signal, shards }, ending));
      if (signal !== 'SIGSTOP' && time < size.times) replicas.push(await stage.daemonProcess(home, settings));
      await Promise.all(replicas.map(ready));
      if (time % 10 === 0) say(`${time} times: ${JSON.stringify(tallyOf(stage.audit.writes(home.namespace)))}`);
    }
  } finally {
    await Promise.all([load.stop(), alerts?.stop()]);
  }
  const events = await settled(stage, home, churn).catch(async (error: unknown) => {
    for (const replica of replicas) say(await inWords(replica));
    throw error;
  });
  for (const replica of replicas) await assertBooksBalance(replica);
  await Promise.all(replicas.map((replica) => stage.end(replica)));
  for (const one of [namespace, ...others]) await removeReports(stage, one);
  const written = stage.audit.writes(home.namespace);
  judge(written, home);
  const active = events.filter(({ status }) => status?.phase === 'Active').length;
  return {
    takeOverMs: { median: Math.round(quantile(takeOvers, 0.5)), most: Math.round(Math.max(...takeOvers)) },
    findings: churn.size,
    events: { active, resolved: events.length - active },
    writes: tallyOf(written),
    unconditional: unconditional(written).length,
    seconds: Math.round((performance.now() - begin) / 1000),
    alerts: alerts?.judge(await stage.events(home.namespace)),
  };
}

/** What is done to a leader, of so many shards. */
interface Disturbance {
  readonly signal: Ending;
  readonly shards: number;
}

/** Does it to a leader, and waits until others lead where it did. Milliseconds until the last one says so in its log. */
async function disturb(
  replicas: DaemonProcess[],
  { signal, shards }: Disturbance,
  ending: Set<DaemonProcess>,
): Promise<number> {
  const leader = await leaderOf(replicas);
  const others = replicas.filter((replica) => replica !== leader);
  const begin = Date.now();
  if (signal !== 'SIGSTOP') ending.add(leader);
  if (signal === 'SIGSTOP') process.kill(leader.pid, 'SIGSTOP');
  const ended = signal === 'SIGSTOP' ? undefined : leader.end(signal);
  try {
    await ledEverywhere(others, shards);
    const lines = others.flatMap((one) => linesOf(one, 'this replica leads: it writes events from now on'));
    return Math.max(...lines.map((line) => Date.parse(String(line['time'])))) - begin;
  } finally {
    if (ended === undefined) await wake(leader);
    else {
      const code = await ended;
      assert.equal(code, signal === 'SIGTERM' ? 0 : null);
      replicas.splice(replicas.indexOf(leader), 1);
    }
  }
}

/** It finds that its term is over, and says so once for each term. */
async function wake(stopped: DaemonProcess): Promise<void> {
  const began = linesOf(stopped, 'this replica leads: it writes events from now on').length;
  process.kill(stopped.pid, 'SIGCONT');
  await until('the line that says so', () => {
    return linesOf(stopped, 'this replica does not lead any more: it writes no events').length >= began;
  });
}

/** Reports come and change until it is stopped. */
class Load {
  #isStopped = false;
  readonly #running: Promise<void>;

  constructor(churn: ReportChurn, reports: number) {
    this.#running = this.#run(churn, reports);
    this.#running.catch(() => {}); // stop() tells.
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(churn: ReportChurn, reports: number): Promise<void> {
    while (!this.#isStopped) {
      if (churn.reports < reports) await churn.add();
      for (let step = 0; step < 5; step += 1) await churn.step();
      // So much that there is always something under way, and not more than replicas and server can do.
      await sleep(250);
    }
  }
}

async function settled(stage: Stage, home: Home, churn: ReportChurn) {
  const patience = { limitSeconds: 180, pauseMs: 1000 };
  const isRight = async () => {
    const all = await stage.events(home.namespace);
    const now = all.filter(({ spec }) => spec.source === 'trivy');
    const differences = churn.differences(now);
    if (differences.length === 0) return now;
    throw new Error(`${differences.length} differ: ${differences.slice(0, 5).join('; ')}`);
  };
  return until('the events to be the findings', isRight, patience);
}

/** What a replica says of itself, for whoever looks for what went wrong. */
async function inWords(replica: DaemonProcess): Promise<string> {
  const now = await scrape(replica);
  const names = ['leader', 'replicas', 'queue_items', 'dirty_reports', 'known_events', 'findings_pending'];
  const values = names.map((name) => `${name} ${now.value(`zen_watcher_${name}`)}`);
  const troubles = replica.lines().filter(({ level, message }) => level === 'warn' || message.includes('lead'));
  return `${replica.pid}: ${values.join(', ')}\n${troubles.map((line) => JSON.stringify(line)).join('\n')}`;
}

function unconditional(written: readonly AuditedWrite[]): AuditedWrite[] {
  return written.filter(({ code, isConditional }) => code < 300 && !isConditional);
}

function judge(written: readonly AuditedWrite[], home: Home): void {
  assert.deepEqual(createdTwice(written), []);
  assert.deepEqual(unconditional(written), []);
  const inVain = writesWithoutChange(written).map(({ verb, name }) => `${verb} ${name}`);
  assert.deepEqual(inVain, []);
  assert.deepEqual([...new Set(written.map(({ user }) => user))], [home.account.user]);
}
