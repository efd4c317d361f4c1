/** Faults between daemon and API server that begin, last and end: what the soak and the chaos suite have in common. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DisturbedWorld } from './disturbed-world.ts';
import type { Fault, Treatment } from './fault-proxy.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Does it for so many seconds. Afterwards nothing is broken any more. */
export type Disturbance = (world: DisturbedWorld, random: SeededRandom, seconds: number) => Promise<void>;

async function injected(world: DisturbedWorld, seconds: number, fault: Fault): Promise<void> {
  const end = world.proxy.inject(fault);
  try {
    await sleep(seconds * 1000);
  } finally {
    end();
  }
}

/** Some requests, by chance, or those that a test is true of. */
const some =
  (
    random: SeededRandom,
    chance: number,
    treatment: Treatment,
    is: (passing: Parameters<Fault>[0]) => boolean = () => true,
  ): Fault =>
  (passing) =>
    is(passing) && random.isLucky(chance) ? treatment : undefined;

const lines =
  (chance: number, line: Extract<Treatment, { line: string }>['line']): Disturbance =>
  (world, random, seconds) =>
    injected(
      world,
      seconds,
      some(random, chance, { line }, ({ isWatch }) => isWatch),
    );

const refusals =
  (chance: number, code: number, headers: Readonly<Record<string, string>> = {}): Disturbance =>
  (world, random, seconds) =>
    injected(world, seconds, some(random, chance, { refuse: code, headers }));

/** By name. */
export const networkFaults: Readonly<Record<string, Disturbance>> = {
  latency: (world, random, seconds) => injected(world, seconds, () => ({ delayMs: random.between(100, 1_000) })),
  'connections cut': async (world, random, seconds) => {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
      world.proxy.cut();
      await sleep(random.between(100, 700));
    }
  },
  partition: async (world, _random, seconds) => {
    world.gate.shut();
    await sleep(seconds * 1000);
    world.gate.reopen();
  },
  'half-open': async (world, _random, seconds) => {
    world.gate.stall();
    await sleep(seconds * 1000);
    // What was on its way never comes.
    world.gate.shut();
    world.gate.reopen();
  },
  'watches end': async (world, random, seconds) => {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
      world.proxy.endWatches();
      await sleep(random.between(200, 1_000));
    }
  },
  'truncated watch lines': lines(0.3, 'truncated'),
  'duplicated watch lines': lines(0.5, 'twice'),
  'garbled watch lines': lines(0.3, 'garbled'),
  '410 as an ERROR event': lines(0.3, 'expired'),
  '410 as a status': async (world, random, seconds) => {
    const isResumed = ({ isWatch, query }: Parameters<Fault>[0]) => isWatch && !query.has('sendInitialEvents');
    const over = injected(world, seconds, some(random, 0.7, { refuse: 410 }, isResumed));
    world.proxy.endWatches();
    await over;
  },
  '409 of nobody': (world, random, seconds) =>
    injected(
      world,
      seconds,
      some(random, 0.5, { refuse: 409 }, ({ isWrite }) => isWrite),
    ),
  '429 with Retry-After': refusals(0.6, 429, { 'retry-after': '1' }),
  'HTTP 500': refusals(0.5, 500),
  'HTTP 503': refusals(0.5, 503),
  'answers of writes lost': (world, random, seconds) =>
    injected(world, seconds, (passing) => {
      if (!passing.isWrite || random.isLucky(0.5)) return undefined;
      return { answerLost: random.pick([500, 504, 'cut'] as const) };
    }),
  'token rotated': async (world, _random, seconds) => {
    await world.rotateToken();
    world.proxy.endWatches();
    await sleep(seconds * 1000);
  },
  'token expired before the new one came': async (world, _random, seconds) => {
    await world.rotateToken({ isLate: true });
    world.proxy.cut();
    await sleep(seconds * 1000);
  },
  'CA rotated': async (world, _random, seconds) => {
    world.rotateCa();
    await sleep(seconds * 1000);
  },
};
