/** What filters and mutes do to events: never fixed by them, never lost, written no more than needed. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { mutedReasonAnnotation, mutedUntilAnnotation } from '../../src/api/event.ts';
import { LiveRules } from '../../src/pipeline/live-rules.ts';
import type { RuleSettings } from '../../src/pipeline/rules.ts';
import { finding, reading, start } from '../support/findings.ts';
import { changes, onlyEvent, World } from '../support/pipeline-world.ts';
import { everythingAccepted } from '../support/rules.ts';

const both = reading('r', [finding('a'), finding('b')]);
const use = (world: World, settings: Partial<RuleSettings>) => () =>
  void world.rules.use({ ...everythingAccepted, ...settings });
const muteA = { mutes: [{ rule: ['a'], reason: 'known' }] };
const excludeA = { filters: [{ action: 'exclude', rule: ['a'] } as const] };
const accountsOf = (world: World) => {
  const { accounts, received } = world.life.books.balance();
  const { written, unchanged, filtered, muted } = accounts;
  return { received, written, unchanged, filtered, muted };
};

suite('reconciler: filters and mutes', () => {
  for (const [word, settings] of [['muted', muteA] as const, ['filtered', excludeA] as const]) {
    test(`${word} without an event writes nothing and is booked as that`, async () => {
      const world = new World({ rules: settings });
      assert.equal(await changes(world, () => world.report('r', both)), 1);
      assert.deepEqual(world.state, ['b']);
      assert.equal(accountsOf(world)[word], 1);
      assert.equal(await changes(world, () => world.restart()), 0);
      assert.equal(accountsOf(world)[word], 1);
    });

    test(`${word} with an event: it stays Active, through rescans and restarts, until a report lacks the finding`, async () => {
      const world = new World();
      await changes(world, () => world.report('r', both));
      assert.equal(await changes(world, use(world, settings)), 0);
      assert.deepEqual(world.state, ['a', 'b']);
      assert.deepEqual(accountsOf(world), { received: 4, written: 2, unchanged: 1, filtered: 0, muted: 0, [word]: 1 });
      assert.equal(await changes(world, () => world.restart()), 0);
      assert.equal(await changes(world, () => world.report('r', both)), 0);
      assert.deepEqual(accountsOf(world), { received: 4, written: 0, unchanged: 2, filtered: 0, muted: 0, [word]: 2 });
      assert.equal(await changes(world, () => world.report('r', reading('r', [finding('b')]))), 1);
      assert.deepEqual(world.state, ['(a fixed)', 'b']);
      // It returns, but is withheld: the event stays as it is until that ends.
      assert.equal(await changes(world, () => world.report('r', both)), 0);
      assert.equal(await changes(world, use(world, {})), 1);
      assert.deepEqual(world.state, ['a', 'b']);
    });

    test(`${word} with an event that is deleted by hand: it does not return`, async () => {
      const world = new World();
      await changes(world, () => world.report('r', reading('r', [finding('a')])));
      const { name } = onlyEvent(world).metadata;
      await changes(world, use(world, settings));
      assert.equal(await changes(world, () => world.server.deleteByHand(name)), 0);
      assert.deepEqual(world.state, []);
      assert.equal(world.life.index.size, 0);
      assert.equal(await changes(world, use(world, {})), 1);
    });
  }

  test('withheld while its event is being created: the event is there and stays', async () => {
    const world = new World();
    world.server.latency = () => new Promise((resolve) => setTimeout(resolve, 2));
    world.report('r', reading('r', [finding('a')]));
    use(world, muteA)();
    await world.rest();
    assert.deepEqual(world.state, ['a']);
    assert.deepEqual(accountsOf(world), { received: 2, written: 1, unchanged: 0, filtered: 0, muted: 1 });
  });

  test('a partial report: what it withholds is counted, and resolves nothing', async () => {
    const world = new World();
    await changes(world, () => world.report('r', both));
    use(world, muteA)();
    const partial = reading('r', [finding('a')], { completeness: 'partial' });
    assert.equal(await changes(world, () => world.report('r', partial)), 0);
    assert.deepEqual(world.state, ['a', 'b']);
    assert.equal(accountsOf(world).muted, 2);
  });

  test('an override changes the severity of the event in place, and back', async () => {
    const world = new World();
    await changes(world, () => world.report('r', reading('r', [finding('a')])));
    const severityOverrides = [{ match: { rule: ['a'] }, severity: 'low' as const }];
    assert.equal(await changes(world, use(world, { severityOverrides })), 1);
    const { spec, metadata } = onlyEvent(world);
    assert.deepEqual([spec.severity, spec.sourceSeverity, metadata.labels?.['severity']], ['low', 'HIGH', 'low']);
    assert.equal(await changes(world, () => world.restart()), 0);
    assert.equal(await changes(world, use(world, {})), 1);
    assert.equal(onlyEvent(world).spec.severity, 'high');
  });

  test('a mute that ends lets its findings appear; one that has not does not', async () => {
    const until = new Date(start.getTime() + 60_000).toISOString();
    const world = new World({ rules: { mutes: [{ rule: ['a'], reason: 'known', until }] } });
    await changes(world, () => world.report('r', both));
    assert.equal(await changes(world, () => world.rules.look()), 0);
    world.elapsedMs = 60_000;
    assert.equal(await changes(world, () => world.rules.look()), 1);
    assert.deepEqual(world.state, ['a', 'b']);
    const before = accountsOf(world).received;
    world.rules.look();
    assert.equal(accountsOf(world).received, before, 'judged anew for nothing');
    world.rules.stop();
  });

  test('the same settings again change nothing', async () => {
    const world = new World({ rules: muteA });
    await changes(world, () => world.report('r', both));
    assert.equal(world.rules.use({ ...everythingAccepted, ...structuredClone(muteA) }), false);
    assert.equal(world.life.books.balance().received, 2);
  });
});

suite('reconciler: an event muted by its annotation', () => {
  const mute = (world: World, until: string, reason = 'vendor fix pending') => {
    const event = onlyEvent(world);
    const annotations = {
      ...event.metadata.annotations,
      [mutedUntilAnnotation]: until,
      [mutedReasonAnnotation]: reason,
    };
    const annotated = { ...event, metadata: { ...event.metadata, annotations } };
    return () => void world.server.putByHand(annotated, 'zen-watcher');
  };
  const one = reading('r', [finding('a')]);
  const none = reading('r', []);
  const later = '2026-03-01';

  async function mutedWorld(until = later): Promise<World> {
    const world = new World();
    await changes(world, () => world.report('r', one));
    assert.equal(await changes(world, mute(world, until)), 0);
    return world;
  }

  test('stays true, keeps its annotations through resolve, change and return; its occurrences are muted', async () => {
    const world = await mutedWorld();
    const { index } = world.life;
    assert.equal(index.muted.count(world.clock.now()), 1);
    assert.equal(await changes(world, () => world.report('r', one)), 0);
    assert.equal(await changes(world, () => world.report('r', none)), 1);
    assert.deepEqual(world.state, ['(a fixed)']);
    const critical = reading('r', [finding('a', { severity: 'critical' })]);
    assert.equal(await changes(world, () => world.report('r', critical)), 2);
    const { metadata, spec, status } = onlyEvent(world);
    assert.deepEqual([spec.severity, status?.phase], ['critical', 'Active']);
    assert.equal(metadata.annotations?.[mutedUntilAnnotation], later);
    assert.equal(metadata.annotations?.[mutedReasonAnnotation], 'vendor fix pending');
    assert.deepEqual(accountsOf(world), { received: 3, written: 1, unchanged: 0, filtered: 0, muted: 2 });
    assert.equal(index.muted.count(world.clock.now()), 1);
    await changes(world, () => world.restart());
    assert.deepEqual(accountsOf(world), { received: 1, written: 0, unchanged: 0, filtered: 0, muted: 1 });
  });

  test('until its time, and not when the annotation or the event is taken away', async () => {
    const world = await mutedWorld();
    world.elapsedMs = Date.parse(later) - start.getTime();
    assert.equal(world.life.index.muted.count(world.clock.now()), 0);
    await changes(world, () => world.report('r', one));
    assert.equal(accountsOf(world).muted, 0);

    const other = await mutedWorld();
    const event = onlyEvent(other);
    const { [mutedUntilAnnotation]: _until, ...annotations } = event.metadata.annotations ?? {};
    const bare = { ...event, metadata: { ...event.metadata, annotations } };
    await changes(other, () => void other.server.putByHand(bare, 'zen-watcher'));
    assert.equal(other.life.index.muted.count(other.clock.now()), 0);

    const deleted = await mutedWorld();
    await changes(deleted, () => deleted.server.deleteByHand(onlyEvent(deleted).metadata.name));
    assert.deepEqual(deleted.state, ['a']);
    assert.equal(deleted.life.index.muted.count(deleted.clock.now()), 0);
  });

  test('one that says no time mutes nothing, and is told', async () => {
    const world = await mutedWorld('next week');
    assert.equal(world.life.index.muted.count(world.clock.now()), 0);
    assert.deepEqual(world.life.malformedMutes, ['next week']);
    await changes(world, () => world.report('r', one));
    assert.equal(accountsOf(world).muted, 0);
  });
});

suite('the rules in force', () => {
  const live = (settings: Partial<RuleSettings>) => {
    const told: string[] = [];
    const clock = { nowMs: start.getTime() };
    const rules = new LiveRules(
      { ...everythingAccepted, ...settings },
      {
        clock: { now: () => new Date(clock.nowMs), monotonicMs: () => clock.nowMs },
        labelsOf: () => undefined,
        changed: () => told.push('changed'),
        noticed: (notices) => told.push(...notices.map(({ kind }) => kind)),
      },
    );
    return { rules, told, clock };
  };

  test('look again by themselves when a mute ends', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { rules, told, clock } = live({
      mutes: [
        { rule: ['a'], reason: 'x', until: '2026-03-01' },
        { rule: ['b'], reason: 'x' },
      ],
    });
    rules.start();
    const day = 24 * 60 * 60 * 1000;
    // Longer than a timer can be: it looks daily.
    for (let days = 0; days < 58; days += 1) {
      clock.nowMs += day;
      t.mock.timers.tick(day);
    }
    assert.deepEqual(told, ['endless']);
    clock.nowMs += day + 1;
    t.mock.timers.tick(day + 1);
    assert.deepEqual(told, ['endless', 'expired', 'changed']);
    rules.stop();
  });

  test('wait no longer at a time than a timer can', (t) => {
    const waits: number[] = [];
    t.mock.method(globalThis, 'setTimeout', (_look: () => void, milliseconds: number) => waits.push(milliseconds));
    live({ mutes: [{ rule: ['a'], reason: 'x', until: '2999-01-01' }] }).rules.start();
    assert.ok(waits.length === 1 && waits.every((milliseconds) => milliseconds < 2 ** 31), String(waits));
  });

  test('judge anew once for the labels of many namespaces, where a rule asks for such a label', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { rules, told } = live({ filters: [{ action: 'exclude', namespaceLabels: { team: 'blue' } }] });
    rules.start();
    rules.labelsChanged(['other']);
    t.mock.timers.tick(5_000);
    assert.deepEqual(told, []);
    for (let count = 0; count < 100; count += 1) rules.labelsChanged(['other', 'team']);
    t.mock.timers.tick(5_000);
    assert.deepEqual(told, ['changed']);
    rules.labelsChanged(['team']);
    rules.stop();
    t.mock.timers.tick(5_000);
    assert.deepEqual(told, ['changed']);
  });
});
