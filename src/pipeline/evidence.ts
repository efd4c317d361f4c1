/** What the cluster itself says of a finding that no report holds: the proof that it is over, beside a newer report. */
import { hash52 } from '../lib/hash.ts';
import type { OwnEnd, ResourceReference } from '../sources/source.ts';
import type { EventIndex, Row } from './event-index.ts';

/** How an object can end its findings. */
export type ReportEnd = OwnEnd | 'folded';

/** What can be seen in the cluster. Each answers `false` where it does not know. */
export interface ClusterView {
  /** There is no such namespace. */
  isNamespaceGone(namespace: string): boolean;
  /** The namespace is gone or being deleted: what vanishes from it says nothing about a tool. */
  isLeaving(namespace: string): boolean;
  /** The tool's policies are listed, and none is called that. `source` is the word in spec.source. */
  isPolicyGone(source: string, policy: string): boolean;
  /**
   * Why the findings of a watched object are over because of that object itself: it was deleted and was what they were about,
   * or another one says the same better. By `group|Kind` and the object's hash, as the index knows the describer.
   */
  endOfReport(reportKind: string, describer: number, resourceNamespace: string): ReportEnd | undefined;
  /** Hashes (resourceHash) of all Pods and of the workloads that they belong to; undefined while the list is not complete. */
  runningResources(): ReadonlySet<number> | undefined;
}

/** A view of nothing, where there is no cluster. */
export const blindView: ClusterView = {
  isNamespaceGone: () => false,
  isLeaving: () => false,
  isPolicyGone: () => false,
  endOfReport: () => undefined,
  runningResources: () => undefined,
};

/** What the index knows a resource by. Its API group is left out: reports often do not say it. */
export function resourceHash({ kind, namespace, name }: ResourceReference): number {
  return hash52(JSON.stringify([kind, namespace ?? '', name]));
}

/** Why the finding is over, by what the cluster shows without any waiting; undefined where it does not show that it is. */
export function endByCluster(index: EventIndex, row: Row, view: ClusterView): ReportEnd | undefined {
  const namespace = index.resourceNamespace(row);
  if (namespace !== '' && view.isNamespaceGone(namespace)) return 'resource-deleted';
  const policy = index.policy(row);
  if (policy !== '' && view.isPolicyGone(index.source(row), policy)) return 'policy-deleted';
  const describer = index.describer(row);
  return describer === 0 ? undefined : view.endOfReport(index.reportKind(row), describer, namespace);
}
