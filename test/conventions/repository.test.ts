/** What holds for every file of the repository. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { generatedFiles } from '../../cmd/generate/generated-files.ts';
import { git, linesMatching, repositoryFiles, repositoryRoot } from '../support/repository.ts';

const files = repositoryFiles();
const isFixture = (path: string) => path.startsWith('test/fixtures/');
const isLock = (path: string) => /(^|\/)(package-lock\.json|go\.sum)$/.test(path);

suite('repository', () => {
  for (const { file, render } of generatedFiles) {
    test(`${file} is what \`npm run generate\` writes`, () => {
      assert.equal(readFileSync(join(repositoryRoot, file), 'utf8'), render());
    });
  }

  test('every generated file is marked as one, so that reviews fold it', () => {
    const names = generatedFiles.filter(({ isPart }) => isPart !== true).map(({ file }) => file);
    const attributes = git('check-attr', 'linguist-generated', '--', ...names);
    assert.equal(attributes, names.map((file) => `${file}: linguist-generated: set\n`).join(''));
  });

  test('no file holds a path of the machine it was written on', () => {
    const machinePath = new RegExp(`(^|[^\\w.:/-])/(${['work', 'root', 'Users', 'home/[a-z]'].join('|')})/`);
    assert.deepEqual(
      files.filter(({ path }) => !isFixture(path)).flatMap((file) => linesMatching(file, machinePath)),
      [],
    );
  });

  test('no file holds work that was put off', () => {
    const putOff = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b`);
    assert.deepEqual(
      files.filter(({ path }) => !isFixture(path) && !isLock(path)).flatMap((file) => linesMatching(file, putOff)),
      [],
    );
  });

  test('text files end in one line end and have no carriage returns', () => {
    const broken = files.filter(({ path, text }) => {
      if (isFixture(path) || isLock(path) || text === undefined || text === '') return false;
      return !text.endsWith('\n') || text.endsWith('\n\n') || text.includes('\r');
    });
    assert.deepEqual(
      broken.map(({ path }) => path),
      [],
    );
  });

  test('no file is a secret, a build product or very large', () => {
    assert.deepEqual(
      files
        .filter(({ path }) => /(^|\/)(\.env|id_rsa|kubeconfig|.*\.(pem|key|tgz|log))$/.test(path))
        .map(({ path }) => path),
      [],
    );
    assert.deepEqual(
      files.filter(({ text = '' }) => text.length > 2 ** 20).map(({ path }) => path),
      [],
    );
  });
});
