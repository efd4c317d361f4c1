/** What the HTML report knows of the events: one short row for each, since 20,000 of them are in one file. */
import type { ZenAgentEvent } from '../../api/event.ts';
import { type Change, changeOf } from '../baseline.ts';

/** One finding in the page. */
export interface Row {
  readonly name: string;
  readonly severity: string;
  readonly source: string;
  readonly type: string;
  readonly category: string;
  readonly namespace: string;
  readonly subject: string;
  readonly summary: string;
  readonly title: string;
  readonly rule: string;
  readonly count: number;
  readonly change?: Change;
  readonly sourceSeverity?: string;
  readonly score?: number;
  readonly remediation?: string;
  readonly references?: readonly string[];
  readonly report?: string;
  readonly lastSeen?: string;
  readonly details?: unknown;
}

/** Everything that the page is told. */
export interface PageData {
  readonly version: string;
  readonly generatedAt: string;
  readonly rows: readonly Row[];
}

/** `rule`: what people filter and mute the event by. */
export function rowOf(event: ZenAgentEvent, rule: string): Row {
  const { metadata, spec, status } = event;
  const { origin, resource } = spec;
  const change = changeOf(event);
  const report = [origin?.kind, [origin?.namespace, origin?.name].filter(Boolean).join('/')].filter(Boolean).join(' ');
  return {
    name: metadata.name,
    severity: spec.severity,
    source: spec.source,
    type: spec.eventType,
    category: spec.category,
    namespace: resource?.namespace ?? '',
    subject: resource?.kind === undefined ? (spec.subject ?? '') : `${resource.kind}/${resource.name ?? ''}`,
    summary: spec.summary ?? '',
    title: spec.title ?? '',
    rule,
    count: status?.count ?? 1,
    ...(change === undefined ? {} : { change }),
    ...(spec.sourceSeverity === undefined ? {} : { sourceSeverity: spec.sourceSeverity }),
    ...(spec.score === undefined ? {} : { score: spec.score }),
    ...(spec.remediation === undefined ? {} : { remediation: spec.remediation }),
    ...(spec.references === undefined ? {} : { references: spec.references }),
    ...(report === '' ? {} : { report }),
    ...(status?.lastSeen === undefined ? {} : { lastSeen: status.lastSeen }),
    ...(spec.details === undefined ? {} : { details: spec.details }),
  };
}
