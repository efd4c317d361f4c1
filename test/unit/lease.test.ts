/** A Lease and its holder, by set clocks: who may write when, whatever the server and the clocks do (R7). */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Lease } from '../../src/kube/lease.ts';
import type { LeaseRecord } from '../../src/kube/lease-store.ts';
import { Slots } from '../../src/kube/slots.ts';
import { LeaseReplica, LeaseServer, leaseTiming } from '../support/lease-world.ts';

function world(skewMs = 0) {
  const server = new LeaseServer();
  const first = new LeaseReplica(server, 'first');
  const second = new LeaseReplica(server, 'second', skewMs);
  const pass = (milliseconds: number) => {
    first.pass(milliseconds);
    second.pass(milliseconds);
  };
  return { server, first, second, pass, a: first.lease(), b: second.lease() };
}

suite('lease', () => {
  test('the first one makes it and holds it; the other one waits', async () => {
    const { server, first, second, a, b } = world();
    await a.attempt();
    await b.attempt();
    assert.deepEqual([a.isHeld, b.isHeld, a.holder, b.holder], [true, false, 'first', 'first']);
    assert.deepEqual(server.get('leader'), {
      holderIdentity: 'first',
      leaseDurationSeconds: 12,
      acquireTime: '2026-01-01T00:00:00.000000Z',
      renewTime: '2026-01-01T00:00:00.000000Z',
      leaseTransitions: 0,
    } satisfies LeaseRecord);
    assert.deepEqual([first.events, second.events], [['acquired'], []]);
    await a.stop();
  });

  test('a renewal costs one request and changes the time of the renewal alone', async () => {
    const { server, a, pass } = world();
    await a.attempt();
    const reads = server.reads;
    pass(2_000);
    await a.attempt();
    assert.equal(server.reads, reads);
    assert.equal(server.get('leader')?.renewTime, '2026-01-01T00:00:02.000000Z');
    assert.equal(server.get('leader')?.acquireTime, '2026-01-01T00:00:00.000000Z');
    await a.stop();
  });

  test('while it is renewed nobody takes it, however long that goes on', async () => {
    const { a, b, pass } = world();
    await a.attempt();
    for (let round = 0; round < 30; round += 1) {
      await b.attempt();
      assert.equal(b.isHeld, false);
      pass(2_000);
      await a.attempt();
      assert.equal(a.isHeld, true);
    }
    await a.stop();
  });

  test('not renewed, it is over for the holder before another one may take it', async () => {
    const { first, a, b, pass } = world();
    await a.attempt();
    await b.attempt();
    pass(9_999);
    assert.equal(a.isHeld, true);
    pass(1);
    assert.equal(a.isHeld, false);
    assert.deepEqual(first.events, ['acquired', 'expired']);
    await b.attempt();
    pass(1_999);
    await b.attempt();
    assert.equal(b.isHeld, false);
    pass(1);
    await b.attempt();
    assert.equal(b.isHeld, true);
    await a.attempt();
    assert.deepEqual([a.isHeld, a.holder], [false, 'second']);
    await b.stop();
  });

  test('the others count from when they saw it change: one that starts late waits for the whole duration', async () => {
    const { a, b, pass } = world();
    await a.attempt();
    pass(60_000);
    await b.attempt();
    assert.equal(b.isHeld, false);
    pass(11_999);
    await b.attempt();
    assert.equal(b.isHeld, false);
    pass(1);
    await b.attempt();
    assert.equal(b.isHeld, true);
    await Promise.all([a.stop(), b.stop()]);
  });

  test('wall clocks that are an hour apart change nothing', async () => {
    for (const skewMs of [3_600_000, -3_600_000]) {
      const { a, b, pass } = world(skewMs);
      await a.attempt();
      await b.attempt();
      pass(10_000);
      await b.attempt();
      assert.deepEqual([a.isHeld, b.isHeld], [false, false]);
      pass(5_000);
      await b.attempt();
      assert.equal(b.isHeld, true);
      await b.stop();
    }
  });

  test('a slow renewal counts from when it was sent', async () => {
    const { first, a, pass } = world();
    await a.attempt();
    pass(5_000);
    first.onTheWay = () => {
      pass(4_000);
      first.clock.wallMs -= 60_000; // The other clock would end it as well.
    };
    await a.attempt();
    assert.equal(a.isHeld, true);
    first.onTheWay = () => {};
    pass(5_999);
    assert.equal(a.isHeld, true);
    pass(1);
    assert.equal(a.isHeld, false);
    await a.stop();
  });

  test('a renewal that is answered after the deadline does not lengthen the term', async () => {
    const { first, a, pass } = world();
    await a.attempt();
    pass(2_000);
    first.onTheWay = () => {
      pass(10_000);
      first.clock.wallMs -= 60_000;
    };
    await a.attempt();
    assert.equal(a.isHeld, false);
    assert.deepEqual(first.events, ['acquired', 'expired']);
    first.onTheWay = () => {};
    await a.attempt();
    assert.equal(a.isHeld, true);
    assert.deepEqual(first.events, ['acquired', 'expired', 'acquired']);
    await a.stop();
  });

  test('a term that was seen to be over stays over, also when a renewal on the way still succeeds', async () => {
    const { first, a, pass } = world();
    await a.attempt();
    pass(9_000);
    // Asked while the renewal is on its way: a write was fenced. The answer begins a new term, it does not go on with the old.
    first.onTheWay = () => {
      pass(1_500);
      assert.equal(a.isHeld, false);
    };
    await a.attempt();
    assert.deepEqual([a.isHeld, first.events], [true, ['acquired', 'expired', 'acquired']]);
    await a.stop();
  });

  test('a process that was stopped past its lease finds it over, and taken', async () => {
    const { first, second, a, b } = world();
    await a.attempt();
    await b.attempt();
    second.pass(12_000);
    await b.attempt();
    assert.equal(b.isHeld, true);
    first.pass(12_000);
    assert.equal(a.isHeld, false);
    await a.attempt();
    assert.deepEqual([a.isHeld, a.holder], [false, 'second']);
    await b.stop();
  });

  test('a renewal that arrives after another one took it can only lose', async () => {
    const { server, first, a, pass } = world();
    await a.attempt();
    pass(2_000);
    first.onTheWay = () => {
      pass(20_000);
      server.force('leader', { holderIdentity: 'second' });
    };
    await a.attempt();
    assert.equal(server.get('leader')?.holderIdentity, 'second');
    assert.equal(a.isHeld, false);
    await a.stop();
  });

  test('a wall clock that jumps ahead ends the term, one that jumps back does not lengthen it', async () => {
    const { first, a, pass } = world();
    await a.attempt();
    first.clock.wallMs += 10_000;
    assert.equal(a.isHeld, false, 'the machine may have been suspended');
    await a.attempt();
    first.clock.wallMs -= 3_600_000;
    assert.equal(a.isHeld, true);
    pass(10_000);
    assert.equal(a.isHeld, false);
    await a.stop();
  });

  test('a renewal whose answer was lost is found by the next one', async () => {
    const { server, first, a, pass } = world();
    await a.attempt();
    pass(2_000);
    first.fault = 'lost';
    await a.attempt();
    first.fault = undefined;
    pass(2_000);
    await a.attempt();
    assert.equal(a.isHeld, true);
    pass(9_000);
    assert.equal(a.isHeld, true);
    assert.equal(server.get('leader')?.leaseTransitions, 0);
    assert.deepEqual(first.events, ['acquired', 'failed: answer lost']);
    await a.stop();
  });

  test('a server that does not answer ends the term at its deadline; afterwards it is held again', async () => {
    const { first, a, pass } = world();
    await a.attempt();
    first.fault = 'fail';
    for (let round = 0; round < 4; round += 1) {
      pass(2_000);
      await a.attempt();
      assert.equal(a.isHeld, true);
    }
    pass(2_000);
    await a.attempt();
    assert.equal(a.isHeld, false);
    first.fault = undefined;
    await a.attempt();
    assert.equal(a.isHeld, true);
    assert.equal(first.events.filter((event) => event.startsWith('failed')).length, 5);
    await a.stop();
  });

  test('of two who try at the same time one wins, and it is no failure of the other', async () => {
    const { server, first, second, a, b, pass } = world();
    await Promise.all([a.attempt(), b.attempt()]);
    assert.equal(Number(a.isHeld) + Number(b.isHeld), 1);
    assert.equal(server.writes.length, 1);
    assert.deepEqual([...first.events, ...second.events], ['acquired']);
    pass(1);
    await Promise.all([a.stop(), b.stop()]);
  });

  test('another one that took it by force ends the term as soon as that is seen', async () => {
    const { server, first, a, pass } = world();
    await a.attempt();
    server.force('leader', { holderIdentity: 'intruder', leaseDurationSeconds: 15 });
    pass(2_000);
    await a.attempt(); // 409
    await a.attempt();
    assert.deepEqual([a.isHeld, a.holder, first.events], [false, 'intruder', ['acquired', 'taken']]);
    await a.stop();
    assert.equal(server.get('leader')?.holderIdentity, 'intruder', 'what is not ours is not released');
  });

  test('released at the end, it can be taken at once', async () => {
    const { server, first, a, b } = world();
    await a.attempt();
    await b.attempt();
    await a.stop();
    assert.equal(a.isHeld, false);
    assert.deepEqual(first.events, ['acquired', 'released']);
    assert.equal(server.get('leader')?.holderIdentity, '');
    await b.attempt();
    assert.equal(b.isHeld, true);
    assert.equal(server.get('leader')?.leaseTransitions, 1);
    await b.stop();
  });

  test('the duration that its holder says counts, not our own', async () => {
    const { server, a, pass } = world();
    server.force('leader', { holderIdentity: 'patient', leaseDurationSeconds: 60 });
    await a.attempt();
    pass(59_999);
    await a.attempt();
    assert.equal(a.isHeld, false);
    pass(1);
    await a.attempt();
    assert.equal(a.isHeld, true);
    await a.stop();
  });

  test('a record that says no duration, or one out of all bounds, holds for our own', async () => {
    for (const leaseDurationSeconds of [0, -5, Number.NaN, 1e9]) {
      const { server, a, pass } = world();
      server.force('leader', { holderIdentity: 'odd', leaseDurationSeconds });
      await a.attempt();
      pass(11_999);
      await a.attempt();
      assert.equal(a.isHeld, false);
      pass(1);
      await a.attempt();
      assert.equal(a.isHeld, true);
      await a.stop();
    }
  });

  test('times that make no sense are refused at the start', () => {
    const replica = new LeaseReplica(new LeaseServer(), 'a');
    for (const wrong of [{ renewDeadlineMs: 12_000 }, { retryMs: 10_000 }, { waitSeconds: Number.NaN }]) {
      assert.throws(() => replica.lease('leader', { ...leaseTiming, ...wrong }), /retry < renew deadline < wait/);
    }
  });

  test('started, it renews by itself, and is taken within the retry when another one releases it', async () => {
    const server = new LeaseServer();
    const timing = { waitSeconds: 1, renewDeadlineMs: 600, retryMs: 20 };
    const running = (identity: string) => {
      const { store } = new LeaseReplica(server, identity);
      const acquired = Promise.withResolvers<void>();
      const clock = { now: () => new Date(), monotonicMs: () => performance.now() };
      const parts = { name: 'leader', identity, store, clock, random: () => 0.5, timing };
      const lease = new Lease({ ...parts, acquired: () => acquired.resolve() });
      lease.start();
      return { lease, acquired: acquired.promise };
    };
    const one = running('one');
    await one.acquired;
    const two = running('two');
    const writes = server.writes.length;
    while (server.writes.length < writes + 3) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(one.lease.isHeld, true);
    await one.lease.stop();
    await two.acquired;
    assert.equal(two.lease.isHeld, true);
    await two.lease.stop();
  });
});

suite('slots', () => {
  const names = ['slot-0', 'slot-1', 'slot-2'];
  const replicas = (count: number) => {
    const server = new LeaseServer();
    const all = Array.from({ length: count }, (_, index) => {
      const replica = new LeaseReplica(server, `replica-${index}`);
      const { identity, store, clock } = replica;
      const told: string[] = [];
      const slots = new Slots({
        names,
        identity,
        store,
        clock,
        random: () => 0.5,
        timing: leaseTiming,
        changed: (own, members) => void told.push(`${own} of ${members}`),
      });
      return { replica, slots, told };
    });
    const rounds = async () => {
      for (const { slots } of all) await slots.round();
    };
    return { server, all, rounds };
  };

  test('each replica takes one, all know all members, and one too many is none', async () => {
    const { all, rounds } = replicas(4);
    await rounds();
    await rounds();
    assert.deepEqual(
      all.map(({ slots }) => slots.own),
      [0, 1, 2, undefined],
    );
    for (const { slots } of all) assert.deepEqual(slots.members, [0, 1, 2]);
    await Promise.all(all.map(({ slots }) => slots.stop()));
  });

  test('one that is not renewed leaves, and a new replica takes its place', async () => {
    const { all, rounds, server } = replicas(3);
    await rounds();
    await rounds();
    const [first, second, third] = all;
    for (const elapsed of [8_000, 8_000]) {
      for (const { replica } of all) replica.pass(elapsed);
      await first?.slots.round();
      await third?.slots.round();
    }
    assert.deepEqual(first?.slots.members, [0, 2]);
    assert.equal(second?.slots.own, undefined);
    assert.deepEqual(first?.told, ['0 of 0', '0 of 0,1,2', '0 of 0,2']);
    const late = new LeaseReplica(server, 'late');
    const { identity, store, clock } = late;
    const slots = new Slots({
      names,
      identity,
      store,
      clock,
      random: () => 0.5,
      timing: leaseTiming,
    });
    await slots.round();
    assert.equal(slots.own, undefined, 'it has not seen yet that nobody renews it');
    late.pass(12_000);
    for (const { replica } of all) replica.pass(1_000);
    await first?.slots.round();
    await third?.slots.round();
    await slots.round();
    assert.equal(slots.own, 1);
    await Promise.all([slots.stop(), ...all.map((one) => one.slots.stop())]);
  });

  test('given back at the end', async () => {
    const { all, rounds, server } = replicas(2);
    await rounds();
    await all[0]?.slots.stop();
    assert.equal(server.get('slot-0')?.holderIdentity, '');
    await all[1]?.slots.round();
    assert.deepEqual(all[1]?.slots.members, [1]);
    await all[1]?.slots.stop();
  });
});
