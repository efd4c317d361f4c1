/** Reports in ConfigMaps on the real server (T5, T9, F1): selected by label, read key by key, recognised by content. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, afterEach, before, suite, test } from 'node:test';
import type { EventSpec, ZenAgentEvent } from '../../src/api/event.ts';
import { recognise } from '../../src/sources/recognise.ts';
import { sourceOf } from '../../src/sources/registry.ts';
import { tallyOf } from '../support/audit-log.ts';
import { putConfigMap } from '../support/config-maps.ts';
import type { DaemonSettings, TestDaemon } from '../support/daemon.ts';
import { linesOf, logged, ready, received, scrape } from '../support/daemon.ts';
import { allowConfigMaps } from '../support/daemon-account.ts';
import { openFixtures, reportsIn } from '../support/reports.ts';
import { scanFile } from '../support/scanned.ts';
import { type Home, Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';

const folder = openFixtures();
/** The source that reads the file where it comes as one; undefined for what is read from the API server only, and YAML. */
async function carriedSource(path: string): Promise<string | undefined> {
  if (!/\.(json|ndjson)$/.test(path)) return undefined;
  const formats = (await reportsIn(path)).map((report) => recognise(report));
  const carried = formats.find((format) => format && sourceOf(format)?.formats?.includes(format));
  return carried === undefined ? undefined : sourceOf(carried)?.name;
}

/** Sources whose files do not say where they are from, a node or an image: the ConfigMap does. */
const saidByCarrier = ['kube-bench', 'neuvector'];

function keyOf({ metadata, spec }: { readonly metadata: { readonly name: string }; readonly spec: EventSpec }): string {
  return saidByCarrier.includes(spec.source) ? `${spec.source} ${spec.title}` : metadata.name;
}

/** detectedAt is the moment of the daemon's run; the origin of an event is the ConfigMap. */
function withoutOrigin(spec: EventSpec | undefined): unknown {
  const { detectedAt: _detectedAt, origin: _origin, ...rest } = spec ?? {};
  return rest;
}

function kubeBench(...numbers: readonly string[]): string {
  const results = numbers.map((number) => ({
    test_number: number,
    test_desc: `Ensure that ${number} holds`,
    status: 'FAIL',
    scored: true,
  }));
  const tests = [{ section: '4.1', desc: 'Worker Node Configuration Files', results }];
  return JSON.stringify({
    Controls: [{ id: '4', version: 'cis-1.9', node_type: 'node', text: 'Worker Node', tests }],
    Totals: { total_fail: 0 },
  });
}

const checkov = JSON.stringify({
  check_type: 'kubernetes',
  results: {
    failed_checks: [
      {
        check_id: 'CKV_K8S_16',
        check_name: 'Container should not be privileged',
        check_result: { result: 'FAILED' },
        resource: 'Deployment.shop.checkout',
        file_path: '/checkout.yaml',
        file_line_range: [1, 20],
        severity: 'HIGH',
      },
    ],
  },
  summary: { failed: 7 },
});

function alert(seconds: number): string {
  return JSON.stringify({
    Timestamp: 1_700_000_000,
    UpdatedTime: new Date(Date.now() - 60_000 + seconds * 1000).toISOString(),
    Type: 'MatchedPolicy',
    Operation: 'Process',
    HostName: 'node-1',
    NamespaceName: 'shop',
    PodName: 'till-0',
    ContainerName: 'till',
    PolicyName: 'block-shells',
    Severity: '8',
    Resource: '/bin/sh -c id',
    Action: 'Block',
  });
}

suite('daemon: reports in ConfigMaps', () => {
  let stage: Stage;
  let home: Home;
  let daemon: TestDaemon;

  before(async () => {
    stage = await Stage.start();
  });
  after(() => stage?.stop());
  afterEach(() => stage.endBalanced(daemon));

  async function begin(settings: DaemonSettings = {}): Promise<void> {
    home = await stage.home('events');
    await start(settings);
  }
  async function start(settings: DaemonSettings = {}): Promise<void> {
    daemon = await stage.daemon(home, { timing: { sweepMs: 200 }, ...settings });
    await ready(daemon);
  }
  const put = (name: string, texts: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>) =>
    putConfigMap(stage, { namespace: home.namespace, name, texts, labels });
  const table = async () => {
    const events = await stage.events(home.namespace);
    return events
      .map(({ spec, status }) => `${spec.source} ${spec.subject} ${spec.summary?.split(' ')[0]} ${status?.phase}`)
      .sort();
  };
  const tableIs = (rows: readonly string[]) =>
    until(`the table ${rows}`, async () => {
      const now = await table();
      return now.join() === [...rows].join() ? now : undefined;
    });

  test('results of a node and of a pipeline, by both labels, plain and compressed; what is fixed is resolved', async () => {
    await begin();
    await put('kube-bench-node-1', { 'results.json': kubeBench('4.1.1', '4.1.2') }, { app: 'kube-bench' });
    await put('pipeline', { 'results.json.gz': checkov }, { 'zen.kube-zen.io/source': 'checkov' });
    await put('unlabelled', { 'results.json': kubeBench('4.9.9') }, { app: 'something' });
    await tableIs([
      'checkov Deployment/checkout CKV_K8S_16 Active',
      'kube-bench Node/node-1 4.1.1 Active',
      'kube-bench Node/node-1 4.1.2 Active',
    ]);
    const [event] = await stage.events(home.namespace);
    assert.deepEqual(event?.spec.origin, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name: event?.spec.source === 'checkov' ? 'pipeline' : 'kube-bench-node-1',
      namespace: home.namespace,
    });
    await put('kube-bench-node-1', { 'results.json': kubeBench('4.1.2') }, { app: 'kube-bench' });
    await tableIs([
      'checkov Deployment/checkout CKV_K8S_16 Active',
      'kube-bench Node/node-1 4.1.1 Resolved',
      'kube-bench Node/node-1 4.1.2 Active',
    ]);
    const tools = await scrape(daemon);
    assert.equal(tools.value('zen_watcher_tools_active', { tool: 'kube-bench' }), 1);
    assert.equal(tools.value('zen_watcher_tools_active', { tool: 'grype' }), 0);
  });

  test('several keys: a broken one is counted and told with its place, and takes nothing from the others', async () => {
    await begin();
    const texts = { 'a.json': kubeBench('4.1.1'), 'b.json': '{"Controls": [', 'c.json': '{"hello": 1}', notes: 'done' };
    await put('kube-bench-node-2', texts, { app: 'kube-bench' });
    await tableIs(['kube-bench Node/node-2 4.1.1 Active']);
    const rejected = linesOf(daemon, 'report rejected').map(({ place }) => place);
    assert.deepEqual(rejected, ['data["b.json"]', 'data["c.json"] .']);
    // The key that held the finding is gone, but of another one nobody knows what it says.
    await put('kube-bench-node-2', { 'b.json': '{"Controls": [' }, { app: 'kube-bench' });
    await until('it to be read', () => linesOf(daemon, 'report rejected').length >= 2);
    await put('kube-bench-node-2', { 'a.json': kubeBench(), 'b.json': kubeBench('4.1.7') }, { app: 'kube-bench' });
    await tableIs(['kube-bench Node/node-2 4.1.1 Resolved', 'kube-bench Node/node-2 4.1.7 Active']);
  });

  test('a ConfigMap that goes over to the other label is still there; one that lost its labels is not', async () => {
    await begin({
      config: { sources: { 'kube-bench': { graceSeconds: 1 } } },
    });
    await put('kube-bench-node-3', { 'results.json': kubeBench('4.1.1') }, { app: 'kube-bench' });
    await tableIs(['kube-bench Node/node-3 4.1.1 Active']);
    const before = tallyOf(stage.audit.writes(home.namespace));
    await put('kube-bench-node-3', { 'results.json': kubeBench('4.1.1') }, { 'zen.kube-zen.io/source': 'kube-bench' });
    await until('the other selection to have it', async () => {
      const resource = `configmaps in ${home.namespace} by zen.kube-zen.io/source`;
      return (await scrape(daemon)).value('zen_watcher_informer_objects', { resource }) === 1;
    });
    assert.deepEqual(tallyOf(stage.audit.writes(home.namespace)), before);
    await put('kube-bench-node-3', { 'results.json': kubeBench('4.1.1') }, {});
    const [event] = await stage.events(home.namespace);
    await stage.eventWhen(home.namespace, event?.metadata.name ?? '', 'not fresh', ({ status }) =>
      (status?.conditions ?? []).some(({ type, status: is }) => type === 'Fresh' && is === 'False'),
    );
  });

  test('alerts in a ConfigMap are counted once, also after a restart', async () => {
    await begin();
    await put('alerts', { 'alerts.ndjson': [1, 2, 3].map(alert).join('\n') }, { app: 'kubearmor' });
    const [event] = await until('the alert', async () => {
      const events = await stage.events(home.namespace);
      return events[0]?.status?.count === 3 ? events : undefined;
    });
    await stage.endBalanced(daemon);
    const before = tallyOf(stage.audit.writes(home.namespace));
    await start();
    await received(daemon, 1);
    assert.deepEqual(tallyOf(stage.audit.writes(home.namespace)), before);
    await put('alerts', { 'alerts.ndjson': [1, 2, 3, 9].map(alert).join('\n') }, { app: 'kubearmor' });
    await stage.eventWhen(home.namespace, event?.metadata.name ?? '', 'counted', ({ status }) => status?.count === 4);
  });

  test('only named namespaces; one that may not be read is said once, and the others work', async () => {
    await begin();
    await stage.endBalanced(daemon);
    const [allowed, forbidden, other] = [
      await stage.namespace('allowed'),
      await stage.namespace('forbidden'),
      await stage.namespace('other'),
    ];
    await allowConfigMaps(stage.rest, home.namespace, allowed);
    for (const [namespace, number] of [
      [allowed, '4.1.1'],
      [forbidden, '4.1.2'],
      [other, '4.1.3'],
    ] as const) {
      const texts = { 'results.json': kubeBench(number) };
      await putConfigMap(stage, { namespace, name: 'kube-bench-n', texts, labels: { app: 'kube-bench' } });
    }
    await start({ config: { configMaps: { namespaces: [allowed, forbidden] }, sources: {} } });
    await tableIs(['kube-bench Node/n 4.1.1 Active']);
    const line = 'forbidden: allow list and watch on it';
    await logged(daemon, line, { resource: `configmaps in ${forbidden} by app` });
  });

  test('every real report gives in a ConfigMap the events that scan gives', {
    skip: folder === undefined ? 'the folder of real reports is not here' : false,
  }, async () => {
    await begin({ config: { budget: { events: 50_000 } } });
    let loaded = 0;
    // What happened long ago is over when it arrives.
    const signals = new Set<string>();
    const expected = new Map<string, { readonly event: ZenAgentEvent; readonly files: readonly string[] }>();
    for (const file of globSync('*/*', { cwd: folder ?? '' }).toSorted()) {
      const path = join(folder ?? '', file);
      const source = await carriedSource(path);
      if (source === undefined) continue;
      loaded += 1;
      await putConfigMap(stage, {
        namespace: home.namespace,
        name: `${source}-${basename(file)}`.replace(/[^a-z0-9]+/gi, '-').toLowerCase(),
        texts: { 'results.json': readFileSync(path, 'utf8') },
        labels: { app: source },
      });
      for (const event of await scanFile(path)) {
        if (event.status?.lastSeen !== undefined) {
          signals.add(keyOf(event));
          continue;
        }
        const files = [...(expected.get(keyOf(event))?.files ?? []), file];
        expected.set(keyOf(event), { event, files });
      }
    }
    assert.ok(expected.size > 1000);
    await until('every ConfigMap to be known', async () => {
      const resource = `configmaps in ${home.namespace} by app`;
      return (await scrape(daemon)).value('zen_watcher_informer_objects', { resource }) === loaded;
    });
    await received(daemon, expected.size);
    const events = await stage.events(home.namespace);
    const keys = new Set(events.map(keyOf));
    assert.deepEqual([...new Set(expected.keys()).difference(keys)], [], 'missing');
    assert.deepEqual([...keys.difference(new Set([...expected.keys(), ...signals]))], [], 'more than scan gives');
    assert.equal(keys.size, events.length);
    for (const found of events) {
      const { spec } = found;
      const { event, files = [] } = expected.get(keyOf(found)) ?? {};
      // Of several files any may describe it.
      if (files.length === 1 && !saidByCarrier.includes(spec.source))
        assert.deepEqual(withoutOrigin(spec), withoutOrigin(event?.spec), files.join());
    }
  });
});
