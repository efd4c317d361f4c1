/** Files to documents, and documents to reports. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { defaultLimits, parseDocuments } from '../../src/cli/documents.ts';
import type { ParsedDocument } from '../../src/lib/json-documents.ts';
import { jsonShape } from '../../src/lib/json-shape.ts';
import { expand, recognise } from '../../src/sources/recognise.ts';

async function parse(input: string | Uint8Array, name = '-', limits = defaultLimits): Promise<ParsedDocument[]> {
  const parsed: ParsedDocument[] = [];
  const bytes = typeof input === 'string' ? Buffer.from(input) : input;
  for await (const document of parseDocuments(bytes, name, limits)) parsed.push(document);
  return parsed;
}

async function values(input: string | Uint8Array, name?: string): Promise<unknown[]> {
  return (await parse(input, name)).map((parsed) => ('value' in parsed ? parsed.value : parsed.problem));
}

suite('documents', () => {
  test('JSON, with byte order marks', async () => {
    assert.deepEqual(await values('{"a": 1}'), [{ a: 1 }]);
    assert.deepEqual(await values('\uFEFF [1]'), [[1]]);
    assert.deepEqual(await values(Buffer.from('\uFEFF{"a": "ü"}', 'utf16le')), [{ a: 'ü' }]);
    assert.deepEqual(await values(Buffer.from('\uFEFF{"a": 1}', 'utf16le').swap16()), [{ a: 1 }]);
  });

  test('one JSON per line, by name or by looks, each line for itself', async () => {
    assert.deepEqual(await values('{"a":1}\r\n\n{"b":2}\n'), [{ a: 1 }, { b: 2 }]);
    const parsed = await parse('{"a":1}\n{"b":\n{"c":3}', 'x.ndjson');
    assert.deepEqual(
      parsed.map(({ label }) => label),
      ['line 1', 'line 2', 'line 3'],
    );
    assert.ok(parsed[1] !== undefined && 'problem' in parsed[1]);
  });

  test('YAML with several documents, of which one is broken', async () => {
    const parsed = await parse(
      '# a comment\n---\na: 1\n---\nb: [\n---\n# nothing\n---\n%YAML 1.2\n---\nc: |\n  --- text\n...\n',
    );
    assert.deepEqual(
      parsed.map((document) => ('value' in document ? document.value : document.problem.split(':', 1)[0])),
      [{ a: 1 }, 'is not valid YAML (line 6', { c: '--- text\n' }],
    );
    assert.deepEqual(
      parsed.map(({ label }) => label),
      ['document 1', 'document 2', 'document 3'],
    );
  });

  test('YAML keeps times and odd keys as text', async () => {
    assert.deepEqual(await values('a: 2025-10-01T08:00:00Z\n1: x\n'), [{ a: '2025-10-01T08:00:00Z', 1: 'x' }]);
    const [document] = await values('__proto__: {kind: Pod}\na: 1');
    assert.deepEqual(Object.keys(document as object), ['__proto__', 'a']);
  });

  test('says what is empty or broken, without quoting it', async () => {
    assert.deepEqual(await values(''), ['is empty']);
    assert.deepEqual(await values(' \n\uFEFF'), ['is empty']);
    assert.deepEqual(await values('# nothing\n'), ['is empty']);
    assert.deepEqual(await values('{"password": hunter2}'), ['is not valid JSON (line 1)']);
    assert.deepEqual(await values(`{"a": [${'1,\n'.repeat(99)} oops], "password": "hunter2"}`), [
      'is not valid JSON (line 100)',
    ]);
    assert.deepEqual(await values('{"a": 1 "b": 2}'), ['is not valid JSON (line 1 column 9)']);
    assert.deepEqual(await values('{"a":'), ['is not valid JSON (it ends too early)']);
    assert.match(String((await values('hello', 'x.json'))[0]), /^is not valid JSON/);
  });

  test('a billion laughs', async () => {
    const lines = [
      'a0: &a0 [lol]',
      ...Array.from({ length: 12 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(10)}]`),
    ];
    assert.match(String((await values(lines.join('\n')))[0]), /^is not readable YAML: Excessive alias count/);
  });

  test('nesting that would end the stack', async () => {
    assert.match(String((await values('a: '.concat('['.repeat(50_000))))[0]), /^is not (readable|valid) YAML/);
    assert.equal((await values(`${'['.repeat(200_000)}${']'.repeat(200_000)}`)).length, 1);
  });

  test('what would not fit into memory', async () => {
    const limits = {
      ...defaultLimits,
      jsonContainers: 10,
      jsonMembers: 10,
      yamlBytes: 100,
      yamlTokens: 20,
      yamlDocuments: 3,
    };
    const problemOf = async (text: string) => {
      const [parsed] = await parse(text, '-', limits);
      return parsed !== undefined && 'problem' in parsed ? parsed.problem : undefined;
    };
    assert.match((await problemOf(`[${'{},'.repeat(10)}{}]`)) ?? '', /^is too large: more than 10 objects/);
    assert.match((await problemOf(`{${'"a":1,'.repeat(10)}"b":1}`)) ?? '', /^is too large/);
    assert.equal(await problemOf(`["${'{}:'.repeat(99)}"]`), undefined);
    assert.match((await problemOf(`a: ${'x'.repeat(100)}`)) ?? '', /^is too large: a YAML document/);
    assert.match((await problemOf('- a\n'.repeat(21))) ?? '', /^is too large/);
    assert.match((await problemOf('a\n---\n'.repeat(4))) ?? '', /^is too large: more than 3 YAML documents/);
  });

  test('the shape of JSON is counted outside of strings', () => {
    const shape = (text: string) => Object.values(jsonShape(Buffer.from(text)));
    assert.deepEqual(shape('{"a": [1, {"b": "}{:\\"["}], "c": "\\\\"}'), [3, 3, 3]);
    assert.deepEqual(shape('[[],[[]]]'), [4, 0, 3]);
    assert.deepEqual(shape('"unended'), [0, 0, 0]);
  });
});

suite('reports in documents', () => {
  const report = { apiVersion: 'wgpolicyk8s.io/v1alpha2', kind: 'PolicyReport', metadata: { name: 'x' } };

  test('lists are taken apart, also in each other', () => {
    const list = { apiVersion: 'v1', kind: 'List', items: [report, [report], { kind: 'List', items: [report] }] };
    assert.deepEqual(
      [...expand(list)].map(({ place }) => place),
      ['.items[0]', '.items[1][0]', '.items[2].items[0]'],
    );
    assert.deepEqual(
      [...expand([report])].map(({ place }) => place),
      ['[0]'],
    );
    assert.deepEqual([...expand(report)], [{ place: '', document: report }]);
  });

  test('items of a typed list get what the list says for them', () => {
    const { apiVersion, kind: _, ...bare } = report;
    const [part] = expand({ apiVersion, kind: 'PolicyReportList', items: [bare] });
    assert.deepEqual(part?.document, report);
    assert.equal(part?.document && recognise(part.document)?.name, 'policy-report');
  });

  test('what is no object, nested too deeply or no list is handed on', () => {
    assert.deepEqual(
      [...expand([1, null])].map(({ document }) => document),
      [undefined, undefined],
    );
    assert.deepEqual(
      [...expand([[[[[[report]]]]]])].map(({ place }) => place),
      ['[0][0][0][0]'],
    );
    assert.deepEqual([...expand({ kind: 'List', items: {} })].length, 1);
    assert.deepEqual([...expand({ items: [1, 2] })].length, 1);
    assert.deepEqual([...expand({ kind: 'List', items: [] })], []);
  });

  test('a document is recognised by its content alone', () => {
    const named = (apiVersion: unknown, kind: unknown) => recognise({ apiVersion, kind })?.name;
    assert.equal(named('wgpolicyk8s.io/v1beta1', 'ClusterPolicyReport'), 'policy-report');
    assert.equal(named('aquasecurity.github.io/v1alpha1', 'ClusterVulnerabilityReport'), 'trivy-vulnerability-report');
    assert.equal(named('aquasecurity.github.io.evil/v1', 'VulnerabilityReport'), undefined);
    assert.equal(named('v1', 'PolicyReport'), undefined);
    assert.equal(named({}, []), undefined);
  });
});
