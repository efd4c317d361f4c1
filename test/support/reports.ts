/** Reads report files for tests the way `zen-watcher scan` does, and puts what a format makes of them into plain words. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseDocuments } from '../../src/cli/documents.ts';
import { identify, OwnerResolver } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import { expand } from '../../src/sources/recognise.ts';
import type { Finding, Format, RawDocument, Reading } from '../../src/sources/source.ts';
import { MalformedReport } from '../../src/sources/source.ts';
import { repositoryRoot } from './repository.ts';

/** The moment at which all tests of sources read. */
export const readAt = new Date('2026-01-01T00:00:00Z');

/** Every report in a file, taken out of lists. Throws for a file that cannot be parsed. */
export async function reportsIn(path: string): Promise<RawDocument[]> {
  const reports: RawDocument[] = [];
  for await (const parsed of parseDocuments(readFileSync(path), path)) {
    if ('problem' in parsed) throw new Error(`${path}: ${parsed.label} ${parsed.problem}`);
    for (const { document, place } of expand(parsed.value)) {
      if (document === undefined) throw new Error(`${path}: ${place} is no object`);
      reports.push(document);
    }
  }
  return reports;
}

/** The event's name of a finding. */
export function nameOf(finding: Finding): string {
  return identify(finding, new OwnerResolver(noPods)).name;
}

/** What a format says of a document, as plain JSON for comparison. */
export function inWords(format: Format, document: RawDocument): unknown {
  try {
    return plain(format.read(document, { now: readAt }).map(readingInWords));
  } catch (error) {
    if (!(error instanceof MalformedReport)) throw error;
    return { malformed: plain(error.rejection) };
  }
}

function readingInWords(reading: Reading) {
  const { reportKey, partition, completeness, rejected, origin, reportedAt } = reading;
  return {
    reportKey,
    partition,
    completeness,
    origin,
    reportedAt,
    findings: reading.findings.map(findingInWords),
    rejected,
  };
}

function findingInWords(finding: Finding) {
  const { source, eventType, category, severity, sourceSeverity, rule, resource, nature } = finding;
  return {
    name: nameOf(finding),
    source,
    eventType,
    category,
    severity,
    sourceSeverity,
    rule,
    nature: nature.kind === 'state' ? nature.kind : nature,
    resource,
    identity: finding.identity(),
    ...finding.describe(),
  };
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** The folder of real reports that lies beside the project; undefined where there is none. */
export function openFixtures(): string | undefined {
  const folder = join(resolve(repositoryRoot, process.env['ZEN_SHARED'] ?? '../shared'), 'fixtures/open');
  return existsSync(folder) ? folder : undefined;
}
