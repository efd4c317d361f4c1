/**
 * Damaged reports: whatever is put in place of any part of a real one, a format answers with readings or MalformedReport
 * and the event of every finding can be built. Seeded and bounded in time.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { limits } from '../../src/api/schema.ts';
import { buildEvent } from '../../src/pipeline/event-builder.ts';
import { identify, OwnerResolver, reportKeyHash } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import { expand } from '../../src/sources/recognise.ts';
import { formats } from '../../src/sources/registry.ts';
import type { Format, RawDocument } from '../../src/sources/source.ts';
import { MalformedReport, rejectionReasons } from '../../src/sources/source.ts';
import { caseFile } from '../support/format-cases.ts';
import { readAt, reportsIn } from '../support/reports.ts';

const seed = 20_260_101;
const millisecondsPerFormat = 2_000;

/** Values that break careless code. Parsed, so that `__proto__` is a member like any other. */
const hostile: readonly unknown[] = JSON.parse(String.raw`[
  null, true, false, 0, -1, 1e308, 1.5, "", " ", "0", "null", "constructor", "__proto__", "<NA>", "a/b", "../..",
  [], [[]], [null], {}, {"toString": 1}, {"valueOf": null, "toString": null}, {"__proto__": {"kind": "Pod"}},
  {"constructor": {"prototype": {}}}, {"length": 5}, {"kind": "Pod", "name": "x"}, "\u202e\u0000\u001b[31m", "\ud800",
  "k8s_", "autogen-", "autogen-cronjob-", "2025-01-01T00:00:00Z", "9999-99-99T99:99:99Z"
]`);

const replacement = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...hostile) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  { weight: 1, arbitrary: fc.constant('x'.repeat(20_000)) },
);

interface Mutation {
  /** Chooses the place. */
  readonly at: number;
  readonly how: 'replace' | 'delete' | 'double' | 'wrap';
  readonly value: unknown;
}

const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.record({
    at: fc.nat(),
    how: fc.constantFrom('replace', 'replace', 'replace', 'delete', 'double', 'wrap'),
    value: replacement,
  }),
  { minLength: 1, maxLength: 4 },
);

/** Every container in a document with one of its keys. */
function places(value: unknown): [Record<string, unknown>, string][] {
  if (typeof value !== 'object' || value === null) return [];
  const container = value as Record<string, unknown>;
  return Object.keys(container).flatMap((key) => [[container, key], ...places(container[key])]);
}

function mutate(document: RawDocument, changes: readonly Mutation[]): RawDocument {
  const copy: RawDocument = structuredClone(document);
  for (const { at, how, value } of changes) {
    const all = places(copy);
    const [container, key] = all[at % all.length] ?? [];
    if (container === undefined || key === undefined) continue;
    const old = container[key];
    if (how === 'delete') delete container[key];
    else if (how === 'double') container[key] = [old, old];
    else if (how === 'wrap') container[key] = { [key]: old };
    else define(container, key, structuredClone(value));
  }
  return copy;
}

/** Sets a member, also one that is called `__proto__`. */
function define(container: object, key: string, value: unknown): void {
  Object.defineProperty(container, key, { value, enumerable: true, writable: true, configurable: true });
}

/** Reads, and does all that the core may do with what was read. */
function exercise(format: Format, document: RawDocument): void {
  format.recognise(document);
  let readings: ReturnType<Format['read']>;
  try {
    readings = format.read(document, { now: readAt });
  } catch (error) {
    assert.ok(error instanceof MalformedReport, `threw ${error}`);
    assert.ok(rejectionReasons.includes(error.rejection.reason));
    return;
  }
  for (const { findings, rejected, reportKey, origin } of readings) {
    const owners = new OwnerResolver(noPods);
    const key = reportKeyHash(reportKey, owners);
    for (const { reason } of rejected) assert.ok(rejectionReasons.includes(reason));
    for (const finding of findings) {
      assert.equal(typeof finding.rule, 'string');
      const resource = owners.resolve(finding.resource);
      const parts = { finding, identity: identify(finding, owners), resource, reportKey: key, origin };
      const event = buildEvent(parts, { namespace: 'zen-system', detectedAt: readAt });
      assert.ok(Buffer.byteLength(JSON.stringify(event)) <= limits.eventBytes);
    }
  }
}

suite('damaged reports', () => {
  for (const format of formats()) {
    test(format.name, async () => {
      const documents = await reportsIn(caseFile(format.name, 'many'));
      assert.ok(documents.length > 0);
      const property = fc.property(fc.nat(documents.length - 1), mutations, (index, changes) => {
        exercise(format, mutate(documents[index] ?? {}, changes));
      });
      fc.assert(property, { seed, numRuns: 20_000, interruptAfterTimeLimit: millisecondsPerFormat });
    });
  }

  test('anything at all', () => {
    const anything = fc.anything({ withNullPrototype: true, maxDepth: 3 });
    const property = fc.property(anything, (value) => {
      for (const { document } of expand(value)) {
        if (document !== undefined) for (const format of formats()) exercise(format, document);
      }
    });
    fc.assert(property, { seed, numRuns: 5_000, interruptAfterTimeLimit: 1_000 });
  });
});
