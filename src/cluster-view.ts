/** What the informers show of the cluster, as evidence for the pipeline. */
import type { Namespaces } from './kube/namespaces.ts';
import type { PodOwners } from './kube/pods.ts';
import type { ClusterView } from './pipeline/evidence.ts';
import { resourceHash } from './pipeline/evidence.ts';
import { collapseOwner } from './pipeline/owner.ts';

export interface ClusterViewParts {
  readonly namespaces: Namespaces;
  readonly pods: PodOwners;
  /** What knows the policies and reports; made later. */
  inputs(): Pick<ClusterView, 'isPolicyGone' | 'endOfReport'>;
}

/** Joins what is known of Namespaces, Pods, policies and reports. */
export function clusterView({ namespaces, pods, inputs }: ClusterViewParts): ClusterView {
  return {
    isNamespaceGone: (namespace) => namespaces.isGone(namespace),
    isLeaving: (namespace) => namespaces.isGone(namespace) || namespaces.isTerminating(namespace),
    isPolicyGone: (source, policy) => inputs().isPolicyGone(source, policy),
    endOfReport: (...report) => inputs().endOfReport(...report),
    runningResources: () => (pods.isListed ? runningResources(pods) : undefined),
  };
}

/** Each Pod, and the workload that its owner and labels prove. */
function runningResources(pods: PodOwners): Set<number> {
  const running = new Set<number>();
  for (const { namespace, name } of pods.all()) {
    const pod = { apiVersion: 'v1', kind: 'Pod', namespace, name };
    running.add(resourceHash(pod));
    const { resource } = collapseOwner(pod, (podNamespace, podName) => pods.lookUp(podNamespace, podName));
    if (resource !== pod) running.add(resourceHash(resource));
  }
  return running;
}
