/**
 * When a Lease is taken whose holder died, in virtual time: within the lease after its death, and not before its own
 * deadline, for any configuration that is accepted, any moment and any phase of the others (R7).
 */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { suite, test } from 'node:test';
import { leaderElectionSchema, waitSecondsOf } from '../../src/config/leader-election-schema.ts';
import type { LeaseTiming } from '../../src/kube/lease.ts';
import { Lease } from '../../src/kube/lease.ts';
import { ShardLeases } from '../../src/kube/shard-leases.ts';
import { Slots } from '../../src/kube/slots.ts';
import { LeaseHost, LeaseServer } from '../support/lease-world.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { VirtualTime } from '../support/virtual-time.ts';

type Election = ReturnType<typeof leaderElectionSchema.parse>;

const seeds = Array.from({ length: 200 }, (_, index) => index + 1);

function timingOf(election: Election): LeaseTiming {
  return {
    waitSeconds: waitSecondsOf(election),
    renewDeadlineMs: election.renewDeadlineSeconds * 1000,
    retryMs: election.retrySeconds * 1000,
  };
}

/** The default and others, the tighter the better, that are accepted. */
function electionBy(random: SeededRandom): Election {
  for (;;) {
    const leaseSeconds = random.pick([15, 15, 3, 4, 7, 30, 60, 137]);
    const share = () => Math.ceil(random.next() * 20) / 20;
    const [renewDeadlineSeconds, retrySeconds] =
      leaseSeconds === 15 && random.isLucky(0.5) ? [10, 2] : [leaseSeconds * share(), leaseSeconds * share() * 0.4];
    const parsed = leaderElectionSchema.safeParse({ leaseSeconds, renewDeadlineSeconds, retrySeconds });
    if (parsed.success && retrySeconds > leaseSeconds / 100) return parsed.data;
  }
}

/** Hosts with a Lease each, the first of which leads. */
class Race {
  readonly time = new VirtualTime();
  readonly server = new LeaseServer();
  readonly hosts: LeaseHost[] = [];
  readonly leases: Lease[] = [];
  /** What is to be stopped at the end. */
  readonly runs: { stop(): Promise<void> }[] = [];
  readonly random: SeededRandom;
  readonly latency: () => number;

  constructor(t: TestContext, seed: number, latestMs: number) {
    t.after(() => this.end());
    this.random = new SeededRandom(seed);
    this.latency = () => this.random.next() * latestMs;
  }

  add(rate = 1): LeaseHost {
    const { time, server, random, latency } = this;
    const host = new LeaseHost(server, `host-${this.hosts.length}`, { time, rate, random, latency });
    this.hosts.push(host);
    return host;
  }

  addLease(timing: LeaseTiming, isWatching: boolean, rate = 1): void {
    const host = this.add(rate);
    const lease = new Lease({ ...host.parts, name: 'leader', timing });
    if (isWatching) host.watch('leader', () => lease.nudge());
    this.leases.push(lease);
    this.runs.push(lease);
    lease.start();
  }

  /** Goes on to any moment, or to the worst one: just after a renewal, which the others have not seen yet. */
  async toItsEnd(host: LeaseHost | undefined): Promise<void> {
    const { server, time, random } = this;
    const { length } = server.writes;
    if (random.isLucky(0.5)) await time.pass(time.nowMs + random.next() * 10_000);
    else
      await time.pass(time.nowMs + 100_000, () =>
        server.writes.slice(length).some(({ record }) => record.holderIdentity === host?.parts.identity),
      );
    host?.kill();
  }

  /** Also of a test that failed: no timer of a term is left. */
  async end(): Promise<void> {
    const stopped = this.runs.splice(0).map((run) => run.stop());
    for (const host of this.hosts) host.end();
    this.time.end();
    await Promise.all(stopped);
  }
}

suite('take-over of a Lease', () => {
  test('what is configured leaves room between the end of a term and that of the lease, or is refused with what would', () => {
    const trouble = (asked: object) => leaderElectionSchema.safeParse(asked).error?.issues[0]?.message;
    const waits = (asked: object) => waitSecondsOf(leaderElectionSchema.parse(asked));
    assert.deepEqual(
      [waits({}), waits({ leaseSeconds: 30 }), waits({ leaseSeconds: 60, retrySeconds: 5 })],
      [12, 27, 53],
    );
    assert.equal(
      trouble({ renewDeadlineSeconds: 13 }),
      'too long for leaseSeconds 15, which must be 19 then: others wait a fifth longer than a leader writes, ' +
        'in whole seconds, here 16, and look every 2 s',
    );
    assert.equal(trouble({ renewDeadlineSeconds: 13, leaseSeconds: 19 }), undefined);
    assert.match(trouble({ renewDeadlineSeconds: 13, leaseSeconds: 18 }) ?? '', /must be 19/);
    assert.match(trouble({ leaseSeconds: 3, renewDeadlineSeconds: 2, retrySeconds: 0.4 }) ?? '', /must be 4/);
    for (const retrySeconds of [10, 12]) assert.match(trouble({ retrySeconds }) ?? '', /retrySeconds < renewDeadline/);
    assert.match(trouble({ leaseSeconds: 10 }) ?? '', /renewDeadlineSeconds < leaseSeconds/);
  });

  test('whenever its holder is killed, another one has it within the lease', async (t) => {
    const shares: number[] = [];
    for (const seed of seeds) {
      const race = new Race(t, seed, 20);
      const { random, time, server } = race;
      const election = electionBy(random);
      const timing = timingOf(election);
      const isWatching = random.isLucky(0.5);
      race.addLease(timing, isWatching);
      await time.pass(100);
      for (let count = random.between(1, 3); count > 0; count -= 1) race.addLease(timing, isWatching);
      await time.pass(time.nowMs + (1 + random.next() * 3) * election.leaseSeconds * 1000);
      assert.equal(server.get('leader')?.holderIdentity, 'host-0');
      await race.toItsEnd(race.hosts[0]);
      const killedMs = time.nowMs;
      await time.pass(killedMs + 2e6, () => race.leases.slice(1).some(({ isHeld }) => isHeld));
      const share = (time.nowMs - killedMs) / (election.leaseSeconds * 1000);
      shares.push(share);
      assert.ok(share <= 1, `seed ${seed}: after ${share.toFixed(3)} of the lease, ${JSON.stringify(election)}`);
      await race.end();
    }
    t.diagnostic(`after ${Math.min(...shares).toFixed(2)} to ${Math.max(...shares).toFixed(2)} of the lease`);
  });

  test('cut off, its holder has stopped when another one takes it, though clocks run apart by a sixth', async (t) => {
    let least = Number.POSITIVE_INFINITY;
    for (const seed of seeds) {
      const race = new Race(t, seed, 200);
      const { random, time } = race;
      const election = electionBy(random);
      const timing = timingOf(election);
      race.addLease(timing, true, 1 - random.next() / 12);
      await time.pass(1_000);
      for (let count = 0; count < 2; count += 1) race.addLease(timing, random.isLucky(0.5), 1 + random.next() / 12);
      await time.pass(time.nowMs + (1 + random.next() * 2) * election.leaseSeconds * 1000);
      const [holder, ...others] = race.leases;
      // Its own timers may be late: what counts is what its clocks say when it is asked.
      const cutMs = time.nowMs;
      race.hosts[0]?.cutOff();
      let stoppedMs = Number.POSITIVE_INFINITY;
      await time.pass(cutMs + 2e6, () => {
        const isHeld = holder?.isHeld === true;
        if (!isHeld) stoppedMs = Math.min(stoppedMs, time.nowMs);
        const taken = others.filter((other) => other.isHeld).length;
        assert.ok(taken + Number(isHeld) <= 1, `seed ${seed}: two hold it, ${JSON.stringify(election)}`);
        return taken === 1;
      });
      least = Math.min(least, (time.nowMs - stoppedMs) / timing.renewDeadlineMs);
      await race.end();
    }
    t.diagnostic(`at the least ${least.toFixed(3)} of its deadline after it`);
  });

  test('a slot is taken within the lease by who waits for one', async (t) => {
    for (const seed of seeds.slice(0, 60)) {
      const race = new Race(t, seed, 20);
      const { random, time } = race;
      const election = electionBy(random);
      const names = ['slot-0', 'slot-1'];
      const all: Slots[] = [];
      for (let count = 0; count < 3; count += 1) {
        const slots = new Slots({ ...race.add().parts, names, timing: timingOf(election) });
        all.push(slots);
        race.runs.push(slots);
        slots.start();
        await time.pass(time.nowMs + 100 + random.next() * 1_000);
      }
      await time.pass(time.nowMs + (1 + random.next()) * election.leaseSeconds * 1000);
      assert.deepEqual(
        all.map(({ own }) => own),
        [0, 1, undefined],
      );
      await race.toItsEnd(race.hosts[1]);
      const killedMs = time.nowMs;
      await time.pass(killedMs + 2e6, () => all[2]?.own === 1);
      const share = (time.nowMs - killedMs) / (election.leaseSeconds * 1000);
      assert.ok(share <= 1, `seed ${seed}: after ${share.toFixed(3)} of the lease, ${JSON.stringify(election)}`);
      await race.end();
    }
  });

  test('all shards of a replica that was killed are taken within the lease, by who has its share already as well', async (t) => {
    const shares: number[] = [];
    for (const seed of seeds.slice(0, 60)) {
      const race = new Race(t, seed, 20);
      const { random, time } = race;
      const election = electionBy(random);
      const isWatching = random.isLucky(0.5);
      const names = Array.from({ length: random.between(2, 4) }, (_, shard) => `shard-${shard}`);
      const all: { slots: Slots; leases: ShardLeases }[] = [];
      for (let count = random.between(2, 4); count > 0; count -= 1) {
        all.push(addReplica(race, names, timingOf(election), isWatching));
        await time.pass(time.nowMs + random.next() * 100);
      }
      const isLed = (replicas: typeof all) =>
        names.every((_, shard) => replicas.some(({ leases }) => leases.isHeld(shard)));
      await time.pass(time.nowMs + (2 + random.next()) * election.leaseSeconds * 1000);
      assert.ok(isLed(all), `seed ${seed}: not all are led in from the start`);
      const killed = random.pick(all.filter(({ leases }) => leases.held.length > 0));
      const living = all.filter((replica) => replica !== killed);
      await race.toItsEnd(race.hosts[all.indexOf(killed)]);
      const killedMs = time.nowMs;
      await time.pass(killedMs + 2e6, () => isLed(living));
      const share = (time.nowMs - killedMs) / (election.leaseSeconds * 1000);
      shares.push(share);
      assert.ok(share <= 1, `seed ${seed}: after ${share.toFixed(3)} of the lease, ${JSON.stringify(election)}`);
      await race.end();
    }
    t.diagnostic(`after ${Math.min(...shares).toFixed(2)} to ${Math.max(...shares).toFixed(2)} of the lease`);
  });
});

/** As the daemon has it, but for what is read: nothing, so that it knows at once. */
function addReplica(race: Race, names: readonly string[], timing: LeaseTiming, isWatching: boolean) {
  const host = race.add();
  let scope: ReadonlySet<number> = new Set();
  const slots: Slots = new Slots({
    ...host.parts,
    names: ['slot-0', 'slot-1', 'slot-2', 'slot-3'],
    shards: names.length,
    timing,
    looked() {
      leases.resume();
      scope = leases.wantedScope();
      for (const shard of names.keys()) if (scope.size === 0) leases.nudge(shard);
    },
  });
  const leases: ShardLeases = new ShardLeases({
    ...host.parts,
    names,
    slots,
    timing,
    scope: () => scope,
    isWarm: (shard) => scope.has(shard) && leases.isHeld(shard),
    acquired: () => {},
    lost: () => {},
    failed: () => {},
  });
  if (isWatching) for (const [shard, name] of names.entries()) host.watch(name, () => leases.nudge(shard));
  race.runs.push(leases, slots);
  slots.start();
  leases.start();
  return { slots, leases };
}
