/** Grype (`grype -o json`): one finding per vulnerable package. docs/sources/grype.md. */
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, asNumber, asText, at, kindOf, textAt } from '../lib/fields.ts';
import { clean } from '../lib/text.ts';
import { plausibleTime } from '../lib/times.ts';
import { CarriedReading, listAt } from './carried-report.ts';
import { repositoryOf } from './image-name.ts';
import { vulnerabilityFinding } from './package-vulnerability.ts';
import type { SeverityWords } from './severity-words.ts';
import { severityIn } from './severity-words.ts';
import type { Finding, Format, RawDocument, ResourceReference, Source } from './source.ts';

const name = 'grype';

const severityWords: SeverityWords = {
  critical: 'critical',
  high: 'high',
  medium: 'medium',
  low: 'low',
  negligible: 'info',
  unknown: 'unknown',
};

const grypeReport: Format = {
  name,
  recognise: (document) =>
    Object.hasOwn(document, 'matches') && textAt(document, 'descriptor', 'name')?.toLowerCase() === name,
  read(document, context) {
    const target = targetOf(document);
    const reading = new CarriedReading(name, context, [target.resource.kind, target.resource.name]);
    for (const { fields, place } of reading.entries(listAt(document, 'matches'), '.matches')) {
      const id = textAt(fields, 'vulnerability', 'id');
      const artifact = asFields(fields['artifact']) ?? {};
      const packageName = asText(artifact['name']);
      if (id === undefined || packageName === undefined) {
        const [where, value] =
          id === undefined
            ? ['vulnerability.id', at(fields, 'vulnerability', 'id')]
            : ['artifact.name', artifact['name']];
        reading.refuse('missing-field', `${place}.${where}`, `expected a text, found ${kindOf(value)}`);
      } else reading.find(findingOf(target, fields, id, packageName, artifact));
    }
    return [reading.reading(plausibleTime(at(document, 'descriptor', 'timestamp'), context.now))];
  },
};

interface Target {
  readonly resource: ResourceReference;
  readonly observedOn: Readonly<Record<string, unknown>>;
}

const kinds: Readonly<Record<string, string>> = { image: 'Image', directory: 'Directory', file: 'File' };

/** An image is an object, a folder or file a mere path, which an old version put into quotes. */
function targetOf(document: RawDocument): Target {
  const type = textAt(document, 'source', 'type') ?? '';
  const target = at(document, 'source', 'target');
  const input = textAt(target, 'userInput') ?? asText(target)?.replace(/^"(.*)"$/, '$1') ?? 'unnamed';
  const kind = Object.hasOwn(kinds, type) ? (kinds[type] ?? '') : 'Artifact';
  return {
    resource: { kind, name: kind === 'Image' ? repositoryOf(input) : input },
    observedOn: {
      object: input,
      digest: textAt(target, 'manifestDigest'),
      os: [textAt(document, 'distro', 'name'), textAt(document, 'distro', 'version')].filter(Boolean).join(' '),
    },
  };
}

function findingOf(target: Target, match: Fields, id: string, packageName: string, artifact: Fields): Finding {
  const vulnerability = asFields(match['vulnerability']) ?? {};
  return vulnerabilityFinding({
    source: name,
    id,
    severity: severityIn(severityWords, vulnerability['severity']),
    sourceSeverity: asText(vulnerability['severity']),
    resource: target.resource,
    identity: () => [target.resource.kind, target.resource.name, packageName],
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
          [target.resource.kind.toLowerCase()]: target.resource.name,
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

export const grype: Source = {
  name,
  title: 'Grype',
  homepage: 'https://github.com/anchore/grype',
  emits: [name],
  eventTypes: [{ eventType: 'vulnerability', category: 'security' }],
  severityWords,
  needsPods: false,
  intakes: [],
  formats: [grypeReport],
  graceSeconds: 2 * 60 * 60,
};
