/**
 * The bundled daemon in a container like the chart's, under a constant load with interruptions, for as long as one likes.
 * It holds when memory and handles stay flat, the books balance at every look, and in the end the events are the findings,
 * none made twice and none written without a change.
 */
import { appendFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/lib/error-message.ts';
import { createdInExcess, tallyOf, writesWithoutChange } from '../support/audit-log.ts';
import { ConstantLoad, loadSettings } from '../support/constant-load.ts';
import type { Container } from '../support/container.ts';
import { linesOf, ready, scrape } from '../support/daemon.ts';
import { DisturbedWorld } from '../support/disturbed-world.ts';
import type { Bound } from '../support/flatness.ts';
import { judgeFlatness } from '../support/flatness.ts';
import { assertBalancedNow } from '../support/metrics-text.ts';
import { networkFaults } from '../support/network-faults.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { until } from '../support/until.ts';
import { webhookPort } from '../support/webhook-runs.ts';
import type { Sample } from './sampler.ts';
import { sample } from './sampler.ts';

export interface SoakSize {
  readonly minutes: number;
  readonly seed: number;
  /** Where the samples go, one JSON object a line. */
  readonly samplesPath: string;
  readonly sampleSeconds: number;
  /** Between the end of an interruption and the next. */
  readonly quietSeconds: number;
  /** The longest one. */
  readonly interruptionSeconds: number;
  readonly program: string;
}

export interface SoakOutcome {
  readonly rows: readonly (readonly string[])[];
  readonly figures: Readonly<Record<string, unknown>>;
  /** Why it does not hold, in words. */
  readonly problems: readonly string[];
}

type Measure = Exclude<keyof Sample, 'seconds' | 'during'>;

/** What must stay flat, and how much each moves by itself. */
const bounds: readonly (readonly [Measure, Bound])[] = [
  ['rssMB', { share: 0.05, least: 5 }],
  ['heapMB', { share: 0.05, least: 2, lowestOf: 6 }],
  ['externalMB', { share: 0.05, least: 2, lowestOf: 6 }],
  ['fds', { share: 0, least: 2, lowestOf: 3 }],
  ['sockets', { share: 0, least: 2, lowestOf: 3 }],
  ['handles', { share: 0, least: 2, lowestOf: 3 }],
  ['knownEvents', { share: 0.1, least: 10 }],
  ['series', { share: 0, least: 30 }],
  ['queue', { share: 0, least: 20, lowestOf: 3 }],
];
const shown: readonly Measure[] = ['reports', 'lagP99Ms'];
const memoryMiB = 256;
/** Before that, events are still becoming more: the first of them are removed after some minutes. */
const leastMinutes = 15;

const restart = 'API server restarted';

export async function soak(container: Container, size: SoakSize, say: (line: string) => void): Promise<SoakOutcome> {
  const random = new SeededRandom(size.seed);
  const settings = { ...loadSettings, program: size.program };
  const world = await DisturbedWorld.start({ settings, container });
  const samples: Sample[] = [];
  const problems: string[] = [];
  const interruptions: Record<string, number> = {};
  writeFileSync(size.samplesPath, '');
  try {
    const { stage, home } = world;
    const load = await ConstantLoad.prepare({
      stage,
      home,
      random: new SeededRandom(size.seed + 1),
      size: { workloads: 40, findings: 12, rules: 40 },
      roundMs: 1_000,
    });
    const daemon = await world.startDaemon();
    await ready(daemon);
    load.start(webhookPort(daemon));
    const beginMs = Date.now();
    let during = '';
    let isOver = false;
    const sampling = (async () => {
      while (!isOver) {
        try {
          const now = await sample(daemon, beginMs, during);
          samples.push(now);
          appendFileSync(size.samplesPath, `${JSON.stringify(now)}\n`);
          if (now.discrepancy !== 0) problems.push(`after ${now.seconds} s the books lack ${now.discrepancy}`);
          if (samples.length % 30 === 0) say(inWords(now));
        } catch (error) {
          problems.push(`no sample after ${Math.round((Date.now() - beginMs) / 1000)} s: ${messageOf(error)}`);
        }
        await sleep(size.sampleSeconds * 1000);
      }
    })();
    try {
      const names = [...Object.keys(networkFaults), restart];
      while (Date.now() - beginMs < size.minutes * 60_000) {
        await sleep(size.quietSeconds * 1000);
        during = random.pick(names);
        interruptions[during] = (interruptions[during] ?? 0) + 1;
        await interrupt(world, load, during, random, random.between(2, size.interruptionSeconds));
        during = '';
        problems.push(...(await lostSignals(world, load)));
      }
    } finally {
      isOver = true;
      await sampling;
      await load.stop();
    }
    say('the load has ended; all is reported once more');
    await settle(world, load).catch((error: unknown) => problems.push(inWordsOf(error)));
    const written = stage.audit.writes(home.namespace).filter(({ user }) => user === home.account.user);
    problems.push(...createdInExcess(stage.audit.writes(home.namespace)).map((name) => `${name} was created twice`));
    problems.push(...writesWithoutChange(written).map(({ verb, name }) => `${verb} ${name} changed nothing`));
    const peak = container.peakBytes();
    if (daemon.stderr() !== '') problems.push(`on stderr: ${daemon.stderr().slice(0, 500)}`);
    const code = await world.endDaemon(daemon);
    if (code !== 0) problems.push(`it ended with ${code}`);
    await load.close();
    const { rows, notFlat } = table(samples);
    if (size.minutes >= leastMinutes) problems.push(...notFlat);
    else say(`${size.minutes} minutes are too short to judge what is flat: ${leastMinutes} are needed`);
    const cpu = (samples.at(-1)?.cpuSeconds ?? 0) - (samples[0]?.cpuSeconds ?? 0);
    return {
      rows,
      problems,
      figures: {
        minutes: size.minutes,
        seed: size.seed,
        limits: container.limits,
        peakMiB: peak === undefined ? null : Math.round(peak / 2 ** 20),
        cpuShare: Number((cpu / ((samples.at(-1)?.seconds ?? 1) - (samples[0]?.seconds ?? 0))).toFixed(3)),
        writes: tallyOf(written),
        answers: load.statuses,
        interruptions,
        warnings: linesOf(daemon, 'the heap may outgrow the memory of the container').length,
        troublesOfTheLoad: Object.fromEntries(load.troubles),
      },
    };
  } finally {
    await world.stop();
  }
}

async function interrupt(
  world: DisturbedWorld,
  load: ConstantLoad,
  name: string,
  random: SeededRandom,
  seconds: number,
) {
  if (name !== restart) return networkFaults[name]?.(world, random, seconds);
  const resume = await load.pause();
  await world.stage.controlPlane.restart('kube-apiserver');
  await world.served();
  resume();
}

async function lostSignals(world: DisturbedWorld, load: ConstantLoad): Promise<string[]> {
  const askedMs = Date.now();
  return load.lost(await world.stage.events(world.home.namespace), askedMs);
}

async function settle(world: DisturbedWorld, load: ConstantLoad): Promise<void> {
  await load.publish();
  await until(
    'the events to be the findings',
    async () => {
      const askedMs = Date.now();
      const differences = load.differences(await world.stage.events(world.home.namespace), askedMs);
      if (differences.length === 0) return true;
      throw new Error(`${differences.length} differ: ${differences.slice(0, 5).join('; ')}`);
    },
    { limitSeconds: 120, pauseMs: 1000 },
  );
  assertBalancedNow(await scrape(world.daemon));
}

function table(samples: readonly Sample[]) {
  const rows: string[][] = [['measure', 'first', 'median of the 2nd half', 'most', 'rise in it', 'allowed', '']];
  const notFlat: string[] = [];
  const text = (value: number) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1));
  for (const [measure, bound] of bounds) {
    const values = samples.map((one) => one[measure]);
    const verdict = judgeFlatness(values, bound);
    const { median, most, rise, isFlat } = verdict;
    rows.push([
      measure,
      text(values[0] ?? 0),
      text(median),
      text(most),
      text(rise),
      text(verdict.bound),
      isFlat ? 'flat' : 'RISES',
    ]);
    if (!isFlat) notFlat.push(`${measure} rises by ${text(rise)}, more than ${text(verdict.bound)}`);
  }
  for (const measure of shown) {
    const values = samples.map((one) => one[measure]);
    const { median, most } = judgeFlatness(values, { share: 0, least: 0 });
    rows.push([measure, text(values[0] ?? 0), text(median), text(most), '', '', '']);
  }
  const most = Math.max(...samples.map(({ rssMB }) => rssMB));
  if (most * 1e6 > memoryMiB * 2 ** 20) notFlat.push(`${text(most)} MB are more than the container has`);
  return { rows, notFlat };
}

function inWords({ seconds, rssMB, heapMB, fds, knownEvents, during }: Sample): string {
  const minutes = Math.round(seconds / 60);
  return `${minutes} min: ${rssMB.toFixed(0)} MB resident, heap ${heapMB.toFixed(0)} MB, ${fds} fds, ${knownEvents} events known${during === '' ? '' : `, ${during}`}`;
}

function inWordsOf(error: unknown): string {
  return error instanceof Error && error.cause !== undefined
    ? `${error.message}: ${messageOf(error.cause)}`
    : messageOf(error);
}
