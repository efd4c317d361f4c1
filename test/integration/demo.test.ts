/** `npm run demo -- --exit`, on the control plane that it starts and on one that it is given. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { parseTable } from '../../cmd/demo/event-watch.ts';
import { finalRows } from '../../cmd/demo/story.ts';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { kubectlOutput } from '../cluster/kubectl.ts';
import { repositoryRoot } from '../support/repository.ts';

interface Played {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the demo to its end, with no terminal. */
function demo(...args: string[]): Promise<Played> {
  const starter = join(repositoryRoot, 'cmd/demo/start.mjs');
  const child = spawn(process.execPath, [starter, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
}

/** The last table on stdout: after the empty line that ends what the watch printed. */
function lastTable(stdout: string): string {
  return stdout.slice(stdout.lastIndexOf('\n\n') + 2);
}

function assertStoryTold({ code, stdout, stderr }: Played): void {
  assert.equal(code, 0, stderr);
  const rows = parseTable(lastTable(stdout));
  assert.equal(rows.length, finalRows.length, stdout);
  for (const { about, ...expected } of finalRows) {
    const found = rows.filter(({ subject, summary }) => subject === expected.subject && summary.startsWith(about));
    assert.deepEqual(found, [{ ...found[0], ...expected }], about);
  }
  assert.match(stderr, /books discrepancy 0/);
}

suite('the demo', () => {
  let controlPlane: ControlPlane;

  // Its own: the demo installs and removes CRDs, which other tests need.
  before(async () => {
    controlPlane = await startControlPlane();
  });
  after(() => controlPlane.stop());

  test('tells its story on a control plane that it starts, and ends by itself', async () => {
    const played = await demo('--exit');
    assertStoryTold(played);
    const lines = played.stdout.split('\n');
    const tooLong = lines.filter((line) => line.length > 160);
    assert.deepEqual(tooLong, []);
    assert.ok(lines.filter((line) => line.length > 140).length <= lines.length / 10);
  });

  test('asks before it writes to a cluster that it is given, and writes nothing without an answer', async () => {
    const { code, stdout, stderr } = await demo('--exit', `--kubeconfig=${controlPlane.kubeconfigPath}`);
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /would create in the cluster .*zen-demo-system.*say --yes/s);
    assert.doesNotMatch(await objects(controlPlane), /zen-demo|zenagentevents/);
  });

  test('uses the cluster that it is given and leaves nothing behind', async () => {
    const before = await objects(controlPlane);
    assertStoryTold(await demo('--exit', '--yes', `--kubeconfig=${controlPlane.kubeconfigPath}`));
    assert.equal(await objects(controlPlane), before);
  });

  test('says how it is called', async () => {
    const { code, stderr } = await demo('--yes');
    assert.equal(code, 2);
    assert.match(stderr, /--yes belong.*usage: npm run demo/s);
  });
});

function objects(controlPlane: ControlPlane): Promise<string> {
  return kubectlOutput(controlPlane, ['get', 'namespaces,customresourcedefinitions', '-o', 'name']);
}
