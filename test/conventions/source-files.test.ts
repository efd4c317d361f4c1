/** What holds for every file under src, beyond what the linter sees. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { linesMatching, type RepositoryFile, repositoryFiles } from '../support/repository.ts';

const sources = repositoryFiles().filter(({ path }) => /^(src|cmd)\/.*\.ts$/.test(path));
const greatestLength = 400;
const readsArgv = /\bprocess\.(argv|execArgv)\b|\bprocess\[|\} = process;/;
const endsProcess = /\bprocess\.(exit|abort|reallyExit)\b/;

/** Lines of exports that need words of their own and have none directly above. */
function undocumentedExports({ path, text = '' }: RepositoryFile): string[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    const [, what] = /^export (?:async |abstract )?(function|class|interface|type)\b/.exec(line) ?? [];
    const above = lines[index - 1] ?? '';
    if (what === undefined || above.endsWith('*/') || above.startsWith('//')) return [];
    // The union of a list of words: the list stands directly above and has the words.
    if (what === 'type' && /= \(typeof \w+\)\[number\];/.test(line)) return [];
    // The options bag of a function or class in the same file: its members have the words, that one says the rest.
    if (what === 'interface' && /interface \w+(Parts|Options)\b/.test(line)) return [];
    // A file of one class may say at its head what that class is.
    if (what === 'class' && text.startsWith('/**') && text.match(/^export (abstract )?class /gm)?.length === 1)
      return [];
    return [`${path}:${index + 1}: ${line}`];
  });
}

suite('source files', () => {
  test(`have fewer than ${greatestLength} lines`, () => {
    const long = sources.map(({ path, text = '' }) => ({ path, lines: text.split('\n').length - 1 }));
    assert.deepEqual(
      long.filter(({ lines }) => lines >= greatestLength),
      [],
    );
  });

  test('say what each exported function, class, interface and type is', () => {
    assert.deepEqual(sources.flatMap(undocumentedExports), []);
  });

  test('read argv in src/config and cmd only', () => {
    const others = sources.filter(({ path }) => !/^(src\/config|cmd)\//.test(path));
    assert.deepEqual(
      others.flatMap((file) => linesMatching(file, readsArgv)),
      [],
    );
  });

  test('end the process in the two programs only', () => {
    const programs = ['cmd/zen-watcher/main.ts', 'cmd/zen-watcher/kubectl-zenevents.ts'];
    const others = sources.filter(({ path }) => !programs.includes(path));
    assert.deepEqual(
      others.flatMap((file) => linesMatching(file, endsProcess)),
      [],
    );
  });

  test('switch no check off without saying why', () => {
    const bare = /@ts-(ignore|nocheck)|biome-ignore(?!(-start|-end)? [\w/]+: \S)/;
    assert.deepEqual(
      sources.flatMap((file) => linesMatching(file, bare)),
      [],
    );
  });

  test('the checks see what they are for', () => {
    const text = '/** Head. */\n\nexport function f() {}\nexport interface I {}\n/** Said. */\nexport type T = 1;\n';
    assert.deepEqual(undocumentedExports({ path: 'x.ts', text }), [
      'x.ts:3: export function f() {}',
      'x.ts:4: export interface I {}',
    ]);
    for (const line of ['process.argv.slice(2)', "process['argv']", 'const { argv } = process;'])
      assert.match(line, readsArgv);
    for (const line of ['process.exit(1);', 'process.abort()']) assert.match(line, endsProcess);
    assert.doesNotMatch('process.exitCode = 1;', endsProcess);
  });
});
