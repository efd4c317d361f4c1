/** Hostile text: cleaning, cutting, masking; and the small helpers that names, labels and hashes are made with. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { backoffMs } from '../../src/lib/backoff.ts';
import { base32, canonicalJson, hash52, sha256Base32, shortHash } from '../../src/lib/hash.ts';
import { parseRecord } from '../../src/lib/json.ts';
import { labelValue } from '../../src/lib/label.ts';
import { maskSecrets } from '../../src/lib/secrets.ts';
import { clean, cut, cutToBytes } from '../../src/lib/text.ts';

/** Built here, so that no scanner takes this file for a leak. */
const run = (characters: string, length: number) => characters.repeat(length).slice(0, length);
const jwt = `eyJ${run('hbGciOiJIUzI1NiJ9', 17)}.eyJ${run('zdWIiOiIxMjM0', 13)}.${run('SflKxwRJ_-', 30)}`;

const masked: readonly [text: string, expected: string][] = [
  [`key -----BEGIN RSA PRIVATE KEY-----${run('MIIB', 64)}-----END RSA PRIVATE KEY----- end`, 'key [masked] end'],
  ['-----BEGIN PRIVATE KEY----- Proc-Type: 4,ENCRYPTED DEK-Info: AES-128-CBC,00 MIIB', '[masked]'],
  [`id AKIA${run('ABCD1234', 16)}, x`, 'id [masked], x'],
  [`ghp_${run('aB3', 36)}`, '[masked]'],
  [`ghs_${run('aB3', 400)}_tail`, '[masked]_tail'],
  [`github_pat_${run('aB_3', 82)}`, '[masked]'],
  [`glpat-${run('aB3-', 20)}`, '[masked]'],
  [`glpat-${run('aB3', 27)}.01.${run('x9', 9)}`, '[masked]'],
  [`xoxb-${run('123456789012-', 50)}`, '[masked]'],
  [`sk_live_${run('aB3', 24)}`, '[masked]'],
  [`AIza${run('aB3_-', 35)}`, '[masked]'],
  [jwt, '[masked]'],
  [`token is ${jwt} there`, 'token is [masked] there'],
  [`Authorization: Bearer ${run('aB3', 20)}`, 'Authorization: Bearer [masked]'],
  ['Authorization: Basic dXNlcjpwYXNz', 'Authorization: Basic [masked]'],
  ['postgres://admin:hunter2@db:5432/x', 'postgres://admin:[masked]@db:5432/x'],
  ['redis://:hunter2@cache', 'redis://:[masked]@cache'],
  ['password=hunter2', 'password=[masked]'],
  ['DB_PASSWORD: hunter2 and more', 'DB_PASSWORD: [masked] and more'],
  ['AWS_SECRET_ACCESS_KEY=abcd/efgh+1', 'AWS_SECRET_ACCESS_KEY=[masked]'],
  ['my-app_api-key: "two words here" end', 'my-app_api-key: "[masked]" end'],
  ["pwd='a b c d'", "pwd='[masked]'"],
  ['{"password":"hunter2","user":"x"}', '{"password":"[masked]","user":"x"}'],
  ['{\\"client_secret\\":\\"hunter2\\"}', '{\\"client_secret\\":\\"[masked]\\"}'],
  ['clientSecret: x, token=abcdef', 'clientSecret: x, token=[masked]'],
];

const untouched = [
  'Basic authentication is enabled on the API server',
  'Ensure that the --basic-auth-file argument is not set',
  'bearer tokens must be rotated; Bearer authorization-mode',
  'basic configuration/authorization',
  'automountServiceAccountToken: false',
  'token: true',
  'Secret: required.',
  'password = null',
  'CVE-2024-3094 in liblzma5 5.6.0-0.2 (fixed in 5.6.1+really5.4.5-1)',
  'ServiceAccount token-cleaner may get secrets in all namespaces',
  'https://avd.aquasec.com/nvd/cve-2024-3094',
  'http://host:8080/path@x',
  'index.docker.io/library/nginx@sha256:4c0fdaa8b6341bfdeca5f18f7837462c80cff90527ee35ef185571e1c327beac',
  'AKIA is the prefix of access key ids',
  'AKIAABCDEFGHIJKLMNOPQRSTUV is too long for one',
  'eyJ is how tokens begin; eyJ.eyJ.x is none',
  'replicaset-web-frontend-5d59d67564-nginx',
  'secrets: get, list',
  'keyless: sigstore',
];

type Order = (keys: string[]) => string[];
const inOrder: Order = (keys) => keys.toSorted();
const inReverse: Order = (keys) => keys.toSorted().toReversed();

/** A copy whose members were all set in some order. */
function ordered(value: unknown, order: Order): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item) => ordered(item, order));
  const record = value as Record<string, unknown>;
  return Object.fromEntries(order(Object.keys(record)).map((key) => [key, ordered(record[key], order)]));
}

suite('text: secrets', () => {
  for (const [text, expected] of masked) {
    test(`are masked: ${expected.slice(0, 60)}`, () => {
      assert.equal(clean(text), expected);
      assert.equal(clean(expected), expected, 'a second time changes nothing');
    });
  }
  for (const text of untouched) test(`are not seen in: ${text.slice(0, 60)}`, () => assert.equal(clean(text), text));

  test('are found behind invisible characters', () => {
    assert.equal(clean('pass\u200bword=hun\u00adter2'), 'password=[masked]');
  });

  test('are looked for in time that grows with the text, whatever it is', () => {
    // Each was slow for some pattern of this kind. With a quadratic one of 256 KiB this test does not end in time.
    const pieces = [
      'eyJ',
      'eyJ-',
      '-eyJ',
      'eyJ.',
      '.eyJ',
      'a-',
      'a_',
      'a.',
      'A',
      'token',
      'token-',
      'secret_',
      'token=',
      'password:"',
      '"',
      '://',
      '://a:',
      '://a@',
      ':',
      'bearer ',
      'Basic a',
      'ghp_',
      'glpat-',
      'xoxb-',
      'AKIA',
      'AIza',
      '-----BEGIN ',
      '-----BEGIN PRIVATE KEY-----',
      '-----END ',
      ' ',
      '\u200b',
      '  ',
      'aaaaaaaaaaaaaaaa-',
      `${'a'.repeat(32)}-`,
      `-${'a'.repeat(33)}`,
    ];
    for (const one of pieces) {
      for (const other of ['', 'x', ' ', '=', '-']) {
        const text = `${one}${other}`.repeat(Math.ceil(2 ** 18 / (one.length + other.length)));
        assert.equal(typeof maskSecrets(`token ${text}`), 'string');
        assert.ok(clean(text.slice(0, 4096)).length <= 4096 * 3);
      }
    }
  });
});

suite('text: cleaning and cutting', () => {
  test('folds white space, removes what cannot be seen, keeps the rest', () => {
    assert.equal(clean('  a\r\n\tb  c '), 'a b c');
    assert.equal(clean('a \u200b b'), 'a b');
    assert.equal(clean('a\u202eb\u0007c\u{e0041}d\ufeff\u034fe'), 'abcde');
    assert.equal(clean('\ud800x\udc00'), 'x');
    assert.equal(clean('Größe 漢字 😀 e\u0301'), 'Größe 漢字 😀 e\u0301');
    assert.equal(clean('x'.repeat(5000)).length, 4096);
  });

  test('never cuts a character in two, and never makes text longer than asked', () => {
    const property = fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 30 }), (text, length) => {
      const result = cut(clean(text), length);
      assert.ok(result.length <= length && result.isWellFormed());
    });
    fc.assert(property);
    assert.equal(cut('😀😀😀', 4), '😀…');
    assert.equal(cut('a b c', 3), 'a…');
    assert.equal(cut('abc', 3), 'abc');
  });

  test('cuts to bytes as JSON has them', () => {
    const property = fc.property(
      fc.string({ unit: 'grapheme', maxLength: 200 }),
      fc.integer({ min: 8, max: 300 }),
      (raw, most) => {
        const text = clean(raw);
        const result = cutToBytes(text, most);
        const bytes = Buffer.byteLength(JSON.stringify(result)) - 2;
        assert.ok(bytes <= most && result.isWellFormed());
        if (Buffer.byteLength(JSON.stringify(text)) - 2 <= most) assert.equal(result, text);
      },
    );
    fc.assert(property);
  });
});

suite('labels, hashes and waits', () => {
  test('a label value is valid for any text, and differs where the text does', () => {
    const valid = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
    const property = fc.property(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.string({ maxLength: 80 }),
      (a, b) => {
        assert.match(labelValue(a), valid);
        assert.match(labelValue(b), valid);
        assert.equal(labelValue(a) === labelValue(b), a === b);
      },
    );
    fc.assert(property);
    assert.equal(labelValue('Deployment'), 'Deployment');
    assert.match(labelValue('AWS::S3::Bucket'), /^AWS--S3--Bucket-[a-z2-7]{8}$/);
    assert.match(labelValue('...'), /^[a-z2-7]{8}$/);
    assert.equal(labelValue('x'.repeat(64)).length, 63);
  });

  test('hashes are those of the standard', () => {
    const empty = '4oymiquy7qobjgx36tejs35zeqt24qpemsnzgtfeswmrw6csxbkq'; // SHA-256 of nothing
    assert.equal(sha256Base32(''), empty);
    assert.equal(
      shortHash(''),
      `${empty.slice(0, 12)}${base32('\u00e3\u00b0\u00c4\u0042\u0098\u00fc\u001c\u0014').at(-1)}`,
    );
    assert.equal(hash52(''), Number(0xe3b0c44298fc1cn & 0xfffffffffffffn));
    assert.equal(base32('foobar'), 'mzxw6ytboi');
  });

  test('canonical JSON is the same for the same value in any order', () => {
    const property = fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const again = JSON.parse(JSON.stringify(value)) as unknown;
      for (const order of [inOrder, inReverse])
        assert.equal(canonicalJson(ordered(again, order)), canonicalJson(value));
      assert.deepEqual(JSON.parse(canonicalJson(value)), again);
    });
    fc.assert(property);
    assert.equal(canonicalJson({ b: 1, a: [undefined, null], c: undefined }), '{"a":[null,null],"b":1}');
    assert.notEqual(canonicalJson({ a: 1 }), canonicalJson({ a: '1' }));
    let deep: unknown = 'below';
    for (let depth = 0; depth < 100; depth += 1) deep = { a: deep };
    assert.equal(canonicalJson(deep), `${'{"a":'.repeat(64)}"…"${'}'.repeat(64)}`);
  });

  test('a wait grows from half of the first to the greatest', () => {
    const options = { firstMs: 100, maximumMs: 1000 };
    const waits = [1, 2, 3, 4, 5, 6000].map((attempt) => backoffMs(attempt, options, () => 0));
    assert.deepEqual(waits, [50, 100, 200, 400, 500, 500]);
    assert.equal(
      backoffMs(2, options, () => 1),
      200,
    );
  });

  test('JSON that is no object is none', () => {
    for (const text of ['', 'x', '[]', 'null', '1', '"a"', '{']) assert.equal(parseRecord(text), undefined);
    assert.deepEqual(parseRecord(Buffer.from('{"a":1}')), { a: 1 });
  });
});
