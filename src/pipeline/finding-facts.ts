/** What the index notes of a finding that was read. */
import type { FindingFacts } from './event-state.ts';
import { resourceHash } from './evidence.ts';
import type { Kept, Plan } from './reading-plan.ts';
import { reportKindOf } from './report-table.ts';

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
