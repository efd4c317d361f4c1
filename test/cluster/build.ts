/** Builds Go programs of a module into a cache folder, once, telling how it goes. */
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { withLock } from './lock.ts';
import { isAtLeast } from './versions.ts';

/** Takes one line of progress, without the line break. */
export type Log = (line: string) => void;

export interface Program {
  /** The file name of the binary. */
  readonly name: string;
  /** The Go package of its main function. */
  readonly package: string;
}

export interface BuildOptions {
  /** The folder that holds go.mod and go.sum. */
  readonly moduleFolder: string;
  readonly programs: readonly Program[];
  /** Passed to the linker. */
  readonly linkerFlags: string;
  /** The folder to fill. It exists afterwards with every program in it, or not at all. */
  readonly folder: string;
  /** The Go release the module asks for. */
  readonly goVersion: string;
  /** What to say before the first build, such as how long it takes. */
  readonly expectation: string;
  /** What somebody without Go can do instead. */
  readonly alternative: string;
  readonly log: Log;
}

const progressSeconds = 15;

/** Makes sure that the folder holds the programs: at once when it does already, else by building them. */
export async function ensureBuilt(options: BuildOptions): Promise<void> {
  const { folder, log } = options;
  if (existsSync(folder)) return;
  mkdirSync(dirname(folder), { recursive: true });
  const waiting = (pid: number) => log(`process ${pid} is building the same programs; waiting for it`);
  await withLock(`${folder}.lock`, waiting, async () => {
    if (existsSync(folder)) return;
    await checkGo(options);
    for (const name of leftovers(folder)) rmSync(join(dirname(folder), name), { recursive: true, force: true });
    const draft = `${folder}.building-${process.pid}`;
    mkdirSync(draft);
    log(`building ${options.programs.map(({ name }) => name).join(', ')}: ${options.expectation}`);
    const start = Date.now();
    for (const index of options.programs.keys()) await build(options, index, draft);
    renameSync(draft, folder);
    log(`built all in ${seconds(start)} s`);
  });
}

async function build(options: BuildOptions, index: number, draft: string): Promise<void> {
  const { programs, log } = options;
  const program = programs[index] as Program;
  const start = Date.now();
  const which = `${program.name} (${index + 1} of ${programs.length})`;
  log(`building ${which}`);
  const ticker = setInterval(() => log(`building ${which}: ${seconds(start)} s`), progressSeconds * 1000);
  try {
    // Without VCS stamping: it needs git and says nothing about a program that comes from a module.
    const flags = ['-trimpath', '-buildvcs=false', '-ldflags', options.linkerFlags, '-o', join(draft, program.name)];
    await go(options, ['build', ...flags, program.package]);
  } catch (cause) {
    rmSync(draft, { recursive: true, force: true });
    throw new Error(`building ${program.name} failed. ${options.alternative}`, { cause });
  } finally {
    clearInterval(ticker);
  }
  log(`built ${which} in ${seconds(start)} s`);
}

/** Runs go to its end; what it said last is the error. */
function go({ moduleFolder }: BuildOptions, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('go', args, { cwd: moduleFolder, stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      output = (output + chunk).slice(-4000);
    });
    child.on('error', reject);
    child.on('close', (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`go ${args[0]} ended with ${signal ?? code}:\n${output.trim()}`)),
    );
  });
}

async function checkGo({ goVersion, moduleFolder, alternative }: BuildOptions): Promise<void> {
  // Asked inside the module: with GOTOOLCHAIN=auto an older Go fetches the one that go.mod names and answers with it.
  const answer = await promisify(execFile)('go', ['version'], { cwd: moduleFolder }).catch((cause: unknown) => {
    throw new Error(`Go ${goVersion} or newer is needed and \`go version\` failed. ${alternative}`, { cause });
  });
  const found = /go(\d\S*)/.exec(answer.stdout)?.[1] ?? 'of an unknown version';
  if (!isAtLeast(found, goVersion)) {
    throw new Error(`Go ${goVersion} or newer is needed, this is Go ${found}. ${alternative}`);
  }
}

/** What builds that were killed left behind. We hold the lock, so nobody is using them. */
function leftovers(folder: string): string[] {
  const parent = dirname(folder);
  return readdirSync(parent).filter((name) => join(parent, name).startsWith(`${folder}.building-`));
}

function seconds(start: number): number {
  return Math.round((Date.now() - start) / 1000);
}
