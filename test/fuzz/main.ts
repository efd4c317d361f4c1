/**
 * `npm run fuzz [-- --inputs=1000000 --seconds=N --seed=N]`: mutated inputs over all decoders. Exit code 1 when one of
 * them threw, took too long, or memory grew; its text is kept in test/fuzz/cases, where the tests take it up.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { hash52 } from '../../src/lib/hash.ts';
import { Fuzz, fuzzSeeds } from '../support/fuzz.ts';
import { repositoryRoot } from '../support/repository.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '3600' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
/** One input may take as long, by CPU: JSON.parse and all mappings of a few KB take well below a millisecond. */
const slowestMs = 2_000;
const leastParsedShare = 0.3;
/** How much more the heap may hold at the end than after the first tenth. */
const mostGrowthMegabytes = 20;
const cases = join(repositoryRoot, 'test/fuzz/cases');

const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: false, detailed: true });

const inputs = Number(values.inputs);
const seeds = await fuzzSeeds();
const fuzz = new Fuzz(new SeededRandom(Number(values.seed)), seeds);
const collect = garbageCollector();
const startMs = performance.now();
let failures = 0;
let slowest = 0;
let earlyMegabytes = 0;
say(`${inputs} inputs from ${seeds.length} documents of the fixtures, seed ${values.seed}`);
for (let done = 0; done < inputs && performance.now() - startMs < Number(values.seconds) * 1000; done += 1) {
  if (done === Math.floor(inputs / 10)) earlyMegabytes = heapMegabytes();
  if (done > 0 && done % 100_000 === 0) say(`${done} inputs after ${seconds()} s`);
  const text = fuzz.next();
  const beganMs = cpuMs();
  try {
    fuzz.take(text);
  } catch (error) {
    keep(text, error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const tookMs = cpuMs() - beganMs;
  slowest = Math.max(slowest, tookMs);
  if (tookMs > slowestMs) keep(text, `took ${Math.round(tookMs)} ms`);
}
const growth = earlyMegabytes === 0 ? 0 : heapMegabytes() - earlyMegabytes;
const { counts } = fuzz;
const parsedShare = counts.parsed / counts.inputs;
await printCoverage();
say(
  `${counts.inputs} inputs in ${seconds()} s: ${percent(parsedShare)} parsed as JSON, ${counts.documents} documents, ` +
    `${percent(counts.recognised / counts.documents)} recognised, ${counts.findings} findings, ${counts.rejected} rejected; ` +
    `slowest ${slowest.toFixed(1)} ms; heap ${growth.toFixed(1)} MB more than after a tenth; ${failures} failures`,
);
if (parsedShare < leastParsedShare) fail(`less than ${percent(leastParsedShare)} parsed as JSON`);
if (growth > mostGrowthMegabytes) fail(`the heap grew by ${growth.toFixed(1)} MB`);
process.exitCode = failures > 0 ? 1 : 0;

function keep(text: string, why: string): void {
  mkdirSync(cases, { recursive: true });
  const file = join(cases, `${hash52(text).toString(36)}.txt`);
  writeFileSync(file, text);
  fail(`${file}: ${why}`);
}

function fail(why: string): void {
  failures += 1;
  process.stderr.write(`FAILED: ${why}\n`);
}

/** How much of each decoder ran: the share of its bytes in blocks that were executed. */
async function printCoverage(): Promise<void> {
  const { result } = await session.post('Profiler.takePreciseCoverage');
  const rows = result
    .filter(({ url }) => url.includes('/src/sources/') || url.includes('/src/lib/') || url.includes('/src/http/'))
    .map(({ url, functions }) => ({
      file: fileURLToPath(url).slice(repositoryRoot.length + 1),
      share: coveredShare(functions.flatMap(({ ranges }) => ranges)),
    }))
    .toSorted((a, b) => a.share - b.share);
  for (const { file, share } of rows) process.stdout.write(`${percent(share).padStart(6)} ${file}\n`);
}

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

/** The innermost range that holds a byte says whether it ran. */
function coveredShare(ranges: readonly Range[]): number {
  const length = Math.max(...ranges.map(({ endOffset }) => endOffset));
  const ran = new Uint8Array(length);
  for (const { startOffset, endOffset, count } of ranges.toSorted(
    (a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset,
  ))
    ran.fill(count > 0 ? 1 : 0, startOffset, endOffset);
  return ran.reduce((sum, byte) => sum + byte, 0) / length;
}

function heapMegabytes(): number {
  collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

/** Of this process, in milliseconds: others on the machine do not count. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function seconds(): number {
  return Math.round((performance.now() - startMs) / 1000);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function say(words: string): void {
  process.stdout.write(`${words}\n`);
}
