/** The language of declared sources: what is compiled, what is refused with which words, and that nothing costs too much. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { Cel, type Purpose } from '../../src/config/cel.ts';
import { unitsOfEvaluation } from '../../src/config/cel-meter.ts';
import { Effort, ExpressionError } from '../../src/sources/expression.ts';

const cel = new Cel();
const endless = Number.MAX_SAFE_INTEGER;

function compiled(text: string, gives: Purpose['gives'] = 'value') {
  const outcome = cel.compile(text, { isOfItem: true, gives });
  assert.ok('expression' in outcome, `${text}: ${'problem' in outcome ? outcome.problem : ''}`);
  return outcome.expression;
}

function problemOf(text: string, gives: Purpose['gives'] = 'value', isOfItem = true): string {
  const outcome = cel.compile(text, { isOfItem, gives });
  return 'problem' in outcome ? outcome.problem : 'none';
}

function evaluate(text: string, document: Record<string, unknown>, effort = new Effort(endless)): unknown {
  return compiled(text).evaluate({ document, item: document, carrier: {} }, effort);
}

/** What it cost, and why it ended. */
function cost(text: string, document: Record<string, unknown>) {
  const effort = new Effort(endless);
  try {
    evaluate(text, document, effort);
    return { units: endless - effort.left, reason: undefined };
  } catch (error) {
    assert.ok(error instanceof ExpressionError, String(error));
    return { units: endless - effort.left, reason: error.reason };
  }
}

suite('expressions', () => {
  test('look at documents', () => {
    const document = { a: { b: 'x' }, list: [{ n: 1 }, { n: 2 }], count: 3, when: '2026-01-12T03:04:05Z', none: null };
    const values: [string, unknown][] = [
      ['document.a.b', 'x'],
      ['document["a"]["b"] + "y"', 'xy'],
      ['document.count > 2 && document.count == 3', true],
      ['has(document.a) && !has(document.b)', true],
      ['document.?b.?c.orValue("none")', 'none'],
      ['document.none == null', true],
      ['document.list.filter(x, x.n > 1.0).size()', 1n],
      ['document.list.map(x, string(x.n)).join(", ")', '1, 2'],
      ['document.list.exists(x, x.n == 2)', true],
      ['document.a.b in ["x", "y"]', true],
      ['document.a.b.matches("^[a-z]$")', true],
      ['timestamp(document.when).getHours()', 3n],
      ['int(document.count) + 1', 4n],
      ['document.count == 3 ? "three" : "other" // and a comment', 'three'],
      ['document.a.b.upperAscii()', 'X'],
      ['["mixed", 1, true]', ['mixed', 1n, true]],
    ];
    for (const [text, value] of values) assert.deepEqual(evaluate(text, document), value, text);
  });

  test('are refused with the position, the reason and what would be right', () => {
    const problems: [string, Purpose['gives'], RegExp][] = [
      ['documnt.a', 'value', /^line 1, column 1: Unknown variable: documnt; there are document, carrier, item /],
      ['document.a ==', 'bool', /^line 1, column 14: /],
      ['document.a\n  == (1', 'bool', /^line 2, column 8: Expected RPAREN/],
      ['"a" + 1', 'value', /^line 1, column 1: no such overload: string \+ int; .*int\(\)/],
      ['document.a.size()', 'bool', /^must give true or false, and gives int$/],
      ['["a"]', 'text', /^must give text or a number, and gives list/],
      ['"a"', 'list', /^must give a list, and gives string$/],
      ['1', 'time', /^must give a timestamp or RFC 3339 text, and gives int$/],
      ['document.a.frobnicate(1)', 'value', /declarative\.md has the functions/],
      ['document.a.matches(document.b)', 'bool', /pattern as text between quotes/],
      ['document.a.matches("(")', 'bool', /RE2: /],
      ['document.a.matches("(?=a)")', 'bool', /RE2: /],
      [`document.a.matches("${'a'.repeat(257)}")`, 'bool', /at most 256 characters/],
      ['document.a.matches("((((a{10}){10}){10}){10})")', 'bool', /RE2: |repeats so much/],
      ['document.l.all(a, document.l.all(b, document.l.all(c, true)))', 'bool', /nested 2 deep/],
      [`${'('.repeat(60)}1${')'.repeat(60)}`, 'value', /maxDepth|nested too deep/],
      [`[${Array.from({ length: 65 }, () => '1').join()}]`, 'list', /maxListElements|64/],
    ];
    for (const [text, gives, words] of problems) assert.match(problemOf(text, gives), words, text);
    assert.match(problemOf('item.a', 'value', false), /Unknown variable: item; there are document, carrier \(/);
    // Loops one after the other are not nested.
    assert.equal(
      problemOf('document.l.map(a, a).filter(b, b > 1).all(c, document.l.exists(d, d == c))', 'bool'),
      'none',
    );
  });

  test('that have no value say why and where, and nothing of the document', () => {
    const secret = 'hunter2-hunter2';
    const document = { password: secret, list: [secret], number: 3, object: { [secret]: 1 } };
    const failures: [string, string, RegExp][] = [
      ['document.a.b', 'missing-field', /^no such key at line 1, column \d+$/],
      ['"x" +\n document.list[7]', 'malformed', /at line 2, column \d+$/],
      ['document[document.password]', 'missing-field', /^no such key/],
      ['document.number + 1', 'malformed', /no such overload: dyn<double> \+ int at line 1, column 1$/],
      ['timestamp(document.password)', 'malformed', /^invalid timestamp/],
      ['bool(document.password)', 'malformed', /^bool conversion error/],
      ['duration(document.password)', 'malformed', /^invalid duration/],
      ['document.number.matches("a")', 'malformed', /./],
      ['document.password.all(x, x)', 'malformed', /./],
      ['bytes(document.password).json()', 'malformed', /./],
      ['timestamp("2026-01-12T03:04:05Z").getHours(document.password)', 'malformed', /./],
    ];
    for (const [text, reason, words] of failures) {
      assert.throws(
        () => evaluate(text, document),
        (error) => {
          assert.ok(error instanceof ExpressionError, String(error));
          assert.equal(error.reason, reason, text);
          assert.match(error.message, words);
          assert.ok(!error.message.includes(secret), error.message);
          return true;
        },
      );
    }
  });

  test('take members whatever they are called', () => {
    const hostile = JSON.parse('{"labels": {"constructor": "c", "__proto__": "p", "toString": "t", "app": "web"}}');
    assert.equal(evaluate('document.labels.app', hostile), 'web');
    assert.equal(evaluate('document.labels["constructor"]', hostile), 'c');
    assert.equal(evaluate('document.labels["toString"]', hostile), 't');
    assert.deepEqual(evaluate('document.labels.map(k, k)', hostile), ['constructor', '__proto__', 'toString', 'app']);
    for (const name of ['constructor', 'toString', 'hasOwnProperty']) {
      assert.throws(() => evaluate(`document.labels.app.${name}`, hostile), ExpressionError);
      assert.throws(() => evaluate(`document["${name}"]`, hostile), ExpressionError);
    }
  });
});

suite('what expressions cost', () => {
  const entries = Array.from({ length: 20_000 }, (_, n) => ({ n, s: 'a'.repeat(20), m: { a: 1, b: [1, 2, 3] } }));
  let deep: unknown = 1;
  for (let depth = 0; depth < 50_000; depth += 1) deep = depth % 2 === 0 ? [deep] : { a: deep };
  const document = {
    l: entries,
    deep,
    text: 'x'.repeat(4_000_000),
    words: Array.from({ length: 200_000 }, () => 'ab'),
    wide: Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`k${n}`, n])),
    ab: Array.from({ length: 4_096 }, (_, n) => 'ab'[((n * 7_919) >> 3) & 1]).join(''),
    time: '2026-01-12T03:04:05Z',
  };
  const bound = (levels: number, step: (last: string) => string, end: (last: string) => string) => {
    let text = end(`a${levels}`);
    for (let level = levels; level > 0; level -= 1) text = `cel.bind(a${level}, ${step(`a${level - 1}`)}, ${text})`;
    return `cel.bind(a0, ["x", "y"], ${text})`;
  };
  const worst: Readonly<Record<string, string>> = {
    'loops in loops': 'document.l.all(x, document.l.all(y, x.n >= 0 || y.n >= 0))',
    'loops that fail': 'document.l.exists(x, document.l.exists(y, y.missing.a == 1))',
    'a loop of failures that are caught': 'document.l.exists(x, x.missing == 1 || x.also == 2)',
    'lists of lists': 'document.l.map(x, document.l.map(y, y))',
    'comparing everything': 'document.l.all(x, document.l == document.l)',
    'comparing in a loop': 'document.l.all(x, document.l.filter(y, y.m == x.m).size() > 0)',
    'searching long lists': 'document.l.all(x, !("zz" in document.words))',
    'joining long text': 'document.l.map(x, document.text).join().size()',
    'searching long text': 'document.l.all(x, !document.text.contains("y"))',
    'counting long text': 'document.l.all(x, size(document.text) > 3)',
    'splitting long text': 'document.l.map(x, document.text.split(""))',
    'copying long lists': 'document.l.all(x, size(document.words + document.words) > 1)',
    'maps of many names': 'document.l.all(x, document.wide != null)',
    'looking into many names': 'document.l.all(x, "k5" in document.wide)',
    'text that doubles': bound(
      16,
      (a) => `${a} + ${a}`,
      (a) => `document.l.all(x, ${a}.size() > 0)`,
    ),
    'values that hold each other twice': bound(
      16,
      (a) => `[${a}, ${a}]`,
      (a) => `${a} == ${a}`,
    ),
    'a pattern that loops in loops': 'document.l.all(x, !document.ab.matches("(a|b)*a(a|b){12}b(a|b){30}a$") || true)',
    'a pattern that repeats': 'document.l.all(x, !document.ab.matches("[ab]*a[ab]{200}b$") || true)',
    'time zones': 'document.l.all(x, timestamp(document.time).getHours("Europe/Berlin") >= 0)',
    'time zones that there are not': 'document.l.all(x, timestamp(document.time).getHours("A/" + x.s) > 0 || true)',
    'numbers of long text': 'document.l.all(x, double(document.text) > 1.0 || true)',
  };
  for (const [what, text] of Object.entries(worst)) {
    test(`is bounded: ${what}`, (t) => {
      const before = performance.now();
      const { units, reason } = cost(text, document);
      t.diagnostic(`${Math.round(performance.now() - before)} ms`);
      assert.equal(reason, 'too-large');
      assert.equal(units, unitsOfEvaluation);
    });
  }

  test('is bounded however deep a document is', () => {
    for (const text of [
      'document.deep == document.deep',
      'size(document.deep) == 1',
      'document.deep in [document.deep]',
    ]) {
      const { units, reason } = cost(text, document);
      assert.equal(reason, 'too-large', text);
      assert.ok(units <= unitsOfEvaluation);
    }
  });

  test('is counted in each step of a loop, and the same every time', () => {
    const few = { l: entries.slice(0, 100) };
    const many = { l: entries.slice(0, 200) };
    const text = 'document.l.all(x, x.n >= 0)';
    assert.equal(cost(text, few).units, cost(text, few).units);
    const step = (cost(text, many).units - cost(text, few).units) / 100;
    // x, its member, the 0, the comparison, and what all() makes of it.
    assert.ok(step >= 5 && step < 20, String(step));
  });

  test('is taken from the effort of the document until there is none', () => {
    const text = 'document.l.all(x, x.n >= 0)';
    const small = { l: entries.slice(0, 50) };
    const effort = new Effort(2 * cost(text, small).units + 10);
    assert.equal(evaluate(text, small, effort), true);
    assert.equal(evaluate(text, small, effort), true);
    assert.throws(() => evaluate(text, small, effort), { reason: 'too-large' });
    assert.ok(effort.left <= 0);
    // One that was stopped in the middle leaves nothing behind.
    assert.equal(evaluate(text, small), true);
  });
});

test('no document makes an expression throw anything but its own error', () => {
  const texts = [
    'document.a.b.c',
    'document.a == document.b',
    'document.a.all(x, x.b == document.a)',
    'document.a.map(x, x).filter(x, x != document.b).size() > 0',
    'document.a in document.b',
    'document.a + document.b',
    'size(document.a) > 1 || document.b',
    'document.a.matches("a+b")',
    'timestamp(document.a)',
    'int(document.a) + int(document.b)',
    'document.a[document.b]',
    'document.?a.?b.orValue(document.b)',
    'document.a ? document.b : document.a',
    'document.a.split(document.b).join(document.b)',
    'bytes(document.a).json()',
    '!document.a || -document.b > 0',
  ].map((text) => compiled(text));
  const value = fc.anything({ values: [fc.string(), fc.double(), fc.boolean(), fc.constant(null)], maxDepth: 4 });
  const json = value.map((one): unknown => JSON.parse(JSON.stringify(one) ?? 'null'));
  fc.assert(
    fc.property(json, json, (a, b) => {
      for (const expression of texts) {
        try {
          expression.evaluate({ document: { a, b }, item: a, carrier: {} }, new Effort(endless));
        } catch (error) {
          assert.ok(error instanceof ExpressionError, `${expression.text}: ${error}`);
        }
      }
    }),
    { numRuns: 200 },
  );
});
