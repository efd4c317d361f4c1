/**
 * `npm run soak [-- --hours 1 | --minutes 10] [--seed N] [--samples FILE]`: the bundled daemon under a constant load with
 * interruptions (test/soak/soak.ts), small enough to run beside other work. Prints a table and its figures; exit code 1 when
 * something rises, or anything was lost, doubled or written in vain.
 */
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBinaries } from '../cluster/binaries.ts';
import { makeContainer } from '../support/container.ts';
import { repositoryRoot } from '../support/repository.ts';
import { soak } from './soak.ts';

const say = (line: string) => process.stderr.write(`${new Date().toISOString()} ${line}\n`);

const text = { type: 'string' } as const;
const { values } = parseArgs({ options: { hours: text, minutes: text, seed: text, samples: text } });
const hours = values.hours ?? (values.minutes === undefined ? '1' : '0');
const minutes = numberOf('hours', hours) * 60 + numberOf('minutes', values.minutes ?? '0');
const seed = numberOf('seed', values.seed ?? String(Date.now() % 1_000_000));
const samplesPath = values.samples ?? join(tmpdir(), `zen-watcher-soak-${seed}.ndjson`);

const build = spawnSync('npm', ['run', '--silent', 'build'], {
  cwd: repositoryRoot,
  stdio: ['ignore', 'ignore', 'inherit'],
});
if (build.status !== 0) process.exit(1);
await ensureBinaries({ log: say });
const container = makeContainer('zen-watcher-soak');
say(`${minutes} minutes, --seed=${seed}; ${container.limits}; samples in ${samplesPath}`);
try {
  const size = {
    minutes,
    seed,
    samplesPath,
    // Enough samples for a verdict, also of a short run.
    sampleSeconds: Math.min(10, minutes / 2),
    quietSeconds: Math.min(30, minutes * 2),
    interruptionSeconds: 20,
    program: join(repositoryRoot, 'dist/zen-watcher.js'),
  };
  const { rows, figures, problems } = await soak(container, size, say);
  process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n${aligned(rows)}\n`);
  for (const problem of problems.slice(0, 50)) say(`PROBLEM: ${problem}`);
  say(problems.length === 0 ? 'it holds' : `it does not hold: ${problems.length} problems, --seed=${seed}`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} catch (error) {
  say(`failed with --seed=${seed}`);
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  if (error instanceof Error && error.cause !== undefined) say(String(error.cause));
  process.exitCode = 1;
} finally {
  container.remove();
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function numberOf(name: string, given: string): number {
  const number = Number(given);
  if (Number.isFinite(number) && number >= 0) return number;
  say(`--${name} takes a number, not ${given}`);
  process.exit(2);
}
