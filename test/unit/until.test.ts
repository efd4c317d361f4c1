/** Until when, as people write it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUntil } from '../../src/lib/until.ts';

test('a date is its first moment in UTC, a time is what it says', () => {
  assert.equal(parseUntil('2026-12-01'), Date.UTC(2026, 11, 1));
  assert.equal(parseUntil('2026-12-01T09:30:00Z'), Date.UTC(2026, 11, 1, 9, 30));
  assert.equal(parseUntil('2026-12-01t09:30:00.250+02:00'), Date.UTC(2026, 11, 1, 7, 30, 0, 250));
  assert.equal(parseUntil('2028-02-29'), Date.UTC(2028, 1, 29));
});

test('everything else is nothing, days that do not exist as well', () => {
  const others = [
    '',
    'tomorrow',
    '2026-13-01',
    '2026-02-30',
    '2026-2-3',
    '2026-12-01T25:00:00Z',
    '2026-12-01 09:30:00Z',
  ];
  const more = ['2026-12-01T09:30:00', '2026-12-01T09:30Z', ' 2026-12-01', '2026-12-01\n', '1764547200', '2026-00-10'];
  assert.deepEqual(
    [...others, ...more].filter((text) => parseUntil(text) !== undefined),
    [],
  );
});
