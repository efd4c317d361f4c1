/** The event that stands for findings without events of their own: so many, in this namespace, of this source. */
import type { EventSpec } from '../api/event.ts';
import type { Severity } from '../api/words.ts';
import type { Finding, ResourceReference } from '../sources/source.ts';
import type { Moment } from './absence.ts';
import type { Group } from './budget-plan.ts';
import { keepingOrder } from './budget-plan.ts';
import { buildEvent, contentHash } from './event-builder.ts';
import { identify, OwnerResolver } from './identity.ts';
import type { PresentIntent } from './intent.ts';
import { noPods } from './owner.ts';
import { intentFor } from './present-intent.ts';
import type { Shard, Shards } from './shards.ts';
import { isSummary, summaryType } from './summary-kind.ts';

/** What is counted in one summary: where that is of all namespaces, those of one shard, if there are several. */
export interface Summarized extends Group {
  readonly shard?: Shard | undefined;
}

/** The shard that an event on the server belongs to: a summary of all namespaces says it. */
export function shardOfEvent({ spec }: { readonly spec: EventSpec }, shards: Shards): Shard {
  const shard = isSummary({ spec }) ? spec.details?.['shard'] : undefined;
  const isSaid = typeof shard === 'number' && shards.all.includes(shard);
  return isSaid ? shard : shards.of(spec.resource ?? {});
}

/** How many are folded, by severity. */
export type SeverityCounts = Partial<Record<Severity, number>>;

/** What a summary says besides what it counts. */
export interface SummaryContext {
  /** Namespace that the event goes to. */
  readonly namespace: string;
  readonly cluster: string | undefined;
  /** The greatest number of events. */
  readonly events: number;
  readonly moment: Moment;
  /** The shard that writes it. */
  readonly shard: Shard;
}

/** The name of a group's summary: always the same. */
export function summaryName(group: Summarized): string {
  return identify(findingOf(group, {}, 0), new OwnerResolver(noPods)).name;
}

/** What the resource of a group's summary is. */
export function summaryResource({ source, namespace }: Group): ResourceReference {
  if (namespace === undefined || namespace === '') return { kind: 'Source', name: source };
  return { apiVersion: 'v1', kind: 'Namespace', name: namespace, namespace };
}

/** The summary of a group as it shall be on the server. */
export function summaryIntent(group: Summarized, counts: SeverityCounts, context: SummaryContext): PresentIntent {
  const { namespace, cluster, events, moment, shard } = context;
  const finding = findingOf(group, counts, events);
  const resource = summaryResource(group);
  const identity = identify(finding, new OwnerResolver(noPods));
  const origin = { apiVersion: 'v1', kind: 'Namespace', name: namespace };
  const parts = { finding, identity, resource, reportKey: '', origin };
  const built = buildEvent(parts, { namespace, detectedAt: moment.now, cluster });
  const { origin: _origin, ...spec } = built.spec;
  const { annotations: _annotations, ...metadata } = built.metadata;
  const owed = { shard, partition: group.namespace ?? '', occurrences: 0, readAtMs: moment.monotonicMs };
  const event = { ...built, metadata, spec };
  return { ...intentFor({ event, contentHash: contentHash(event) }, owed), count: countOf(counts) };
}

/** The sum over all severities. */
export function countOf(counts: SeverityCounts): number {
  let sum = 0;
  for (const severity of keepingOrder) sum += counts[severity] ?? 0;
  return sum;
}

function findingOf(group: Summarized, counts: SeverityCounts, events: number): Finding {
  const severity = keepingOrder.find((word) => (counts[word] ?? 0) > 0) ?? 'unknown';
  const count = grouped(countOf(counts));
  const place = placeOf(group);
  return {
    source: group.source,
    eventType: summaryType,
    category: 'operations',
    severity,
    rule: summaryType,
    resource: summaryResource(group),
    nature: { kind: 'state' },
    identity: () => identityOf(group),
    describe: () => ({
      title: `${count} more findings ${place} are counted here: the event budget of ${grouped(events)} is used up`,
      summary: `${count} more findings ${place}`,
      remediation: 'Fix or filter findings, or raise budget.events.',
      details: { bySeverity: bySeverity(counts), shard: group.shard },
    }),
  };
}

function identityOf({ namespace, shard }: Summarized): string[] {
  if (namespace !== undefined) return ['namespace', namespace];
  return shard === undefined ? ['source'] : ['source', 'shard', String(shard)];
}

function placeOf({ namespace, shard }: Summarized): string {
  if (namespace === undefined) return shard === undefined ? 'in all namespaces' : `in all namespaces of shard ${shard}`;
  return namespace === '' ? 'of no namespace' : `in namespace ${namespace}`;
}

function bySeverity(counts: SeverityCounts): Record<string, number> {
  const words: Record<string, number> = {};
  for (const severity of keepingOrder) if ((counts[severity] ?? 0) > 0) words[severity] = counts[severity] ?? 0;
  return words;
}

/** 1234567 as 1,234,567. */
function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}
