/** ConfigMaps with reports: keys, compression, bounds, and who reads them. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { configMapCollections } from '../../src/config-map-collections.ts';
import { configMapTexts } from '../../src/lib/config-map-data.ts';
import { Books } from '../../src/pipeline/books.ts';
import { ConfigMapIntake } from '../../src/pipeline/config-map-intake.ts';
import type { Reconciler } from '../../src/pipeline/reconciler.ts';
import type { Told } from '../../src/pipeline/told.ts';
import { sources } from '../../src/sources/registry.ts';
import type { Reading, Source } from '../../src/sources/source.ts';

const gz = (text: string) => gzipSync(text).toString('base64');
const control = (id: string) => JSON.stringify({ id, version: 'cis-1.9', node_type: 'node', tests: [] });
const kubeBench = sources.filter(({ name }) => name === 'kube-bench');
const key = '|ConfigMap|ns|results';

function texts(document: object, maximumBytes = 1_000) {
  return [...configMapTexts(document, maximumBytes)].map((one) =>
    'text' in one ? [one.key, one.text] : [one.key, one.problem, one.isTooLarge],
  );
}

function configMap(data: Readonly<Record<string, string>>) {
  return { metadata: { namespace: 'ns', name: 'results', resourceVersion: '1' }, data };
}

class Seen {
  readonly told: { readonly readings: readonly Reading[]; readonly told: Told }[] = [];
  readonly gone: string[] = [];
  readonly rejected: (readonly [string, string, string])[] = [];
  readonly reread: string[] = [];
  readonly books = new Books();
  readonly intake = new ConfigMapIntake({
    owner: 'configmaps',
    reconciler: {
      read: (_key: string, _owner: string, readings: readonly Reading[], _moment: unknown, told: Told) =>
        this.told.push({ readings, told }),
      gone: (gone: string) => this.gone.push(gone),
    } as unknown as Reconciler,
    books: this.books,
    clock: { now: () => new Date(0), monotonicMs: () => 0 },
    contextOf: () => ({}),
    rejected: (source, _key, { reason, place }) => this.rejected.push([source, reason, place]),
    reread: (again) => this.reread.push(again),
  });
}

suite('the texts of a ConfigMap', () => {
  test('keys that end like reports, or begin like JSON; data and binaryData, packed or not', () => {
    const data = { 'a.json': 'x', 'b.SARIF': 'y', 'c.txt': ' {"z": 1}', 'd.txt': 'words', e: '[1]' };
    const binaryData = {
      'f.json.gz': gz('{"f": 1}'),
      'g.bin': gz('words'),
      h: Buffer.from('{"h": 1}').toString('base64'),
    };
    assert.deepEqual(texts({ data, binaryData }), [
      ['a.json', 'x'],
      ['b.SARIF', 'y'],
      ['c.txt', ' {"z": 1}'],
      ['e', '[1]'],
      ['f.json.gz', '{"f": 1}'],
      ['h', '{"h": 1}'],
    ]);
  });

  test('what cannot be unpacked, is no text, or unpacks to more than it may', () => {
    const broken = gz('{"f": 1}').slice(0, 12);
    assert.deepEqual(
      texts({ data: { 'a.json': 1 }, binaryData: { 'b.json': broken, 'c.json': gz('{}'.repeat(9_000)), d: null } }),
      [
        ['a.json', 'expected text, found a number', false],
        ['b.json', 'is not valid gzip', false],
        ['c.json', 'is larger than 1000 bytes', true],
        ['d', 'expected text in base64, found null', false],
      ],
    );
    assert.deepEqual(texts({ data: 'x', binaryData: [] }), []);
  });
});

suite('reports in a ConfigMap', () => {
  test('each key by itself; a broken one is booked and told, and the whole is broken', () => {
    const seen = new Seen();
    const selection = seen.intake.selection(kubeBench);
    selection.read(
      key,
      'ns',
      configMap({ 'a.json': control('4'), 'b.json': '{', 'c.json': '{"x": 1}', 'd.json': '[1]' }),
    );
    assert.deepEqual(seen.rejected, [
      ['configmaps', 'malformed', 'data["b.json"]'],
      ['configmaps', 'malformed', 'data["c.json"] .'],
      ['configmaps', 'malformed', 'data["d.json"] [0]'],
    ]);
    assert.equal(seen.books.balance().rejected.malformed, 3);
    assert.equal(seen.told[0]?.readings.length, 1);
    assert.deepEqual(seen.told[0]?.told, { version: '1', isBroken: true, isSnapshot: true });
    assert.deepEqual([seen.intake.holds('kube-bench'), seen.intake.holds('grype')], [true, false]);
    selection.read(key, 'ns', configMap({ 'a.json': control('4') }));
    assert.equal(seen.told[1]?.told.isBroken, false);
  });

  test('too many objects, and too deep ones, are not parsed', () => {
    const seen = new Seen();
    const many = `[${'{},'.repeat(260_000)}{}]`;
    const deep = `${'['.repeat(80)}${']'.repeat(80)}`;
    seen.intake.selection(kubeBench).read(key, 'ns', configMap({ 'a.json': many, 'b.json': deep }));
    assert.deepEqual(seen.rejected, [
      ['configmaps', 'too-large', 'data["a.json"]'],
      ['configmaps', 'too-large', 'data["b.json"]'],
    ]);
  });

  test('found by two selections it is read once for all readers, and gone when the last one lost it', () => {
    const seen = new Seen();
    const checkov = sources.filter(({ name }) => name === 'checkov');
    const texts = { 'a.json': control('4'), 'b.json': '{"check_type": "terraform", "results": {"failed_checks": []}}' };
    const first = seen.intake.selection(kubeBench);
    const second = seen.intake.selection(checkov);
    first.read(key, 'ns', configMap(texts));
    second.read(key, 'ns', configMap(texts));
    assert.equal(seen.told[1]?.readings.length, 2);
    first.gone(key);
    assert.deepEqual([seen.gone, seen.reread], [[], [key]]);
    second.gone(key);
    second.gone(key);
    assert.deepEqual(seen.gone, [key]);
    assert.equal(seen.intake.holds('checkov'), false);
  });

  test('one collection for each label and namespace, and one for each selector of its own', () => {
    const own = { ...(kubeBench[0] as Source), name: 'scores', configMapSelector: 'tool=score' };
    const made = configMapCollections([...kubeBench, own], ['a', 'b']).map(({ collection, readers }) => [
      collection.namespace,
      collection.labelSelector,
      readers.map(({ name }) => name).join(),
    ]);
    assert.deepEqual(made.slice(0, 3), [
      ['a', 'app in (kube-bench)', 'kube-bench'],
      ['a', 'zen.kube-zen.io/source in (kube-bench),app notin (kube-bench)', 'kube-bench'],
      ['a', 'tool=score', 'scores'],
    ]);
    assert.equal(made.length, 6);
    assert.deepEqual(configMapCollections([], ['a']), []);
  });
});
