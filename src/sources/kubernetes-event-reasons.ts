/**
 * What a Warning event's reason says and how much it matters to security. The table is docs/sources/kubernetes-events.md.
 *
 * medium: something was refused, evicted or lost that an attack, or a defence, may be behind.
 * low: a workload does not do what it should. info: everything else; the daemon filters it by default.
 */
import type { Severity } from '../api/words.ts';

/** What a reason comes to. */
export interface Reason {
  readonly severity: Severity;
  /** What it means, for the title; undefined for reasons that anybody may make up. */
  readonly meaning?: string;
}

const medium: Readonly<Record<string, string>> = {
  AppArmor: 'the node refuses a Pod for its AppArmor profile',
  Evicted: 'a Pod was evicted: its node ran out of a resource',
  EvictionThresholdMet: 'a node runs out of a resource and evicts Pods',
  FailedAdmission: 'an admission policy refused an object',
  FailedCreate: 'a controller cannot create a Pod or another object: quota, admission or permissions refuse it',
  FailedNodeAllocatableEnforcement: 'a node cannot enforce its resource limits',
  NodeNotReady: 'a node does not report as ready',
  OOMKilling: 'a process was killed: out of memory',
  OwnerRefInvalidNamespace: 'an object claims an owner in another namespace',
  PolicyViolation: 'a policy was violated',
  Rebooted: 'a node was rebooted',
  SysctlForbidden: 'the node refuses a Pod: it asks for a forbidden sysctl',
  SystemOOM: 'a process on a node was killed: out of memory',
};

const low: Readonly<Record<string, string>> = {
  BackOff: 'a container fails again and again, or its image cannot be pulled',
  BackoffLimitExceeded: 'a Job failed too often',
  ContainerGCFailed: 'a node cannot remove dead containers',
  DeadlineExceeded: 'a Job took longer than it may',
  ErrImageNeverPull: 'an image is not on the node and must not be pulled',
  ExceededGracePeriod: 'a container did not end in time',
  Failed: 'a container cannot be started, or its image cannot be pulled',
  FailedAttachVolume: 'a volume cannot be attached',
  FailedBinding: 'a volume claim cannot be bound',
  FailedCreatePodContainer: 'a container cannot be made',
  FailedCreatePodSandBox: 'the sandbox of a Pod cannot be made: network or runtime fail',
  FailedDaemonPod: 'a Pod of a DaemonSet failed',
  FailedDelete: 'a controller cannot delete a Pod or another object',
  FailedKillPod: 'a Pod cannot be ended',
  FailedMapVolume: 'a volume cannot be mapped',
  FailedMount: 'a volume cannot be mounted: it, its Secret or its ConfigMap is missing',
  FailedPostStartHook: 'the hook after the start of a container failed',
  FailedPreStopHook: 'the hook before the end of a container failed',
  FailedScheduling: 'no node can take a Pod',
  FailedToRetrieveImagePullSecret: 'the Secret for pulling images is missing',
  FailedValidation: 'a Pod is not valid for its node',
  FreeDiskSpaceFailed: 'a node cannot free disk space',
  ImageGCFailed: 'a node cannot remove unused images',
  InspectFailed: 'an image cannot be inspected, or its name is not valid',
  KubeletSetupFailed: 'the kubelet of a node cannot set itself up',
  NetworkNotReady: 'the network of a node is not ready',
  ProvisioningFailed: 'a volume cannot be provisioned',
  RecreatingFailedPod: 'a Pod of a StatefulSet failed and is made again',
  SyncLoadBalancerFailed: 'a load balancer cannot be set up',
  UnexpectedAdmissionError: 'the node refuses a Pod',
  Unhealthy: 'a probe of a container fails',
  VolumeResizeFailed: 'a volume cannot be resized',
};

function entriesOf(table: Readonly<Record<string, string>>, severity: Severity): [string, Reason][] {
  return Object.entries(table).map(([reason, meaning]) => [reason, { severity, meaning }]);
}

/** The reasons that are known. */
export const reasons: ReadonlyMap<string, Reason> = new Map([...entriesOf(medium, 'medium'), ...entriesOf(low, 'low')]);

const otherReason: Reason = { severity: 'info' };

/** What a reason says. Reasons are spelled in one way only. */
export function reasonOf(word: string): Reason {
  return reasons.get(word) ?? otherReason;
}
