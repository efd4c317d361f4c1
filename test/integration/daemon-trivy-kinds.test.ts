/** Every kind of Trivy Operator's reports on the real server: what the daemon writes is what scan prints (T1). */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, suite, test } from 'node:test';
import type { ZenAgentEvent } from '../../src/api/event.ts';
import { trivy } from '../../src/sources/trivy.ts';
import { tallyOf } from '../support/audit-log.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertBooksBalance, ready, received } from '../support/daemon.ts';
import { pureEvents } from '../support/pure-events.ts';
import type { LoadedReport } from '../support/report-loader.ts';
import { loadReports, makeNamespacesOf, putReports, removeReports } from '../support/report-loader.ts';
import { repositoryRoot } from '../support/repository.ts';
import { scanDocuments } from '../support/scanned.ts';
import { type Home, Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';

const fixtures = join(repositoryRoot, 'test/fixtures');
/** That of vulnerabilities is on the server in most other tests. */
const formats = [...new Set(trivy.intakes.map(({ format }) => format.name))].filter(
  (name) => !/vulnerability/.test(name),
);

suite('daemon: the kinds of Trivy Operator', () => {
  let stage: Stage;
  let home: Home;
  let daemon: TestDaemon;
  let put: readonly LoadedReport[] = [];

  before(async () => {
    stage = await Stage.start();
  });
  after(() => stage?.stop());

  async function begin(): Promise<void> {
    home = await stage.home('events');
    daemon = await stage.daemon(home);
    await ready(daemon);
  }
  afterEach(async () => {
    await removeReports(stage, put);
    await stage.endBalanced(daemon);
  });
  const writes = () => tallyOf(stage.audit.writes(home.namespace));

  for (const format of formats) {
    test(`${format}: one event per finding, none written again by a restart`, async () => {
      await begin();
      put = await loadReports(join(fixtures, format, 'many.yaml'));
      await makeNamespacesOf(stage, put);
      await putReports(stage, put);
      const occurrences = pureEvents(put).length;
      await received(daemon, occurrences);
      const expected = await scanDocuments(put);
      const events = await stage.events(home.namespace);
      const inShort = ({
        metadata,
        spec,
      }: Pick<ZenAgentEvent, 'spec'> & { readonly metadata: { readonly name: string } }) =>
        [metadata.name, spec.eventType, spec.category, spec.severity, spec.subject, spec.title].join(' ');
      assert.deepEqual(events.map(inShort).sort(), expected.map(inShort).sort());
      assert.ok(events.length > 1);
      const created = { 'create 201': events.length };
      assert.deepEqual(writes(), created);

      await assertBooksBalance(daemon);
      await stage.end(daemon);
      daemon = await stage.daemon(home);
      await ready(daemon);
      await received(daemon, occurrences);
      assert.deepEqual(writes(), created);
    });
  }

  test('a benchmark that was not run yet, failed, ran empty and passed', async () => {
    await begin();
    const report = (status?: object): LoadedReport => ({
      apiVersion: 'aquasecurity.github.io/v1alpha1',
      kind: 'ClusterComplianceReport',
      metadata: { name: 'house-1.0' },
      spec: { cron: '0 */6 * * *', reportType: 'summary', compliance: { id: 'house-1.0', controls: [] } },
      ...(status === undefined ? {} : { status }),
    });
    const ran = (totalFail: number, second: number) =>
      report({
        summaryReport: { controlCheck: [{ id: '1.1', name: 'No root', severity: 'HIGH', totalFail }] },
        updateTimestamp: `2026-01-02T03:04:0${second}Z`,
      });
    put = [report()];
    const [expected] = pureEvents([ran(3, 1)]);
    const name = expected?.metadata.name ?? '';
    const eventWhen = (phase: string) =>
      until(`the event to be ${phase}`, async () => {
        const event = await stage.event(home.namespace, name);
        return event?.status?.phase === phase ? event : undefined;
      });
    await putReports(stage, put);
    await putReports(stage, [ran(3, 1)]);
    assert.equal((await eventWhen('Active')).spec.eventType, 'compliance-failure');
    // What is listed after it was read: the empty run was taken in as well.
    await putReports(stage, [report({ summaryReport: {}, updateTimestamp: '2026-01-02T03:04:02Z' })]);
    await putReports(stage, [ran(5, 3)]);
    await received(daemon, 2);
    assert.deepEqual(writes(), { 'create 201': 1 });
    await putReports(stage, [ran(0, 4)]);
    assert.equal((await eventWhen('Resolved')).status?.reason, 'fixed');
  });
});
