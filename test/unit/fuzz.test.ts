/** A bounded part of `npm run fuzz`, and every input that ever broke something. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { Fuzz, fuzzSeeds } from '../support/fuzz.ts';
import { repositoryRoot } from '../support/repository.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const cases = join(repositoryRoot, 'test/fuzz/cases');
const inputs = 4_000;

suite('mutated inputs over all decoders', () => {
  test(`${inputs} of one seed break nothing, and enough of them parse`, async () => {
    const fuzz = new Fuzz(new SeededRandom(20_261_127), await fuzzSeeds());
    for (let done = 0; done < inputs; done += 1) fuzz.take(fuzz.next());
    assert.ok(fuzz.counts.parsed >= 0.3 * inputs);
    assert.ok(fuzz.counts.recognised > 0 && fuzz.counts.findings > 0 && fuzz.counts.rejected > 0);
  });

  for (const file of readdirSync(cases).filter((name) => name.endsWith('.txt'))) {
    test(`the case ${file} is dealt with`, async () => {
      new Fuzz(new SeededRandom(1), await fuzzSeeds()).take(readFileSync(join(cases, file), 'utf8'));
    });
  }

  test('what breaks something is seen', () => {
    const fuzz = new Fuzz(new SeededRandom(1), [{ kind: 'x' }]);
    fuzz.take('{"kind": "x"');
    assert.deepEqual(fuzz.counts.parsed, 0);
  });
});
