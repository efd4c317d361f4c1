/**
 * `npm run demo` on a fresh clone: plain JavaScript without dependencies, for the Node that the machine has. Installs what
 * is missing and goes on with the Node that this brings.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
const node = join(root, 'node_modules/.bin/node');

// npm and a terminal send Ctrl-C to all of us: the demo cleans up, and this waits for it.
let child;
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child?.kill('SIGTERM'));

// Written by npm at the end of an installation: without it there is none, or half of one.
const isInstalled = existsSync(join(root, 'node_modules/.package-lock.json'));
if (!isInstalled) {
  process.stderr.write('installing the packages of package-lock.json (npm ci); once, about a minute\n');
  // Without its warnings that this Node is too old: the package `node` brings another one.
  process.exitCode = await run('npm', ['ci', '--no-audit', '--loglevel=error'], ['ignore', 2, 2]);
}
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const isNewEnough = major > 22 || (major === 22 && minor >= 19);
if (!process.exitCode && !existsSync(node) && !isNewEnough) {
  process.stderr.write(
    `the demo needs Node 22.19 or newer, this is ${process.versions.node}, and npm has installed no other\n`,
  );
  process.exitCode = 1;
}
if (!process.exitCode) {
  const program = existsSync(node) ? node : process.execPath;
  process.exitCode = await run(program, [join(root, 'cmd/demo/main.ts'), ...process.argv.slice(2)], 'inherit');
}

/** Runs a program to its end: its exit code, 130 when a signal ended it, 1 when it cannot be started. */
function run(program, args, stdio) {
  return new Promise((resolve) => {
    child = spawn(program, args, { cwd: root, stdio });
    child.on('error', ({ message }) => {
      process.stderr.write(`${program} cannot be started: ${message}\n`);
      resolve(1);
    });
    child.on('close', (code) => resolve(code ?? 130));
  });
}
