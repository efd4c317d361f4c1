import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { endProcess, isGone, isOurs } from '../cluster/processes.ts';

const cluster = join(import.meta.dirname, '../cluster');

/** What a starter of components does: a guard for the folder, and a component in the background; prints its pid. */
const starter = `
import { startGuard } from '${cluster}/guard.ts';
import { startInBackground } from '${cluster}/processes.ts';
const [folder, kept] = process.argv.slice(1);
startGuard(folder, kept === 'kept');
const flags = ['-e', 'setInterval(() => {}, 1000)', folder];
const pid = await startInBackground({ program: process.execPath, flags, logPath: folder + '/x.log', pidPath: folder + '/x.pid' });
process.stdout.write(String(pid));
setInterval(() => {}, 1000);
`;

for (const kept of [false, true]) {
  test(`the components of a killed process end, and their folder is ${kept ? 'kept' : 'removed'}`, async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), "zen watcher's-guard-")));
    after(() => rmSync(folder, { recursive: true, force: true }));
    // The pid of somebody else, as a reused one would be: it must survive.
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', 'somebody-else']);
    writeFileSync(join(folder, 'other.pid'), String(other.pid));

    const args = ['--input-type=module', '-e', starter, folder, kept ? 'kept' : 'removed'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [output] = await once(child.stdout, 'data');
    const pid = Number(output);
    assert.ok(isOurs(pid, folder));
    child.kill('SIGKILL');
    assert.ok(await isGone(pid, folder, 60));
    for (let tries = 0; !kept && existsSync(folder) && tries < 600; tries++) await sleep(100);
    assert.equal(existsSync(folder), kept);
    assert.ok(isOurs(other.pid as number, 'somebody-else'));
    await endProcess(other.pid as number, 'somebody-else');
  });
}
