/** Two shards: each replica reads and writes its own namespaces, takes over the other's, and hands one over (R7). */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Shards } from '../../src/pipeline/shards.ts';
import { createdTwice, tallyOf, writesWithoutChange } from '../support/audit-log.ts';
import type { DaemonProcess } from '../support/daemon.ts';
import { assertBooksBalance, linesOf, scrape } from '../support/daemon.ts';
import { allowElecting } from '../support/daemon-account.ts';
import { election } from '../support/replica-run.ts';
import type { Home } from '../support/stage.ts';
import { Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';
import { eventNames, putReport, removeReports, vulnerabilityReport } from '../support/vulnerability-reports.ts';

const shards = new Shards(2);
const each = 4;
/** Longer than elsewhere: a term that ends on a busy machine would move shards. */
const leaderElection = { ...election, shards: 2, leaseSeconds: 7, renewDeadlineSeconds: 5 };

/** What a replica does: which shards it leads in, by its log, and how many it reads. */
async function shardsOf(replica: DaemonProcess): Promise<{ led: readonly number[]; read: number | undefined }> {
  const now = await scrape(replica);
  const led = new Set<number>();
  for (const { message, shard } of replica.lines()) {
    if (message === 'this replica leads: it writes events from now on') led.add(Number(shard));
    if (message === 'this replica does not lead any more: it writes no events') led.delete(Number(shard));
  }
  assert.equal(now.value('zen_watcher_shards', { state: 'total' }), 2);
  return { led: [...led].sort(), read: now.value('zen_watcher_shards', { state: 'read' }) };
}

/** Waits until each of the replicas leads in one shard and reads no other, and gives them by shard. */
function byShard(replicas: readonly DaemonProcess[]): Promise<readonly DaemonProcess[]> {
  return until('one shard each', async () => {
    const found: DaemonProcess[] = [];
    for (const replica of replicas) {
      const { led, read } = await shardsOf(replica);
      const [shard] = led;
      if (led.length !== 1 || read !== 1 || shard === undefined) return undefined;
      found[shard] = replica;
    }
    return found[0] !== undefined && found[1] !== undefined ? found : undefined;
  });
}

suite('daemon: shards', () => {
  let stage: Stage;

  before(async () => {
    stage = await Stage.start();
  });
  after(() => stage?.stop());

  test('each finding is written once, by the leader of its shard; killed, it is followed by the other, and a third takes its share', async (t) => {
    const settings = { config: { leaderElection } };
    const home: Home = await stage.home('events');
    await allowElecting(stage.rest, home.namespace, leaderElection);
    const teams: string[] = [];
    const ofShard = (shard: number) => teams.filter((team) => shards.ofNamespace(team) === shard);
    while (teams.length < 6 || ofShard(0).length < 2 || ofShard(1).length < 2)
      teams.push(await stage.namespace('team'));
    t.after(() => Promise.all(teams.map((team) => removeReports(stage, team))));
    const report = (team: string, ids: readonly string[]) =>
      vulnerabilityReport({ namespace: team, workload: 'web', vulnerabilities: ids.map((id) => ({ id })) });
    const ids = Array.from({ length: each }, (_, index) => `CVE-2026-1000${index}`);
    const start = () => stage.daemonProcess(home, settings);
    const replicas = await Promise.all([start(), start()]);
    const leaders = await byShard(replicas);
    for (const team of teams) await putReport(stage, report(team, ids));
    await until('all events', async () => (await stage.events(home.namespace)).length === teams.length * each);
    for (const [shard, leader] of leaders.entries()) {
      const own = ofShard(shard).flatMap((team) => eventNames(report(team, ids)));
      const books = await assertBooksBalance(leader);
      // Who lost a term and began another one has read again what differed.
      const hasOneTerm = books.value('zen_watcher_lease_transitions_total', { change: 'acquired' }) === 1;
      if (hasOneTerm) assert.equal(books.received, own.length, 'what is of the other shard is not received');
      assert.equal(books.value('zen_watcher_known_events'), own.length);
      const written = linesOf(leader, 'event created').map(({ event }) => String(event));
      assert.deepEqual(written.sort(), own.sort());
    }
    assert.deepEqual(tallyOf(stage.audit.writes(home.namespace)), { 'create 201': teams.length * each });

    const [survivor, killed] = leaders;
    assert.ok(survivor !== undefined && killed !== undefined);
    const kept = await stage.events(home.namespace);
    const killedAt = Date.now();
    await killed.end('SIGKILL');
    // One is fixed and one is new while nobody leads there; nothing else changes.
    const [team = ''] = ofShard(1);
    const changed = [...ids.slice(1), 'CVE-2026-20000'];
    await putReport(stage, report(team, changed));
    const [fixed = ''] = eventNames(report(team, ids));
    const added = eventNames(report(team, changed)).at(-1) ?? '';
    await stage.eventWhen(home.namespace, fixed, 'fixed', ({ status }) => status?.reason === 'fixed');
    await until('the new event', () => stage.event(home.namespace, added));
    t.diagnostic(
      `followed ${Date.now() - killedAt} ms after SIGKILL, with a lease of ${leaderElection.leaseSeconds} s`,
    );
    assert.deepEqual((await shardsOf(survivor)).led, [0, 1]);
    await assertBooksBalance(survivor);
    const versions = new Map(kept.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
    for (const { metadata, status } of await stage.events(home.namespace)) {
      if (metadata.name === fixed || metadata.name === added) continue;
      assert.equal(status?.phase, 'Active');
      assert.equal(metadata.resourceVersion, versions.get(metadata.name), 'nothing else was written');
    }

    // A third one reads its share first, then the other gives it back, and writes nothing there any more.
    const third = await start();
    const shared = await byShard([survivor, third]);
    await putReport(stage, report(ofShard(0)[0] ?? '', [...ids, 'CVE-2026-30000']));
    await putReport(stage, report(ofShard(1)[0] ?? '', [...changed, 'CVE-2026-30000']));
    for (const [shard, leader] of shared.entries()) {
      const place = ofShard(shard)[0] ?? '';
      const [name = ''] = eventNames(report(place, ['CVE-2026-30000']));
      await until(`${name} of shard ${shard}`, () => linesOf(leader, 'event created', { event: name })[0]);
    }
    for (const replica of [survivor, third]) {
      const { received } = await assertBooksBalance(replica);
      t.diagnostic(`received ${received}`);
      assert.deepEqual(linesOf(replica, 'event resolved').length, replica === survivor ? 1 : 0);
    }
    const writes = stage.audit.writes(home.namespace);
    assert.deepEqual(tallyOf(writes), { 'create 201': teams.length * each + 3, 'patch status 200': 1 });
    assert.deepEqual([createdTwice(writes), writesWithoutChange(writes)], [[], []]);
    for (const replica of [survivor, third]) await stage.end(replica);
    const refused = stage.audit.requestsOf(home.account.user).filter(({ code }) => code === 403);
    assert.deepEqual(refused, []);
  });
});
