/** What the index notes of a finding that was read, and of an event. */
import type { EventSpec } from '../api/event.ts';
import type { EventAbout, FindingFacts } from './event-state.ts';
import { resourceHash } from './evidence.ts';
import type { Kept, Plan } from './reading-plan.ts';
import { reportKindOf } from './report-table.ts';
import { isSummary, summaryReportKind } from './summary-kind.ts';

/** The facts of a finding in a reading. */
export function factsOf({ finding, severity, resource, shard }: Kept, { reading }: Plan): FindingFacts {
  return {
    severity,
    resourceNamespace: resource.namespace ?? '',
    shard,
    resourceHash: resourceHash(resource),
    isPod: resource.kind === 'Pod',
    reportKind: reportKindOf(reading.origin.apiVersion, reading.origin.kind),
    policy: finding.policy ?? '',
    isSignal: finding.nature.kind === 'signal',
  };
}

/** What an event says of its finding. */
export function aboutOf(event: { readonly spec: EventSpec }): EventAbout {
  const { resource, origin, details, detectedAt } = event.spec;
  const policy = details?.['policy'];
  const kind = origin?.kind === undefined ? '' : reportKindOf(origin.apiVersion ?? '', origin.kind);
  return {
    resourceHash: resourceHash({ ...resource, kind: resource?.kind ?? '', name: resource?.name ?? '' }),
    isPod: resource?.kind === 'Pod',
    reportKind: isSummary(event) ? summaryReportKind : kind,
    policy: typeof policy === 'string' ? policy : '',
    detectedAtMs: Date.parse(detectedAt ?? '') || 0,
  };
}
