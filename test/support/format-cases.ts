/** The fixtures of the formats, and what of a report must not depend on the order of its entries. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildEvent, contentHash } from '../../src/pipeline/event-builder.ts';
import { identify, OwnerResolver, reportKeyHash } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import { recognise } from '../../src/sources/recognise.ts';
import type { RawDocument } from '../../src/sources/source.ts';
import { readAt } from './reports.ts';
import { repositoryRoot } from './repository.ts';

/** Where the fixtures are, a folder for each format. */
export const fixturesFolder = join(repositoryRoot, 'test/fixtures');
/** What there is of each format. */
export const cases = ['none', 'one', 'many', 'malformed'] as const;

/** The file of a case. */
export function caseFile(format: string, name: (typeof cases)[number]): string {
  const files = ['json', 'yaml', 'ndjson'].map((ending) => join(fixturesFolder, format, `${name}.${ending}`));
  const [file, ...more] = files.filter((path) => existsSync(path));
  assert.ok(file !== undefined && more.length === 0, `${format} needs one fixture of the case ${name}`);
  return file;
}

/** What the core would write: of several findings with one identity the first. */
export function eventsOf(document: RawDocument): Map<string, unknown> {
  const events = new Map<string, unknown>();
  const readings = recognise(document)?.read(document, { now: readAt }) ?? [];
  for (const { findings, origin, reportKey, completeness } of readings) {
    const owners = new OwnerResolver(noPods);
    const key = reportKeyHash(reportKey, owners);
    events.set(key, completeness);
    for (const finding of findings) {
      const identity = identify(finding, owners);
      const parts = { finding, identity, resource: owners.resolve(finding.resource), reportKey: key, origin };
      if (events.has(identity.name)) continue;
      events.set(identity.name, contentHash(buildEvent(parts, { namespace: 'zen-system', detectedAt: readAt })));
    }
  }
  return new Map([...events].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Lists in which the place counts: of owners and locations the first, of rules and artifacts the one an index points to. */
const orderedLists: ReadonlySet<string> = new Set(['owners', 'ownerReferences', 'locations', 'rules', 'artifacts']);

const isObject = (value: unknown) => typeof value === 'object' && value !== null;

/** The document with its lists of objects turned round, the ordered ones left out. */
export function withEntriesReversed(document: RawDocument): RawDocument {
  return JSON.parse(
    JSON.stringify(document, (key, value: unknown) =>
      Array.isArray(value) && value.every(isObject) && !orderedLists.has(key) ? value.toReversed() : value,
    ),
  );
}
