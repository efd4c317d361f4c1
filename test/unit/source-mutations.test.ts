/**
 * Damaged reports: whatever is put in place of any part of a real one, a format answers with readings or MalformedReport
 * and the event of every finding can be built. Seeded and bounded in time.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { expand } from '../../src/sources/recognise.ts';
import { formats } from '../../src/sources/registry.ts';
import type { Mutation } from '../support/exercise.ts';
import { exercise, hostileValues, mutate } from '../support/exercise.ts';
import { caseFile } from '../support/format-cases.ts';
import { reportsIn } from '../support/reports.ts';

const seed = 20_260_101;
const millisecondsPerFormat = 2_000;

const replacement = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...hostileValues) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  { weight: 1, arbitrary: fc.constant('x'.repeat(20_000)) },
);

const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.record({
    at: fc.nat(),
    how: fc.constantFrom('replace', 'replace', 'replace', 'delete', 'double', 'wrap'),
    value: replacement,
  }),
  { minLength: 1, maxLength: 4 },
);

suite('damaged reports', () => {
  for (const format of formats()) {
    test(format.name, async () => {
      const documents = await reportsIn(caseFile(format.name, 'many'));
      assert.ok(documents.length > 0);
      const property = fc.property(fc.nat(documents.length - 1), mutations, (index, changes) => {
        exercise(format, mutate(documents[index] ?? {}, changes));
      });
      fc.assert(property, { seed, numRuns: 20_000, interruptAfterTimeLimit: millisecondsPerFormat });
    });
  }

  test('anything at all', () => {
    const anything = fc.anything({ withNullPrototype: true, maxDepth: 3 });
    const property = fc.property(anything, (value) => {
      for (const { document } of expand(value)) {
        if (document !== undefined) for (const format of formats()) exercise(format, document);
      }
    });
    fc.assert(property, { seed, numRuns: 5_000, interruptAfterTimeLimit: 1_000 });
  });
});
