/**
 * Kills the daemon's process again and again, at random moments of its life, while reports come and change; then lets it
 * finish and compares what is on the server with what was found. By the API server's audit log over all lives: no event
 * was created twice, nothing was written that changed nothing (Q1).
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import type { AuditedWrite } from './audit-log.ts';
import { createdTwice, tallyOf, writesWithoutChange } from './audit-log.ts';
import type { DaemonSettings, LaunchedDaemon } from './daemon.ts';
import { ask, assertBooksBalance, ready, received } from './daemon.ts';
import { Scrape } from './metrics-text.ts';
import { ReportChurn } from './report-churn.ts';
import { SeededRandom } from './seeded-random.ts';
import type { Home, Stage } from './stage.ts';
import { until } from './until.ts';

/** How much of it. */
export interface KillRunSize {
  /** SIGKILLs; there are some SIGTERMs besides. */
  readonly kills: number;
  /** How many findings there are in the end, about. */
  readonly findings: number;
  readonly seed: number;
}

/** What happened, in figures. */
export interface KillRunFigures {
  /** Lives by their end, `SIGKILL writing` and the like. */
  readonly lives: Readonly<Record<string, number>>;
  /** In the newest reports, and in any. */
  readonly findings: { readonly now: number; readonly ever: number };
  readonly events: { readonly active: number; readonly resolved: number };
  /** `create 201` and the like. */
  readonly writes: Readonly<Record<string, number>>;
  readonly mostWritesOfAnEvent: number;
  readonly seconds: number;
}

/** Moments of a life at which it can end, half of them while it writes. */
const moments = ['starting', 'listing', 'writing', 'writing', 'writing', 'at rest'] as const;
type Moment = (typeof moments)[number];

const findingsEach = 20;
/** Of the reports that are there before the first life. */
const firstShare = 0.4;
/** Reports that something happens to, in each life. */
const stepsEach = 14;
const termChance = 0.12;
/** Room for all: what the event budget folds is another test's. */
const settings: DaemonSettings = { config: { budget: { events: 1_000_000 } } };

/** Runs it; throws when anything was lost, doubled or written in vain. */
export async function killAgainAndAgain(
  stage: Stage,
  size: KillRunSize,
  say: (line: string) => void,
): Promise<KillRunFigures> {
  const begin = performance.now();
  const home = await stage.home('events');
  const namespace = await stage.namespace('team');
  const churn = new ReportChurn({ stage, namespace, random: new SeededRandom(size.seed + 1), each: findingsEach });
  const lives = await lifeAfterLife({ stage, home, churn }, size, say);
  const events = await settle(stage, home, churn);
  await restartInVain(stage, home, churn.size);
  const written = writes(stage, home);
  const writesOf = countByName(written);
  assert.deepEqual(createdTwice(written), []);
  const inVain = writesWithoutChange(written).map(({ verb, name }) => `${verb} ${name}`);
  assert.deepEqual(inVain, []);
  assert.deepEqual(churn.excesses(events, writesOf), []);
  assert.deepEqual([...new Set(written.map(({ user }) => user))], [home.account.user]);
  assert.deepEqual(unaccounted(events, written), []);
  const active = events.filter(({ status }) => status?.phase === 'Active').length;
  return {
    lives,
    findings: { now: churn.size, ever: churn.everFound },
    events: { active, resolved: events.length - active },
    writes: tallyOf(written),
    mostWritesOfAnEvent: Math.max(...writesOf.values()),
    seconds: Math.round((performance.now() - begin) / 1000),
  };
}

interface Scene {
  readonly stage: Stage;
  readonly home: Home;
  readonly churn: ReportChurn;
}

/** Starts the daemon and ends it, while findings come and change before and during each life. Counts the lives by their end. */
async function lifeAfterLife(scene: Scene, size: KillRunSize, say: (line: string) => void) {
  const { stage, home, churn } = scene;
  const random = new SeededRandom(size.seed);
  const lives: Record<string, number> = {};
  const reports = Math.ceil(size.findings / findingsEach);
  const addUpTo = async (share: number) => {
    while (churn.reports < reports * Math.min(1, share)) await churn.add();
  };
  await addUpTo(firstShare);
  let kills = 0;
  for (let life = 1; kills < size.kills; life += 1) {
    const signal = random.isLucky(termChance) ? 'SIGTERM' : 'SIGKILL';
    const moment = random.pick(moments);
    await someSteps(churn, random.between(0, 4));
    const daemon = stage.launch(home, settings);
    try {
      const share = firstShare + ((1 - firstShare) * life) / size.kills;
      const happening = addUpTo(share).then(() => someSteps(churn, stepsEach));
      happening.catch(() => {}); // Awaited below, or a failure before that is the one to tell.
      await reach(moment, { stage, home, daemon, random, happening });
      await endLife(daemon, signal, moment);
      await happening;
    } finally {
      await daemon.end('SIGKILL');
    }
    if (signal === 'SIGKILL') kills += 1;
    const words = `${signal} ${moment}`;
    lives[words] = (lives[words] ?? 0) + 1;
    if (life % 10 === 0) say(`life ${life}: ${kills} kills, ${JSON.stringify(tallyOf(writes(stage, home)))}`);
  }
  await addUpTo(1);
  return lives;
}

const writes = (stage: Stage, home: Home) => stage.audit.writes(home.namespace);

/**
 * Events that nobody made, creates that left no event, by name; nothing was ever deleted. A create that was under way when
 * its process was killed is answered 504 by the server, whether it took effect or not.
 */
function unaccounted(events: readonly StoredEvent[], written: readonly AuditedWrite[]): string[] {
  const there = new Set(events.map(({ metadata }) => metadata.name));
  const creates = written.filter(({ verb }) => verb === 'create');
  const made = new Set(creates.filter(({ code }) => code === 201).map(({ name }) => name));
  const cutOff = new Set(creates.filter(({ code }) => code === 504).map(({ name }) => name));
  return [...made.difference(there), ...there.difference(made).difference(cutOff)];
}

/** Successful writes of each event. */
function countByName(written: readonly AuditedWrite[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { name, code } of written) if (code < 300) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

async function someSteps(churn: ReportChurn, count: number): Promise<void> {
  for (let step = 0; step < count; step += 1) await churn.step();
}

interface Life {
  readonly stage: Stage;
  readonly home: Home;
  readonly daemon: LaunchedDaemon;
  readonly random: SeededRandom;
  readonly happening: Promise<unknown>;
}

/** Resolves at a moment of that kind. The waits are the random part of the test, never for a result. */
async function reach(moment: Moment, { stage, home, daemon, random, happening }: Life): Promise<void> {
  if (moment === 'starting') return sleep(random.between(0, 1500));
  const port = await daemon.listening();
  if (moment === 'listing') return sleep(random.between(0, 300));
  if (moment === 'at rest') {
    await happening;
    await ready(portOf(daemon, port));
    await assertBooksBalance(portOf(daemon, port));
    return;
  }
  const before = writes(stage, home).length;
  const wanted = random.between(1, 60);
  const patience = { limitSeconds: 6, pauseMs: 10 };
  // There may be less to do than that.
  await until('writes', () => writes(stage, home).length >= before + wanted, patience).catch(() => {});
  const { text } = await ask(portOf(daemon, port), '/metrics');
  const scrape = new Scrape(text);
  assert.equal(scrape.value('zen_watcher_books_discrepancy'), 0);
  assert.equal(scrape.value('zen_watcher_tampered_events_total'), 0);
}

/** SIGTERM before it listens ends it at once; later it ends by itself, with what is queued written. */
async function endLife(daemon: LaunchedDaemon, signal: 'SIGKILL' | 'SIGTERM', moment: Moment): Promise<void> {
  const code = await daemon.end(signal);
  if (signal === 'SIGKILL') assert.equal(code, null);
  else if (moment !== 'starting') assert.equal(code, 0);
  assert.equal(daemon.stderr(), '');
}

/** Lets the daemon come to rest; throws when the events are not what was found. */
async function settle(stage: Stage, home: Home, churn: ReportChurn): Promise<StoredEvent[]> {
  const daemon = await stage.daemonProcess(home, settings);
  await ready(daemon);
  const patience = { limitSeconds: 240, pauseMs: 1000 };
  const events = await until(
    'the events to be the findings',
    async () => {
      const now = await stage.events(home.namespace);
      const differences = churn.differences(now);
      if (differences.length === 0) return now;
      throw new Error(`${differences.length} differ: ${differences.slice(0, 5).join('; ')}`);
    },
    patience,
  );
  const last = await assertBooksBalance(daemon);
  assert.equal(last.value('zen_watcher_tampered_events_total'), 0);
  await stage.end(daemon);
  return events;
}

/** One more life, with nothing to do: it reads every finding and writes nothing. */
async function restartInVain(stage: Stage, home: Home, findings: number): Promise<void> {
  const before = writes(stage, home).length;
  const daemon = await stage.daemonProcess(home, settings);
  await ready(daemon);
  const { received: occurrences } = await received(daemon, findings);
  assert.equal(occurrences, findings);
  await assertBooksBalance(daemon);
  await stage.end(daemon);
  assert.equal(writes(stage, home).length, before);
}

/** A daemon that listens, for the questions that one can ask it. */
function portOf(daemon: LaunchedDaemon, port: number) {
  return { namespace: '', port, lines: daemon.lines, stop: async () => void (await daemon.end('SIGTERM')) };
}
