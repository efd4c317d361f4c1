/**
 * Finding -> ZenAgentEvent. Pure. Whatever the input, the result fits the schema, carries no hostile character and no
 * known secret shape, and is at most 16 KiB; what was cut says so.
 */
import type { EventDetails, EventSpec, ObjectReference, ZenAgentEvent } from '../api/event.ts';
import { apiVersion, kind, labelPrefix, reportAnnotation } from '../api/event.ts';
import { limits, specSchema } from '../api/schema.ts';
import { canonicalJson, hash52 } from '../lib/hash.ts';
import { labelValue } from '../lib/label.ts';
import { clean, cut, cutMark } from '../lib/text.ts';
import type { Description, Finding, Origin, ResourceReference } from '../sources/source.ts';
import type { Identity } from './identity.ts';

export interface EventContext {
  /** Namespace that the event goes to. */
  readonly namespace: string;
  /** When zen-watcher first saw the finding. */
  readonly detectedAt: Date;
  readonly cluster?: string | undefined;
}

export interface EventParts {
  readonly finding: Finding;
  readonly identity: Identity;
  /** The finding's resource, collapsed to its owner. */
  readonly resource: ResourceReference;
  /** reportKeyHash of the reading. */
  readonly reportKey: string;
  readonly origin: Origin;
}

const bounds = specSchema.properties;
const maximumDetailCharacters = 1024;
const maximumListItems = 32;
const maximumDepth = 4;

/** Builds the event without status: the server fills that in from the schema's defaults. */
export function buildEvent(parts: EventParts, context: EventContext): ZenAgentEvent {
  const { finding, identity } = parts;
  const description = finding.describe();
  const resource = reference(parts.resource);
  const spec: EventSpec = {
    source: finding.source,
    category: finding.category,
    severity: finding.severity,
    eventType: finding.eventType,
    title: text(description.title, bounds.title.maxLength),
    summary: text(description.summary, bounds.summary.maxLength),
    subject: subject(parts.resource),
    resource,
    origin: reference(parts.origin),
    details: detailsOf(description),
    detectedAt: context.detectedAt.toISOString(),
    fingerprint: identity.fingerprint,
  };
  if (finding.sourceSeverity) spec.sourceSeverity = text(finding.sourceSeverity, bounds.sourceSeverity.maxLength);
  if (isScore(description.score)) spec.score = description.score;
  if (description.remediation) spec.remediation = text(description.remediation, bounds.remediation.maxLength);
  const references = referencesOf(description);
  if (references.length > 0) spec.references = references;
  if (context.cluster) spec.cluster = text(context.cluster, bounds.cluster.maxLength);
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

/** Drops empty members of the details at their top level and below; unlike JSON null they say nothing. */
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

/** `Kind/name` for the table of kubectl get. */
function subject(resource: ResourceReference): string {
  return text(`${resource.kind}/${resource.name}`, bounds.subject.maxLength);
}

function reference(of: ResourceReference | Origin): ObjectReference {
  const fields = bounds.resource.properties;
  const result: ObjectReference = {
    kind: text(of.kind, fields.kind.maxLength),
    name: text(of.name, fields.name.maxLength),
  };
  if (of.apiVersion) result.apiVersion = text(of.apiVersion, fields.apiVersion.maxLength);
  if (of.namespace) result.namespace = text(of.namespace, fields.namespace.maxLength);
  return result;
}

function text(value: string, maximum: number): string {
  return cut(clean(value), maximum);
}

function isScore(score: number | undefined): score is number {
  return score !== undefined && score >= bounds.score.minimum && score <= bounds.score.maximum;
}

function referencesOf(description: Description): string[] {
  const { maxItems, items } = bounds.references;
  return (description.references ?? [])
    .filter((link) => link !== '' && link.length <= items.maxLength)
    .slice(0, maxItems)
    .map((link) => clean(link));
}

/** The details within their bounds: members are kept in the order given until the byte limit; then `truncated: true` says so. */
function detailsOf(description: Description): EventDetails {
  const details: EventDetails = {};
  const observedOn = bounded(description.observedOn ?? {}, 1);
  let room: number = limits.detailsBytes;
  let isCut = false;
  if (observedOn !== undefined) {
    const size = sizeOf('observedOn', observedOn);
    if (size <= room / 3) {
      details['observedOn'] = observedOn;
      room -= size;
    } else isCut = true;
  }
  let members = 0;
  for (const [key, raw] of Object.entries(description.details)) {
    const value = bounded(raw, 1);
    if (value === undefined) continue;
    const name = cut(clean(key), 63);
    const size = sizeOf(name, value);
    if (name === '' || members >= 48 || size > room) {
      isCut = true;
      continue;
    }
    Object.defineProperty(details, name, { value, enumerable: true, writable: true, configurable: true });
    members += 1;
    room -= size;
  }
  if (isCut) details['truncated'] = true;
  return details;
}

function sizeOf(name: string, value: unknown): number {
  return Buffer.byteLength(name) + Buffer.byteLength(JSON.stringify(value)) + 4;
}

/** A JSON-safe, bounded copy of a detail; undefined for what says nothing. */
function bounded(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string': {
      const cleaned = text(value, maximumDetailCharacters);
      return cleaned === '' ? undefined : cleaned;
    }
    case 'number':
      return Number.isFinite(value) ? value : undefined;
    case 'boolean':
      return value;
    case 'object':
      if (value === null || depth > maximumDepth) return undefined;
      return Array.isArray(value) ? boundedList(value, depth) : boundedRecord(value, depth);
    default:
      return undefined;
  }
}

function boundedList(list: readonly unknown[], depth: number): unknown[] | undefined {
  const items = list
    .slice(0, maximumListItems)
    .map((item) => bounded(item, depth + 1))
    .filter((item) => item !== undefined);
  if (list.length > maximumListItems) items.push(`${cutMark} ${list.length - maximumListItems} more`);
  return items.length > 0 ? items : undefined;
}

function boundedRecord(record: object, depth: number): Record<string, unknown> | undefined {
  const entries: [string, unknown][] = [];
  for (const [key, raw] of Object.entries(record).slice(0, maximumListItems)) {
    const value = bounded(raw, depth + 1);
    const name = cut(clean(key), 63);
    if (value !== undefined && name !== '') entries.push([name, value]);
  }
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

/**
 * The hash of everything in an event that is the finding: equal hashes mean that nothing needs to be written. Left out
 * are the times, the report's name and details.observedOn, which change in every rollout or rescan. Works alike on an
 * event that was just built and on one that the server returned.
 */
export function contentHash(event: {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> | undefined; readonly annotations?: Readonly<Record<string, string>> | undefined };
  readonly spec: EventSpec;
}): number {
  const { detectedAt: _detectedAt, origin: _origin, details, ...spec } = event.spec;
  const { observedOn: _observedOn, ...stable } = details ?? {};
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(event.metadata.labels ?? {})) if (isOurLabel(key)) labels[key] = value;
  return hash52(canonicalJson({ spec, details: stable, labels, report: event.metadata.annotations?.[reportAnnotation] }));
}

const ourLabels: ReadonlySet<string> = new Set([
  'source',
  'severity',
  'category',
  ...['source', 'severity', 'category', 'event-type', 'resource-kind', 'resource-namespace'].map(
    (name) => labelPrefix + name,
  ),
]);

/** True for the labels that zen-watcher writes; all others belong to whoever added them. */
export function isOurLabel(key: string): boolean {
  return ourLabels.has(key);
}
