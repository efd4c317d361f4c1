/** What `npm run build` makes works without node_modules, and does not read on where Node is too old. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Metafile } from 'esbuild';
import { bundle } from '../../cmd/build/bundle.ts';
import { thirdPartyLicenses } from '../../cmd/build/licenses.ts';
import { oldestNode, tooOldMessage } from '../../cmd/zen-watcher/node-version.ts';
import { version } from '../../src/version.ts';
import { repositoryRoot } from '../support/repository.ts';

suite('the bundle', () => {
  let folder: string;
  let program: string;
  let metafile: Metafile;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'zen-build-'));
    // Read as what it is, as under the package.json of the repository.
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    metafile = await bundle(join(folder, 'dist'));
    program = join(folder, 'dist/zen-watcher.js');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('is one executable and what it loads', () => {
    assert.ok((statSync(program).mode & 0o111) !== 0);
    assert.match(readFileSync(program, 'utf8'), /^#!\/usr\/bin\/env node\n/);
    assert.deepEqual(readdirSync(folder).sort(), ['dist', 'package.json']);
  });

  test('says its version and its help', () => {
    const output = (flag: string) => execFileSync(process.execPath, [program, flag], { encoding: 'utf8' });
    assert.equal(output('--version'), `${version}\n`);
    assert.match(output('--help'), /^Usage: zen-watcher .*^ {2}run /ms);
  });

  test('reads and writes YAML, JSON, SARIF and HTML', () => {
    const report = join(repositoryRoot, 'test/fixtures/policy-report/one.yaml');
    const output = (format: string) =>
      execFileSync(process.execPath, [program, 'scan', report, '-o', format], { encoding: 'utf8' });
    assert.match(output('yaml'), /^apiVersion: v1\nkind: List\nitems:\n {0,2}- apiVersion: zen\.kube-zen\.io\/v1$/m);
    assert.equal(JSON.parse(output('json')).items.length, 1);
    assert.equal(JSON.parse(output('sarif')).runs[0].results.length, 1);
    assert.match(output('html'), /function startReport[\s\S]*startReport\(document\);<\/script>\n<\/body>/);
  });

  test('looks at the version of Node before it reads anything large', () => {
    const read = readFileSync(program, 'utf8');
    // What is imported statically is read before the first statement runs; import() is not.
    const imported = [...read.matchAll(/\bimport(?:[^'"(]*from)?\s*['"](\.[^'"]+)['"]/g)].map(([, path]) => path ?? '');
    const bytes = [program, ...imported.map((path) => join(folder, 'dist', path))].map((path) => statSync(path).size);
    const sum = bytes.reduce((total, each) => total + each, 0);
    assert.ok(sum < 5_000, `${sum} bytes`);
  });

  test('names the licence of every package in it', () => {
    const text = thirdPartyLicenses(metafile, repositoryRoot);
    for (const name of ['@kubernetes/client-node', 'undici', 'winston', 'prom-client', 'commander', 'zod', 'yaml']) {
      assert.match(text, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(`, 'm'));
    }
    assert.match(text, /Permission is hereby granted, free of charge/);
    assert.doesNotMatch(text, /^(typescript|esbuild|fast-check) \d/m, 'a package that is not in the bundle');
  });

  test('runs, and says once that there is no API server', async () => {
    const daemon = new Daemon(program, kubeconfig(folder, await closedPort()));
    await daemon.says('the API server cannot be reached');
    await sleep(2_000);
    assert.equal(daemon.child.exitCode, null);
    assert.equal(daemon.linesWith('cannot be reached').length, 1, daemon.output);
    assert.deepEqual(await daemon.end(), [0, null]);
    assert.equal(daemon.errors, '');
  });

  test('goes through an HTTP proxy', async () => {
    // The slim undici must still have what ProxyAgent calls.
    const proxy = createServer();
    const connected = once(proxy, 'connect');
    proxy.on('connect', (_request, socket) => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
    const proxyPort = await listen(proxy);
    const daemon = new Daemon(program, kubeconfig(folder, 6443, `http://127.0.0.1:${proxyPort}`));
    const [request] = await connected;
    assert.equal(request.url, '127.0.0.1:6443');
    await daemon.says('the API server cannot be reached');
    assert.deepEqual(await daemon.end(), [0, null]);
    proxy.close();
    proxy.closeAllConnections();
  });
});

suite('the version of Node', () => {
  test('is the one that package.json asks for', () => {
    const { engines } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8'));
    assert.equal(engines.node, `>=${oldestNode}`);
  });

  for (const tooOld of ['20.20.2', '22.18.0', '4.0.0']) {
    test(`${tooOld} is refused by name`, () => {
      assert.equal(tooOldMessage(tooOld), `zen-watcher: needs Node 22.19 or newer, this is ${tooOld}`);
    });
  }

  for (const fine of ['22.19.0', '23.0.0', '26.10.0', process.versions.node]) {
    test(`${fine} is fine`, () => assert.equal(tooOldMessage(fine), undefined));
  }
});

/** `zen-watcher run` from the bundle. */
class Daemon {
  readonly child: ChildProcess;
  output = '';
  errors = '';

  constructor(program: string, kubeconfigPath: string) {
    const flags = ['--kubeconfig', kubeconfigPath, '--host', '127.0.0.1', '--metrics-port', '0'];
    this.child = spawn(process.execPath, [program, 'run', ...flags], { env: {}, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.output += chunk;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      this.errors += chunk;
    });
  }

  linesWith(words: string): string[] {
    return this.output.split('\n').filter((line) => line.includes(words));
  }

  async says(words: string): Promise<void> {
    for (const end = Date.now() + 60_000; this.linesWith(words).length === 0; await sleep(50)) {
      assert.equal(this.child.exitCode, null, this.errors);
      assert.ok(Date.now() < end, `it does not say "${words}": ${this.output}${this.errors}`);
    }
  }

  /** Its exit code and signal. */
  async end(): Promise<unknown[]> {
    const exit = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    return exit;
  }
}

function kubeconfig(folder: string, port: number, proxy?: string): string {
  const name = 'nowhere';
  const cluster = { server: `https://127.0.0.1:${port}`, ...(proxy === undefined ? {} : { 'proxy-url': proxy }) };
  const path = join(folder, `kubeconfig-${port}`);
  writeFileSync(
    path,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name, cluster }],
      users: [{ name, user: { token: 'none' } }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      'current-context': name,
    }),
  );
  return path;
}

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
