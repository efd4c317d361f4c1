/** Policy reports in two API groups, copies by adapters, and producers that are trusted, on the real server (T2). */
import assert from 'node:assert/strict';
import { after, afterEach, before, suite, test } from 'node:test';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { tallyOf } from '../support/audit-log.ts';
import type { DaemonSettings, TestDaemon } from '../support/daemon.ts';
import { assertBooksBalance, linesOf, ready, received, scrape } from '../support/daemon.ts';
import { pureEvents } from '../support/pure-events.ts';
import type { LoadedReport } from '../support/report-loader.ts';
import { putReports, removeReports } from '../support/report-loader.ts';
import { definitionsIn, type Home, Stage, standInFolder } from '../support/stage.ts';
import { until } from '../support/until.ts';

const groups = {
  older: { apiVersion: 'wgpolicyk8s.io/v1alpha2', kind: 'PolicyReport' },
  newer: { apiVersion: 'openreports.io/v1alpha1', kind: 'Report' },
} as const;
type Group = keyof typeof groups;
const short = {
  timing: { discoveryMs: 300, sweepMs: 200 },
  config: { sources: { policyreport: { graceSeconds: 2 } } },
};

/** The control plane itself has Warning events now and then, which are none of these tests' business. */
function quiet(settings: DaemonSettings): DaemonSettings {
  const sources = settings.config?.['sources'] as object | undefined;
  return {
    ...settings,
    config: { ...settings.config, sources },
  };
}

suite('daemon: policy reports', () => {
  let stage: Stage;
  let home: Home;
  let daemon: TestDaemon;
  let team: string;
  let put: LoadedReport[];

  before(async () => {
    stage = await Stage.start();
  });
  after(() => stage?.stop());

  async function begin(settings: DaemonSettings = {}): Promise<void> {
    home = await stage.home('events');
    team = await stage.namespace('team');
    put = [];
    daemon = await stage.daemon(home, quiet(settings));
    await ready(daemon);
  }
  async function again(settings: DaemonSettings): Promise<void> {
    await assertBooksBalance(daemon);
    await stage.end(daemon);
    daemon = await stage.daemon(home, quiet(settings));
    await ready(daemon);
  }
  afterEach(async () => {
    // Whatever comes of it, the next test's daemon shall see its own reports only.
    await removeReports(stage, put);
    await stage.endBalanced(daemon);
  });

  function report(
    group: Group,
    policies: readonly string[],
    more: Readonly<Record<string, unknown>> = {},
  ): LoadedReport {
    const { source = 'kyverno', ...rest } = more;
    return {
      ...groups[group],
      metadata: { name: 'cpol-of-the-team', namespace: team },
      scope: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', namespace: team },
      results: policies.map((policy) => ({ policy, rule: 'r', result: 'fail', severity: 'high', source })),
      ...rest,
    };
  }
  async function apply(one: LoadedReport): Promise<void> {
    if (!put.some(({ kind, metadata }) => kind === one.kind && metadata.name === one.metadata.name)) put.push(one);
    await putReports(stage, [one]);
  }
  const nameOf = (one: LoadedReport) => pureEvents([one])[0]?.metadata.name ?? '';
  const writes = () => tallyOf(stage.audit.writes(home.namespace));
  const objects = async (group: Group) => {
    const resource = group === 'older' ? 'policyreports.wgpolicyk8s.io' : 'reports.openreports.io';
    return (await scrape(daemon)).value('zen_watcher_informer_objects', { resource });
  };
  function eventWhen(name: string, what: string, is: (event: StoredEvent) => boolean): Promise<StoredEvent> {
    return until(`${name} to be ${what}`, async () => {
      const event = await stage.event(home.namespace, name);
      return event !== undefined && is(event) ? event : undefined;
    });
  }
  const freshOf = (event: StoredEvent | undefined) => event?.status?.conditions?.find(({ type }) => type === 'Fresh');

  for (const [first, second] of [
    ['older', 'newer'],
    ['newer', 'older'],
  ] as const) {
    test(`a result that comes through both groups, ${first} first, is one event; each may go`, async () => {
      await begin();
      const name = nameOf(report(first, ['p']));
      await apply(report(first, ['p']));
      await eventWhen(name, 'there', () => true);
      await apply(report(second, ['p']));
      await received(daemon, 2);
      assert.deepEqual(
        (await stage.events(home.namespace)).map(({ metadata }) => metadata.name),
        [name],
      );
      assert.deepEqual(writes(), { 'create 201': 1 });

      await removeReports(stage, [report(first, ['p'])]);
      await until('the first to be gone', async () => (await objects(first)) === 0);
      await again({});
      await received(daemon, 1);
      assert.deepEqual(writes(), { 'create 201': 1 });

      await apply(report(first, ['p']));
      await received(daemon, 2);
      await apply(report(second, []));
      await apply(report(second, ['q']));
      await eventWhen(nameOf(report(second, ['q'])), 'there', () => true);
      assert.equal((await stage.event(home.namespace, name))?.status?.phase, 'Active', 'the other still holds it');
      await apply(report(first, []));
      const fixed = await eventWhen(name, 'resolved', ({ status }) => status?.phase === 'Resolved');
      assert.equal(fixed.status?.reason, 'fixed');
      assert.deepEqual(writes(), { 'create 201': 2, 'patch status 200': 1 });
    });
  }

  test('a group whose CRD is removed leaves its findings to the other; without both nobody vouches for them', async () => {
    await begin(short);
    const name = nameOf(report('older', ['p']));
    await apply(report('older', ['p']));
    await apply(report('newer', ['p']));
    await received(daemon, 2);
    // A finding that only the group holds says when its grace is over.
    const lone = report('newer', ['lone'], { metadata: { name: 'lone', namespace: team }, scope: undefined });
    await apply(lone);
    await eventWhen(nameOf(lone), 'there', () => true);
    await stage.undefine('reports.openreports.io');
    await eventWhen(nameOf(lone), 'not fresh', (event) => freshOf(event)?.reason === 'SourceGone');
    assert.equal(freshOf(await stage.event(home.namespace, name)), undefined);

    await stage.define(...definitionsIn(standInFolder, ['reports.openreports.io']));
    await apply(report('newer', ['p']));
    await stage.undefine('policyreports.wgpolicyk8s.io');
    await stage.undefine('reports.openreports.io');
    await eventWhen(name, 'not fresh', (event) => freshOf(event)?.reason === 'SourceGone');
    await stage.define(...definitionsIn(standInFolder));
    await apply(report('newer', ['p']));
    await eventWhen(name, 'fresh again', (event) => freshOf(event)?.status === 'True');
  });

  test('what an adapter copied is filtered while the tool is read itself, and never called fixed for that', async () => {
    const off = { config: { sources: { trivy: { enabled: false } } } };
    await begin();
    const copy = report('newer', ['Runs as root'], { source: 'Trivy ConfigAudit' });
    await apply(copy);
    assert.equal((await received(daemon, 1)).settled('filtered'), 1);
    assert.deepEqual(await stage.events(home.namespace), []);

    await again(off);
    await eventWhen(nameOf(copy), 'there', ({ status }) => status?.phase === 'Active');
    await again({});
    await received(daemon, 1);
    await apply(report('newer', ['Runs as root', 'Another'], { source: 'Trivy ConfigAudit' }));
    await received(daemon, 3);
    const [event, ...others] = await stage.events(home.namespace);
    assert.deepEqual([event?.status?.phase, others], ['Active', []]);
    await apply(report('newer', ['Another'], { source: 'Trivy ConfigAudit' }));
    await eventWhen(nameOf(copy), 'fixed', ({ status }) => status?.reason === 'fixed');
  });

  test('a report about another namespace is refused, and accepted of a producer that is trusted by name', async () => {
    const elsewhere = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'ledger', namespace: 'billing' };
    const trusting = { config: { sources: { policyreport: { trustedSources: ['Fleet-Scanner'] } } } };
    await begin();
    const of = (source: string) =>
      report('newer', ['p'], { source, scope: elsewhere, metadata: { name: source, namespace: team } });
    await apply(of('fleet-scanner'));
    await apply(of('anybody'));
    await received(daemon, 2);
    const refused = () => linesOf(daemon, 'report rejected').filter(({ cause }) => cause === 'cross-namespace').length;
    assert.deepEqual([refused(), await stage.events(home.namespace)], [2, []]);
    const counted = await scrape(daemon);
    assert.equal(counted.value('zen_watcher_findings_rejected_total', { reason: 'cross-namespace' }), 2);

    await again(trusting);
    await received(daemon, 2);
    assert.equal(refused(), 1);
    const [event, ...others] = await stage.events(home.namespace);
    assert.deepEqual(others, []);
    assert.deepEqual([event?.spec.resource?.namespace, event?.spec.origin?.namespace], ['billing', team]);
    assert.equal(event?.spec.details?.['producer'], 'fleet-scanner');
  });
});
