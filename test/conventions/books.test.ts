/** F6: whatever a test does with a daemon, its books balance at the end. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { repositoryRoot } from '../support/repository.ts';

const folder = join(repositoryRoot, 'test/integration');
const startsDaemon = /\.daemon(?:Process)?\(/;
const checksBooks = /await (?:assertBooksBalance|stage\.endBalanced)\(/;

suite('integration tests', () => {
  const files = readdirSync(folder).filter((file) => file.endsWith('.test.ts'));
  const withDaemon = files.filter((file) => startsDaemon.test(readFileSync(join(folder, file), 'utf8')));

  test('that run a daemon are known', () => assert.ok(withDaemon.length >= 8, withDaemon.join(' ')));

  for (const file of withDaemon) {
    test(`${file} checks the books`, () => {
      assert.match(readFileSync(join(folder, file), 'utf8'), checksBooks);
    });
  }
});
