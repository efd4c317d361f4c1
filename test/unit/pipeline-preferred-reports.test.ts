/** Of several objects about one thing only the preferred ones are read, whatever the order in which they come and go. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { PreferredReports } from '../../src/pipeline/preferred-reports.ts';
import type { Standing } from '../../src/sources/source.ts';

const whole: Standing = { about: 'image', isPreferred: false };
const loaded: Standing = { about: 'image', isPreferred: true };

/** What a reader that obeys has read in the end. */
class Reader {
  readonly reports = new PreferredReports();
  readonly read = new Set<string>();

  told(key: string, standing: Standing | undefined): void {
    this.#obey(this.reports.told(key, standing));
  }

  gone(key: string): void {
    this.#obey(this.reports.gone(key));
    this.read.delete(key);
  }

  #obey({ read, drop }: ReturnType<PreferredReports['told']>): void {
    for (const key of drop) this.read.delete(key);
    for (const key of read) this.read.add(key);
  }
}

suite('preferred reports', () => {
  test('a preferred one takes the place of the others, and leaves it to them when it goes', () => {
    const reader = new Reader();
    reader.told('image', whole);
    assert.deepEqual([...reader.read], ['image']);
    reader.told('web', loaded);
    reader.told('db', loaded);
    assert.deepEqual([...reader.read], ['web', 'db']);
    assert.ok(reader.reports.isSuperseded('image'));
    reader.gone('web');
    assert.deepEqual([...reader.read], ['db']);
    reader.gone('db');
    assert.deepEqual([...reader.read], ['image']);
    assert.ok(!reader.reports.isSuperseded('image'));
  });

  test('what is not preferred is not read when it comes later, nor when it changes', () => {
    const { reports } = new Reader();
    reports.told('web', loaded);
    assert.deepEqual(reports.told('image', whole), { read: [], drop: ['image'] });
    assert.deepEqual(reports.told('image', whole), { read: [], drop: ['image'] });
    assert.deepEqual(reports.told('web', loaded), { read: ['web'], drop: [] });
  });

  test('in any history: what is read is what is preferred, else all', () => {
    const keys = ['a', 'b', 'c', 'd'];
    const step = fc.record({
      key: fc.constantFrom(...keys),
      standing: fc.option(fc.record({ about: fc.constantFrom('one', 'two'), isPreferred: fc.boolean() }), {
        nil: undefined,
      }),
      isGone: fc.boolean(),
    });
    const property = fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const reader = new Reader();
      const present = new Map<string, Standing | undefined>();
      for (const { key, standing, isGone } of steps) {
        if (isGone) {
          present.delete(key);
          reader.gone(key);
        } else {
          present.set(key, standing);
          reader.told(key, standing);
        }
        const hasPreferred = (about: string) =>
          [...present.values()].some((other) => other?.about === about && other.isPreferred);
        const expected = [...present].filter(([, of]) => of === undefined || of.isPreferred || !hasPreferred(of.about));
        assert.deepEqual([...reader.read].sort(), expected.map(([key_]) => key_).sort());
      }
    });
    fc.assert(property, { seed: 20_260_101, numRuns: 500 });
  });
});
