/**
 * The Trivy command line (`trivy image -f json`, `trivy fs`, `trivy k8s --report all`), in its present form and in the older ones.
 * docs/sources/trivy-cli.md.
 */
import { asList, asText, at, kindOf, textAt } from '../lib/fields.ts';
import { plausibleTime } from '../lib/times.ts';
import type { Entry } from './carried-report.ts';
import { type CarriedReading, CarriedReadings, listAt } from './carried-report.ts';
import { repositoryOf } from './image-name.ts';
import { referenceTo } from './reference.ts';
import type { Format, IdentityPart, RawDocument, Source } from './source.ts';
import type { ScanTarget } from './trivy-cli-findings.ts';
import {
  misconfigurationFinding,
  secretFinding,
  trivyCliSource,
  vulnerablePackageFinding,
} from './trivy-cli-findings.ts';
import { trivySeverityWords } from './trivy-severity.ts';

const name = trivyCliSource;

const trivyCliReport: Format = {
  name,
  recognise: (document) => isArtifact(document) || isCluster(document) || isLegacyResult(document),
  read(document, context) {
    const readings = new CarriedReadings(name, context);
    if (isCluster(document)) readCluster(document, readings);
    else if (isArtifact(document)) readArtifact(document, readings);
    else readLegacyResult(document, readings);
    return readings.all(plausibleTime(document['CreatedAt'], context.now));
  },
};

/** Schema 2: one image, folder, repository or machine. */
function isArtifact({ SchemaVersion, ArtifactName }: RawDocument): boolean {
  return typeof SchemaVersion === 'number' && ArtifactName !== undefined;
}

const clusterLists = ['Resources', 'Findings', 'Vulnerabilities', 'Misconfigurations'];

/** `trivy k8s`: `Resources`, `Findings` in its summary; the two other lists are of versions before 0.38. */
function isCluster(document: RawDocument): boolean {
  return typeof document['ClusterName'] === 'string' && clusterLists.some((key) => Object.hasOwn(document, key));
}

const entryLists = ['Vulnerabilities', 'Misconfigurations', 'Secrets'];

/** Before schema 2 a report was a list of these, one for each operating system or lock file. */
function isLegacyResult(document: RawDocument): boolean {
  const { Target, Type, Class, ArtifactName, ClusterName } = document;
  return (
    typeof Target === 'string' &&
    ArtifactName === undefined &&
    ClusterName === undefined &&
    (typeof Type === 'string' ||
      typeof Class === 'string' ||
      entryLists.some((key) => asList(document[key]) !== undefined))
  );
}

const artifactKinds: Readonly<Record<string, string>> = {
  container_image: 'Image',
  filesystem: 'Directory',
  repository: 'Repository',
  vm: 'VirtualMachine',
};

function readArtifact(document: RawDocument, readings: CarriedReadings): void {
  const artifact = asText(document['ArtifactName']) ?? 'unnamed';
  const type = asText(document['ArtifactType']) ?? '';
  const kind = Object.hasOwn(artifactKinds, type) ? (artifactKinds[type] ?? '') : 'Artifact';
  const isImage = kind === 'Image';
  const resource = { kind, name: isImage ? repositoryOf(artifact) : artifact };
  const subject = [kind, resource.name];
  const reading = readings.about(subject);
  const target: ScanTarget = {
    resource,
    identity: subject,
    within: '',
    image: isImage ? resource.name : undefined,
    observedOn: {
      object: artifact,
      digest: asText(asList(at(document, 'Metadata', 'RepoDigests'))?.[0])?.split('@')[1],
      os: ['Family', 'Name']
        .map((key) => textAt(document, 'Metadata', 'OS', key))
        .filter(Boolean)
        .join(' '),
    },
  };
  // Left out where Trivy found nothing to scan: no package manager, no lock file.
  if (document['Results'] === undefined || document['Results'] === null) reading.isNotYet();
  else readResults(listAt(document, 'Results'), '.Results', target, reading);
}

/** `debian (debian 10.8)`, `app/Gemfile.lock`: in parentheses the operating system, which an upgrade changes. */
function readLegacyResult(document: RawDocument, readings: CarriedReadings): void {
  const target = withoutSystem(asText(document['Target']) ?? '');
  const isSystem = target !== document['Target'];
  const resource = isSystem ? { kind: 'Image', name: repositoryOf(target) } : { kind: 'File', name: target };
  const subject = [resource.kind, resource.name];
  const reading = readings.about(subject);
  const image = isSystem ? resource.name : undefined;
  readResult(
    { fields: document, place: '' },
    { resource, identity: subject, within: '', image, observedOn: { object: asText(document['Target']) } },
    reading,
  );
}

function withoutSystem(target: string): string {
  return target.slice(0, target.endsWith(')') ? Math.max(target.lastIndexOf(' ('), 0) || undefined : undefined);
}

/** The lists are apart: one of them can be missing where a scanner did not run. */
function readCluster(document: RawDocument, readings: CarriedReadings): void {
  for (const list of clusterLists) {
    if (!Object.hasOwn(document, list)) continue;
    for (const [index, value] of listAt(document, list).entries()) {
      const place = `.${list}[${index}]`;
      const kind = textAt(value, 'Kind');
      const object = textAt(value, 'Name');
      if (kind === undefined || object === undefined) {
        readings.refuse('malformed', place, `expected an object with Kind and Name, found ${kindOf(value)}`);
        continue;
      }
      const resource = referenceTo({ kind, name: object, namespace: textAt(value, 'Namespace') });
      const identity: readonly IdentityPart[] = [{ ownerOf: resource }];
      const reading = readings.about([...identity, list]);
      // The image could not be pulled, or the cluster could not be asked.
      if (textAt(value, 'Error') !== undefined) reading.isNotYet();
      const results = asList(at(value, 'Results')) ?? [];
      const image = imageOf(results);
      readResults(
        results,
        `${place}.Results`,
        { resource, identity, within: image ?? '', image, observedOn: { object: `${kind}/${object}` } },
        reading,
      );
    }
  }
}

/** Of a workload's results the one about the operating system names the image. */
function imageOf(results: readonly unknown[]): string | undefined {
  const system = results.find((result) => textAt(result, 'Class') === 'os-pkgs');
  const target = textAt(system, 'Target');
  return target === undefined ? undefined : repositoryOf(withoutSystem(target));
}

function readResults(results: readonly unknown[], place: string, target: ScanTarget, reading: CarriedReading): void {
  for (const result of reading.entries(results, place)) readResult(result, target, reading);
}

/** Licenses are none of security's business, and are not read. */
function readResult({ fields: result, place }: Entry, target: ScanTarget, reading: CarriedReading): void {
  for (const { fields, place: where } of reading.entries(result['Vulnerabilities'], `${place}.Vulnerabilities`)) {
    const id = asText(fields['VulnerabilityID']);
    if (id === undefined) refuse(reading, `${where}.VulnerabilityID`, fields['VulnerabilityID']);
    else reading.find(vulnerablePackageFinding(target, result, fields, id));
  }
  for (const { fields, place: where } of reading.entries(result['Misconfigurations'], `${place}.Misconfigurations`)) {
    const id = asText(fields['ID']) ?? asText(fields['AVDID']);
    const status = asText(fields['Status']) ?? 'FAIL';
    if (status !== 'FAIL') continue;
    if (id === undefined) refuse(reading, `${where}.ID`, fields['ID']);
    else reading.find(misconfigurationFinding(target, result, fields, id));
  }
  for (const { fields, place: where } of reading.entries(result['Secrets'], `${place}.Secrets`)) {
    const id = asText(fields['RuleID']);
    if (id === undefined) refuse(reading, `${where}.RuleID`, fields['RuleID']);
    else reading.find(secretFinding(target, result, fields, id));
  }
}

function refuse(reading: CarriedReading, place: string, value: unknown): void {
  reading.refuse('missing-field', place, `expected an id, found ${kindOf(value)}`);
}

export const trivyCli: Source = {
  name,
  title: 'Trivy CLI',
  homepage: 'https://trivy.dev',
  emits: [name],
  eventTypes: [
    { eventType: 'vulnerability', category: 'security' },
    { eventType: 'misconfiguration', category: 'security' },
    { eventType: 'exposed-secret', category: 'security' },
  ],
  severityWords: trivySeverityWords,
  needsPods: false,
  intakes: [],
  formats: [trivyCliReport],
  graceSeconds: 2 * 60 * 60,
};
