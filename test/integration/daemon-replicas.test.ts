/** Replicas on a real server: what they may do with Leases, who writes, and how another one takes over (R3, R7). */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { leaderLeases } from '../../src/config/access.ts';
import { createdTwice, tallyOf } from '../support/audit-log.ts';
import { assertBooksBalance, linesOf, logged, ready, received, scrape } from '../support/daemon.ts';
import { disturbLeaders, electingHome, election, leaderOf } from '../support/replica-run.ts';
import { Rest } from '../support/rest.ts';
import { Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import { putReport, removeReports, vulnerabilities, vulnerabilityReport } from '../support/vulnerability-reports.ts';

suite('daemon: replicas', () => {
  let stage: Stage;

  before(async () => {
    stage = await Stage.start();
  });
  after(() => stage?.stop());

  test('a Role with names allows the Leases of these names alone, made by PUT; of two writers one wins', async (t) => {
    const home = await electingHome(stage);
    const rest = new Rest(stage.controlPlane, home.account.token);
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${home.namespace}/leases`;
    const [name = ''] = leaderLeases(election);
    const lease = (holderIdentity: string, of = name, resourceVersion?: string) => ({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: of, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
      spec: { holderIdentity, leaseDurationSeconds: 3 },
    });
    try {
      assert.equal((await rest.send('POST', leases, lease('a'))).code, 403);
      assert.equal((await rest.send('GET', leases)).code, 403);
      assert.equal((await rest.send('GET', `${leases}?fieldSelector=metadata.name%3D${name}`)).code, 200);
      assert.equal((await rest.send('PUT', `${leases}/other`, lease('a', 'other'))).code, 403);
      const both = await Promise.all(['a', 'b'].map((holder) => rest.send('PUT', `${leases}/${name}`, lease(holder))));
      const codes = both.map(({ code }) => code).sort();
      assert.equal(codes[0], 201);
      t.diagnostic(
        `of two that make it at the same time: ${both.map(({ code, message }) => `${code} ${message}`).join(', ')}`,
      );
      assert.ok((codes[1] ?? 0) >= 400, `the other one was answered ${codes[1]}`);
      const made = both.find(({ code }) => code === 201)?.body;
      const version = made?.metadata.resourceVersion ?? '';
      // By a third one: a PUT that changes nothing leaves the version as it was.
      assert.equal((await rest.send('PUT', `${leases}/${name}`, lease('c', name, version))).code, 200);
      assert.equal((await rest.send('PUT', `${leases}/${name}`, lease('a', name, version))).code, 409);
      const blind = await rest.send('PUT', `${leases}/${name}`, lease('a'));
      t.diagnostic(`without a version: ${blind.code} ${blind.message}`);
      assert.ok(blind.code >= 400, `a write without a version was answered ${blind.code}`);
      assert.equal((await rest.send('DELETE', `${leases}/${name}`)).code, 403);
    } finally {
      await rest.close();
    }
  });

  test('reports that were there before: one replica writes each finding once, the other knows them and is ready', async (t) => {
    const home = await electingHome(stage);
    const team = await stage.namespace('team');
    t.after(() => removeReports(stage, team));
    const report = (count: number) =>
      vulnerabilityReport({ namespace: team, workload: 'web', vulnerabilities: vulnerabilities(count) });
    await putReport(stage, report(100));
    // The product's own times: nobody is killed here, and on a busy machine a renewal takes longer than a second.
    const settings = { config: { leaderElection: { enabled: true, replicas: election.replicas } } };
    const replicas = await Promise.all([stage.daemonProcess(home, settings), stage.daemonProcess(home, settings)]);
    await Promise.all(replicas.map(ready));
    const leader = await leaderOf(replicas);
    const standby = replicas.find((replica) => replica !== leader);
    assert.ok(standby !== undefined);
    await until('all events', async () => (await stage.events(home.namespace)).length === 100);
    await received(standby, 100);
    await until('both to know both', async () => {
      const scrapes = await Promise.all(replicas.map((replica) => scrape(replica)));
      return scrapes.every(
        (one) => one.value('zen_watcher_replicas') === 2 && one.value('zen_watcher_known_events') === 100,
      );
    });
    const idle = await scrape(standby);
    assert.equal(idle.settled('written'), 0);
    assert.equal(idle.value('zen_watcher_leader'), 0);
    assert.equal(idle.value('zen_watcher_intents_total'), 0, 'nothing of it goes through the queue');
    assert.deepEqual(linesOf(standby, 'event created'), []);
    assert.deepEqual(tallyOf(stage.audit.writes(home.namespace)), { 'create 201': 100 });

    // In good order: another one leads within seconds, and has nothing to write.
    const begin = performance.now();
    const ended = leader.end('SIGTERM');
    await leaderOf([standby]);
    t.diagnostic(`handed over ${Math.round(performance.now() - begin)} ms after SIGTERM`);
    assert.equal(await ended, 0);
    assert.equal(
      linesOf(leader, 'this replica does not lead any more: it writes no events', { reason: 'given back' }).length,
      1,
    );
    await logged(standby, 'this replica leads: it writes events from now on');
    const now = await scrape(standby);
    assert.equal(now.value('zen_watcher_lease_transitions_total', { change: 'acquired' }), 1);
    const troubles = [leader, standby].flatMap((one) => linesOf(one, 'a lease cannot be had or renewed at the moment'));
    assert.deepEqual(troubles, []);
    assert.equal(now.value('zen_watcher_lease_failures_total'), 0);
    await putReport(stage, report(101));
    await until('the new event', async () => (await stage.events(home.namespace)).length === 101);
    await assertBooksBalance(standby);
    assert.deepEqual(tallyOf(stage.audit.writes(home.namespace)), { 'create 201': 101 });
    assert.deepEqual(createdTwice(stage.audit.writes(home.namespace)), []);
    await stage.end(standby);
    const refused = stage.audit.requestsOf(home.account.user).filter(({ code }) => code === 403);
    assert.deepEqual(refused, []);
  });

  test('the leader stopped past its lease, then killed, under load: nothing lost, doubled or written without a condition', async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`npm run test:pauses -- --times=1 --findings=100 --seed=${seed}`);
    const size = { replicas: 2, signals: ['SIGSTOP', 'SIGKILL'], times: 2, seconds: 0, findings: 100, seed } as const;
    const figures = await disturbLeaders(stage, size, (line) => t.diagnostic(line));
    t.diagnostic(JSON.stringify(figures));
  });
});
