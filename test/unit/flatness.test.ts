/** What the soak calls flat: judged on made-up series, since a real leak takes an hour to show. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { judgeFlatness, theilSen } from '../support/flatness.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const bound = { share: 0.05, least: 5 };
const series = (count: number, valueAt: (at: number) => number) =>
  Array.from({ length: count }, (_, at) => valueAt(at));

suite('flatness', () => {
  test('a few wild values do not bend the slope', () => {
    const values = series(40, (at) => 100 + at * 0.5);
    values[7] = 9_000;
    values[30] = 0;
    assert.ok(Math.abs(theilSen(values) - 0.5) < 0.05);
  });

  test('what warms up and then moves by itself is flat', () => {
    const random = new SeededRandom(1);
    const values = series(360, (at) => 120 + 20 * (1 - Math.exp(-at / 40)) + random.between(-6, 6));
    const { isFlat, rise } = judgeFlatness(values, bound);
    assert.ok(isFlat, `rises by ${rise}`);
  });

  test('a slow leak under the same noise is none', () => {
    const random = new SeededRandom(2);
    const values = series(360, (at) => 120 + at * 0.06 + random.between(-6, 6));
    const { isFlat, rise } = judgeFlatness(values, bound);
    assert.ok(!isFlat && rise > 9 && rise < 13, `rises by ${rise}`);
  });

  test('of a heap the least values count: what is left after collections', () => {
    const sawtooth = (leak: number) => series(240, (at) => 30 + (at % 5) * 8 + at * leak);
    const heap = { share: 0.05, least: 2, lowestOf: 6 };
    assert.ok(judgeFlatness(sawtooth(0), heap).isFlat);
    assert.ok(!judgeFlatness(sawtooth(0.05), heap).isFlat);
  });

  test('descriptors that are lost now and then are seen', () => {
    const fds = series(360, (at) => 40 + Math.floor(at / 40) + (at % 3));
    assert.ok(!judgeFlatness(fds, { share: 0, least: 2, lowestOf: 3 }).isFlat);
  });

  test('too few samples say nothing', () => {
    assert.throws(() => judgeFlatness([1, 2, 3], bound), /too few/);
  });
});
