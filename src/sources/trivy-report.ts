/** What all reports of Trivy Operator have in common: whom they are about, when they were made, how they are read. */
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, asText, at, kindOf, textAt } from '../lib/fields.ts';
import { plausibleTime } from '../lib/times.ts';
import { mostSevereFirst } from './severity-order.ts';
import type {
  Finding,
  IdentityPart,
  Origin,
  RawDocument,
  ReadContext,
  Reading,
  Rejection,
  ResourceReference,
} from './source.ts';
import { MalformedReport } from './source.ts';

export const trivyGroup = 'aquasecurity.github.io';
export const trivyVersion = 'v1alpha1';

/** The parts of a report that are the same for every kind. */
export interface TrivyReport {
  /** The member `report`, where the kinds keep their entries. */
  readonly body: Fields;
  readonly origin: Origin;
  /** The report's own namespace, '' for cluster reports. */
  readonly partition: string;
  readonly resource: ResourceReference;
  /** '' where a report is not about one container. */
  readonly container: string;
  readonly reportedAt: Date | undefined;
}

/** True for an object of one of these kinds of Trivy Operator's API group. */
export function isTrivyReport(document: RawDocument, kinds: readonly string[]): boolean {
  const { apiVersion, kind } = document;
  return (
    typeof apiVersion === 'string' && apiVersion.startsWith(`${trivyGroup}/`) && kinds.some((word) => word === kind)
  );
}

/** Opens a report. Throws MalformedReport when it has no body or names nothing. */
export function openTrivyReport(document: RawDocument, { now }: ReadContext): TrivyReport {
  const value = at(document, 'report');
  const body = asFields(value);
  if (body === undefined) {
    throw new MalformedReport({
      reason: value === undefined ? 'missing-field' : 'malformed',
      place: '.report',
      message: `expected an object, found ${kindOf(value)}`,
    });
  }
  const metadata = asFields(at(document, 'metadata')) ?? {};
  const origin = originOf(document);
  return {
    body,
    origin,
    partition: origin.namespace ?? '',
    resource: resourceOf(metadata, origin),
    container: textAt(metadata, 'labels', 'trivy-operator.container.name') ?? '',
    reportedAt:
      plausibleTime(at(body, 'updateTimestamp'), now) ?? plausibleTime(at(metadata, 'creationTimestamp'), now),
  };
}

/** The report as what its events came from. */
export function originOf(document: RawDocument): Origin {
  const namespace = textAt(document, 'metadata', 'namespace');
  return {
    apiVersion: textAt(document, 'apiVersion') ?? `${trivyGroup}/${trivyVersion}`,
    kind: textAt(document, 'kind') ?? '',
    name: textAt(document, 'metadata', 'name') ?? '',
    ...(namespace === undefined ? {} : { namespace }),
  };
}

/** The entries that a report keeps under this member. Throws MalformedReport when they are no list. */
export function entriesOf({ body }: TrivyReport, member: string): readonly unknown[] {
  const value = at(body, member);
  const entries = asList(value);
  if (entries !== undefined) return entries;
  throw new MalformedReport({
    reason: value === undefined ? 'missing-field' : 'malformed',
    place: `.report.${member}`,
    message: `expected a list, found ${kindOf(value)}`,
  });
}

/** Why an entry that should have a word under this member (or one that may stand for it) cannot be read. */
export function unreadable(value: unknown, place: string, member: string, expected: string): Rejection {
  const entry = asFields(value);
  if (entry === undefined) {
    return { reason: 'malformed', place, message: `expected an object, found ${kindOf(value)}` };
  }
  const found = entry[member];
  const reason = found === undefined || found === '' ? 'missing-field' : 'malformed';
  return { reason, place: `${place}.${member}`, message: `expected ${expected}, found ${kindOf(found)}` };
}

/** What all kinds of reports say alike: `findings` in the order of the entries. */
export function readingOf(
  report: TrivyReport,
  reportKey: readonly IdentityPart[],
  findings: readonly Finding[],
  rejected: readonly Rejection[],
): Reading {
  const { partition, origin, reportedAt } = report;
  return {
    reportKey,
    partition,
    // An entry that could not be read may be the one that a finding lives by.
    completeness: rejected.length > 0 ? 'partial' : 'complete',
    findings: mostSevereFirst(findings),
    rejected,
    origin,
    reportedAt,
  };
}

/**
 * What a part of an identity says of the resource. The reports about the cluster itself name a ClusterSbomReport whose
 * name is a hash of the Kubernetes version: there is one such list per cluster, and an upgrade is no new finding.
 */
export function ownerPart(resource: ResourceReference): IdentityPart {
  return resource.kind === 'ClusterSbomReport' ? 'cluster' : { ownerOf: resource };
}

/**
 * The labels say it best. A name that is no valid label value (`system:admin`, more than 63 characters) stands in an
 * annotation, and the label holds only its hash. Without labels the owner reference knows, and at last the report stands
 * for itself. The namespace is the report's own: a report speaks for no other one.
 */
function resourceOf(metadata: Fields, origin: Origin): ResourceReference {
  const labels = asFields(at(metadata, 'labels'));
  const owner = asFields(asList(at(metadata, 'ownerReferences'))?.[0]);
  const namespace = origin.namespace ?? textAt(labels, 'trivy-operator.resource.namespace');
  const within = namespace === undefined ? {} : { namespace };
  const kind = textAt(labels, 'trivy-operator.resource.kind');
  const name =
    textAt(labels, 'trivy-operator.resource.name') ?? textAt(metadata, 'annotations', 'trivy-operator.resource.name');
  const ownerKind = textAt(owner, 'kind');
  const ownerName = textAt(owner, 'name');
  const ownerVersion = textAt(owner, 'apiVersion');
  // The labels do not say the API group; the owner reference does, when it is about the same object.
  const apiVersion = ownerVersion === undefined ? {} : { apiVersion: ownerVersion };
  if (kind !== undefined && name !== undefined) {
    const isSame = kind === ownerKind && name === ownerName;
    return { ...(isSame ? apiVersion : {}), kind, name, ...within };
  }
  if (ownerKind !== undefined && ownerName !== undefined) {
    return { ...apiVersion, kind: ownerKind, name: ownerName, ...within };
  }
  if (origin.name === '') {
    throw new MalformedReport({
      reason: 'missing-field',
      place: '.metadata',
      message: 'neither labels nor an owner nor a name say what the report is about',
    });
  }
  return { apiVersion: origin.apiVersion, kind: origin.kind, name: origin.name, ...within };
}

/** `registry/repository` of the image that was scanned: without tag and digest, which change with every build. */
export function imageOf(body: Fields): string {
  const server = textAt(body, 'registry', 'server');
  const repository = textAt(body, 'artifact', 'repository') ?? '';
  return server === undefined ? repository : `${server}/${repository}`;
}

/** What changes from build to build of the image without a finding changing. */
export function imageAsObserved(body: Fields): Readonly<Record<string, unknown>> {
  const os = ['family', 'name'].map((key) => textAt(body, 'os', key)).filter((word) => word !== undefined);
  return {
    tag: textAt(body, 'artifact', 'tag'),
    digest: textAt(body, 'artifact', 'digest'),
    os: asText(os.join(' ')),
  };
}
