/**
 * `npm run chaos [-- --only NAME] [--seconds 6] [--seed N]`: breaks one thing after the other under the bundled daemon on a
 * real control plane, each for some seconds under load, and looks whether all is right again afterwards
 * (test/support/chaos-run.ts). Prints one JSON line a fault; exit code 1 when one did not hold. `--only` takes a part of a name.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBinaries } from '../cluster/binaries.ts';
import type { ChaosFault } from '../support/chaos-run.ts';
import { ChaosRun } from '../support/chaos-run.ts';
import { loadSettings } from '../support/constant-load.ts';
import { type Container, makeContainer } from '../support/container.ts';
import { networkFaults } from '../support/network-faults.ts';
import { clockFault, fakeTimeLibrary, fullEtcd, leaderFaults, processFaults } from '../support/process-faults.ts';
import { election } from '../support/replica-run.ts';
import { repositoryRoot } from '../support/repository.ts';
import type { StageOptions } from '../support/stage.ts';

const say = (line: string) => process.stderr.write(`${line}\n`);

const text = { type: 'string' } as const;
const { values } = parseArgs({ options: { only: text, seconds: text, seed: text } });
const seconds = numberOf('seconds', values.seconds ?? '6');
const seed = numberOf('seed', values.seed ?? String(Date.now() % 1_000_000));

interface Group {
  readonly faults: readonly ChaosFault[];
  readonly stage?: StageOptions;
  readonly replicas?: number;
}

const network = Object.entries(networkFaults).map(([name, disturb]): ChaosFault => {
  return { name, run: ({ world, random }, duration) => disturb(world, random, duration) };
});
const groups: readonly Group[] = [
  { faults: [...network, ...processFaults, clockFault], stage: { controllerManager: true } },
  // Small enough to be filled, large enough for a control plane.
  { faults: [fullEtcd], stage: { etcdFlags: [`--quota-backend-bytes=${48 * 2 ** 20}`] } },
  { faults: leaderFaults, replicas: 2 },
];

const wanted = (fault: ChaosFault) => fault.name.toLowerCase().includes((values.only ?? '').toLowerCase());
if (!groups.some(({ faults }) => faults.some(wanted))) {
  say(
    `no fault has that in its name; there are ${groups.flatMap(({ faults }) => faults.map(({ name }) => name)).join(', ')}`,
  );
  process.exit(2);
}

const build = spawnSync('npm', ['run', '--silent', 'build'], {
  cwd: repositoryRoot,
  stdio: ['ignore', 'ignore', 'inherit'],
});
if (build.status !== 0) process.exit(1);
await ensureBinaries({ log: say });
say(`each for about ${seconds} s, --seed=${seed}`);
let broken = 0;
for (const group of groups) {
  const faults = group.faults.filter(wanted);
  if (faults.length > 0) await play(group, faults);
}
say(broken === 0 ? 'all hold' : `${broken} do not hold`);
process.exitCode = broken === 0 ? 0 : 1;

async function play({ stage = {}, replicas = 1 }: Group, faults: readonly ChaosFault[]): Promise<void> {
  const container = replicas === 1 ? makeContainer('zen-watcher-chaos', { cpuMillis: null }) : undefined;
  if (container !== undefined) say(container.limits);
  let run: ChaosRun | undefined;
  try {
    for (const fault of faults) {
      if (fault === clockFault && !existsSync(fakeTimeLibrary)) {
        say(`${fault.name}: skipped, there is no ${fakeTimeLibrary}`);
        continue;
      }
      try {
        // After one that did not hold, a world that nothing happened to.
        run ??= await begin(stage, replicas, container);
        process.stdout.write(`${JSON.stringify({ ...(await run.play(fault, seconds)), holds: true })}\n`);
      } catch (error) {
        broken += 1;
        process.stdout.write(`${JSON.stringify({ fault: fault.name, holds: false, why: inWords(error) })}\n`);
        for (const line of run?.world.daemons[0]?.lines().slice(-12) ?? []) say(JSON.stringify(line));
        await run?.stop();
        run = undefined;
      }
    }
  } finally {
    await run?.stop();
    container?.remove();
  }
}

function begin(stage: StageOptions, replicas: number, container: Container | undefined): Promise<ChaosRun> {
  const leaderElection = replicas === 1 ? {} : { leaderElection: election };
  const config = { ...loadSettings.config, ...leaderElection };
  const settings = { ...loadSettings, config, program: join(repositoryRoot, 'dist/zen-watcher.js') };
  const size = { workloads: 20, findings: 10, rules: 20 };
  return ChaosRun.begin({ stage, settings, container, replicas, size, roundMs: 250, seed, watchesMemory: true });
}

function inWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${inWords(error.cause)}`;
}

function numberOf(name: string, given: string): number {
  const number = Number(given);
  if (Number.isFinite(number) && number >= 0) return number;
  say(`--${name} takes a number, not ${given}`);
  process.exit(2);
}
