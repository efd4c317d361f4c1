/**
 * Finding -> ZenAgentEvent. Pure. Whatever the input, the result fits the schema, carries no hostile character and no
 * known secret shape, and is at most 16 KiB; what was cut says so.
 */
import type { EventSpec, ObjectReference, ZenAgentEvent } from '../api/event.ts';
import { apiVersion, kind, labelPrefix, reportAnnotation } from '../api/event.ts';
import { specSchema } from '../api/schema.ts';
import type { Severity } from '../api/words.ts';
import { canonicalJson, hash52 } from '../lib/hash.ts';
import { labelValue } from '../lib/label.ts';
import { clean, cut, cutToBytes } from '../lib/text.ts';
import type { Finding, Origin, ResourceReference } from '../sources/source.ts';
import { detailsOf } from './event-details.ts';
import type { Identity } from './identity.ts';

/** What an event says besides its finding. */
export interface EventContext {
  /** Namespace that the event goes to. */
  readonly namespace: string;
  /** When zen-watcher first saw the finding. */
  readonly detectedAt: Date;
  readonly cluster?: string | undefined;
}

export interface EventParts {
  readonly finding: Finding;
  /** After overrides; the finding's own where none is given. */
  readonly severity?: Severity;
  readonly identity: Pick<Identity, 'name' | 'fingerprint'>;
  /** The finding's resource, collapsed to its owner. */
  readonly resource: ResourceReference;
  /** reportKeyHash of the reading. */
  readonly reportKey: string;
  readonly origin: Origin;
}

const bounds = specSchema.properties;
/**
 * Bytes that the longest parts may take as JSON, so that the whole stays under limits.eventBytes. Fixed for each part
 * rather than shared: what of a finding is cut must not depend on the name of the report that it came in.
 */
const maximumBytes = { title: 768, remediation: 2048, references: 2560, name: 253, apiVersion: 317 } as const;

/** Builds the event without status: the server fills that in from the schema's defaults. */
export function buildEvent(parts: EventParts, context: EventContext): ZenAgentEvent {
  const { finding, identity } = parts;
  const description = finding.describe();
  const resource = reference(parts.resource);
  const links = (description.references ?? []).filter((link) => link !== '');
  const references = referencesOf(links);
  // In the order in which the API server sends them: contentHash need not sort then.
  const spec: EventSpec = {
    category: finding.category,
    ...(context.cluster && { cluster: text(context.cluster, bounds.cluster.maxLength) }),
    details: detailsOf(description, references.length < links.length),
    detectedAt: context.detectedAt.toISOString(),
    eventType: finding.eventType,
    fingerprint: identity.fingerprint,
    origin: reference(parts.origin),
    ...(references.length > 0 && { references }),
    ...(description.remediation && {
      remediation: text(description.remediation, bounds.remediation.maxLength, maximumBytes.remediation),
    }),
    resource,
    ...(isScore(description.score) && { score: description.score }),
    severity: parts.severity ?? finding.severity,
    source: finding.source,
    ...(finding.sourceSeverity && { sourceSeverity: text(finding.sourceSeverity, bounds.sourceSeverity.maxLength) }),
    subject: cut(`${resource.kind}/${resource.name}`, bounds.subject.maxLength),
    summary: text(description.summary, bounds.summary.maxLength),
    title: text(description.title, bounds.title.maxLength, maximumBytes.title),
  };
  return {
    apiVersion,
    kind,
    metadata: {
      name: identity.name,
      namespace: context.namespace,
      labels: labelsOf(spec),
      annotations: { [reportAnnotation]: parts.reportKey },
    },
    spec,
  };
}

/** What people and the API server select by. */
function labelsOf(spec: EventSpec): Record<string, string> {
  const source = labelValue(spec.source);
  const labels: Record<string, string> = {
    source,
    severity: spec.severity,
    category: spec.category,
    [`${labelPrefix}source`]: source,
    [`${labelPrefix}severity`]: spec.severity,
    [`${labelPrefix}category`]: spec.category,
    [`${labelPrefix}event-type`]: labelValue(spec.eventType),
  };
  if (spec.resource?.kind) labels[`${labelPrefix}resource-kind`] = labelValue(spec.resource.kind);
  if (spec.resource?.namespace) labels[`${labelPrefix}resource-namespace`] = labelValue(spec.resource.namespace);
  return labels;
}

function reference(of: ResourceReference | Origin): ObjectReference {
  const fields = bounds.resource.properties;
  return {
    ...(of.apiVersion && { apiVersion: text(of.apiVersion, fields.apiVersion.maxLength, maximumBytes.apiVersion) }),
    kind: text(of.kind, fields.kind.maxLength),
    name: text(of.name, fields.name.maxLength, maximumBytes.name),
    ...(of.namespace && { namespace: text(of.namespace, fields.namespace.maxLength) }),
  };
}

/** Cleaned, and cut to so many characters and bytes. */
function text(value: string, characters: number, bytes = Number.POSITIVE_INFINITY): string {
  return cutToBytes(cut(clean(value), characters), bytes);
}

function isScore(score: number | undefined): score is number {
  return score !== undefined && score >= bounds.score.minimum && score <= bounds.score.maximum;
}

/** Those that fit, whole: half an address leads nowhere. */
function referencesOf(links: readonly string[]): string[] {
  const { maxItems, items } = bounds.references;
  const kept: string[] = [];
  let room: number = maximumBytes.references;
  for (const link of links) {
    const cleaned = clean(link);
    const size = Buffer.byteLength(JSON.stringify(cleaned)) + 1;
    if (cleaned === '' || cleaned.length > items.maxLength || size > room) continue;
    kept.push(cleaned);
    room -= size;
    if (kept.length === maxItems) break;
  }
  return kept;
}

/**
 * The hash of everything in an event that is the finding: equal hashes mean that nothing needs to be written. Left out
 * are the times, the report's name and details.observedOn, which change in every rollout or rescan. Works alike on an
 * event that was just built and on one that the server returned.
 */
export function contentHash(event: {
  readonly metadata: {
    readonly labels?: Readonly<Record<string, string>> | undefined;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
  };
  readonly spec: EventSpec;
}): number {
  const { detectedAt: _detectedAt, origin: _origin, details, ...spec } = event.spec;
  const { observedOn: _observedOn, ...stable } = details ?? {};
  const { labels, annotations } = event.metadata;
  const ours = ourLabels.map((key) => labels?.[key] ?? null);
  // In parts, since details alone have an order of their own.
  const rest = JSON.stringify([ours, annotations?.[reportAnnotation]]);
  return hash52(`${canonicalJson(spec)}\n${canonicalJson(stable)}\n${rest}`);
}

const ourLabels: readonly string[] = [
  'source',
  'severity',
  'category',
  ...['source', 'severity', 'category', 'event-type', 'resource-kind', 'resource-namespace'].map(
    (name) => labelPrefix + name,
  ),
];
const areOurLabels: ReadonlySet<string> = new Set(ourLabels);

/** True for the labels that zen-watcher writes; all others belong to whoever added them. */
export function isOurLabel(key: string): boolean {
  return areOurLabels.has(key);
}
