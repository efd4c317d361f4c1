/**
 * What the objects of Kubescape's operator have in common (https://github.com/kubescape/storage, v1beta1): the labels and
 * annotations that say whom they are about, and whether the scan came to its end.
 */
import { asText } from '../lib/fields.ts';
import type { CarriedReading } from './carried-report.ts';
import type { ObjectReport } from './object-report.ts';
import { joinedApiVersion, referenceTo } from './reference.ts';
import type { ResourceReference } from './source.ts';

export const kubescapeGroup = 'spdx.softwarecomposition.kubescape.io';
export const kubescapeVersions = ['v1beta1'];

/** Labels write kinds in small letters or as they are, depending on who wrote them. */
const kinds: ReadonlyMap<string, string> = new Map(
  [
    ...['Pod', 'ReplicaSet', 'Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob', 'ReplicationController'],
    ...['Node', 'Namespace', 'Service', 'ServiceAccount', 'ConfigMap', 'Secret', 'Ingress', 'NetworkPolicy'],
    ...['Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding', 'PersistentVolume', 'PersistentVolumeClaim'],
    ...['CustomResourceDefinition', 'APIService', 'PodDisruptionBudget', 'HorizontalPodAutoscaler'],
    ...['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'],
  ].map((kind) => [kind.toLowerCase(), kind]),
);

/** `wlid://cluster-NAME/namespace-shop/deployment-web`. */
const workloadID = /^wlid:\/\/cluster-[^/]*\/namespace-([^/]*)\/([a-z]+)-([^/]+)$/;
const longestID = 1024;

/** The workload that an object is about; undefined where it does not say: that is one of an image. */
export function workloadOf({ labels, annotations }: ObjectReport): ResourceReference | undefined {
  const label = (word: string) => asText(labels[`kubescape.io/workload-${word}`]);
  const id = (asText(annotations['kubescape.io/wlid']) ?? '').slice(0, longestID);
  const [, idNamespace, idKind, idName] = workloadID.exec(id) ?? [];
  const kind = label('kind') ?? idKind;
  const name = label('name') ?? idName;
  if (kind === undefined || name === undefined) return undefined;
  return referenceTo({
    apiVersion: joinedApiVersion(labels['kubescape.io/workload-api-group'], label('api-version')),
    kind: kinds.get(kind.toLowerCase()) ?? kind,
    name,
    namespace: label('namespace') ?? idNamespace,
  });
}

/** The container that an object is about; '' where it does not say. */
export function containerOf({ labels, annotations }: ObjectReport): string {
  const key = 'kubescape.io/workload-container-name';
  return asText(labels[key]) ?? asText(annotations[key]) ?? '';
}

/** Nothing is said, or that all is well. */
const finished = ['', 'ready', 'completed'];

function word({ annotations }: ObjectReport, key: string): string {
  return (asText(annotations[`kubescape.io/${key}`]) ?? '').trim().toLowerCase();
}

/** Whether the scan came to its end: not `incomplete`, `too-large`, `unauthorize` and the like. */
export function isFinished(report: ObjectReport): boolean {
  return finished.includes(word(report, 'status'));
}

/** What a scan that did not come to its end leaves out is not known, nor what a container loaded before it was watched. */
export function judgeStatus(report: ObjectReport, reading: CarriedReading): void {
  if (!isFinished(report)) reading.isNotYet();
  if (word(report, 'completion') === 'partial') reading.isPartial();
}

/** Whether the manifest holds only what a container has loaded of its image, and not the whole of it. */
export function isOfLoaded({ labels }: ObjectReport): boolean {
  return asText(labels['kubescape.io/context'])?.trim() === 'filtered';
}
