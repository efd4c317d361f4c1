/** The backup of the operator's guide, its commands as they stand there: what people noted and history come back (R8). */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { kubectlOutput } from '../cluster/kubectl.ts';
import * as chart from '../support/chart-install.ts';
import { eventsPath } from '../support/crd.ts';
import { exactInstall, Helm } from '../support/helm.ts';
import { repositoryRoot } from '../support/repository.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import { ensureHelm } from './programs.ts';

const { home } = chart;

/** The commands that save, and those that restore. */
function commands(): { readonly save: string; readonly restore: string } {
  const guide = readFileSync(join(repositoryRoot, 'docs/OPERATOR_GUIDE.md'), 'utf8');
  const section = guide.slice(guide.indexOf('\n## Backup\n'));
  const block = /```\n([\s\S]*?)```/.exec(section)?.[1] ?? '';
  const [save = '', restore = ''] = block.split(/^# Restore.*$/m);
  return { save, restore };
}

/** All that must come back: not what the server gives an object anew. */
function lasting({ metadata, spec, status }: StoredEvent): unknown {
  const { name, namespace, labels, annotations } = metadata;
  return { name, namespace, labels, annotations, spec, status };
}

suite('backup and restore', () => {
  let stage: Stage;
  let helm: Helm;
  let folder: string;

  before(async () => {
    stage = await Stage.start({ controllerManager: true, crds: 'none' });
    helm = await Helm.on(stage.controlPlane);
    folder = mkdtempSync(join(tmpdir(), 'zen-watcher-backup-'));
  });
  after(async () => {
    helm?.stop();
    await stage?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  /** Runs commands as an administrator would, `./charts` being ours and files going to the test's folder. */
  async function run(script: string): Promise<void> {
    const user = (
      await kubectlOutput(stage.controlPlane, ['auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}'])
    ).trim();
    const text = script
      .replaceAll('YOUR-USER', user)
      .replaceAll('events.json', join(folder, 'events.json'))
      .replaceAll('kubectl ', `'${stage.controlPlane.binaries.kubectl}' `);
    const helmFolder = dirname(await ensureHelm(() => {}));
    const env = {
      ...process.env,
      KUBECONFIG: stage.controlPlane.kubeconfigPath,
      PATH: [helmFolder, process.env['PATH']].join(delimiter),
    };
    const args = ['-euo', 'pipefail', '-c', text];
    await promisify(execFile)('bash', args, { cwd: repositoryRoot, env, maxBuffer: 2 ** 26 });
  }

  test('mutes, acknowledgements, resolved ones and counts are as they were', async () => {
    const { save, restore } = commands();
    assert.match(save, /events\.json/);
    assert.match(restore, /events\.json/);
    await helm.output([...exactInstall, '--set', 'replicaCount=0']);
    const names = ['muted', 'resolved', 'counted'].map((name) => sampleEvent(name));
    for (const event of names) await chart.eventMade(stage, event);
    const [muted, resolved, counted] = names.map(({ metadata }) => metadata.name);
    await kubectlOutput(stage.controlPlane, [
      ...['annotate', '-n', home, `zenevent/${muted}`, 'zen.kube-zen.io/muted-until=2099-01-01'],
      ...['zen.kube-zen.io/muted-reason=accepted by the team'],
    ]);
    await kubectlOutput(stage.controlPlane, ['label', '-n', home, `zenevent/${muted}`, 'acknowledged=yes']);
    const daemon = await chart.asDaemon(stage);
    try {
      const seen = { firstSeen: '2026-01-02T03:04:05Z', lastSeen: '2026-02-03T04:05:06Z' };
      const changes = [
        [counted, { count: 41, ...seen }],
        [resolved, { phase: 'Resolved', reason: 'fixed', resolvedAt: '2026-03-04T05:06:07Z', ...seen }],
      ] as const;
      for (const [name, status] of changes) {
        const answer = await daemon.send('PATCH', `${eventsPath(home)}/${name}/status`, { status }, 'merge');
        assert.equal(answer.code, 200, answer.message);
      }
    } finally {
      await daemon.close();
    }
    const was = (await stage.events(home)).map(lasting);
    assert.equal(was.length, 3);
    await run(save);

    // The whole cluster is lost.
    await helm.output(['uninstall', 'zen-watcher']);
    await chart.swept(stage);
    await helm.output([...exactInstall, '--set', 'replicaCount=0']);
    // A CRD that was made again is not served at once.
    const served = () => stage.rest.send('GET', eventsPath(home));
    await until('no events', async () => (await served()).body['items']?.length === 0);
    await run(restore);
    assert.deepEqual((await stage.events(home)).map(lasting), was);

    // And nobody else may write any more.
    await until('the policy to refuse what is not written by the daemon', async () => {
      const again = await stage.rest.send('POST', `${eventsPath(home)}?dryRun=All`, sampleEvent('later'));
      return again.code === 422;
    });
    await helm.output(['uninstall', 'zen-watcher']);
  });
});
