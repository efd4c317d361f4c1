/** Patterns: what they fit, and that no pattern and no text makes them slow. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { compileGlob, maximumMatchedCharacters } from '../../src/lib/glob.ts';

/** What a pattern means, by the definition: slow, and right. */
function means(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern.startsWith('*')) {
    return Array.from({ length: text.length + 1 }, (_, at) => at).some((at) => means(pattern.slice(1), text.slice(at)));
  }
  const fitsOne = text !== '' && (pattern.startsWith('?') || pattern[0] === text[0]);
  return fitsOne && means(pattern.slice(1), text.slice(1));
}

/** A text that counts how often it is looked at. */
function counting(text: string) {
  const counter = { looks: 0 };
  const counted = {
    length: text.length,
    charCodeAt(at: number) {
      counter.looks += 1;
      return text.charCodeAt(at);
    },
  };
  return { counted, counter };
}

suite('patterns', () => {
  const cases: [string, string[], string[]][] = [
    ['kube-*', ['kube-system', 'kube-'], ['kube', 'my-kube-system', 'KUBE-system']],
    ['*', ['', 'a', 'a/b'], []],
    ['', [''], ['a']],
    ['*-test', ['a-test', '-test', '-test-test'], ['a-test-']],
    ['Deployment/*', ['Deployment/web', 'Deployment/a/b'], ['StatefulSet/web']],
    ['CVE-2026-?', ['CVE-2026-1'], ['CVE-2026-', 'CVE-2026-12']],
    ['a*b*c', ['abc', 'a1b2c', 'abcbc', 'abbc'], ['acb', 'ab', 'ac']],
    ['aa*aa', ['aaaa', 'aabaa'], ['aaa']],
    ['**', ['', 'x'], []],
    ['a.c(d)[e]', ['a.c(d)[e]'], ['abc(d)[e]', 'a.c(d)e']],
    ['*a?', ['xab', 'aab', 'aa'], ['a', 'ba']],
  ];
  for (const [pattern, fitting, others] of cases) {
    test(`\`${pattern}\` fits ${fitting.join(', ')} and not ${others.join(', ')}`, () => {
      const isLike = compileGlob(pattern);
      assert.deepEqual(
        fitting.filter((text) => !isLike(text)),
        [],
      );
      assert.deepEqual(others.filter(isLike), []);
    });
  }

  test('are what their definition says, whatever pattern and text', () => {
    const word = (letters: string) => fc.string({ unit: fc.constantFrom(...letters), maxLength: 9 });
    fc.assert(
      fc.property(word('ab*?'), word('ab'), (pattern, text) => {
        assert.equal(compileGlob(pattern)(text), means(pattern, text));
      }),
      { seed: 20_260_101, numRuns: 5_000 },
    );
  });

  test('look at a text no more often than its length times the longest piece, however hostile both are', () => {
    const hostile: [string, string][] = [
      ['*a'.repeat(120), 'a'.repeat(4096)],
      [`${'*a'.repeat(120)}*b`, 'a'.repeat(4096)],
      [`*${'a'.repeat(250)}b*`, 'a'.repeat(4096)],
      [`${'*?'.repeat(127)}b`, 'a'.repeat(4096)],
      [`*${'a?'.repeat(120)}b*c*`, 'a'.repeat(1_000_000)],
    ];
    for (const [pattern, text] of hostile) {
      const { counted, counter } = counting(text);
      compileGlob(pattern)(counted);
      const longest = Math.max(...pattern.split('*').map((piece) => piece.length));
      const most = Math.min(text.length, maximumMatchedCharacters) * (longest + 1) + pattern.length;
      assert.ok(counter.looks <= most, `${pattern.slice(0, 20)}: ${counter.looks} looks, at most ${most}`);
    }
  });

  test('judge a text of more than 4096 characters by those', () => {
    const long = `${'a'.repeat(4096)}b`;
    assert.equal(compileGlob('*a')(long), true);
    assert.equal(compileGlob('*b')(long), false);
  });
});
