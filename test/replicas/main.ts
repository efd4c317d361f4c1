/**
 * `npm run test:replicas [-- --replicas=2 --shards=1 --signal=SIGKILL --times=20 --seconds=30 --findings=2000 --seed=N]`: the leader of
 * real replicas on a real control plane is killed again and again under load (test/support/replica-run.ts). By default two
 * replicas for ten minutes, then three, which are sent alerts by webhook as well. `npm run test:pauses` stops it instead, past its lease, a hundred times. Prints its
 * figures; exit code 1 when anything was lost, doubled, written in vain or without a condition.
 */
import { parseArgs } from 'node:util';
import { ensureBinaries } from '../cluster/binaries.ts';
import type { ReplicaRunSize } from '../support/replica-run.ts';
import { disturbLeaders, endings } from '../support/replica-run.ts';
import { Stage } from '../support/stage.ts';

const say = (line: string) => process.stderr.write(`${line}\n`);

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: { replicas: text, shards: text, signal: text, times: text, seconds: text, findings: text, seed: text },
});
const signal = endings.find((one) => one === (values.signal ?? 'SIGKILL'));
if (signal === undefined) {
  say(`--signal takes one of ${endings.join(', ')}`);
  process.exit(2);
}
const common = {
  signals: [signal],
  times: numberOf('times', values.times ?? '20'),
  seconds: numberOf('seconds', values.seconds ?? '30'),
  findings: numberOf('findings', values.findings ?? '2000'),
  seed: numberOf('seed', values.seed ?? String(Date.now() % 1_000_000)),
  shards: numberOf('shards', values.shards ?? '1'),
  withAlerts: signal !== 'SIGSTOP',
};
const replicas = values.replicas ?? (signal === 'SIGKILL' ? '2,3' : '2');
await ensureBinaries({ log: say });
for (const one of replicas.split(',')) await run({ ...common, replicas: numberOf('replicas', one) });

async function run(size: ReplicaRunSize): Promise<void> {
  say(`${size.replicas} replicas, ${size.shards} shards, ${size.times} times ${size.signals}, --seed=${size.seed}`);
  const stage = await Stage.start();
  try {
    const figures = await disturbLeaders(stage, size, say);
    process.stdout.write(`${JSON.stringify({ ...size, ...figures }, undefined, 2)}\n`);
  } catch (error) {
    say(`failed with --seed=${size.seed}`);
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    if (error instanceof Error && error.cause !== undefined) say(String(error.cause));
    process.exitCode = 1;
  } finally {
    await stage.stop();
  }
}

function numberOf(name: string, given: string): number {
  const number = Number(given);
  if (Number.isFinite(number) && number >= 0) return number;
  say(`--${name} takes a number, not ${given}`);
  process.exit(2);
}
