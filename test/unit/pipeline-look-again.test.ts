/** Objects that say something else by the clock alone. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { LookAgain } from '../../src/pipeline/look-again.ts';
import { until } from '../support/until.ts';

suite('look again', () => {
  const due: string[] = [];
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const clock = { now: () => new Date(nowMs), monotonicMs: () => 0 };
  const at = (afterMs: number) => new Date(nowMs + afterMs);

  test('each object at its time, the newest word about it counts, and a clock that jumps is noticed', async () => {
    const look = new LookAgain({ clock, due: (key) => due.push(key), longestMs: 20 });
    look.set('first', at(1_000));
    look.set('second', at(3_600_000));
    look.set('withdrawn', at(1_000));
    look.set('withdrawn', undefined);
    look.set('moved', at(1_000));
    look.set('moved', at(7_200_000));
    nowMs += 1_500;
    await until('the first', () => due.length > 0);
    assert.deepEqual(due, ['first']);
    nowMs += 3_600_000;
    await until('the second', () => due.length > 1);
    assert.deepEqual(due, ['first', 'second']);
    assert.equal(look.size, 1);
    look.stop();
    look.set('late', at(0));
    nowMs += 10_000_000;
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual(due, ['first', 'second'], 'stopped is stopped');
  });
});
