/**
 * One fault after the other under a load: after each, the events must be the findings, the books balance, memory and
 * descriptors be back where they were, and by the API server's audit log no event was made twice or written without a change.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { createdInExcess, tallyOf, writesWithoutChange } from './audit-log.ts';
import { ConstantLoad, type LoadSize } from './constant-load.ts';
import type { DaemonProcess } from './daemon.ts';
import { ready, scrape } from './daemon.ts';
import { DisturbedWorld, type WorldOptions } from './disturbed-world.ts';
import { assertBalancedNow } from './metrics-text.ts';
import { SeededRandom } from './seeded-random.ts';
import { until } from './until.ts';
import { webhookPort } from './webhook-runs.ts';

/** Where a fault happens. */
export interface ChaosScene {
  readonly world: DisturbedWorld;
  readonly load: ConstantLoad;
  readonly random: SeededRandom;
  /** What the audit log says of events before this does not count any more: they are gone, and no entry tells it. */
  forgetWrites(): void;
}

export interface ChaosFault {
  readonly name: string;
  /** Breaks something for about so many seconds, and mends it. */
  run(scene: ChaosScene, seconds: number): Promise<void>;
}

/** What happened, in figures. */
export interface ChaosFigures {
  readonly fault: string;
  /** From the end of the fault until the events were the findings. */
  readonly recoverySeconds: number;
  readonly events: number;
  readonly writes: Readonly<Record<string, number>>;
  readonly answers: Readonly<Record<string, number>>;
  readonly treated: number;
  readonly heapMB: readonly [number, number];
  readonly rssMB: readonly [number, number];
  readonly fds: readonly [number, number];
}

export interface ChaosRunOptions extends WorldOptions {
  readonly replicas: number;
  readonly size: LoadSize;
  readonly roundMs: number;
  readonly seed: number;
  /** Memory and descriptors have to come back to where they were: says something of the bundle under its limits. */
  readonly watchesMemory?: boolean;
}

/** What memory and descriptors move by themselves. */
const slack = { heapShare: 1.3, heapMB: 8, fds: 6 };

export class ChaosRun {
  readonly world: DisturbedWorld;
  readonly #load: ConstantLoad;
  readonly #random: SeededRandom;
  readonly #watchesMemory: boolean;
  #auditFrom = 0;

  private constructor(world: DisturbedWorld, load: ConstantLoad, { seed, watchesMemory = false }: ChaosRunOptions) {
    this.world = world;
    this.#load = load;
    this.#random = new SeededRandom(seed);
    this.#watchesMemory = watchesMemory;
  }

  static async begin(options: ChaosRunOptions): Promise<ChaosRun> {
    const world = await DisturbedWorld.start(options);
    try {
      const { stage, home } = world;
      const random = new SeededRandom(options.seed + 1);
      const load = await ConstantLoad.prepare({ stage, home, random, size: options.size, roundMs: options.roundMs });
      for (let count = 0; count < options.replicas; count += 1) await world.startDaemon();
      await Promise.all(world.daemons.map(ready));
      const run = new ChaosRun(world, load, options);
      await run.#settled();
      return run;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  /** Does it under the load, and throws when anything is not as it must be afterwards. */
  async play(fault: ChaosFault, seconds: number): Promise<ChaosFigures> {
    const { world } = this;
    const load = this.#load;
    this.#auditFrom = this.#writes(0).length;
    const before = await memoryOf(world.daemon);
    const treatedBefore = world.proxy.treated;
    load.start(webhookPort(world.daemon));
    await sleep(500);
    const scene = {
      world,
      load,
      random: this.#random,
      forgetWrites: () => {
        this.#auditFrom = this.#writes(0).length;
      },
    };
    try {
      await fault.run(scene, seconds);
    } finally {
      await load.stop();
    }
    const healed = performance.now();
    const events = await this.#settled();
    const recoverySeconds = Math.round((performance.now() - healed) / 100) / 10;
    for (const daemon of world.daemons) {
      assertBalancedNow(await scrape(daemon));
      assert.equal(daemon.stderr(), '');
    }
    const written = this.#writes();
    this.#assertWrites();
    const after = this.#watchesMemory ? await this.#backTo(before) : await memoryOf(world.daemon);
    return {
      fault: fault.name,
      recoverySeconds,
      events,
      writes: tallyOf(written),
      answers: answersOf(load),
      treated: world.proxy.treated - treatedBefore,
      heapMB: [before.heapMB, after.heapMB],
      rssMB: [before.rssMB, after.rssMB],
      fds: [before.fds, after.fds],
    };
  }

  async stop(): Promise<void> {
    await this.#load.close();
    await this.world.stop();
  }

  /** In order, each with what was put off. */
  async endDaemons(): Promise<void> {
    for (const daemon of [...this.world.daemons]) assert.equal(await this.world.endDaemon(daemon), 0);
  }

  /** Everything is reported once more, and the events are that. How many there are. */
  async #settled(): Promise<number> {
    const { stage, home } = this.world;
    await this.#load.publish();
    return until(
      'the events to be the findings',
      async () => {
        const askedMs = Date.now();
        const events = await stage.events(home.namespace);
        const differences = this.#load.differences(events, askedMs);
        if (differences.length === 0) return events.length;
        throw new Error(`${differences.length} differ: ${differences.slice(0, 5).join('; ')}`);
      },
      { limitSeconds: 180, pauseMs: 200 },
    );
  }

  #writes(from = this.#auditFrom) {
    return this.world.stage.audit.writes(this.world.home.namespace, from);
  }

  #assertWrites(): void {
    const written = this.#writes();
    const { user } = this.world.home.account;
    assert.deepEqual(createdInExcess(written), [], 'created twice');
    const inVain = writesWithoutChange(written.filter((write) => write.user === user));
    assert.deepEqual(
      inVain.map(({ verb, name }) => `${verb} ${name}`),
      [],
      'written without a change',
    );
  }

  async #backTo(before: Memory): Promise<Memory> {
    let now = before;
    try {
      await until('memory and descriptors to be back', async () => {
        now = await memoryOf(this.world.daemon);
        return now.heapMB <= before.heapMB * slack.heapShare + slack.heapMB && now.fds <= before.fds + slack.fds;
      });
    } catch (error) {
      throw new Error(`before ${JSON.stringify(before)}, after ${JSON.stringify(now)}`, { cause: error });
    }
    return now;
  }
}

interface Memory {
  readonly heapMB: number;
  readonly rssMB: number;
  readonly fds: number;
}

async function memoryOf(daemon: DaemonProcess): Promise<Memory> {
  const now = await scrape(daemon);
  const megabytes = (name: string) => Math.round(now.value(name) / 1e6);
  return {
    heapMB: megabytes('nodejs_heap_size_used_bytes'),
    rssMB: megabytes('process_resident_memory_bytes'),
    fds: now.value('process_open_fds'),
  };
}

/** `falco 200` and the like, since the load was started. */
function answersOf(load: ConstantLoad): Record<string, number> {
  const entries = Object.entries(load.statuses).flatMap(([source, statuses]) =>
    Object.entries(statuses).map(([status, count]) => [`${source} ${status}`, count] as const),
  );
  return Object.fromEntries(entries);
}
