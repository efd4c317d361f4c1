/** docs/logs.md names every message that the daemon can log, and no other; its samples for shippers can be parsed. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { repositoryFiles, repositoryRoot } from '../support/repository.ts';

const doc = readFileSync(join(repositoryRoot, 'docs/logs.md'), 'utf8');
const [table = ''] = doc.split('\n## ');
const documented = table
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .flatMap((line) => [...(line.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, message = '']) => message));

/** `logger.info('...'`, also where the level is chosen or the message stands on a line of its own. */
const call = /(?:logger|this\.#parts\.logger|say)(?:\.(?:error|warn|info|debug)|\[\w+\])\(\s*'([^']+)'/g;

suite('docs/logs.md', () => {
  const said = repositoryFiles()
    .filter(({ path }) => path.startsWith('src/') && path.endsWith('.ts'))
    .flatMap(({ text = '' }) => [...text.matchAll(call)].map(([, message = '']) => message));

  test('names every message', () => {
    assert.ok(said.length > 25);
    assert.deepEqual(
      [...new Set(said)].filter((message) => !documented.includes(message)),
      [],
    );
  });

  test('names no message that is not there', () => {
    const sources = repositoryFiles()
      .filter(({ path }) => path.startsWith('src/'))
      .map(({ text = '' }) => text)
      .join('\n');
    assert.deepEqual(
      documented.filter((message) => !sources.includes(`'${message}'`)),
      [],
    );
  });
});
