/** The readers for hostile documents. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { asBoolean, asFields, asList, asNumber, asText, at, kindOf, textAt } from '../../src/lib/fields.ts';
import { isPlausible, plausibleTime } from '../../src/lib/times.ts';

suite('fields', () => {
  test('each reader takes its own type only', () => {
    const values = [undefined, null, 'x', '', 7, Number.NaN, true, [1], { a: 1 }];
    assert.deepEqual(values.map(asText), [
      undefined,
      undefined,
      'x',
      undefined,
      '7',
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    assert.deepEqual(values.map(asNumber), [
      undefined,
      undefined,
      undefined,
      undefined,
      7,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    assert.deepEqual(
      values.map((value) => asList(value)?.length),
      [undefined, undefined, undefined, undefined, undefined, undefined, undefined, 1, undefined],
    );
    assert.deepEqual(
      values.map((value) => asFields(value)?.['a']),
      [undefined, undefined, undefined, undefined, undefined, undefined, undefined, undefined, 1],
    );
    assert.deepEqual(
      values.map(asBoolean).filter((value) => value !== undefined),
      [true],
    );
  });

  test('text that is a plain number counts as one', () => {
    assert.deepEqual(['9.8', '-3', '1e3', '0x10', ' 7', '7 ', 'Infinity', '1'.repeat(400)].map(asNumber), [
      9.8,
      -3,
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('a path finds own members only', () => {
    const document = JSON.parse('{"a":{"b":"x","list":["y"]},"__proto__":{"own":"z"}}');
    assert.equal(textAt(document, 'a', 'b'), 'x');
    assert.equal(textAt(document, 'a', 'missing', 'b'), undefined);
    assert.equal(at(document, 'a', 'list', '0'), undefined);
    assert.equal(at(document, 'constructor'), undefined);
    assert.equal(at(document, 'a', 'toString'), undefined);
    assert.equal(textAt(document, '__proto__', 'own'), 'z');
    assert.equal(at({}, '__proto__'), undefined);
    assert.equal(at(null, 'a'), undefined);
  });

  test('kinds in words never hold the value', () => {
    const values = [undefined, null, '', 'secret', 7, true, [], {}];
    assert.deepEqual(values.map(kindOf), [
      'nothing',
      'null',
      'an empty text',
      'text',
      'a number',
      'a boolean',
      'a list',
      'an object',
    ]);
  });
});

suite('times', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  const iso = (value: unknown) => plausibleTime(value, now)?.toISOString();

  test('RFC 3339 with any zone and fraction', () => {
    assert.equal(iso('2025-10-01T08:00:00Z'), '2025-10-01T08:00:00.000Z');
    assert.equal(iso('2025-10-01T08:00:00.123456789+02:00'), '2025-10-01T06:00:00.123Z');
    assert.equal(iso('2025-10-01t08:00:00z'), '2025-10-01T08:00:00.000Z');
  });

  test('what is no time, or none that a report can have', () => {
    const wrong = [
      '',
      'yesterday',
      '2025-10-01',
      '2025-13-01T00:00:00Z',
      '2014-12-31T23:59:59Z',
      '2026-01-01T00:05:01Z',
    ];
    for (const value of [...wrong, 7, null, undefined, [], {}, true]) assert.equal(iso(value), undefined);
    assert.equal(iso('2026-01-01T00:05:00Z'), '2026-01-01T00:05:00.000Z');
  });

  test('protobuf timestamps, also with the seconds as text and nonsense nanoseconds', () => {
    assert.equal(iso({ seconds: 1_759_305_600, nanos: 5e8 }), '2025-10-01T08:00:00.500Z');
    assert.equal(iso({ seconds: '1759305600' }), '2025-10-01T08:00:00.000Z');
    assert.equal(iso({ seconds: 1_759_305_600, nanos: 1_759_305_600 }), '2025-10-01T08:00:00.000Z');
    assert.equal(iso({ seconds: 1_759_305_600, nanos: -1 }), '2025-10-01T08:00:00.000Z');
    for (const seconds of [0, 37, -5, 1e12, Number.NaN, null, 'x']) assert.equal(iso({ seconds }), undefined);
  });

  test('bounds', () => {
    assert.equal(isPlausible(Date.UTC(2015, 0, 1), now), true);
    assert.equal(isPlausible(Date.UTC(2015, 0, 1) - 1, now), false);
  });
});
