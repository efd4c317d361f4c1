/** docs/asks.md answers every complaint of its sections with tests that exist, or with the issue that will have them. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { repositoryRoot } from '../support/repository.ts';

/** The complaints of sections A, B, C, E and F. */
const numbers = [...span(1, 25), ...span(28, 35)];
const page = readFileSync(join(repositoryRoot, 'docs/asks.md'), 'utf8');
const answers = [...page.matchAll(/^### (\d+)\. .+\n((?:(?!^#).*\n?)*)/gm)].map(([, number, text = '']) => ({
  number: Number(number),
  bullets: text.split('\n').filter((line) => line.startsWith('- ')),
}));

suite('docs/asks.md', () => {
  test('has every complaint once, in order', () => {
    assert.deepEqual(
      answers.map(({ number }) => number),
      numbers,
    );
  });

  for (const { number, bullets } of answers) {
    test(`${number} is answered by tests that exist, or by a later issue`, () => {
      assert.ok(bullets.length > 0, 'there is no answer');
      for (const bullet of bullets) assert.equal(problemOf(bullet), undefined);
    });
  }
});

function span(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** What is wrong with an answer: `` - `file`: title `` or `- To come: issue N, what of it`. */
function problemOf(bullet: string): string | undefined {
  if (/^- To come: issue [5-9], \S.*$/.test(bullet)) return undefined;
  const [, file, title] = /^- `(test\/[\w/-]+\.test\.ts)`: (.+)$/.exec(bullet) ?? [];
  if (file === undefined || title === undefined) return `neither a test nor an issue: ${bullet}`;
  const path = join(repositoryRoot, file);
  if (!existsSync(path)) return `there is no ${file}`;
  return titlesIn(readFileSync(path, 'utf8')).some((one) => one.test(title))
    ? undefined
    : `${file} has no test "${title}"`;
}

/** The titles of a file's tests; what a template fills in may be anything. */
function titlesIn(code: string): RegExp[] {
  return [...code.matchAll(/\btest\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g)].map(([, quote, text = '']) => {
    const parts = quote === '`' ? text.split(/\$\{[^}]*\}/) : [text];
    return new RegExp(`^${parts.map((part) => literal(part.replace(/\\(.)/g, '$1'))).join('.+')}$`);
  });
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
