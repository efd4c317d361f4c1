/** What declared sources make of documents (T10): the examples, whose word counts for whom, and what is hostile. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { configuredSources } from '../../src/config/configured-sources.ts';
import { configSchema } from '../../src/config/schema.ts';
import { identify, OwnerResolver } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import type { Carrier, Format, RawDocument, Reading, Source } from '../../src/sources/source.ts';
import { MalformedReport } from '../../src/sources/source.ts';

const now = new Date('2026-01-12T10:00:00Z');
type Tree = Record<string, unknown>;

async function declared(change: Tree = {}, findingChange: Tree = {}): Promise<Source> {
  const one = {
    name: 'example',
    title: 'Example',
    resource: { group: 'scanner.example', versions: ['v1'], resource: 'scans', kind: 'Scan' },
    items: 'document.results',
    ...change,
    finding: {
      eventType: 'misconfiguration',
      category: 'security',
      match: 'item.?failed.orValue(true)',
      severity: 'item.level',
      severities: { Urgent: 'critical', '3': 'low' },
      rule: 'item.check',
      resource: { apiVersion: "'apps/v1'", kind: "'Deployment'", name: 'item.workload', namespace: 'item.?namespace' },
      title: '"check " + item.check',
      ...findingChange,
    },
  };
  const [source] = await configuredSources(configSchema.parse({ declarativeSources: [one] }), []);
  assert.ok(source);
  return source;
}

function formatOf({ intakes, formats = [] }: Source): Format {
  const format = intakes[0]?.format ?? formats[0];
  assert.ok(format);
  return format;
}

function read(source: Source, document: RawDocument, carrier?: Carrier): Reading {
  const [reading] = formatOf(source).read(document, { now, carrier });
  assert.ok(reading);
  return reading;
}

const entry = { check: 'EX-1', level: 'urgent', workload: 'web' };
const scan = (results: unknown, change: Tree = {}): RawDocument => ({
  apiVersion: 'scanner.example/v1',
  kind: 'Scan',
  metadata: { name: 'one', namespace: 'shop' },
  results,
  ...change,
});
const carrier: Carrier = { namespace: 'scans', name: 'nightly', key: 'out.json', labels: {}, annotations: {} };
const carried = { resource: undefined, configMap: { selector: 'app=example' }, recognise: 'has(document.results)' };
const nameOf = (reading: Reading, index = 0) => {
  const finding = reading.findings[index];
  assert.ok(finding);
  return identify(finding, new OwnerResolver(noPods)).name;
};

suite('a declared source', () => {
  test('reads the entries of an object', async () => {
    const reading = read(
      await declared(),
      scan([entry, { ...entry, check: 'EX-2', failed: false }, { ...entry, check: 'EX-3', level: 3 }]),
    );
    assert.deepEqual(
      reading.findings.map(({ source, rule, severity, sourceSeverity, resource, eventType, category, nature }) => ({
        source,
        rule,
        severity,
        sourceSeverity,
        resource,
        eventType,
        category,
        nature,
      })),
      [
        { rule: 'EX-1', severity: 'critical' as const, sourceSeverity: 'urgent' },
        { rule: 'EX-3', severity: 'low' as const, sourceSeverity: '3' },
      ].map((own) => ({
        source: 'example',
        ...own,
        resource: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', namespace: 'shop' },
        eventType: 'misconfiguration',
        category: 'security',
        nature: { kind: 'state' },
      })),
    );
    assert.equal(reading.completeness, 'complete');
    assert.equal(reading.partition, 'shop');
    assert.deepEqual(reading.origin, {
      apiVersion: 'scanner.example/v1',
      kind: 'Scan',
      name: 'one',
      namespace: 'shop',
    });
    assert.deepEqual(reading.reportKey, ['example', 'shop', 'one']);
  });

  test('knows an object of a list, which has no kind of its own, as the same', async () => {
    const source = await declared({}, { details: { version: 'document.apiVersion', kind: 'document.kind' } });
    const { apiVersion: _one, kind: _other, ...bare } = scan([entry]) as Tree;
    const full = read(source, scan([entry]));
    const listed = read(source, bare);
    assert.deepEqual(listed.findings[0]?.describe(), full.findings[0]?.describe());
    assert.deepEqual(listed.origin, full.origin);
  });

  test('tells findings apart by resource and rule, or by what is said', async () => {
    const byRule = await declared();
    assert.equal(
      nameOf(read(byRule, scan([entry]))),
      nameOf(read(byRule, scan([{ ...entry, level: 'low', line: 7 }]))),
    );
    assert.notEqual(nameOf(read(byRule, scan([entry]))), nameOf(read(byRule, scan([{ ...entry, workload: 'api' }]))));
    const byLine = await declared({}, { identity: ['item.check', 'item.?line'] });
    assert.notEqual(nameOf(read(byLine, scan([entry]))), nameOf(read(byLine, scan([{ ...entry, line: 7 }]))));
  });

  test('rejects the entry that an expression fails on, with place and reason, and nothing else', async () => {
    const reading = read(
      await declared(),
      scan([entry, { level: 'urgent', workload: 'api' }, 'nonsense', { ...entry, workload: 'db' }]),
    );
    assert.deepEqual(reading.findings.map(({ resource }) => resource.name).sort(), ['db', 'web']);
    assert.equal(reading.completeness, 'partial');
    assert.deepEqual(
      reading.rejected.map(({ reason, place, message }) => [reason, place, message.split(':')[0]]),
      [
        ['missing-field', '.results[1]', 'rule'],
        ['missing-field', '.results[2]', 'severity'],
      ],
    );
  });

  test('rejects the document that an expression about all of it fails on', async () => {
    const source = await declared();
    for (const results of [undefined, 'text', 7, null]) {
      assert.throws(
        () => read(source, scan(results)),
        (error) => error instanceof MalformedReport && /items: /.test(error.message),
      );
    }
    assert.throws(() => read(source, { ...scan([]), metadata: {} }), MalformedReport);
  });

  test('says nothing of what is not evaluated yet, and is partial where something is left out', async () => {
    const one = await declared({ when: 'has(document.results)', complete: '!has(document.truncated)' });
    assert.deepEqual(read(one, scan(undefined)).completeness, 'not-yet');
    assert.deepEqual(read(one, scan([])).completeness, 'complete');
    assert.deepEqual(read(one, scan([], { truncated: true })).completeness, 'partial');
  });

  test('has its description bounded and in plain JSON', async () => {
    const source = await declared(
      {},
      {
        details: {
          number: 'int(item.n) + 1',
          time: 'timestamp(item.t)',
          span: 'duration("90s")',
          map: '{"a": [1, item.n]}',
          absent: 'item.?nothing',
          long: 'item.long',
          list: 'item.many',
          none: 'null',
          bytes: 'b"abc"',
          labels: 'item.labels',
        },
        references: 'item.links',
        score: 'item.n',
        remediation: 'item.?fix',
        summary: '""',
      },
    );
    const labels = JSON.parse('{"constructor": "c", "__proto__": {"polluted": true}}');
    const document = scan([
      {
        ...entry,
        n: 4,
        t: '2026-01-12T03:04:05Z',
        long: 'x'.repeat(10_000),
        many: Array.from({ length: 2_000 }, () => 1),
        links: ['https://a.example'],
        labels,
      },
    ]);
    const description = read(source, document).findings[0]?.describe();
    const { long, list, labels: kept, ...details } = description?.details ?? {};
    assert.deepEqual(details, {
      number: 5,
      time: '2026-01-12T03:04:05.000Z',
      span: '90s',
      map: { a: [1, 4] },
      absent: undefined,
      none: null,
      bytes: undefined,
    });
    assert.equal(String(long).length, 4_096);
    assert.ok((list as unknown[]).length <= 512);
    assert.ok(Object.hasOwn(kept as object, '__proto__'));
    assert.equal(({} as Tree)['polluted'], undefined);
    const { references, score, remediation, summary, title } = description ?? {};
    assert.deepEqual(
      [references, score, remediation, summary, title],
      [['https://a.example'], 4, undefined, 'check EX-1', 'check EX-1'],
    );
  });

  test('bounds what one document costs', async () => {
    const many = Array.from({ length: 12_000 }, (_, n) => ({ ...entry, workload: `w${n}` }));
    const plain = read(await declared(), scan(many));
    assert.equal(plain.findings.length, 10_000);
    assert.deepEqual(
      plain.rejected.map(({ reason, place }) => [reason, place]),
      [['too-large', '.results[10000]']],
    );
    const dear = await declared({}, { match: 'document.results.filter(r, r.workload > item.workload).size() >= 0' });
    const some = many.slice(0, 2_000);
    const reading = read(dear, scan(some));
    assert.ok(reading.findings.length > 10 && reading.findings.length < 2_000, String(reading.findings.length));
    assert.equal(reading.completeness, 'partial');
    assert.deepEqual(reading.rejected.map(({ reason }) => reason).slice(-1), ['too-large']);
    assert.ok(reading.rejected.length <= 2, String(reading.rejected.length));
  });

  test('needs the Pod list unless the kind is a word and another one', async () => {
    const needs = async (kind: string) => (await declared({}, { resource: { kind, name: 'item.name' } })).needsPods;
    assert.deepEqual(
      [await needs('"Job"'), await needs("'Pod'"), await needs('item.kind'), await needs('"Job" + ""')],
      [false, true, true, true],
    );
    assert.equal((await declared({}, { resource: undefined })).needsPods, false);
  });
});

suite('a declared source and namespaces', () => {
  test('speaks only for the namespace of its document', async () => {
    const entries = [entry, { ...entry, namespace: 'bank' }, { ...entry, workload: 'api', namespace: 'shop' }];
    const reading = read(await declared(), scan(entries));
    assert.deepEqual(reading.findings.map(({ resource }) => [resource.name, resource.namespace]).sort(), [
      ['api', 'shop'],
      ['web', 'shop'],
    ]);
    assert.deepEqual(
      reading.rejected.map(({ reason, place }) => [reason, place]),
      [['cross-namespace', '.results[1]']],
    );
    assert.equal(reading.completeness, 'partial');
    const inConfigMap = read(await declared(carried), { results: [{ ...entry, namespace: 'shop' }] }, carrier);
    assert.deepEqual(
      inConfigMap.rejected.map(({ reason }) => reason),
      ['cross-namespace'],
    );
  });

  test('speaks for others where that is permitted, and from where there are no namespaces', async () => {
    const trusted = await declared({ ...carried, crossNamespace: true });
    const [found] = read(trusted, { results: [{ ...entry, namespace: 'shop' }] }, carrier).findings;
    assert.deepEqual(found?.resource.namespace, 'shop');
    const [sent] = read(await declared(carried), { results: [{ ...entry, namespace: 'shop' }] }).findings;
    assert.deepEqual(sent?.resource.namespace, 'shop');
  });

  test('takes a Namespace for its own namespace', async () => {
    const source = await declared({}, { resource: { kind: "'Namespace'", name: 'item.workload' } });
    const reading = read(
      source,
      scan([
        { ...entry, workload: 'shop' },
        { ...entry, workload: 'bank' },
      ]),
    );
    assert.deepEqual(
      reading.findings.map(({ resource }) => resource),
      [{ kind: 'Namespace', name: 'shop' }],
    );
    assert.deepEqual(
      reading.rejected.map(({ reason }) => reason),
      ['cross-namespace'],
    );
  });
});

suite('a declared source of ConfigMaps and webhooks', () => {
  test('recognises its documents by their content, and never throws for others', async () => {
    const format = formatOf(
      await declared({ ...carried, recognise: 'document.tool == "example" && size(document.results) > 0' }),
    );
    assert.ok(format.recognise({ tool: 'example', results: [1] }));
    for (const other of [{}, { tool: 'other', results: [1] }, { tool: 'example' }, { tool: 'example', results: 7 }]) {
      assert.ok(!format.recognise(other as RawDocument));
    }
  });

  test('keeps documents apart by ConfigMap key and subject', async () => {
    const source = await declared({ ...carried, subject: 'document.image' });
    const key = (image: string, from?: Carrier) => JSON.stringify(read(source, { results: [], image }, from).reportKey);
    assert.equal(key('a', carrier), key('a', { ...carrier, labels: { x: 'y' } }));
    assert.notEqual(key('a', carrier), key('b', carrier));
    assert.notEqual(key('a', carrier), key('a', { ...carrier, key: 'other.json' }));
    assert.notEqual(key('a', carrier), key('a'));
    assert.deepEqual(read(source, { results: [], image: 'a' }, carrier).origin, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name: 'nightly',
      namespace: 'scans',
    });
  });

  test('reads the keys that are named, and knows where a document came from', async () => {
    const source = await declared(
      { ...carried, configMap: { selector: 'a=b', keys: ['out.json'] } },
      { details: { from: 'carrier.name' } },
    );
    assert.equal(read(source, { results: [entry] }, carrier).findings[0]?.describe().details['from'], 'nightly');
    assert.deepEqual(
      formatOf(source).read({ results: [entry] }, { now, carrier: { ...carrier, key: 'notes.txt' } }),
      [],
    );
    assert.equal(source.configMapSelector, 'a=b');
  });
});

suite('a declared signal', () => {
  test('is counted by the ids of its occurrences', async () => {
    const source = await declared({ ...carried, webhook: true }, { nature: 'signal', at: 'item.at', id: 'item.id' });
    const reading = read(source, {
      results: [
        { ...entry, at: '2026-01-12T03:04:05Z', id: 'a1' },
        { ...entry, at: '2999-01-01T00:00:00Z', id: 'a2' },
      ],
    });
    assert.deepEqual(
      reading.findings.map(({ nature }) => nature),
      [
        { kind: 'signal', occurrences: 1, at: new Date('2026-01-12T03:04:05Z'), occurrenceIds: ['a1'] },
        // A clock that is wrong loses nothing.
        { kind: 'signal', occurrences: 1, at: now, occurrenceIds: ['a2'] },
      ],
    );
    assert.equal(reading.completeness, 'partial');
    assert.deepEqual(source.eventTypes, [{ eventType: 'misconfiguration', category: 'security', nature: 'signal' }]);
  });

  test('of an object that counts is cumulative', async () => {
    const source = await declared(
      { items: undefined },
      {
        nature: 'signal',
        count: 'int(document.n)',
        severity: '"low"',
        rule: '"r"',
        title: '"t"',
        resource: undefined,
        match: undefined,
      },
    );
    const reading = read(source, scan([], { n: 4 }));
    assert.deepEqual(
      reading.findings.map(({ nature }) => nature),
      [{ kind: 'signal', occurrences: 4, at: now, cumulative: true }],
    );
    assert.deepEqual(
      read(source, scan([], { n: 0 })).rejected.map(({ message }) => message),
      ['count: expected a whole number above 0'],
    );
  });
});

test('no document makes a declared source throw anything but a rejection', async () => {
  const all = await Promise.all([
    declared(),
    declared(carried, { details: { all: 'item', labels: 'document.?labels' } }),
    declared(
      { items: undefined, when: 'document.a == document.b', subject: 'document.a' },
      { title: 'item.a', references: 'item.b' },
    ),
    declared(carried, { nature: 'signal', at: 'item.a', id: 'item.b', count: 'item.level' }),
  ]);
  const names = fc.constantFrom(
    'a',
    'b',
    'results',
    'level',
    'check',
    'workload',
    'namespace',
    'metadata',
    'name',
    'constructor',
    '__proto__',
    'kind',
    'labels',
    'toString',
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5, depthSize: 'small' },
      fc.string(),
      fc.double(),
      fc.boolean(),
      fc.constant(null),
      tie('list'),
      tie('object'),
    ),
    list: fc.array(tie('value'), { maxLength: 4 }),
    object: fc.array(fc.tuple(names, tie('value')), { maxLength: 6 }).map((members) => {
      const object = {};
      for (const [name, member] of members)
        Object.defineProperty(object, name, { value: member, enumerable: true, configurable: true, writable: true });
      return object;
    }),
  }));
  let readings = 0;
  fc.assert(
    fc.property(value, value, fc.boolean(), (results, metadata, isCarried) => {
      const document = { results, a: results, b: metadata, metadata: { name: 'x', labels: metadata } };
      for (const one of all) {
        const format = formatOf(one);
        format.recognise(document);
        try {
          for (const reading of format.read(document, { now, ...(isCarried ? { carrier } : {}) })) {
            readings += 1;
            const owners = new OwnerResolver(noPods);
            for (const finding of reading.findings) {
              identify(finding, owners);
              finding.describe();
            }
          }
        } catch (error) {
          assert.ok(error instanceof MalformedReport, String(error));
        }
      }
    }),
    { numRuns: 200 },
  );
  assert.ok(readings > 100, String(readings));
});
