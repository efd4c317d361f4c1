/** The event's schema, judged without a server; test/integration/crd*.test.ts asks a real one. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { parse } from 'yaml';
import { generatedFiles } from '../../cmd/generate/generated-files.ts';
import { customResourceDefinition } from '../../src/api/crd.ts';
import type { EventSchemaRoot, EventSpec, EventStatus, ObjectReference, ZenAgentEvent } from '../../src/api/event.ts';
import { eventSchema, limits, specSchema, statusSchema } from '../../src/api/schema.ts';
import {
  type Category,
  eventTypePattern,
  eventTypes,
  fingerprintCharactersInName,
  type Phase,
  phases,
  type ResolveReason,
  type Severity,
  severities,
  severityRank,
  sourceNamePattern,
} from '../../src/api/words.ts';

/** What any node of the schema may hold. */
interface Node {
  readonly type: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly default?: unknown;
  readonly items?: Node;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
}

/** Every node below the root, with its path. */
function nodes(schema: Node, path = ''): [path: string, node: Node][] {
  const children: [string, Node][] = Object.entries(schema.properties ?? {}).map(([name, child]) => [
    `${path}.${name}`,
    child,
  ]);
  if (schema.items) children.push([`${path}[]`, schema.items]);
  return children.flatMap(([childPath, child]) => [[childPath, child], ...nodes(child, childPath)]);
}

const described = [...nodes(specSchema, '.spec'), ...nodes(statusSchema, '.status')] as const;
const version = customResourceDefinition().spec.versions[0];

suite('schema: bounds', () => {
  for (const [path, node] of described) {
    if (node.type === 'string') {
      test(`${path} has a greatest length, and its words fit`, () => {
        assert.ok((node.maxLength ?? 0) > 0 && (node.maxLength ?? 0) <= 4096);
        for (const word of node.enum ?? []) assert.ok(word.length <= (node.maxLength ?? 0), word);
      });
    }
    if (node.type === 'array') {
      test(`${path} has a greatest number of items and a list type`, () => {
        assert.ok((node.maxItems ?? 0) > 0 && (node.maxItems ?? 0) <= 64);
        assert.match(node['x-kubernetes-list-type'] ?? '', /^(atomic|map)$/);
      });
    }
    if (node.type === 'object') {
      test(`${path} names its properties or bounds their number`, () => {
        assert.ok(node.properties || (node.maxProperties ?? 0) > 0);
        for (const name of node.required ?? [])
          assert.ok(node.properties?.[name], `${name} is required, not described`);
      });
    }
  }

  test('only details takes fields that are not described', () => {
    const open = described.filter(([, node]) => node['x-kubernetes-preserve-unknown-fields']).map(([path]) => path);
    assert.deepEqual(open, ['.spec.details']);
  });

  test('resource, origin and details are owned as a whole, which keeps managedFields small', () => {
    const { resource, origin, details } = specSchema.properties;
    for (const node of [resource, origin, details]) assert.equal(node['x-kubernetes-map-type'], 'atomic');
  });

  test('the longest strings of one event fit well into its 16 KiB', () => {
    const longest = nodes(specSchema).reduce((sum, [path, node]) => {
      const times = path.endsWith('[]') ? specSchema.properties.references.maxItems : 1;
      return sum + (node.maxLength ?? 0) * times;
    }, limits.detailsBytes);
    assert.ok(longest < limits.eventBytes, `${longest} characters`);
  });
});

test('schema: every field of spec and status says what it is, for kubectl explain', () => {
  const silent = described.filter(
    ([path, { description }]) => path.split('.').length === 3 && !path.includes('[]') && !description,
  );
  assert.deepEqual(
    silent.map(([path]) => path),
    [],
  );
});

suite('schema: words', () => {
  test('severities are lower case and closed', () => {
    assert.deepEqual(severities, ['critical', 'high', 'medium', 'low', 'info', 'unknown']);
    assert.equal(specSchema.properties.severity.enum, severities);
    assert.deepEqual(
      severities.map((severity) => severityRank(severity)),
      [0, 1, 2, 3, 4, 5],
    );
  });

  test('older consumers find what they require', () => {
    assert.deepEqual(specSchema.required, ['source', 'category', 'severity', 'eventType']);
    assert.deepEqual(Object.keys(specSchema.properties.resource.properties), [
      'apiVersion',
      'kind',
      'name',
      'namespace',
    ]);
    for (const name of ['details', 'detectedAt']) assert.ok(name in specSchema.properties);
    for (const name of ['synced', 'lastSyncAttempt', 'syncError', 'saasEventId'])
      assert.ok(name in statusSchema.properties);
  });

  test('source names', () => {
    const pattern = new RegExp(sourceNamePattern);
    for (const name of ['a', 'trivy', 'kube-bench', '7z', 'a'.repeat(32)]) assert.match(name, pattern);
    for (const name of ['', '-a', 'a-', 'Trivy', 'kube_bench', 'a.b', 'a'.repeat(33)])
      assert.doesNotMatch(name, pattern);
  });

  test('every event type is one by the pattern, and no word is listed twice', () => {
    for (const eventType of eventTypes) assert.match(eventType, new RegExp(eventTypePattern));
    for (const words of [eventTypes, severities, phases]) assert.equal(new Set<string>(words).size, words.length);
  });

  test('the name rule cuts the fingerprint where the code does', () => {
    const [{ rule }] = eventSchema['x-kubernetes-validations'];
    assert.match(rule, new RegExp(`substring\\(0, ${fingerprintCharactersInName}\\)`));
  });
});

suite('schema: status', () => {
  test('has its defaults on the object and on phase and count, so that a create costs one write', () => {
    assert.deepEqual(statusSchema.default, {});
    assert.equal(statusSchema.properties.phase.default, 'Active');
    assert.equal(statusSchema.properties.count.default, 1);
  });

  test('has no other default: an absent field says something', () => {
    const withDefault = described.filter(([, node]) => node.default !== undefined).map(([path]) => path);
    assert.deepEqual(withDefault, ['.status.phase', '.status.count']);
  });
});

suite('CRD', () => {
  test('has at most 8 selectable fields, each described by the schema', () => {
    const paths = version.selectableFields.map((field) => field.jsonPath);
    assert.ok(paths.length <= 8);
    assert.deepEqual(paths, ['.spec.severity', '.spec.source', '.spec.eventType', '.status.phase']);
    for (const path of paths) assert.ok(described.some(([name]) => name === path));
  });

  test('every column prints a field that exists', () => {
    for (const { jsonPath } of version.additionalPrinterColumns) {
      assert.ok(jsonPath === '.metadata.creationTimestamp' || described.some(([name]) => name === jsonPath), jsonPath);
    }
  });

  test('the file in crds/ is what the code says', () => {
    const root = join(import.meta.dirname, '../..');
    const [row] = generatedFiles.filter(({ file }) => file.startsWith('crds/'));
    assert.ok(row);
    const text = readFileSync(join(root, row.file), 'utf8');
    assert.match(text, /^# Generated from src\/api by `npm run generate`/);
    assert.deepEqual(parse(text), JSON.parse(JSON.stringify(customResourceDefinition())));
  });
});

/** True when both types are the same in both directions, optional fields and all. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

suite('types inferred from the schema', () => {
  test('are the words and shapes of the schema', () => {
    const same = {
      severity: true satisfies Same<EventSpec['severity'], Severity>,
      category: true satisfies Same<EventSpec['category'], Category>,
      phase: true satisfies Same<NonNullable<EventStatus['phase']>, Phase>,
      reason: true satisfies Same<NonNullable<EventStatus['reason']>, ResolveReason>,
      references: true satisfies Same<NonNullable<EventSpec['references']>, string[]>,
      score: true satisfies Same<NonNullable<EventSpec['score']>, number>,
      synced: true satisfies Same<NonNullable<EventStatus['synced']>, boolean>,
      details: true satisfies Same<NonNullable<EventSpec['details']>, Record<string, unknown>>,
      origin: true satisfies Same<NonNullable<EventSpec['origin']>, ObjectReference>,
      rootSpec: true satisfies Same<EventSchemaRoot['spec'], ZenAgentEvent['spec']>,
      rootStatus: true satisfies Same<NonNullable<EventSchemaRoot['status']>, NonNullable<ZenAgentEvent['status']>>,
    };
    assert.ok(Object.values(same).every(Boolean));
  });

  test('require what the schema requires and refuse other words', () => {
    const least = { source: 'trivy', category: 'security', severity: 'high', eventType: 'vulnerability' } as const;
    const spec = least satisfies EventSpec;
    // @ts-expect-error eventType is required
    const incomplete = { source: 'trivy', category: 'security', severity: 'high' } as const satisfies EventSpec;
    // @ts-expect-error severities are lower case
    const upperCase = { ...least, severity: 'HIGH' } as const satisfies EventSpec;
    // @ts-expect-error it has no such field
    const unknownField = { ...least, uid: 'x' } as const satisfies EventSpec;
    assert.deepEqual(Object.keys(spec), [...specSchema.required]);
    assert.ok(incomplete && upperCase && unknownField);
  });
});
