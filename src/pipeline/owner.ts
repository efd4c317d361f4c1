/**
 * Owner collapse: a finding about a Pod or ReplicaSet is a finding about the workload that made it, else every rollout
 * would close all findings and open them anew. Proof in the reference itself decides first, the same in `scan` and in
 * the daemon; only a Pod whose name proves nothing is looked up in the Pod list.
 */
import type { ResourceReference } from '../sources/source.ts';

/** The alphabet of Kubernetes' random names (k8s.io/apimachinery/pkg/util/rand): no vowels, no 0, 1, 3. */
const safe = 'bcdfghjklmnpqrstvwxz2456789';
const replicaSetName = new RegExp(`^(.+)-([${safe}]{6,10})$`);
const deploymentPodName = new RegExp(`^(.+)-([${safe}]{6,10})-[${safe}]{5}$`);
/** A CronJob's Job: its name and the scheduled time in minutes since the epoch (8 digits until 2160). */
const cronJobName = /^(.+)-\d{8}$/;

/** What a Pod says of its controller: `ownerReferences[controller]` and the pod-template-hash label. */
export interface PodOwner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly podTemplateHash?: string | undefined;
}

/** Answers for a Pod: its controller, `none` when it has no controller, `unknown` when the Pod is not in the list. */
export type PodLookup = (namespace: string, name: string) => PodOwner | 'none' | 'unknown';

/** A look-up for places without a cluster: it knows no Pod. */
export const noPods: PodLookup = () => 'unknown';

export interface Collapsed {
  readonly resource: ResourceReference;
  /** False when a Pod had to be looked up and was not found: the name is the Pod's own for want of better. */
  readonly isProven: boolean;
}

/** The workload that a reference stands for. Never throws; a reference that proves nothing is returned as it is. */
export function collapseOwner(reference: ResourceReference, lookUpPod: PodLookup): Collapsed {
  switch (reference.kind) {
    case 'ReplicaSet':
      return { resource: ownerOfReplicaSet(reference), isProven: true };
    case 'Job':
      return { resource: ownerOfJob(reference), isProven: true };
    case 'Pod':
      return ownerOfPod(reference, lookUpPod);
    default:
      return { resource: reference, isProven: true };
  }
}

function ownerOfReplicaSet(reference: ResourceReference): ResourceReference {
  const { name, podTemplateHash } = reference;
  if (podTemplateHash !== undefined && name.endsWith(`-${podTemplateHash}`)) {
    return owner(reference, 'apps/v1', 'Deployment', name.slice(0, -podTemplateHash.length - 1));
  }
  const deployment = replicaSetName.exec(name)?.[1];
  return deployment === undefined ? reference : owner(reference, 'apps/v1', 'Deployment', deployment);
}

function ownerOfJob(reference: ResourceReference): ResourceReference {
  const cronJob = cronJobName.exec(reference.name)?.[1];
  return cronJob === undefined ? reference : owner(reference, 'batch/v1', 'CronJob', cronJob);
}

function ownerOfPod(reference: ResourceReference, lookUpPod: PodLookup): Collapsed {
  const deployment = deploymentPodName.exec(reference.name)?.[1];
  if (deployment !== undefined) return { resource: owner(reference, 'apps/v1', 'Deployment', deployment), isProven: true };
  if (reference.namespace === undefined) return { resource: reference, isProven: true };
  const controller = lookUpPod(reference.namespace, reference.name);
  if (controller === 'none') return { resource: reference, isProven: true };
  if (controller === 'unknown') return { resource: reference, isProven: false };
  // A static Pod's mirror is owned by its Node: it stays itself.
  if (controller.kind === 'Node') return { resource: reference, isProven: true };
  const { podTemplateHash } = controller;
  const direct: ResourceReference = {
    ...owner(reference, controller.apiVersion, controller.kind, controller.name),
    ...(podTemplateHash === undefined ? {} : { podTemplateHash }),
  };
  return collapseOwner(direct, lookUpPod);
}

function owner(of: ResourceReference, apiVersion: string, kind: string, name: string): ResourceReference {
  return { apiVersion, kind, name, ...(of.namespace === undefined ? {} : { namespace: of.namespace }) };
}
