/** Findings below a threshold in one of several reports of a key: neither news nor fixed (F3, F7). */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Severity } from '../../src/api/words.ts';
import { noSettings } from '../../src/pipeline/rules.ts';
import type { Reading } from '../../src/sources/source.ts';
import { finding, reading } from '../support/findings.ts';
import { changes, onlyEvent, World } from '../support/pipeline-world.ts';

/** The product's own. */
const rules = noSettings;

/** A report that lists one finding, with a severity. The threshold is medium. */
function listing(name: string, severity: Severity, completeness: Reading['completeness'] = 'complete'): Reading {
  return reading(name, [finding('a', { severity })], { completeness });
}

suite('reconciler: below the threshold in one of several reports', () => {
  test('a finding that one report drops is not fixed while another lists it below the threshold', async () => {
    const world = new World({ rules });
    await changes(world, () => world.report('high', listing('high', 'high')));
    await changes(world, () => world.report('low', listing('low', 'low')));
    await changes(world, () => world.report('high', reading('high', [])));
    assert.deepEqual(world.state, ['a']);
    assert.equal(onlyEvent(world).spec.severity, 'low');
    await changes(world, () => world.report('low', reading('low', [])));
    assert.deepEqual(world.state, ['(a fixed)']);
  });

  test('the same where the other report listed it before there was an event', async () => {
    const world = new World({ rules });
    await changes(world, () => world.report('low', listing('low', 'low')));
    await changes(world, () => world.report('high', listing('high', 'high')));
    await changes(world, () => world.report('high', reading('high', [])));
    assert.deepEqual(world.state, ['a']);
    assert.equal(onlyEvent(world).spec.severity, 'low');
    await changes(world, () => world.report('low', reading('low', [])));
    assert.deepEqual(world.state, ['(a fixed)']);
  });

  test('a report that describes an event below the threshold goes on describing it after a restart', async () => {
    for (const order of [
      ['first', 'second'],
      ['second', 'first'],
    ]) {
      const world = new World({ rules });
      await changes(world, () => world.report('first', listing('first', 'high')));
      await changes(world, () => world.report('second', listing('second', 'critical')));
      assert.equal(await changes(world, () => world.report('first', listing('first', 'low'))), 1);
      assert.equal(onlyEvent(world).spec.severity, 'low');
      assert.equal(await changes(world, () => world.restart(order)), 0, order.join());
    }
  });

  test('what a partial report lists below the threshold has its severity brought up to date, and stays so', async () => {
    const world = new World({ rules });
    await changes(world, () => world.report('r', listing('r', 'high')));
    await changes(world, () => world.report('r', listing('r', 'low', 'partial')));
    assert.equal(onlyEvent(world).spec.severity, 'low');
    assert.equal(await changes(world, () => world.restart()), 0);
    assert.deepEqual(world.state, ['a']);
  });
});
