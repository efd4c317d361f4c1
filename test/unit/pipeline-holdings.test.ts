/** Findings that several reports hold: who describes them, and when they are over. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { finding, reading } from '../support/findings.ts';
import { changes, onlyEvent, World } from '../support/pipeline-world.ts';

suite('reconciler: a finding that several reports hold', () => {
  const other = { reportKey: ['format', 'other'] };

  test('the describer alone writes; when it lets go, another one takes over', async () => {
    const world = new World();
    const version = (rev: number) => finding('a', { description: { details: { id: 'a', rev } } });
    await changes(world, () => world.report('one', reading('one', [version(1)])));
    assert.equal(await changes(world, () => world.report('two', reading('two', [version(2)]))), 0);
    assert.equal(await changes(world, () => world.report('one', reading('one', [version(1)]))), 0);
    assert.equal(await changes(world, () => world.report('one', reading('one', []))), 1);
    assert.equal(onlyEvent(world).spec.details?.['rev'], 2);
    assert.equal(onlyEvent(world).spec.origin?.name, 'two');
  });

  test('under two report keys: one key that lacks it does not resolve it, the last one does', async () => {
    const world = new World();
    await changes(world, () => world.report('one', reading('one', [finding('a')])));
    assert.equal(await changes(world, () => world.report('two', reading('two', [finding('a')], other))), 0);
    assert.equal(await changes(world, () => world.report('one', reading('one', []))), 1); // now under the other key
    assert.deepEqual(world.state, ['a']);
    assert.equal(await changes(world, () => world.restart()), 0);
    assert.equal(await changes(world, () => world.report('two', reading('two', [], other))), 1);
    assert.deepEqual(world.state, ['(a fixed)']);
  });

  test('under two report keys, both letting go at once', async () => {
    const world = new World();
    await changes(world, () => world.report('one', reading('one', [finding('a')])));
    await changes(world, () => world.report('two', reading('two', [finding('a')], other)));
    world.report('one', reading('one', []));
    world.report('two', reading('two', [], other));
    await world.rest();
    assert.deepEqual(world.state, ['(a fixed)']);
  });

  test('in two readings of one report: a rescan or a restart writes nothing', async () => {
    const world = new World();
    const readings = [reading('r', [finding('a')]), reading('r', [finding('a')], other)] as const;
    await changes(world, () => world.report('r', ...readings));
    assert.equal(await changes(world, () => world.report('r', ...readings)), 0);
    assert.equal(await changes(world, () => world.restart()), 0);
    assert.equal(await changes(world, () => world.report('r', reading('r', []), readings[1])), 1);
    assert.deepEqual(world.state, ['a']);
    await changes(world, () => world.report('r', reading('r', []), reading('r', [], other)));
    assert.deepEqual(world.state, ['(a fixed)']);
  });
});
