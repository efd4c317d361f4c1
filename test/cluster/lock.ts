/** A lock between processes: a file that holds the pid of its owner. */
import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from './processes.ts';

/** An owner that has not touched its lock for this long is taken for dead: its pid may be somebody else's by now. */
const staleAfterSeconds = 120;
const heartbeatSeconds = 10;

/** Runs `work` while holding the lock; `onWait` is called once, with the owner's pid, when somebody else has it. */
export async function withLock<T>(path: string, onWait: (pid: number) => void, work: () => Promise<T>): Promise<T> {
  for (let waited = false; !tryLock(path); waited = true) {
    const owner = readOwner(path);
    if (owner !== undefined && !waited) onWait(owner);
    await sleep(500);
  }
  const heartbeat = setInterval(() => utimesSync(path, new Date(), new Date()), heartbeatSeconds * 1000);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    rmSync(path, { force: true });
  }
}

function tryLock(path: string): boolean {
  if (isStale(path)) discard(path);
  // Written elsewhere and linked into place, so that nobody ever reads a lock without a pid in it.
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, String(process.pid));
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function isStale(path: string): boolean {
  const owner = readOwner(path);
  if (owner === undefined) return false;
  const modified = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
  return !isAlive(owner) || Date.now() - modified > staleAfterSeconds * 1000;
}

/** Moved aside before it is removed: of two processes that find the same stale lock, one gets it. */
function discard(path: string): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  rmSync(aside, { force: true });
}

function readOwner(path: string): number | undefined {
  try {
    return Number(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
