/** CRDs that come, go and come back, and reports of which nothing, or not everything, can be used (F1, F8). */
import assert from 'node:assert/strict';
import { after, afterEach, before, suite, test } from 'node:test';
import { resourceIntakes } from '../../src/sources/intakes.ts';
import { sources } from '../../src/sources/registry.ts';
import { tallyOf } from '../support/audit-log.ts';
import { crdFolder } from '../support/crd.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { ask, linesOf, logged, ready, received, scrape } from '../support/daemon.ts';
import { definitionsIn, type Home, Stage, standInFolder } from '../support/stage.ts';
import { until } from '../support/until.ts';
import { eventNames, putReport, removeReports, vulnerabilityReport } from '../support/vulnerability-reports.ts';

const vulnerabilityReports = 'vulnerabilityreports.aquasecurity.github.io';
const notServed = 'not served: watched as soon as it is';
const rejected = 'report rejected';
const soon = { timing: { discoveryMs: 300 } };

suite('daemon: CRDs and malformed reports', () => {
  let stage: Stage;
  let home: Home;
  let team: string;
  let daemon: TestDaemon;

  before(async () => {
    stage = await Stage.start({ crds: 'none' });
    team = await stage.namespace('team');
  });
  after(() => stage?.stop());
  afterEach(async () => {
    // Whatever comes of it, the next test's daemon shall see its own reports only.
    await removeReports(stage, team);
    await stage.endBalanced(daemon);
  });

  const report = (ids: readonly string[], at?: string) =>
    vulnerabilityReport({
      namespace: team,
      workload: 'web',
      vulnerabilities: ids.map((id) => ({ id })),
      ...(at === undefined ? {} : { at }),
    });
  const writes = () => tallyOf(stage.audit.writes(home.namespace));
  const phaseOf = async (name: string) => (await stage.event(home.namespace, name))?.status?.phase;

  async function eventsOf(names: readonly string[]): Promise<void> {
    for (const name of names) await until(`${name}`, async () => await stage.event(home.namespace, name));
  }

  test('without the CRD of the events it says so once, is not ready, and goes on when it is applied', async (t) => {
    await stage.define(...definitionsIn(standInFolder));
    home = await stage.home('events');
    await putReport(stage, report(['CVE-2026-1', 'CVE-2026-2']));
    daemon = await stage.daemon(home, soon);
    const ownAbsent = 'the CRD of the events is not served: nothing can be written';
    assert.match(String((await logged(daemon, ownAbsent))['hint']), /kubectl apply/);
    assert.equal((await ask(daemon, '/readyz')).code, 503);
    assert.equal((await ask(daemon, '/healthz')).code, 200);
    const begin = performance.now();
    await stage.define(...definitionsIn(crdFolder));
    await eventsOf(eventNames(report(['CVE-2026-1', 'CVE-2026-2'])));
    t.diagnostic(`events ${Math.round(performance.now() - begin)} ms after the CRD was applied`);
    await ready(daemon);
    assert.equal(linesOf(daemon, ownAbsent).length, 1);
    assert.deepEqual(writes(), { 'create 201': 2 });
  });

  test('without the CRDs of any tool it is ready; one that is installed later is watched', async (t) => {
    for (const { metadata } of definitionsIn(standInFolder)) await stage.undefine(metadata.name);
    home = await stage.home('events');
    // With the waits that users have.
    daemon = await stage.daemon(home);
    await ready(daemon);
    const ofTools = sources.flatMap(resourceIntakes).filter(({ group }) => group !== 'events.k8s.io');
    assert.equal(linesOf(daemon, notServed).length, ofTools.length);
    assert.equal((await scrape(daemon)).value('zen_watcher_tools_active', { tool: 'trivy' }), 0);
    const begin = performance.now();
    await stage.define(...definitionsIn(standInFolder, [vulnerabilityReports]));
    await logged(daemon, 'watching', { resource: vulnerabilityReports });
    t.diagnostic(`watched ${Math.round(performance.now() - begin)} ms after it was served (30 s are allowed)`);
    await putReport(stage, report(['CVE-2026-1']));
    await eventsOf(eventNames(report(['CVE-2026-1'])));
    const now = await scrape(daemon);
    assert.equal(now.value('zen_watcher_tools_active', { tool: 'trivy' }), 1);
    assert.equal(now.value('zen_watcher_tools_active', { tool: 'policyreport' }), 0);
    assert.equal(linesOf(daemon, notServed).length, ofTools.length);
  });

  for (const [speed, settings] of [
    ['slowly enough to be noticed', soon],
    ['faster than it can be noticed', { timing: { discoveryMs: 600_000 } }],
  ] as const) {
    test(`a CRD that is deleted and made again, ${speed}, resolves nothing and loses nothing`, async () => {
      await stage.define(...definitionsIn(standInFolder));
      home = await stage.home('events');
      daemon = await stage.daemon(home, settings);
      await ready(daemon);
      const first = report(['CVE-2026-1', 'CVE-2026-2']);
      const [one = '', other = ''] = eventNames(first);
      await putReport(stage, first);
      await eventsOf([one, other]);

      await stage.undefine(vulnerabilityReports);
      if (settings === soon) await logged(daemon, notServed, { resource: vulnerabilityReports });
      assert.equal(await phaseOf(one), 'Active');
      await stage.define(...definitionsIn(standInFolder, [vulnerabilityReports]));
      await putReport(stage, first);
      await received(daemon, 4);
      assert.deepEqual(writes(), { 'create 201': 2 });

      await putReport(stage, report(['CVE-2026-2', 'CVE-2026-3'], '2026-01-03T00:00:00Z'));
      await until('the fixed one to be resolved', async () => (await phaseOf(one)) === 'Resolved');
      await eventsOf(eventNames(report(['CVE-2026-3'])));
      assert.equal(await phaseOf(other), 'Active');
      assert.deepEqual(writes(), { 'create 201': 3, 'patch status 200': 1 });
      if (settings === soon) assert.equal(linesOf(daemon, notServed, { resource: vulnerabilityReports }).length, 1);
    });
  }

  const malformed: readonly { readonly what: string; readonly body: object; readonly places: readonly string[] }[] = [
    { what: 'no-body', body: {}, places: ['missing-field .report'] },
    { what: 'text', body: { report: 'all is well' }, places: ['malformed .report'] },
    { what: 'no-list', body: { report: {} }, places: ['missing-field .report.vulnerabilities'] },
    { what: 'object', body: { report: { vulnerabilities: { a: 1 } } }, places: ['malformed .report.vulnerabilities'] },
    {
      what: 'entries',
      body: { report: { vulnerabilities: [null, 7, {}, { vulnerabilityID: { a: 1 } }] } },
      places: [
        'malformed .report.vulnerabilities[0]',
        'malformed .report.vulnerabilities[1]',
        'missing-field .report.vulnerabilities[2].vulnerabilityID',
        'malformed .report.vulnerabilities[3].vulnerabilityID',
      ],
    },
  ];

  test('malformed reports are counted and told once with their place; all others are processed', async () => {
    await stage.define(...definitionsIn(standInFolder));
    home = await stage.home('events');
    daemon = await stage.daemon(home, soon);
    await ready(daemon);
    const good = report(['CVE-2026-1']);
    const path = (name: string) => `/apis/${good.apiVersion}/namespaces/${team}/vulnerabilityreports/${name}`;
    const put = (touch: string) =>
      Promise.all(
        malformed.map(({ what, body }) => {
          const metadata = { name: what, annotations: { touch }, labels: good.metadata.labels };
          return stage.apply(path(what), { apiVersion: good.apiVersion, kind: good.kind, metadata, ...body });
        }),
      );
    const total = malformed.flatMap(({ places }) => places).length;
    await put('first');
    await putReport(stage, good);
    await eventsOf(eventNames(good));
    await received(daemon, total + 1);
    await put('second');
    const now = await received(daemon, total * 2 + 1);
    assert.equal(now.value('zen_watcher_findings_rejected_total'), total * 2);
    assert.equal(now.value('zen_watcher_rejected_total', { source: 'trivy' }), total * 2);
    assert.equal(now.value('zen_watcher_rejected_total', { reason: 'missing-field' }), 3 * 2);
    for (const { what, places } of malformed) {
      const lines = linesOf(daemon, rejected).filter((line) => String(line['object']).endsWith(`|${what}`));
      assert.deepEqual(lines.map((line) => `${line['cause']} ${line['place']}`).sort(), places.toSorted());
      for (const line of lines) assert.match(String(line['reason']), /^expected .*, found /);
    }
    assert.deepEqual(writes(), { 'create 201': 1 });
  });

  test('a report that becomes malformed resolves nothing; one good entry beside bad ones is an event', async () => {
    await stage.define(...definitionsIn(standInFolder));
    home = await stage.home('events');
    daemon = await stage.daemon(home, soon);
    await ready(daemon);
    const good = report(['CVE-2026-1']);
    const [one = ''] = eventNames(good);
    await putReport(stage, good);
    await eventsOf([one]);
    const { report: body, ...head } = good;
    const path = `/apis/${good.apiVersion}/namespaces/${team}/vulnerabilityreports/${good.metadata.name}`;
    const broken = {
      ...body,
      vulnerabilities: [{ severity: 'HIGH' }, ...report(['CVE-2026-2']).report.vulnerabilities],
    };
    await stage.apply(path, { ...head, report: broken });
    await eventsOf(eventNames(report(['CVE-2026-2'])));
    await stage.apply(path, { ...head, report: { vulnerabilities: 'none' } });
    await received(daemon, 4);
    assert.equal(await phaseOf(one), 'Active');
    // The first good one speaks again.
    await putReport(stage, report(['CVE-2026-2'], '2026-01-03T00:00:00Z'));
    await until('the fixed one to be resolved', async () => (await phaseOf(one)) === 'Resolved');
    assert.deepEqual(writes(), { 'create 201': 2, 'patch status 200': 1 });
  });
});
