/**
 * `npm run bench [-- --only P1,P5] [--json] [--reports 10000] [--limited]`: measures each figure beside its peer or raw limit, in one run, and prints one
 * JSON line a figure on stdout ({id, value, unit, ratio, goal, ok}); words go to stderr. Exit code 1 when a goal is missed.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { repositoryRoot } from '../support/repository.ts';
import type { BenchCluster } from './cluster.ts';
import { startBenchCluster } from './cluster.ts';
import type { Figure } from './figure.ts';
import { measureBacklog } from './p1-backlog.ts';
import { measureLatency } from './p2-latency.ts';
import { measureMemory } from './p3-memory.ts';
import { measureNormalizing } from './p5-normalize.ts';
import { measureReady } from './p6-ready.ts';
import { measureIdle } from './p7-idle.ts';
import { measureShards } from './p8-shards.ts';
import { measureSizes } from './s1-sizing.ts';
import { measureWebhooks } from './w1-webhooks.ts';

const log = (line: string) => process.stderr.write(`${line}\n`);

/** What gives which figures. P3 and P4 come from one run. */
const measurements: readonly {
  ids: readonly string[];
  run(cluster: () => Promise<BenchCluster>): Promise<Figure[]>;
}[] = [
  { ids: ['P5'], run: () => measureNormalizing(log) },
  { ids: ['P7'], run: async (cluster) => measureIdle(await cluster(), log) },
  { ids: ['P2'], run: async (cluster) => measureLatency(await cluster(), log) },
  { ids: ['W1', 'W2', 'W3'], run: async (cluster) => measureWebhooks(await cluster(), log) },
  { ids: ['P1'], run: async (cluster) => measureBacklog(await cluster(), log) },
  { ids: ['P6'], run: async (cluster) => measureReady(await cluster(), reportsOfRun(), log) },
  { ids: ['P3', 'P4'], run: async (cluster) => measureMemory(await cluster(), reportsOfRun(), log) },
  { ids: ['P8'], run: () => onACluster((cluster) => measureShards(cluster, log)) },
  { ids: ['SIZE'], run: () => onACluster((cluster) => measureSizes(cluster, log)) },
];

/** For what must find nothing there. */
async function onACluster(run: (cluster: BenchCluster) => Promise<Figure[]>): Promise<Figure[]> {
  const own = await startBenchCluster(log, values.limited);
  try {
    return await run(own);
  } finally {
    await own.stop();
  }
}

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    reports: { type: 'string' },
    limited: { type: 'boolean', default: false },
  },
});
const wanted = values.only?.split(',').map((id) => id.trim().toUpperCase());
const known = measurements.flatMap(({ ids }) => ids);
const unknown = wanted?.filter((id) => !known.includes(id)) ?? [];
if (unknown.length > 0) {
  log(`there is no figure ${unknown.join(', ')}; there are ${known.join(', ')}`);
  process.exit(2);
}

log('building the bundle');
const build = spawnSync('npm', ['run', '--silent', 'build'], {
  cwd: repositoryRoot,
  stdio: ['ignore', 'ignore', 'inherit'],
});
if (build.status !== 0) process.exit(1);

let starting: Promise<BenchCluster> | undefined;
const cluster = () => {
  starting ??= startBenchCluster(log, values.limited);
  return starting;
};
let allOk = true;
try {
  for (const { ids, run } of measurements) {
    if (wanted !== undefined && !ids.some((id) => wanted.includes(id))) continue;
    log(`measuring ${ids.join(' and ')}`);
    for (const figure of await run(cluster)) {
      allOk &&= figure.ok;
      const { note, ...line } = figure;
      process.stdout.write(`${JSON.stringify(values.json ? line : figure)}\n`);
      if (values.json && note !== undefined) log(`${figure.id}: ${note}`);
    }
  }
} finally {
  await (await starting)?.stop();
}
process.exitCode = allOk ? 0 : 1;

/** P3 and P6 have two forms: so many reports hold their 20,000 events. */
function reportsOfRun(): number {
  const reports = Number(values.reports ?? 2_000);
  if ([2_000, 10_000].includes(reports)) return reports;
  throw new Error('--reports is 2000 or 10000');
}
