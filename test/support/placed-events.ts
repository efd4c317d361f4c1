/** One event of a tenant's resource in any namespace, for unit tests of placement. */
import type { StoredEvent } from '../../src/api/stored-event.ts';
import type { PlacementMode } from '../../src/pipeline/placement.ts';
import { Placement } from '../../src/pipeline/placement.ts';
import { sampleEvent } from './sample-event.ts';

export const central = 'zen-system';
export const team = 'team-a';
const sample = sampleEvent('placement');
export const { name } = sample.metadata;

/** A placement in a cluster with these namespaces; others are not there. */
export function placementOf(
  mode: PlacementMode,
  exists: Record<string, boolean | undefined> = { [team]: true },
): Placement {
  return new Placement({ mode, central, exists: (namespace) => (namespace in exists ? exists[namespace] : false) });
}

/** One event, wherever it lies. */
export function eventIn(namespace: string, resourceVersion: string, resourceNamespace = team): StoredEvent {
  const resource = { kind: 'Deployment', name: 'web', namespace: resourceNamespace };
  return {
    metadata: { ...sample.metadata, namespace, uid: `uid-${namespace}`, resourceVersion },
    spec: { ...sample.spec, resource },
    status: { phase: 'Active', count: 1 },
  };
}
