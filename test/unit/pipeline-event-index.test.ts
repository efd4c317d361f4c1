/** The packed index of events. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { sha256Base32 } from '../../src/lib/hash.ts';
import { EventIndex, type Row } from '../../src/pipeline/event-index.ts';
import { formatFingerprintHead, parseName, sourceOf } from '../../src/pipeline/event-name.ts';
import type { StoredState } from '../../src/pipeline/event-state.ts';

const letters = [...'abcdefghijklmnopqrstuvwxyz234567'];
const head = fc.string({ unit: fc.constantFrom(...letters), minLength: 26, maxLength: 26 });
const source = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/);

function stored(resourceVersion: string, change: Partial<StoredState> = {}): StoredState {
  return {
    resourceVersion,
    contentHash: 7,
    isResolved: false,
    severity: 'high',
    isEdited: false,
    count: 1,
    sinceMs: 0,
    ...change,
  };
}

/** A name that no other number gives: its number in the first characters, or in the last ones, which end in the tail. */
function nameOf(number: number, source = 'trivy'): string {
  let text = '';
  for (let rest = number, at = 0; at < 26; at += 1, rest = Math.floor(rest / 32)) text += letters[rest % 32];
  return `${source}-${number % 2 === 0 ? text : [...text].reverse().join('')}`;
}

suite('event names', () => {
  test('come apart and together again, whatever the fingerprint and source', () => {
    fc.assert(
      fc.property(head, source, (fingerprint, word) => {
        const parsed = parseName(`${word}-${fingerprint}`);
        assert.equal(parsed?.source, word);
        assert.equal(formatFingerprintHead(parsed.words, parsed.tail), fingerprint);
        assert.equal(sourceOf(`${word}-${fingerprint}`), word);
        const index = new EventIndex();
        assert.equal(index.name(index.obtain(`${word}-${fingerprint}`, 'ns')), `${word}-${fingerprint}`);
      }),
    );
  });

  test('no fingerprint made are refused', () => {
    const good = 'a'.repeat(26);
    for (const bad of [
      '',
      good,
      `-${good}`,
      `x-${good.slice(1)}`,
      `x-${good.slice(1)}1`,
      `x-${good.slice(1)}A`,
      `x-${good.slice(1)}é`,
    ]) {
      assert.equal(parseName(bad), undefined, bad);
      const index = new EventIndex();
      assert.throws(() => index.obtain(bad, 'ns'), RangeError);
      assert.equal(index.find(bad), 0);
    }
  });
});

suite('event index', () => {
  test('keeps what the server has, odd resourceVersions too', () => {
    const index = new EventIndex();
    const row = index.obtain(nameOf(1), 'zen-system');
    const odd = ['7', '9007199254740991', '9007199254740993', '0', '', '007', '1e3', '-1', ' 1', 'v1:abc', 'NaN'];
    for (const version of [...odd, ...odd.toReversed()]) {
      index.setStored(row, stored(version, { severity: 'unknown', isResolved: true, isEdited: true, count: 9 }));
      assert.equal(index.resourceVersion(row), version);
    }
    assert.deepEqual(
      [index.isOnServer(row), index.isActive(row), index.isEdited(row), index.severity(row), index.count(row)],
      [true, false, true, 'unknown', 9],
    );
    index.clearStored(row);
    assert.deepEqual([index.isOnServer(row), index.isActive(row), index.storedHash(row)], [false, false, 0]);
  });

  test('releases only what is neither held nor on the server, and reuses it clean', () => {
    const index = new EventIndex();
    const row = index.obtain(nameOf(1), 'one');
    index.setReportKey(row, 'key');
    index.setWantedHash(row, 5);
    index.setDescriber(row, 6);
    index.addHolder(row, 1);
    index.release(row);
    assert.equal(index.find(nameOf(1)), row);
    index.addHolder(row, -1);
    index.setStored(row, stored('odd-version'));
    index.release(row);
    assert.equal(index.find(nameOf(1)), row);
    index.clearStored(row);
    index.release(row);
    index.release(row);
    index.release(0);
    assert.deepEqual([index.find(nameOf(1)), index.size, [...index.rows()]], [0, 0, []]);
    const again = index.obtain(nameOf(2), 'two');
    assert.equal(again, row);
    assert.deepEqual(
      [
        index.namespace(again),
        index.reportKey(again),
        index.wantedHash(again),
        index.describer(again),
        index.holders(again),
      ],
      ['two', '', 0, 0, 0],
    );
    assert.equal(index.resourceVersion(again), '0');
    assert.deepEqual([...index.rowsOfKey('key')], []);
  });

  test('finds no source that it never saw, and remembers none for being asked', () => {
    const index = new EventIndex();
    index.obtain(nameOf(1, 'trivy'), 'ns');
    for (let number = 0; number < 100; number += 1) assert.equal(index.find(nameOf(1, `s${number}`)), 0);
  });

  test('100,000 rows of two sources: names, keys and lists as in a Map', (context) => {
    const count = 100_000;
    const hashed = (number: number) => sha256Base32(String(number >> 1)).slice(0, 26);
    const names = Array.from({ length: count }, (_, number) => `${number % 2 ? 'kyverno' : 'trivy'}-${hashed(number)}`);
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    collect();
    const before = process.memoryUsage();
    const index = new EventIndex();
    const rows = names.map((name, number) => {
      const row = index.obtain(name, `ns${number % 7}`);
      index.setReportKey(row, `key${number % 1000}`);
      index.setStored(row, stored(String(number + 1), { contentHash: number + 1 }));
      return row;
    });
    collect();
    const after = process.memoryUsage();
    const bytes = after.arrayBuffers - before.arrayBuffers;
    context.diagnostic(`${Math.round(bytes / count)} bytes a row in packed arrays`);
    assert.equal(new Set(rows).size, count);
    for (let number = 0; number < count; number += 997) {
      const name = names[number] ?? '';
      assert.equal(index.find(name), rows[number]);
      assert.equal(index.name(rows[number] ?? 0), name);
      assert.equal(index.resourceVersion(rows[number] ?? 0), String(number + 1));
    }
    assert.equal([...index.rowsOfKey('key5')].length, count / 1000);
    assert.equal(index.size, count);
  });

  test('behaves as a Map of objects does, whatever is done to it', () => {
    const step = fc.record({
      name: fc.nat(600),
      what: fc.constantFrom('obtain', 'hold', 'letGo', 'store', 'clear', 'release', 'key', 'noKey'),
      value: fc.nat(8),
    });
    const property = fc.property(fc.array(step, { minLength: 100, maxLength: 2000, size: 'max' }), (steps) => {
      const index = new EventIndex();
      const model = new Map<string, { row: Row; holders: number; version: string; key: string }>();
      for (const { name: number, what, value } of steps) {
        const name = nameOf(number);
        if (what === 'obtain' && !model.has(name)) {
          model.set(name, { row: index.obtain(name, 'ns'), holders: 0, version: '', key: '' });
        }
        const entry = model.get(name);
        assert.equal(index.find(name), entry?.row ?? 0);
        if (entry === undefined) continue;
        const { row } = entry;
        if (what === 'hold') index.addHolder(row, 1);
        if (what === 'hold') entry.holders += 1;
        if (what === 'letGo' && entry.holders > 0) {
          index.addHolder(row, -1);
          entry.holders -= 1;
        }
        if (what === 'store') entry.version = value > 4 ? `odd${value}` : String(value + 1);
        if (what === 'store') index.setStored(row, stored(entry.version));
        if (what === 'clear') index.clearStored(row);
        if (what === 'clear') entry.version = '';
        if (what === 'key' || what === 'noKey') entry.key = what === 'key' ? `key${value}` : '';
        if (what === 'key' || what === 'noKey') index.setReportKey(row, entry.key);
        if (what === 'release') {
          index.release(row);
          if (entry.holders === 0 && entry.version === '') model.delete(name);
        }
      }
      assert.equal(index.size, model.size);
      assert.deepEqual([...index.rows()].map((row) => index.name(row)).sort(), [...model.keys()].sort());
      for (const [name, { row, holders, version, key }] of model) {
        assert.equal(index.name(row), name);
        assert.deepEqual(
          [index.holders(row), index.reportKey(row), index.isOnServer(row)],
          [holders, key, version !== ''],
        );
        if (version !== '') assert.equal(index.resourceVersion(row), version);
      }
      for (let value = 0; value <= 8; value += 1) {
        const ofKey = [...model.values()].filter(({ key }) => key === `key${value}`).map(({ row }) => row);
        assert.deepEqual([...index.rowsOfKey(`key${value}`)].sort(), ofKey.sort());
      }
    });
    fc.assert(property, { numRuns: 60, interruptAfterTimeLimit: 10_000 });
  });
});
