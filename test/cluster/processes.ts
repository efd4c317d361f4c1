/** Starting and ending processes by pid, never mistaking a reused pid for one of ours. */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Whether some process has this pid. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether the process with this pid is the one we started: alive, and `marker` is in its command line. */
export function isOurs(pid: number, marker: string): boolean {
  return isAlive(pid) && commandLine(pid).includes(marker);
}

export interface BackgroundProcess {
  readonly program: string;
  readonly flags: readonly string[];
  /** Where its output goes (appended). */
  readonly logPath: string;
  /** Where its pid is written. */
  readonly pidPath: string;
}

/**
 * Starts a program that outlives this process unless somebody ends it, and gives its pid once its command line can be
 * read. It gets its own process group, so Ctrl-C in a terminal reaches only us and we end it in the right order.
 */
export async function startInBackground(options: BackgroundProcess): Promise<number> {
  const pid = spawnInBackground(options);
  writeFileSync(options.pidPath, String(pid));
  // A program that is just being executed has none: on a busy machine it would be taken for one that has ended.
  for (const end = Date.now() + 10_000; Date.now() < end && isExecuting(pid); await sleep(5));
  return pid;
}

function spawnInBackground(options: BackgroundProcess): number {
  const log = openSync(options.logPath, 'a');
  try {
    const child = spawn(options.program, options.flags, { detached: true, stdio: ['ignore', log, log] });
    child.on('error', () => {}); // A program that cannot be started has no pid, reported below.
    child.unref();
    if (child.pid === undefined) throw new Error(`cannot start ${options.program}`);
    return child.pid;
  } finally {
    closeSync(log);
  }
}

/** Asks a process to end and kills it when it has not done so in time; resolves when it is gone. */
export async function endProcess(pid: number, marker: string, graceSeconds = 10): Promise<void> {
  if (!isOurs(pid, marker)) return;
  signal(pid, 'SIGTERM');
  signal(pid, 'SIGCONT'); // A stopped process would not see the SIGTERM.
  if (await isGone(pid, marker, graceSeconds)) return;
  await killProcess(pid, marker, graceSeconds);
}

/** Ends a process of which nothing is needed any more; resolves when it is gone. */
export async function killProcess(pid: number, marker: string, seconds = 10): Promise<void> {
  if (!isOurs(pid, marker)) return;
  signal(pid, 'SIGKILL');
  await isGone(pid, marker, seconds);
}

/** Waits for the end of a process, its ports included; false when it still runs after `seconds`. */
export async function isGone(pid: number, marker: string, seconds: number): Promise<boolean> {
  const isThere = () => isOurs(pid, marker) || isEnding(pid);
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(20)) {
    if (!isThere()) return true;
  }
  return !isThere();
}

/** The pid in a pid file, if there is one. */
export function readPid(pidPath: string): number | undefined {
  try {
    const pid = Number(readFileSync(pidPath, 'utf8'));
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** The last lines of a log, for an error message. */
export function lastLines(logPath: string, count = 15): string {
  try {
    return readFileSync(logPath, 'utf8').trimEnd().split('\n').slice(-count).join('\n');
  } catch {
    return '(no log)';
  }
}

/**
 * Whether a process is on its way out: its command line is gone with its memory, but it holds its files and ports
 * until its last thread has ended (seen: a server started in that moment finds its port in use). Linux only.
 */
function isEnding(pid: number): boolean {
  const { isExiting, isZombie } = stateOf(pid);
  return isZombie ? threadsOf(pid) > 1 : isExiting;
}

/** Whether a process has no command line yet: neither the one of its parent nor its own. */
function isExecuting(pid: number): boolean {
  if (!isAlive(pid) || commandLine(pid) !== '') return false;
  const { isExiting, isZombie } = stateOf(pid);
  return !isExiting && !isZombie;
}

/** Of the kernel's own account of a process; where there is none (not Linux, or it is gone) it is neither. */
function stateOf(pid: number): { readonly isExiting: boolean; readonly isZombie: boolean } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the program's name: state, parent, group, session, terminal, its group, flags (proc_pid_stat(5)).
    const [state, , , , , , flags] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { isExiting: (Number(flags) & exitingFlag) !== 0, isZombie: state === 'Z' };
  } catch {
    return { isExiting: false, isZombie: false };
  }
}

function threadsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch {
    return 0;
  }
}

/** PF_EXITING of the kernel's sched.h. */
const exitingFlag = 0x4;

function commandLine(pid: number): string {
  try {
    // Empty for a process that has ended and was not waited for yet: that one counts as gone.
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return execFileSync('ps', ['-ww', '-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended in the meantime.
  }
}
