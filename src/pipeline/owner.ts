/**
 * Owner collapse: a finding about a Pod or ReplicaSet is a finding about the workload that made it, else every rollout
 * would close all findings and open them anew. Proof in the reference itself decides first, the same in `scan` and in
 * the daemon; only a Pod whose name proves nothing is looked up in the Pod list.
 */
import type { ResourceReference } from '../sources/source.ts';

/** The alphabet of Kubernetes' random names (k8s.io/apimachinery/pkg/util/rand): no vowels, no 0, 1, 3. */
const safe = 'bcdfghjklmnpqrstvwxz2456789';
/**
 * What a pod-template-hash is made of: the decimal digits of a 32 bit number, each put through that alphabet, which gives
 * these ten letters only. (With the whole alphabet the Pods of one CronJob's Job in eight, named after a time in minutes,
 * would pass for a Deployment's.)
 */
const templateHash = '[456789bcdf]{6,10}';
const replicaSetName = new RegExp(`^(.+)-${templateHash}$`);
const deploymentPodName = new RegExp(`^(.+)-${templateHash}-[${safe}]{5}$`);
const randomTail = new RegExp(`-[${safe}]{5}$`);
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

/** The workload that a reference stands for. */
export interface Collapsed {
  readonly resource: ResourceReference;
  /** False when a Pod had to be looked up and was not found: the name is the Pod's own for want of better. */
  readonly isProven: boolean;
}

/** A Pod can be owned by a Pod (a Spark driver's executors), and by hand even in a circle. */
const greatestOwnerHops = 4;

/** The workload that a reference stands for. Never throws; a reference that proves nothing is returned as it is. */
export function collapseOwner(reference: ResourceReference, lookUpPod: PodLookup, hops = greatestOwnerHops): Collapsed {
  switch (reference.kind) {
    case 'ReplicaSet':
      return { resource: ownerOfReplicaSet(reference), isProven: true };
    case 'Job':
      return { resource: ownerOfJob(reference), isProven: true };
    case 'Pod':
      return ownerOfPod(reference, lookUpPod, hops);
    default:
      return { resource: reference, isProven: true };
  }
}

function ownerOfReplicaSet(reference: ResourceReference): ResourceReference {
  const { name, podTemplateHash } = reference;
  const deployment = withoutHash(name, podTemplateHash) ?? replicaSetName.exec(name)?.[1];
  return deployment === undefined ? reference : owner(reference, 'apps/v1', 'Deployment', deployment);
}

function ownerOfJob(reference: ResourceReference): ResourceReference {
  const cronJob = cronJobName.exec(reference.name)?.[1];
  return cronJob === undefined ? reference : owner(reference, 'batch/v1', 'CronJob', cronJob);
}

function ownerOfPod(reference: ResourceReference, lookUpPod: PodLookup, hops: number): Collapsed {
  const deployment = deploymentOfPod(reference);
  if (deployment !== undefined)
    return { resource: owner(reference, 'apps/v1', 'Deployment', deployment), isProven: true };
  if (reference.namespace === undefined || hops === 0) return { resource: reference, isProven: true };
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
  return collapseOwner(direct, lookUpPod, hops - 1);
}

function deploymentOfPod({ name, podTemplateHash }: ResourceReference): string | undefined {
  const replicaSet = randomTail.test(name) ? name.replace(randomTail, '') : '';
  return withoutHash(replicaSet, podTemplateHash) ?? deploymentPodName.exec(name)?.[1];
}

/** The Deployment's name where a ReplicaSet's ends in the hash that its label gives. */
function withoutHash(replicaSet: string, hash = ''): string | undefined {
  if (hash === '' || !replicaSet.endsWith(`-${hash}`)) return undefined;
  const deployment = replicaSet.slice(0, -hash.length - 1);
  return deployment === '' ? undefined : deployment;
}

function owner(of: ResourceReference, apiVersion: string, kind: string, name: string): ResourceReference {
  return { apiVersion, kind, name, ...(of.namespace === undefined ? {} : { namespace: of.namespace }) };
}
