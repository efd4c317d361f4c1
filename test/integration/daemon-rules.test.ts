/** Filters, mutes and their changes, seen on the real server: nothing is fixed by them, nothing lost (F3, F7). */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, suite, test } from 'node:test';
import type { Account } from '../../src/pipeline/books.ts';
import { tallyOf } from '../support/audit-log.ts';
import { eventsPath } from '../support/crd.ts';
import type { DaemonProcess, DaemonSettings } from '../support/daemon.ts';
import { ask, linesOf, logged, ready, received, scrape } from '../support/daemon.ts';
import { explainInCluster } from '../support/explain-in-cluster.ts';
import type { Home } from '../support/stage.ts';
import { Stage } from '../support/stage.ts';
import { streamsLists } from '../support/streaming-lists.ts';
import { until } from '../support/until.ts';
import type { Vulnerability } from '../support/vulnerability-reports.ts';
import {
  eventNames,
  putReport,
  removeReport,
  removeReports,
  vulnerabilityReport,
} from '../support/vulnerability-reports.ts';

const until_ = 'zen.kube-zen.io/muted-until';
const reasonKey = 'zen.kube-zen.io/muted-reason';

suite('daemon: filters and mutes', () => {
  let stage: Stage;
  let home: Home;
  let team: string;
  let daemon: DaemonProcess;

  before(async () => {
    stage = await Stage.start();
  });
  after(() => stage?.stop());

  beforeEach(async () => {
    home = await stage.home('events');
    team = await stage.namespace('team');
  });
  afterEach(async () => {
    await removeReports(stage, team);
    await stage.endBalanced(daemon);
  });

  async function start(settings: DaemonSettings): Promise<void> {
    daemon = await stage.daemonProcess(home, settings);
    await ready(daemon);
  }
  const report = (vulnerabilities: readonly Vulnerability[], at?: string) =>
    vulnerabilityReport({ namespace: team, workload: 'web', vulnerabilities, ...(at === undefined ? {} : { at }) });
  const path = (name: string, subresource = '') => `${eventsPath(home.namespace)}/${name}${subresource}`;
  const ours = () => tallyOf(stage.audit.writes(home.namespace).filter(({ user }) => user === home.account.user));
  const requestsTo = async (resource: string) =>
    [
      ...(await ask(daemon, '/metrics')).text.matchAll(
        /^zen_watcher_api_requests_total\{verb="(\w+)",resource="(\w+)"/gm,
      ),
    ]
      .filter(([, , of]) => of === resource)
      .map(([, verb]) => verb);
  const phase = (name: string, wanted: string) =>
    stage.eventWhen(home.namespace, name, wanted, ({ status }) => status?.phase === wanted);
  const settled = async (account: Account) => (await scrape(daemon)).settled(account);

  const high = { id: 'CVE-2026-1' };
  const critical = { id: 'CVE-2026-2', severity: 'CRITICAL' };

  test('a threshold that is raised fixes nothing: the event stays Active until a report lacks the finding', async () => {
    await start({ thresholds: {} });
    const first = report([high, critical]);
    const [name = '', other = ''] = eventNames(first);
    await putReport(stage, first);
    await phase(name, 'Active');
    await phase(other, 'Active');
    daemon.reconfigure({ thresholds: { vulnerability: 'critical' } });
    await logged(daemon, 'configuration reloaded: every report is judged anew');
    await received(daemon, 4);
    assert.equal(await settled('filtered'), 1);
    assert.equal((await phase(name, 'Active')).status?.reason, undefined);
    assert.deepEqual(ours(), { 'create 201': 2 });
    assert.equal(linesOf(daemon, 'event resolved').length, 0);
    const verbs = (await streamsLists(stage.rest)) ? ['watch'] : ['list', 'watch'];
    const asked = [...new Set(await requestsTo('vulnerabilityreports'))].sort();
    assert.deepEqual(asked, verbs, 'judged anew by a listing, not by a request per report');

    // What is new and below it makes no event.
    const second = report([high, critical, { id: 'CVE-2026-3' }], '2026-01-03T00:00:00Z');
    await putReport(stage, second);
    await received(daemon, 7);
    assert.equal(await stage.event(home.namespace, eventNames(second)[2] ?? ''), undefined);
    await putReport(stage, report([critical], '2026-01-04T00:00:00Z'));
    assert.equal((await phase(name, 'Resolved')).status?.reason, 'fixed');
    assert.deepEqual(ours(), { 'create 201': 2, 'patch status 200': 1 });
  });

  test('a mute in the configuration ends by itself: then its finding appears, without a restart or a change', async () => {
    const ends = new Date(Date.now() + 15_000).toISOString();
    const mutes = [{ rule: 'CVE-2026-1', reason: 'vendor fix pending', until: ends }];
    await start({ config: { mutes } });
    const first = report([high, critical]);
    const [name = '', other = ''] = eventNames(first);
    await putReport(stage, first);
    await phase(other, 'Active');
    const early = await received(daemon, 2);
    assert.equal(early.settled('muted'), 1);
    assert.deepEqual(ours(), { 'create 201': 1 });
    const event = await phase(name, 'Active');
    assert.ok(Date.parse(event.spec.detectedAt ?? '') >= Date.parse(ends));
    assert.match(String((await logged(daemon, 'mute has ended: remove it'))['mute']), /vendor fix pending/);
    assert.deepEqual(ours(), { 'create 201': 2 });
  });

  test('an annotation mutes one event: it is resolved and returns with it, told at debug only', async () => {
    await start({});
    const first = report([high]);
    const [name = ''] = eventNames(first);
    await putReport(stage, first);
    await phase(name, 'Active');
    const annotations = { [until_]: '2999-01-01', [reasonKey]: 'vendor fix pending' };
    await stage.must(200, 'PATCH', path(name), { metadata: { annotations } }, 'merge');
    await until('the mute to count', async () => (await scrape(daemon)).value('zen_watcher_muted_events') === 1);

    await putReport(stage, report([], '2026-01-03T00:00:00Z'));
    assert.equal((await phase(name, 'Resolved')).status?.reason, 'fixed');
    await putReport(stage, report([{ ...high, severity: 'CRITICAL' }], '2026-01-04T00:00:00Z'));
    const back = await phase(name, 'Active');
    assert.deepEqual(
      [back.metadata.annotations?.[until_], back.metadata.annotations?.[reasonKey]],
      Object.values(annotations),
    );
    assert.equal(back.spec.severity, 'critical');
    assert.equal((await logged(daemon, 'event reopened', { event: name })).level, 'debug');
    assert.equal((await logged(daemon, 'event resolved', { event: name })).level, 'debug');
    await received(daemon, 2);
    assert.equal(await settled('muted'), 1);
    assert.equal((await scrape(daemon)).value('zen_watcher_muted_events'), 1);

    // One that says no time mutes nothing, and is told once.
    await stage.must(200, 'PATCH', path(name), { metadata: { annotations: { [until_]: 'soon' } } }, 'merge');
    await logged(daemon, 'annotation mutes nothing: it says no time', { event: name, value: 'soon' });
    await stage.must(200, 'PATCH', path(name), { metadata: { labels: { seen: 'yes' } } }, 'merge');
    await putReport(stage, report([{ ...high, severity: 'CRITICAL' }], '2026-01-05T00:00:00Z'));
    await received(daemon, 3);
    assert.equal(await settled('muted'), 1);
    const now = await scrape(daemon);
    assert.equal(now.value('zen_watcher_muted_events'), 0);
    assert.equal(now.value('zen_watcher_malformed_mutes_total'), 1);
  });

  test('an invalid configuration keeps the last good one; what needs a restart is named', async () => {
    await start({ thresholds: { vulnerability: 'critical' } });
    const first = report([high]);
    const [name = ''] = eventNames(first);
    await putReport(stage, first);
    await received(daemon, 1);
    daemon.reconfigure('preset: none\nmutes: [{ rule: x }]\n');
    await logged(daemon, 'configuration is not valid: the last good one stays', {
      problem: 'mutes[0].reason: required: why these findings are muted',
    });
    assert.equal(linesOf(daemon, 'configuration is not valid: the last good one stays').length, 2);
    assert.equal((await scrape(daemon)).value('zen_watcher_config_valid'), 0);
    await putReport(stage, report([high], '2026-01-03T00:00:00Z'));
    await received(daemon, 2);
    assert.equal(await settled('filtered'), 2);

    daemon.reconfigure({ thresholds: { vulnerability: 'high' }, writes: { burst: 7 } });
    await phase(name, 'Active');
    const now = await scrape(daemon);
    assert.equal(now.value('zen_watcher_config_valid'), 1);
    assert.equal(now.value('zen_watcher_config_reloads_total', { outcome: 'invalid' }), 1);
    assert.equal(now.value('zen_watcher_config_reloads_total', { outcome: 'applied' }), 1);
    const restart = await logged(daemon, 'configuration changed: restart for these keys');
    assert.equal(restart['keys'], 'writes.burst');
  });

  test('namespaces are excluded by name and by label; a label that changes is seen', async () => {
    const labelled = await stage.namespace('labelled');
    const label = (value: string | null) =>
      stage.must(
        200,
        'PATCH',
        `/api/v1/namespaces/${labelled}`,
        { metadata: { labels: { 'scan.example/ignore': value } } },
        'merge',
      );
    await label('yes');
    await start({
      config: {
        filters: [
          { action: 'exclude', namespace: `${team.slice(0, -3)}*` },
          { action: 'exclude', namespaceLabels: { 'scan.example/ignore': 'yes' } },
        ],
      },
    });
    const mine = report([high]);
    const theirs = vulnerabilityReport({ namespace: labelled, workload: 'web', vulnerabilities: [high] });
    await putReport(stage, mine);
    await putReport(stage, theirs);
    assert.equal((await received(daemon, 2)).settled('filtered'), 2);
    await label(null);
    const [name = ''] = eventNames(theirs);
    await phase(name, 'Active');
    assert.equal(await stage.event(home.namespace, eventNames(mine)[0] ?? ''), undefined);
    await removeReport(stage, theirs);
    assert.deepEqual(ours(), { 'create 201': 1 });
  });

  test('explain says of an event which rule decides now, and of its report when it is gone', async () => {
    await start({ thresholds: {} });
    const first = report([high, critical]);
    const [name = ''] = eventNames(first);
    await putReport(stage, first);
    await phase(name, 'Active');
    const annotations = { [until_]: '2999-01-01', [reasonKey]: 'vendor fix pending' };
    await stage.must(200, 'PATCH', path(name), { metadata: { annotations } }, 'merge');
    const explain = (...args: string[]) => explainInCluster(stage, [name, '-n', home.namespace, ...args]);

    const said = await explain();
    assert.equal(said.code, 0, said.stderr);
    assert.match(said.stdout, /^Phase +Active$/m);
    assert.match(said.stdout, /^Muted +until 2999-01-01: vendor fix pending$/m);
    assert.match(said.stdout, /^Report +VulnerabilityReport .*: holds the finding$/m);
    assert.match(said.stdout, /^Now +accepted by preset all, vulnerability: high$/m);
    const raised = JSON.parse(
      (await explain('-o', 'json', '--config', 'thresholds: { vulnerability: critical }')).stdout,
    );
    assert.deepEqual(
      [raised.found, raised.now.verdict, raised.now.decidedBy],
      ['in its report', 'filtered', 'thresholds.vulnerability: critical'],
    );

    // A rollout: the event still names the report of the old ReplicaSet.
    await putReport(
      stage,
      vulnerabilityReport({ namespace: team, workload: 'web', vulnerabilities: [high], hash: '7c9b5bf674' }),
    );
    await removeReport(stage, first);
    assert.match((await explain()).stdout, /holds it no more, VulnerabilityReport replicaset-web-7c9b5bf674-app does/);
    await removeReports(stage, team);
    const gone = await explain();
    assert.match(gone.stdout, /^Report +VulnerabilityReport .*: is gone$/m);
    assert.match(gone.stdout, /^Now +no report holds its finding$/m);
    assert.equal(gone.code, 0);

    const none = await explainInCluster(stage, ['trivy-aaaaaaaaaaaaaaaaaaaaaaaaaa', '-n', home.namespace]);
    assert.equal(none.code, 1);
    assert.equal(none.stdout, '');
    assert.match(none.stderr, /there is no event trivy-a/);
  });
});
