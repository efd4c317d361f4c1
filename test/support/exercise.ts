/** Takes a hostile document through all that the core may do with one, and damages documents for it. */
import assert from 'node:assert/strict';
import { limits } from '../../src/api/schema.ts';
import { buildEvent } from '../../src/pipeline/event-builder.ts';
import { identify, OwnerResolver, reportKeyHash } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import type { Format, RawDocument } from '../../src/sources/source.ts';
import { MalformedReport, rejectionReasons } from '../../src/sources/source.ts';
import { readAt } from './reports.ts';

/** How a document is damaged in one place. */
export interface Mutation {
  /** Chooses the place. */
  readonly at: number;
  readonly how: 'replace' | 'delete' | 'double' | 'wrap';
  readonly value: unknown;
}

/** Values that break careless code. Parsed, so that `__proto__` is a member like any other. */
export const hostileValues: readonly unknown[] = JSON.parse(String.raw`[
  null, true, false, 0, -1, 1e308, 1.5, "", " ", "0", "null", "constructor", "__proto__", "<NA>", "a/b", "../..",
  [], [[]], [null], {}, {"toString": 1}, {"valueOf": null, "toString": null}, {"__proto__": {"kind": "Pod"}},
  {"constructor": {"prototype": {}}}, {"length": 5}, {"kind": "Pod", "name": "x"}, "\u202e\u0000\u001b[31m", "\ud800",
  "k8s_", "autogen-", "autogen-cronjob-", "2025-01-01T00:00:00Z", "9999-99-99T99:99:99Z"
]`);

/** A copy with the damage done. */
export function mutate(document: RawDocument, changes: readonly Mutation[]): RawDocument {
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

/** Every container in a document with one of its keys. */
function places(value: unknown): [Record<string, unknown>, string][] {
  if (typeof value !== 'object' || value === null) return [];
  const container = value as Record<string, unknown>;
  return Object.keys(container).flatMap((key) => [[container, key], ...places(container[key])]);
}

/** Sets a member, also one that is called `__proto__`. */
function define(container: object, key: string, value: unknown): void {
  Object.defineProperty(container, key, { value, enumerable: true, writable: true, configurable: true });
}

/** What a format made of a document. */
export interface Exercised {
  readonly findings: number;
  /** Rejected entries; 1 for a document that was rejected whole. */
  readonly rejected: number;
}

/** Reads, and does all that the core may do with what was read. Fails where anything but MalformedReport is thrown. */
export function exercise(format: Format, document: RawDocument): Exercised {
  format.recognise(document);
  let readings: ReturnType<Format['read']>;
  try {
    readings = format.read(document, { now: readAt });
  } catch (error) {
    assert.ok(error instanceof MalformedReport, `threw ${error}`);
    assert.ok(rejectionReasons.includes(error.rejection.reason));
    return { findings: 0, rejected: 1 };
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
  return {
    findings: readings.reduce((sum, { findings }) => sum + findings.length, 0),
    rejected: readings.reduce((sum, { rejected }) => sum + rejected.length, 0),
  };
}
