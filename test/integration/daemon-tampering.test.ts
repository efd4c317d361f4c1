/** Events that stand under our names and are not ours, and events of an older version, which are not ours to touch (E4). */
import assert from 'node:assert/strict';
import { after, afterEach, before, suite, test } from 'node:test';
import { customResourceDefinition } from '../../src/api/crd.ts';
import { apiVersion, kind, type ZenAgentEvent } from '../../src/api/event.ts';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { kubectlOutput } from '../cluster/kubectl.ts';
import { tallyOf } from '../support/audit-log.ts';
import { crdFolder, eventsPath } from '../support/crd.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertBooksBalance, linesOf, logged, ready, received, scrape } from '../support/daemon.ts';
import { pureEvents } from '../support/pure-events.ts';
import { definitionsIn, type Home, Stage, standInFolder } from '../support/stage.ts';
import { until } from '../support/until.ts';
import { putReport, removeReports, vulnerabilityReport } from '../support/vulnerability-reports.ts';

type Spec = Record<string, unknown>;

interface Forgery {
  readonly what: string;
  /** What the forger makes of the genuine event. */
  forge(spec: Spec, labels: Record<string, string>): void;
  /** 'nothing': it is as good as ours. */
  readonly action: 'mended' | 'replaced' | 'nothing';
}

const forgeries: readonly Forgery[] = [
  {
    what: 'no fingerprint',
    forge: (spec) => delete spec['fingerprint'],
    action: 'replaced',
  },
  {
    what: 'no fingerprint and the content of another tool',
    forge(spec) {
      for (const field of Object.keys(spec)) delete spec[field];
      Object.assign(spec, { source: 'falco', category: 'security', severity: 'info', eventType: 'runtime-threat' });
    },
    action: 'replaced',
  },
  {
    what: 'a fingerprint that begins like ours and ends in another way',
    forge(spec) {
      spec['fingerprint'] = `${String(spec['fingerprint']).slice(0, 26)}${'a'.repeat(26)}`;
    },
    action: 'replaced',
  },
  {
    what: 'our fingerprint and another severity',
    forge(spec) {
      spec['severity'] = 'info';
    },
    action: 'mended',
  },
  {
    what: 'our fingerprint and hardly any content',
    forge(spec, labels) {
      const { source, category, severity, eventType, fingerprint } = spec;
      for (const field of Object.keys(spec)) delete spec[field];
      for (const label of Object.keys(labels)) delete labels[label];
      Object.assign(spec, { source, category, severity, eventType, fingerprint });
    },
    action: 'mended',
  },
  { what: 'our fingerprint and our content', forge: () => {}, action: 'nothing' },
];

/** As the older version, in Go, wrote them. */
const olderEvents = [
  {
    metadata: { generateName: 'trivy-vuln-', labels: { source: 'trivy', severity: 'HIGH', category: 'security' } },
    spec: {
      source: 'trivy',
      category: 'security',
      severity: 'HIGH',
      eventType: 'vulnerability',
      resource: { kind: 'Pod', name: 'nginx-7d9f', namespace: 'default' },
      details: { vulnerabilityID: 'CVE-2020-1' },
      detectedAt: '2025-01-02T03:04:05Z',
    },
  },
  {
    metadata: { generateName: 'kube-bench-' },
    spec: { source: 'Kube_Bench', category: 'CIS', severity: 'FAIL', eventType: 'CIS 1.2.3 failed' },
  },
].map((event) => ({ apiVersion, kind, ...event }));

suite('daemon: events that are not its own', () => {
  let stage: Stage;
  let home: Home;
  let team: string;
  let daemon: TestDaemon;
  let older: StoredEvent[];

  before(async () => {
    stage = await Stage.start({ crds: 'none' });
    await stage.define(...definitionsIn(standInFolder));
    home = await stage.home('events');
    team = await stage.namespace('team');
    older = await storeOlderEvents();
  });
  after(() => stage?.stop());

  afterEach(async () => {
    const now = await assertBooksBalance(daemon);
    assert.equal(now.value('zen_watcher_foreign_events'), older.length);
    await stage.end(daemon);
    await removeReports(stage, team);
    const events = await stage.events(home.namespace);
    const isOlder = ({ metadata }: StoredEvent) => older.some((event) => event.metadata.name === metadata.name);
    assert.deepEqual(events.filter(isOlder), older, 'an event of the older version was touched');
    for (const { metadata } of events.filter((event) => !isOlder(event))) {
      await stage.must(200, 'DELETE', `${eventsPath(home.namespace)}/${metadata.name}`);
    }
  });

  /** Under a CRD without rules, as theirs was, which ours then takes the place of. */
  async function storeOlderEvents(): Promise<StoredEvent[]> {
    const ours = customResourceDefinition();
    const [version] = ours.spec.versions;
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    const { name, served, storage, subresources } = version;
    const versions = [{ name, served, storage, subresources, schema }];
    await stage.define({ ...ours, spec: { ...ours.spec, versions } });
    for (const event of olderEvents) await stage.must(201, 'POST', eventsPath(home.namespace), event);
    await stage.define(...definitionsIn(crdFolder));
    await until('our schema to be in force', async () => {
      const answer = await stage.rest.send('POST', `${eventsPath(home.namespace)}?dryRun=All`, olderEvents[0]);
      return answer.code === 422;
    });
    return stage.events(home.namespace);
  }

  const report = () =>
    vulnerabilityReport({ namespace: team, workload: 'web', vulnerabilities: [{ id: 'CVE-2026-1' }] });
  const genuine = () => pureEvents([report()], home.namespace)[0] as ZenAgentEvent;

  async function plant({ forge }: Forgery): Promise<StoredEvent> {
    const event = structuredClone(genuine());
    const labels = { ...event.metadata.labels };
    forge(event.spec, labels);
    const metadata = { ...event.metadata, labels: { ...labels, planted: 'yes' } };
    const body = await stage.must(201, 'POST', eventsPath(home.namespace), { ...event, metadata });
    return body as unknown as StoredEvent;
  }

  for (const forgery of forgeries) {
    for (const moment of ['before the daemon starts', 'while the daemon runs'] as const) {
      test(`${forgery.what}, planted ${moment}: ${forgery.action}`, async () => {
        const before = stage.audit.writes(home.namespace).length;
        let planted: StoredEvent;
        if (moment === 'before the daemon starts') {
          planted = await plant(forgery);
          daemon = await stage.daemon(home);
          await ready(daemon);
        } else {
          daemon = await stage.daemon(home);
          await ready(daemon);
          planted = await plant(forgery);
        }
        await putReport(stage, report());
        await received(daemon, 1);
        await assertBooksBalance(daemon);
        await check(forgery, planted, before);
      });
    }
  }

  async function check({ action }: Forgery, planted: StoredEvent, before: number): Promise<void> {
    const wanted = genuine();
    const { name } = wanted.metadata;
    const event = await stage.event(home.namespace, name);
    assert.ok(event);
    assert.deepEqual({ ...event.spec, detectedAt: '' }, { ...wanted.spec, detectedAt: '' });
    assert.equal(event.metadata.labels?.['severity'], wanted.spec.severity);
    assert.equal(event.status?.phase, 'Active');
    const isSame = event.metadata.uid === planted.metadata.uid;
    assert.equal(isSame, action !== 'replaced');
    // Labels of others survive where the event does.
    assert.equal(event.metadata.labels?.['planted'], isSame ? 'yes' : undefined);

    const counted = (await scrape(daemon)).samples.filter(
      ({ name: metric }) => metric === 'zen_watcher_tampered_events_total',
    );
    assert.deepEqual(Object.fromEntries(counted.map(({ labels, value }) => [labels['action'], value])), {
      replaced: action === 'replaced' ? 1 : 0,
      mended: action === 'mended' ? 1 : 0,
    });
    const line = 'event was not as we wrote it: put right';
    if (action === 'nothing') assert.equal(linesOf(daemon, line).length, 0);
    else await logged(daemon, line, { event: name, action, source: 'trivy' });

    const ours = stage.audit.writes(home.namespace, before).filter(({ user }) => user === home.account.user);
    const tally = tallyOf(ours);
    // Where the watch has not shown the planted event yet, a create finds it.
    delete tally['create 409'];
    const expected = {
      nothing: {},
      mended: { 'update 200': 1 },
      replaced: { 'delete 200': 1, 'create 201': 1 },
    };
    assert.deepEqual(tally, expected[action]);
  }

  test('events of the older version are listed beside ours, counted, and left alone', async () => {
    daemon = await stage.daemon(home);
    await ready(daemon);
    await putReport(stage, report());
    await received(daemon, 1);
    const table = await kubectlOutput(stage.controlPlane, ['get', 'zenevents', '-n', home.namespace]);
    assert.match(table, /^trivy-vuln-\S+ +HIGH +trivy /m);
    assert.match(
      table,
      new RegExp(`^${genuine().metadata.name} +high +trivy +Deployment/web +CVE-2026-1 openssl`, 'm'),
    );
    assert.equal((await scrape(daemon)).value('zen_watcher_known_events'), 1);

    // They come and go by other hands.
    const [first] = older;
    await stage.must(200, 'DELETE', `${eventsPath(home.namespace)}/${first?.metadata.name}`);
    older = older.slice(1);
    await until('one foreign event less', async () => {
      return (await scrape(daemon)).value('zen_watcher_foreign_events') === older.length;
    });
    const touched = stage.audit
      .writes(home.namespace)
      .filter(({ user, verb }) => user === home.account.user && verb !== 'create');
    assert.deepEqual(
      touched.filter(({ name }) => name !== genuine().metadata.name),
      [],
    );
  });
});
