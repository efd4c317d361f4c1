/** Reports against events: what is written, and what is not. The server is a model; test/integration has the real one. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { noSettings } from '../../src/pipeline/rules.ts';
import { finding, reading, start, tool } from '../support/findings.ts';
import { changes, World } from '../support/pipeline-world.ts';

const later = new Date(start.getTime() + 60_000);

suite('reconciler: new and unchanged', () => {
  test('a new finding costs one write, a rescan none', async () => {
    const world = new World();
    assert.equal(await changes(world, () => world.report('r', reading('r', [finding('a'), finding('b')]))), 2);
    assert.deepEqual(world.state, ['a', 'b']);
    assert.deepEqual(world.life.outcomes, ['created', 'created']);
    assert.equal(await changes(world, () => world.report('r', reading('r', [finding('b'), finding('a')]))), 0);
    const { accounts, received } = world.life.books.balance();
    assert.deepEqual([received, accounts.written, accounts.unchanged], [4, 2, 2]);
  });

  test('what changes in a rollout or rescan writes nothing: origin, observedOn, the time', async () => {
    const world = new World();
    const seenOn = (pod: string) => finding('a', { description: { observedOn: { pod } } });
    await changes(world, () => world.report('r', reading('r', [seenOn('one')])));
    assert.equal(await changes(world, () => world.report('r', reading('other-name', [seenOn('two')]))), 0);
  });

  test('a severity change is written in place, once', async () => {
    const world = new World();
    await changes(world, () => world.report('r', reading('r', [finding('a')])));
    const act = () => world.report('r', reading('r', [finding('a', { severity: 'critical' })]));
    assert.equal(await changes(world, act), 1);
    const [event] = world.server.events.values();
    assert.equal(event?.spec.severity, 'critical');
    assert.equal(event?.spec.detectedAt, world.server.changes[0]?.after?.spec.detectedAt);
  });

  test('the same finding twice in one report, or in two readings of one key, is one', async () => {
    const world = new World();
    world.report('r', reading('r', [finding('a'), finding('a')]), reading('r', [finding('b')]));
    await world.rest();
    assert.deepEqual(world.state, ['a', 'b']);
    assert.equal(world.life.books.balance().accounts.merged, 1);
    const again = () => world.report('r', reading('r', [finding('a')]), reading('r', [finding('b')]));
    assert.equal(await changes(world, again), 0);
  });

  test('a finding that cannot be mapped is rejected alone, and resolves nothing', async () => {
    const world = new World();
    await changes(world, () => world.report('r', reading('r', [finding('a'), finding('b')])));
    const broken = {
      ...finding('a'),
      identity: () => {
        throw new TypeError('no identity');
      },
    };
    const silent = {
      ...finding('c'),
      describe: () => {
        throw new TypeError('no description');
      },
    };
    const nameless = finding('d', { source: 'Not A Name' });
    await changes(world, () => world.report('r', reading('r', [broken, finding('b'), silent, nameless])));
    assert.deepEqual(world.state, ['a', 'b']);
    assert.equal(world.life.books.balance().rejected.malformed, 3);
  });
});

suite('reconciler: what absence says', () => {
  const both = reading('r', [finding('a'), finding('b')]);

  test('a newer complete report without the finding resolves it as fixed; it returns with its history', async () => {
    const world = new World();
    await changes(world, () => world.report('r', both));
    assert.equal(await changes(world, () => world.report('r', reading('r', [finding('a')]))), 1);
    assert.deepEqual(world.state, ['(b fixed)', 'a']);
    assert.equal(await changes(world, () => world.report('r', both)), 1);
    assert.deepEqual(world.state, ['a', 'b']);
    assert.ok(world.life.outcomes.includes('reopened'));
    const returned = [...world.server.events.values()].find(({ spec }) => spec.details?.['id'] === 'b');
    assert.equal(returned?.status?.reason, undefined);
    assert.equal(returned?.spec.detectedAt, world.server.changes[1]?.after?.spec.detectedAt);
  });

  test('a report that is deleted resolves nothing; deleted and re-created it writes nothing', async () => {
    const world = new World();
    await changes(world, () => world.report('r', both));
    assert.equal(await changes(world, () => world.unreport('r')), 0);
    assert.deepEqual(world.state, ['a', 'b']);
    assert.equal(await changes(world, () => world.report('r', both)), 0);
    await world.unreport('r');
    assert.equal(await changes(world, () => world.report('other', reading('other', [finding('a'), finding('b')]))), 0);
    assert.equal(await changes(world, () => world.report('other', reading('other', [finding('b')]))), 1);
    assert.deepEqual(world.state, ['(a fixed)', 'b']);
  });

  test('partial and not-yet resolve nothing, and keep what was held', async () => {
    const world = new World();
    await changes(world, () => world.report('r', both));
    const partial = reading('r', [finding('c')], { completeness: 'partial' });
    assert.equal(await changes(world, () => world.report('r', partial)), 1);
    assert.equal(await changes(world, () => world.report('r', reading('r', [], { completeness: 'not-yet' }))), 0);
    assert.deepEqual(world.state, ['a', 'b', 'c']);
    assert.equal(await changes(world, () => world.report('r', reading('r', []))), 3);
    assert.deepEqual(world.state, ['(a fixed)', '(b fixed)', '(c fixed)']);
  });

  test('two reports of a rollout: nothing is written, nothing resolved, and the last one decides', async () => {
    const world = new World();
    await changes(world, () => world.report('old', reading('old', [finding('a'), finding('b')])));
    const next = reading('new', [finding('a')], { reportedAt: later });
    assert.equal(await changes(world, () => world.report('new', next)), 0);
    assert.deepEqual(world.state, ['a', 'b']);
    assert.equal(await changes(world, () => world.unreport('old')), 1);
    assert.deepEqual(world.state, ['(b fixed)', 'a']);
    assert.equal(await changes(world, () => world.report('new', next)), 0);
  });

  test('an older report that is left says nothing of what a newer one held', async () => {
    const world = new World();
    const older = reading('old', [finding('a')], { reportedAt: start });
    await changes(world, () => world.report('old', older));
    await changes(world, () => world.report('new', reading('new', [finding('b')], { reportedAt: later })));
    assert.equal(await changes(world, () => world.unreport('new')), 0);
    assert.equal(await changes(world, () => world.report('old', older)), 0);
    assert.deepEqual(world.state, ['a', 'b']);
    const rescan = reading('old', [finding('a')], { reportedAt: later });
    assert.equal(await changes(world, () => world.report('old', rescan)), 1);
    assert.deepEqual(world.state, ['(b fixed)', 'a']);
  });

  test('nothing is resolved before every report of the source was listed, then what is missing is', async () => {
    const world = new World();
    await changes(world, () => world.report('one', reading('one', [finding('a'), finding('b')])));
    await changes(world, () => world.report('two', reading('two', [finding('b'), finding('c')])));
    world.reports.set('one', [reading('one', [])]);
    assert.equal(await changes(world, () => world.restart(['one'], false)), 0);
    assert.equal(await changes(world, () => world.tell('two')), 0);
    assert.equal(await changes(world, () => world.life.reconciler.setSettled(tool, true)), 1);
    assert.deepEqual(world.state, ['(a fixed)', 'b', 'c']);
  });

  test('a finding below the threshold is filtered, not fixed, and keeps its severity up to date', async () => {
    const world = new World({ rules: noSettings });
    await changes(world, () => world.report('r', both));
    const lowered = reading('r', [finding('a', { severity: 'low' }), finding('b')]);
    assert.equal(await changes(world, () => world.report('r', lowered)), 1);
    assert.deepEqual(world.state, ['a', 'b']);
    assert.equal(await changes(world, () => world.report('r', lowered)), 0);
    assert.equal(await changes(world, () => world.restart()), 0);
    const never = reading('r', [finding('a', { severity: 'low' }), finding('b'), finding('c', { severity: 'low' })]);
    assert.equal(await changes(world, () => world.report('r', never)), 0);
    assert.equal(await changes(world, () => world.report('r', reading('r', [finding('b')]))), 1);
    assert.deepEqual(world.state, ['(a fixed)', 'b']);
  });
});

suite('reconciler: restart', () => {
  test('an unchanged cluster is sent no write, in any order of its reports', async () => {
    const world = new World();
    world.report('old', reading('old', [finding('a'), finding('b')]));
    world.report('new', reading('new', [finding('a', { description: { details: { id: 'a', rev: 2 } } })]));
    world.report('x', reading('x', [finding('b')], { reportKey: ['format', 'other'] }));
    await world.rest();
    for (const order of [
      ['old', 'new', 'x'],
      ['x', 'new', 'old'],
      ['new', 'x', 'old'],
    ]) {
      const before = world.server.requests.length;
      assert.equal(await changes(world, () => world.restart(order)), 0, order.join());
      assert.equal(world.server.requests.length, before);
      assert.equal(world.life.books.balance().received, world.life.books.balance().accounts.unchanged);
    }
  });

  test('what was fixed, changed or found while nobody watched is written at the start', async () => {
    const world = new World();
    await changes(world, () => world.report('r', reading('r', [finding('a'), finding('b'), finding('c')])));
    world.reports.set('r', [reading('r', [finding('a'), finding('b', { severity: 'low' }), finding('d')])]);
    assert.equal(await changes(world, () => world.restart()), 3);
    assert.deepEqual(world.state, ['(c fixed)', 'a', 'b', 'd']);
  });

  test('an event whose describer is gone or has let go of it follows the report that is left', async () => {
    const world = new World();
    await changes(world, () => world.report('one', reading('one', [finding('a')])));
    await changes(world, () => world.report('two', reading('two', [finding('a')])));
    world.reports.set('one', [reading('one', [])]);
    world.reports.set('two', [reading('two', [finding('a', { severity: 'low' })])]);
    assert.equal(await changes(world, () => world.restart(['two', 'one'])), 1);
    assert.equal([...world.server.events.values()][0]?.spec.severity, 'low');
    world.reports.delete('one');
    world.reports.set('two', [reading('two', [finding('a', { severity: 'high' })])]);
    assert.equal(await changes(world, () => world.restart()), 1);
  });

  test('a report that is gone at the start resolves nothing', async () => {
    const world = new World();
    await changes(world, () => world.report('r', reading('r', [finding('a')])));
    world.reports.clear();
    assert.equal(await changes(world, () => world.restart()), 0);
    assert.deepEqual(world.state, ['a']);
    assert.equal(world.life.reports.objects, 0);
    assert.equal(world.life.reconciler.wantedPods, 0);
  });
});
