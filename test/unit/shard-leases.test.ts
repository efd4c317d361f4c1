/** Leases of shards on a model of the server: fair shares, hand-over without a gap, and never two divisions at work. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { LeaseStore } from '../../src/kube/lease-store.ts';
import { ShardLeases, warmNote } from '../../src/kube/shard-leases.ts';
import { Slots } from '../../src/kube/slots.ts';
import { LeaseReplica, LeaseServer, leaseTiming } from '../support/lease-world.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const slotNames = Array.from({ length: 6 }, (_, slot) => `slot-${slot}`);
const leader = 'leader';

function namesOf(count: number): string[] {
  return count === 1 ? [leader] : Array.from({ length: count }, (_, shard) => `shard-${shard}`);
}

/** One replica as the daemon has it: it knows at once what it is to read, unless it is slow. */
class Replica {
  readonly slots: Slots;
  readonly leases: ShardLeases;
  readonly model: LeaseReplica;
  readonly count: number;
  scope: ReadonlySet<number> = new Set();
  warm = new Set<number>();
  isSlow = false;
  isDead = false;
  readonly told: string[] = [];

  /** `delay`: how long each request is on its way. */
  constructor(server: LeaseServer, identity: string, count: number, delay: () => Promise<void> = async () => {}) {
    this.count = count;
    this.model = new LeaseReplica(server, identity);
    const { clock } = this.model;
    const store: LeaseStore = {
      read: async (name) => {
        await delay();
        return this.model.store.read(name);
      },
      write: async (...write) => {
        await delay();
        return this.model.store.write(...write);
      },
    };
    const common = { identity, store, clock, random: () => 0.5, timing: leaseTiming };
    this.slots = new Slots({
      ...common,
      names: slotNames,
      shards: count,
      foreign: count === 1 ? [] : [leader],
      says: () => ({ [warmNote]: [...this.warm].filter((shard) => !this.leases.held.includes(shard)).join(',') }),
    });
    this.leases = new ShardLeases({
      ...common,
      names: namesOf(count),
      slots: this.slots,
      scope: () => this.scope,
      isWarm: (shard) => this.warm.has(shard),
      acquired: (shard) => void this.told.push(`acquired ${shard}`),
      lost: (shard, end) => void this.told.push(`${end} ${shard}`),
      failed: () => {},
    });
  }

  /** What happens in a second or two of its life. */
  async turn(): Promise<void> {
    if (this.isDead) return;
    await this.slots.round();
    if (!this.slots.isUndisputed) for (const shard of this.leases.held) await this.leases.giveBack(shard);
    else if (this.count > 1) {
      this.leases.resume();
      this.scope = this.leases.wantedScope();
      const isNew = (shard: number) => this.isSlow && !this.warm.has(shard);
      this.warm = new Set([...this.scope].filter((shard) => !isNew(shard)));
      const surplus = this.leases.surplus();
      if (surplus !== undefined) await this.leases.giveBack(surplus);
    }
    await this.leases.attempt();
  }

  get writes(): readonly number[] {
    if (this.isDead) return [];
    return namesOf(this.count).flatMap((_, shard) => (this.leases.isHeld(shard) ? [shard] : []));
  }
}

/** Several replicas; after each step it holds that no shard has two leaders and that there is one division at work. */
class Crowd {
  readonly server = new LeaseServer();
  readonly replicas: Replica[] = [];

  add(count: number, identity = `r${this.replicas.length}`): Replica {
    const replica = new Replica(this.server, identity, count);
    // Monotonic clocks of different hosts have nothing in common, but they run alike.
    replica.model.pass(this.replicas.length * 1_000_000);
    this.replicas.push(replica);
    return replica;
  }

  async run(turns: number): Promise<void> {
    for (let turn = 0; turn < turns; turn += 1) {
      for (const replica of this.replicas) {
        await replica.turn();
        this.check();
      }
      for (const { model } of this.replicas) model.pass(1_000);
      this.check();
    }
  }

  check(): void {
    const writing = this.replicas.filter(({ writes }) => writes.length > 0);
    const shards = writing.flatMap(({ writes }) => writes);
    assert.equal(new Set(shards).size, shards.length, `two lead in one shard: ${shards}`);
    const counts = new Set(writing.map(({ count }) => count));
    assert.ok(counts.size <= 1, `divisions at work at the same time: ${[...counts]}`);
  }

  get shares(): number[] {
    return this.replicas.filter(({ isDead }) => !isDead).map(({ writes }) => writes.length);
  }

  /** Nothing runs on: the timers of terms end. */
  async end(): Promise<void> {
    for (const { leases, slots } of this.replicas) await Promise.all([leases.stop(), slots.stop()]);
  }
}

suite('Leases of shards', () => {
  test('two replicas that start together lead in one shard each; a third one stands by', async (t) => {
    const crowd = new Crowd();
    t.after(() => crowd.end());
    for (let count = 0; count < 3; count += 1) crowd.add(2);
    await crowd.run(6);
    assert.deepEqual(crowd.shares, [1, 1, 0]);
    assert.deepEqual([...(crowd.replicas[2]?.scope ?? [])], [0], 'by its slot, modulo the number of shards');
  });

  test('one alone leads in all; who comes later gets its share, one shard at a time, when it has read it', async (t) => {
    const crowd = new Crowd();
    t.after(() => crowd.end());
    crowd.add(4);
    await crowd.run(6);
    assert.deepEqual(crowd.shares, [4]);
    const second = crowd.add(4);
    second.isSlow = true;
    await crowd.run(20);
    assert.deepEqual(crowd.shares, [4, 0], 'nothing is given back to who could not go on with it');
    assert.equal(second.scope.size, 1);
    second.isSlow = false;
    await crowd.run(10);
    assert.deepEqual(crowd.shares, [2, 2]);
    crowd.add(4);
    await crowd.run(10);
    assert.deepEqual(crowd.shares.toSorted(), [1, 1, 2]);
    crowd.add(4);
    await crowd.run(10);
    assert.deepEqual(crowd.shares, [1, 1, 1, 1]);
  });

  test('killed, its shard is taken within the lease; nobody has to be below its share', async (t) => {
    const crowd = new Crowd();
    t.after(() => crowd.end());
    const [first, second] = [crowd.add(2), crowd.add(2)];
    await crowd.run(6);
    assert.deepEqual(crowd.shares, [1, 1]);
    second.isDead = true;
    // One turn is a second.
    await crowd.run(15);
    assert.deepEqual(first.writes, [0, 1]);
  });

  test('killed, its shard is read by one of the others before its Lease is free; who renews again keeps it', async (t) => {
    const crowd = new Crowd();
    t.after(() => crowd.end());
    const [first, second, third] = [crowd.add(2), crowd.add(2), crowd.add(2)];
    await crowd.run(6);
    const [[kept = -1], [lost = -1]] = [first.writes, second.writes];
    const scopes = () => [first, third].map(({ scope }) => [...scope]);
    second.isDead = true;
    await crowd.run(8);
    assert.deepEqual(scopes(), [[kept], [0]], 'the third one stands by for the shard of its slot');
    // Its own term is over after 10 s, its Lease free after 12.
    await crowd.run(3);
    assert.deepEqual(scopes(), [[kept], [lost]]);
    assert.deepEqual(crowd.shares, [1, 0]);
    second.isDead = false;
    await crowd.run(2);
    assert.deepEqual(second.writes, [lost]);
    second.isDead = true;
    await crowd.run(12);
    assert.deepEqual(third.writes, [lost]);
    assert.deepEqual(first.writes, [kept]);
  });

  test('another number of shards is waited out, in both directions, also by the only leader', async (t) => {
    for (const [before, after] of [
      [1, 2],
      [2, 1],
      [2, 4],
      [4, 2],
    ] as const) {
      const crowd = new Crowd();
      t.after(() => crowd.end());
      const old = [crowd.add(before), crowd.add(before)];
      await crowd.run(6);
      const led = old.flatMap(({ writes }) => writes).length;
      assert.equal(led, before, `${before} to ${after}`);
      crowd.add(after);
      crowd.add(after);
      await crowd.run(10);
      assert.deepEqual(crowd.shares.slice(2), [0, 0], `${before} to ${after}: who comes waits`);
      assert.equal(old.flatMap(({ writes }) => writes).length, before, `${before} to ${after}: who was there goes on`);
      for (const replica of old) {
        replica.isDead = true;
        await crowd.run(2);
      }
      await crowd.run(25);
      const sum = crowd.shares.reduce((total, share) => total + share, 0);
      assert.equal(sum, after, `${before} to ${after}: ${crowd.shares}`);
    }
  });

  test('of two that come at the same time with different numbers, at most one begins', async (t) => {
    let begun = 0;
    for (let seed = 1; seed <= 300; seed += 1) {
      const random = new SeededRandom(seed);
      const delay = async () => {
        for (let turns = random.between(0, 40); turns > 0; turns -= 1) await undefined;
      };
      const server = new LeaseServer();
      const pair = [2, 3].map((count) => new Replica(server, `r${count}`, count, delay));
      t.after(() => Promise.all(pair.map(({ slots }) => slots.stop())));
      for (let round = 0; round < 4; round += 1) {
        await Promise.all(pair.map(({ slots }) => slots.round()));
        const undisputed = pair.filter(({ slots }) => slots.isUndisputed);
        assert.ok(undisputed.length < 2, `seed ${seed}: both divide the work`);
        if (round === 3) begun += undisputed.length;
      }
    }
    assert.ok(begun > 100, `only ${begun} of 300 began within four rounds`);
  });

  test('who loses its slot does not lead any more, whatever its Leases say', async (t) => {
    const crowd = new Crowd();
    t.after(() => crowd.end());
    const replica = crowd.add(2);
    await crowd.run(6);
    assert.deepEqual(replica.writes, [0, 1]);
    crowd.server.force('slot-0', { holderIdentity: 'thief' });
    await replica.slots.round();
    replica.model.pass(leaseTiming.renewDeadlineMs / 2);
    await replica.leases.attempt();
    await replica.slots.round();
    assert.equal(replica.leases.held.length, 2);
    assert.equal(replica.writes.length > 0, replica.slots.isUndisputed);
  });

  test('a slot that lapsed for a moment ends its terms, and having it again begins new ones: what was fenced is looked for', async (t) => {
    const crowd = new Crowd();
    t.after(() => crowd.end());
    const replica = crowd.add(2);
    await crowd.run(6);
    assert.deepEqual(replica.told, ['acquired 0', 'acquired 1']);
    // Its shards' Leases are renewed, the round of its slots is late.
    for (let second = 0; second < 11; second += 1) {
      replica.model.pass(1_000);
      await replica.leases.attempt();
    }
    assert.deepEqual(replica.leases.held, [0, 1]);
    assert.deepEqual(replica.writes, []);
    await replica.slots.round();
    assert.equal(replica.slots.isUndisputed, true);
    assert.deepEqual(replica.writes, [], 'over is over');
    replica.leases.resume();
    assert.deepEqual(replica.writes, [0, 1]);
    assert.deepEqual(replica.told.slice(2), ['expired 0', 'expired 1', 'acquired 0', 'acquired 1']);
  });

  test('a leader of an older version, which says nothing and holds no slot, is waited out as well', async (t) => {
    const crowd = new Crowd();
    t.after(() => crowd.end());
    crowd.server.force(leader, { holderIdentity: 'old', leaseDurationSeconds: 15 });
    const replica = crowd.add(2);
    await crowd.run(10);
    assert.deepEqual(replica.writes, []);
    await crowd.run(12);
    assert.deepEqual(replica.writes, [0, 1]);
  });

  test('at random: starts, kills, faults and changes of the number never put two to work at one thing', async (t) => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const random = new SeededRandom(seed);
      const crowd = new Crowd();
      t.after(() => crowd.end());
      for (let step = 0; step < 25; step += 1) {
        const alive = crowd.replicas.filter(({ isDead }) => !isDead);
        const kind = random.between(0, 9);
        if (kind < 3 && alive.length < 5) crowd.add(random.pick([1, 2, 3]));
        else if (kind === 3 && alive.length > 0) random.pick(alive).isDead = true;
        else if (kind === 4 && alive.length > 0) random.pick(alive).model.fault = random.pick(['fail', 'lost']);
        else if (kind === 5) for (const { model } of alive) model.fault = undefined;
        await crowd.run(random.between(1, 6));
      }
      // One number remains: its replicas come to lead everywhere.
      for (const replica of crowd.replicas) replica.isDead = true;
      for (let count = 0; count < 2; count += 1) crowd.add(3, `last-${count}`);
      await crowd.run(40);
      assert.deepEqual(crowd.shares.toSorted(), [1, 2], `seed ${seed}`);
    }
  });
});
