/**
 * `npm run test:tools`: tools that others wrote, run on this machine, their results left in ConfigMaps as a CronJob leaves
 * them, and turned into events by a daemon on a real server. The first run builds and installs them.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { parse } from 'yaml';
import { ensureCheckov, ensureScanners } from '../chart/programs.ts';
import { putConfigMap } from '../support/config-maps.ts';
import { logged, ready, type TestDaemon } from '../support/daemon.ts';
import { Helm } from '../support/helm.ts';
import { repositoryRoot } from '../support/repository.ts';
import { scanFile } from '../support/scanned.ts';
import { type Home, Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';

const say = (line: string) => void process.stderr.write(`${line}\n`);
/** Faults that every scanner has something to say about, beside the chart, which has few. */
const faulty = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: till, namespace: shop }
spec:
  selector: { matchLabels: { app: till } }
  template:
    metadata: { labels: { app: till } }
    spec:
      hostNetwork: true
      containers: [{ name: till, image: 'shop/till:latest', securityContext: { privileged: true } }]
`;

suite('tools that others wrote', () => {
  let stage: Stage;
  let home: Home;
  let daemon: TestDaemon;
  let folder: string;
  let chart: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'zen-watcher-tools-'));
    chart = join(folder, 'chart.yaml');
    const helm = await Helm.on();
    writeFileSync(chart, `${await helm.text()}\n---${faulty}`);
    helm.stop();
    stage = await Stage.start({ crds: 'events' });
    home = await stage.home('events');
    // What was scanned is there: nothing is resolved because its namespace is gone.
    for (const name of ['shop', 'zen-system']) {
      await stage.apply(`/api/v1/namespaces/${name}`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    }
    const example = parse(readFileSync(join(repositoryRoot, 'examples/declarative/kube-score.yaml'), 'utf8'));
    daemon = await stage.daemon(home, { config: example });
    await ready(daemon);
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await stage?.endBalanced(daemon);
    await stage?.stop();
  });

  const eventsOf = async (source: string) =>
    (await stage.events(home.namespace)).filter(({ spec }) => spec.source === source);

  test('Checkov on our own chart: the events that scan gives', async (t) => {
    const checkov = ensureCheckov(say);
    assert.ok(checkov, 'it could not be installed');
    const flags = ['--file', chart, '--framework', 'kubernetes', '--skip-download', '--output', 'json', '--quiet'];
    const { stdout } = spawnSync(checkov, flags, { encoding: 'utf8', maxBuffer: 2 ** 26 });
    const file = join(folder, 'results.json');
    writeFileSync(file, stdout);
    const expected = (await scanFile(file)).map(({ metadata }) => metadata.name).sort();
    assert.ok(expected.length > 0);
    const texts = { 'results.json': stdout };
    await putConfigMap(stage, { namespace: home.namespace, name: 'checkov', texts, labels: { app: 'checkov' } });
    const events = await until('the events', async () => {
      const found = await eventsOf('checkov');
      return found.length >= expected.length ? found : undefined;
    });
    assert.deepEqual(events.map(({ metadata }) => metadata.name).sort(), expected);
    t.diagnostic(events.map(({ spec }) => `${spec.subject} ${spec.summary}`).join('\n'));
    // What is mended in the manifest is fixed in the cluster.
    const mended = JSON.parse(stdout);
    const [first, ...rest] = mended.results.failed_checks;
    mended.results.failed_checks = rest;
    const less = { 'results.json': JSON.stringify(mended) };
    await putConfigMap(stage, { namespace: home.namespace, name: 'checkov', texts: less, labels: { app: 'checkov' } });
    const resolved = await until('one to be fixed', async () =>
      (await eventsOf('checkov')).find(({ status }) => status?.phase === 'Resolved'),
    );
    assert.equal(resolved.status?.reason, 'fixed');
    assert.match(JSON.stringify(resolved.spec.details), new RegExp(first.check_id));
  });

  test('kube-score, by the declared source of the examples', async (t) => {
    const { kubeScore } = await ensureScanners(say);
    const { stdout } = spawnSync(kubeScore, ['score', '-o', 'json', chart], { encoding: 'utf8', maxBuffer: 2 ** 26 });
    const graded: { checks: { grade: number; skipped?: boolean }[] }[] = JSON.parse(stdout);
    const failed = graded.flatMap(({ checks }) => checks).filter(({ grade, skipped }) => skipped !== true && grade < 7);
    assert.ok(failed.length > 0);
    const texts = { 'results.json': stdout };
    const labels = { app: 'kube-score' };
    await putConfigMap(stage, { namespace: home.namespace, name: 'kube-score', texts, labels });
    await logged(daemon, 'event created', { source: 'kube-score' });
    const events = await until('the events', async () => {
      const found = await eventsOf('kube-score');
      return found.length >= failed.length ? found : undefined;
    });
    assert.equal(events.length, failed.length);
    t.diagnostic(events.map(({ spec }) => `${spec.subject} ${spec.summary}`).join('\n'));
  });

  test('the versions that ran', (t) => {
    t.diagnostic(execFileSync(ensureCheckov(say) ?? '', ['--version'], { encoding: 'utf8' }).trim());
  });
});
