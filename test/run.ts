/**
 * `npm test`: runs all tests against a real control plane. Arguments are parts of file names; with none, all files run.
 *
 *   npm test -- fingerprint              the files with `fingerprint` in their path
 *   npm test -- --name='keeps data'      the tests whose name matches
 *   npm test -- --control-plane=FOLDER   a control plane of the versions in FOLDER/go.mod
 */
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative, resolve, sep } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { ensureBinaries, moduleVariable } from './cluster/binaries.ts';
import { type ControlPlane, startControlPlane } from './cluster/control-plane.ts';
import { controlPlaneVariable } from './support/shared-control-plane.ts';
import { isSuccess, summary, Tally } from './support/tally.ts';

const root = resolve(import.meta.dirname, '..');
const patterns = ['test/unit/**/*.test.ts', 'test/conventions/**/*.test.ts', 'test/integration/**/*.test.ts'];
const testLimitMinutes = 5;
/** A file whose process does not end after its tests would hold up the run for ever. */
const silenceLimitMinutes = 8;
/** One more than there are cores: a test of a daemon waits as often as it works. */
const width = availableParallelism() + 1;
/** At the end of a run, the files that took longest. */
const shownFiles = 20;

interface Request {
  readonly files: readonly string[];
  readonly name: string | undefined;
  readonly moduleFolder: string | undefined;
}

try {
  process.exitCode = await main(parse(process.argv.slice(2)));
} catch (error) {
  say(describe(error));
  process.exitCode = 2;
}

async function main(request: Request): Promise<number> {
  const { files } = request;
  const tally = new Tally(request.name === undefined ? files : []);
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      say(`${signal}: stopping`);
      interruption.abort();
    });
  }
  let controlPlane: ControlPlane | undefined;
  const compileCache = mkdtempSync(join(tmpdir(), 'zen-watcher-compiled-'));
  try {
    controlPlane = files.some(needsControlPlane) ? await start(request) : undefined;
    say(`running ${files.length} test files, ${width} at a time`);
    await runTests({ request, tally, controlPlane, interruption, compileCache });
  } catch (error) {
    say(describe(error));
    if (tally.incomplete.length === 0) tally.fail({ name: 'the run', details: {} });
  } finally {
    await controlPlane?.stop();
    rmSync(compileCache, { recursive: true, force: true });
  }
  for (const { file, milliseconds } of tally.slowest(shownFiles)) {
    say(`${(milliseconds / 1000).toFixed(1).padStart(6)} s  ${relative(root, file)}`);
  }
  for (const file of tally.incomplete) say(`no test ran, or not to the end, in ${relative(root, file)}`);
  say(summary(tally.counts));
  return isSuccess(tally.counts) ? 0 : 1;
}

interface Run {
  readonly request: Request;
  readonly tally: Tally;
  readonly controlPlane: ControlPlane | undefined;
  readonly interruption: AbortController;
  /** Where Node keeps what it compiled: there is a process for every file and every daemon, and most load the same modules. */
  readonly compileCache: string;
}

async function runTests({ request, tally, controlPlane, interruption, compileCache }: Run): Promise<void> {
  const handedDown = {
    ...(controlPlane ? { [controlPlaneVariable]: JSON.stringify(controlPlane.state) } : {}),
    ...(request.moduleFolder ? { [moduleVariable]: resolve(request.moduleFolder) } : {}),
  };
  const events = run({
    files: request.files,
    cwd: root,
    concurrency: width,
    timeout: testLimitMinutes * 60_000,
    signal: interruption.signal,
    env: { ...process.env, ...handedDown, NODE_COMPILE_CACHE: compileCache },
    ...(request.name === undefined ? {} : { testNamePatterns: [request.name] }),
  });
  const silence = setTimeout(() => {
    say(`nothing happened for ${silenceLimitMinutes} minutes; giving up`);
    interruption.abort();
  }, silenceLimitMinutes * 60_000);
  events.on('test:complete', () => silence.refresh());
  events.on('test:pass', (event) => tally.pass(event));
  events.on('test:fail', (event) => tally.fail(event));
  events.on('test:summary', ({ file, duration_ms }) => tally.finish(file, duration_ms));
  try {
    for await (const text of events.compose(spec)) process.stdout.write(String(text));
  } finally {
    clearTimeout(silence);
  }
}

async function start({ moduleFolder }: Request): Promise<ControlPlane> {
  const binaries = await ensureBinaries({ log: say, ...(moduleFolder ? { moduleFolder: resolve(moduleFolder) } : {}) });
  say('starting a control plane');
  return startControlPlane({ log: say, binaries, auditLog: true });
}

function needsControlPlane(file: string): boolean {
  return file.includes(`${sep}integration${sep}`);
}

function parse(args: readonly string[]): Request {
  const options = { name: { type: 'string' }, 'control-plane': { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const files = globSync(patterns, { cwd: root }).toSorted();
  const wanted = files.filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)));
  if (wanted.length === 0) throw new Error(`no test file has any of these in its path: ${positionals.join(', ')}`);
  return {
    files: interleaved(wanted.map((file) => resolve(root, file))),
    name: values.name,
    moduleFolder: values['control-plane'],
  };
}

/** The files that wait for a control plane evenly among the others: these work while those wait. */
function interleaved(files: readonly string[]): string[] {
  const place = (file: string, at: number, among: number) => ({ file, share: (at + 0.5) / among });
  const [waiting, working] = [files.filter(needsControlPlane), files.filter((file) => !needsControlPlane(file))];
  return [waiting, working]
    .flatMap((group) => group.map((file, at) => place(file, at, group.length)))
    .sort((a, b) => a.share - b.share)
    .map(({ file }) => file);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause ? `${error.message}\n${describe(error.cause)}` : error.message;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
