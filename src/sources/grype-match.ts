/** The matches of Grype, which other tools carry in their own reports (https://github.com/anchore/grype, JSON schema). */
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, asNumber, asText, at, kindOf, textAt } from '../lib/fields.ts';
import { clean } from '../lib/text.ts';
import type { CarriedReading } from './carried-report.ts';
import { vulnerabilityFinding } from './package-vulnerability.ts';
import type { SeverityWords } from './severity-words.ts';
import { severityIn } from './severity-words.ts';
import type { Finding, IdentityPart, ResourceReference } from './source.ts';

export const grypeSeverityWords: SeverityWords = {
  critical: 'critical',
  high: 'high',
  medium: 'medium',
  low: 'low',
  negligible: 'info',
  unknown: 'unknown',
};

/** What was matched against the vulnerability database. */
export interface MatchedTarget {
  /** Where the matches are in the document, as a JSON path. */
  readonly place: string;
  /** Word for spec.source. */
  readonly source: string;
  readonly resource: ResourceReference;
  /** What tells it from other targets; the package and the vulnerability are added. */
  readonly identity: readonly IdentityPart[];
  readonly details: Readonly<Record<string, unknown>>;
  readonly observedOn: Readonly<Record<string, unknown>>;
}

/** Reads a list of matches: one finding per vulnerable package. */
export function readMatches(reading: CarriedReading, matches: unknown, target: MatchedTarget): void {
  for (const { fields, place: where } of reading.entries(matches, target.place)) {
    const id = textAt(fields, 'vulnerability', 'id');
    const artifact = asFields(fields['artifact']) ?? {};
    const packageName = asText(artifact['name']);
    if (id === undefined || packageName === undefined) {
      const [member, value] =
        id === undefined
          ? ['vulnerability.id', at(fields, 'vulnerability', 'id')]
          : ['artifact.name', artifact['name']];
      reading.refuse('missing-field', `${where}.${member}`, `expected a text, found ${kindOf(value)}`);
    } else reading.find(findingOf(target, fields, id, packageName));
  }
}

function findingOf(target: MatchedTarget, match: Fields, id: string, packageName: string): Finding {
  const artifact = asFields(match['artifact']) ?? {};
  const vulnerability = asFields(match['vulnerability']) ?? {};
  return vulnerabilityFinding({
    source: target.source,
    id,
    severity: severityIn(grypeSeverityWords, vulnerability['severity']),
    sourceSeverity: asText(vulnerability['severity']),
    resource: target.resource,
    identity: () => [...target.identity, packageName],
    facts: () => {
      const related = asList(match['relatedVulnerabilities']) ?? [];
      const aliases = related
        .map((other) => textAt(other, 'id'))
        .filter((alias) => alias !== undefined && alias !== id);
      const texts = [vulnerability, ...related];
      return {
        id,
        name: packageName,
        installedVersion: asText(artifact['version']),
        fixedVersion: fixedVersionOf(vulnerability),
        score: Math.max(...texts.flatMap(scoresOf)) || undefined,
        references: [
          asText(vulnerability['dataSource']),
          ...(asList(vulnerability['urls'] ?? vulnerability['links']) ?? []).slice(0, 8).map(asText),
        ],
        details: {
          aliases: [...new Set(aliases)],
          packageType: asText(artifact['type']),
          packageURL: purlWithoutVersion(clean(asText(artifact['purl']) ?? '')),
          fixState: textAt(vulnerability, 'fix', 'state'),
          ...target.details,
          description: texts.map((text) => textAt(text, 'description')).find((text) => text !== undefined),
        },
        observedOn: {
          ...target.observedOn,
          paths: (asList(artifact['locations']) ?? []).slice(0, 3).map((location) => textAt(location, 'path')),
        },
      };
    },
  });
}

/** Older versions have one text where newer ones have a list. */
function fixedVersionOf(vulnerability: Fields): string | undefined {
  const versions = asList(at(vulnerability, 'fix', 'versions'))?.map(asText);
  const stated = versions?.filter((version) => version !== undefined).join(', ');
  return asText(stated) ?? asText(vulnerability['fixedInVersion']);
}

/** A list with a version each, or in older versions one member for each version of CVSS. */
function scoresOf(vulnerability: unknown): number[] {
  const scores = [
    ...(asList(at(vulnerability, 'cvss')) ?? []).map((cvss) => asNumber(at(cvss, 'metrics', 'baseScore'))),
    asNumber(at(vulnerability, 'cvssV3', 'baseScore')),
    asNumber(at(vulnerability, 'cvssV2', 'baseScore')),
  ];
  return scores.filter((score) => score !== undefined);
}

function purlWithoutVersion(purl: string): string | undefined {
  return purl.split('?', 1)[0]?.replace(/@[^@/]*$/, '') || undefined;
}
