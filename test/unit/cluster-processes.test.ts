import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { withLock } from '../cluster/lock.ts';
import { endProcess, isAlive, isOurs, readPid } from '../cluster/processes.ts';

const folder = mkdtempSync(join(tmpdir(), 'zen-watcher-processes-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The pid of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid as number;
}

test('a process is ours only when its command line says so, and only ours are ended', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', 'marker-of-this-test']);
  const pid = child.pid as number;
  await once(child, 'spawn');
  assert.ok(isOurs(pid, 'marker-of-this-test'));
  assert.ok(!isOurs(pid, 'another-marker'));
  await endProcess(pid, 'another-marker');
  assert.ok(isAlive(pid));
  const exit = once(child, 'exit');
  await endProcess(pid, 'marker-of-this-test');
  assert.deepEqual(await exit, [null, 'SIGTERM']);
});

test('a stopped process is ended too', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', 'marker-of-a-stopped-one']);
  await once(child, 'spawn');
  child.kill('SIGSTOP');
  const exit = once(child, 'exit');
  await endProcess(child.pid as number, 'marker-of-a-stopped-one');
  await exit;
});

test('a pid file without a pid is no pid', () => {
  const path = join(folder, 'some.pid');
  assert.equal(readPid(path), undefined);
  for (const text of ['', 'x', '-1', '0', '1']) {
    writeFileSync(path, text);
    assert.equal(readPid(path), undefined, text);
  }
});

test('two holders of a lock take turns, and it is gone afterwards', async () => {
  const path = join(folder, 'turns.lock');
  const steps: string[] = [];
  const work = (name: string) => async () => {
    steps.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    steps.push(`${name} ends`);
  };
  const waits: number[] = [];
  const onWait = (pid: number) => waits.push(pid);
  await Promise.all([withLock(path, onWait, work('a')), withLock(path, onWait, work('b'))]);
  assert.deepEqual(steps, ['a begins', 'a ends', 'b begins', 'b ends']);
  assert.deepEqual(waits, [process.pid]);
  assert.ok(!existsSync(path));
});

test('the lock of a dead process is taken over', async () => {
  const path = join(folder, 'stale.lock');
  writeFileSync(path, String(await deadPid()));
  const waits: number[] = [];
  assert.equal(
    await withLock(
      path,
      (pid) => waits.push(pid),
      async () => 'done',
    ),
    'done',
  );
  assert.deepEqual(waits, []);
});

test('a lock is released when the work fails', async () => {
  const path = join(folder, 'failing.lock');
  await assert.rejects(
    withLock(
      path,
      () => {},
      () => Promise.reject(new Error('no')),
    ),
    /no/,
  );
  assert.ok(!existsSync(path));
});
