/** What a Falco alert is about. */
import { asText } from '../lib/fields.ts';
import type { FalcoFields } from './falco-fields.ts';
import { kindOfPlural } from './plural-kinds.ts';
import { referenceTo } from './reference.ts';
import type { RawDocument, ResourceReference } from './source.ts';

/** `k8s_<container>_<pod>_<namespace>_<uid>_<attempt>`: the container's name in Docker. */
const dockerName = /^k8s_([^_]{1,253})_([^_]{1,253})_([^_]{1,253})_/;

/** Falco's own eyes on the kernel; falcosidekick's test event has the plural. */
const systemCalls = ['syscall', 'syscalls'];

/** The resource and the container in it, '' where there is none. */
export interface FalcoSubject {
  readonly resource: ResourceReference;
  readonly container: string;
}

/** The Pod, where anything says which; the object of an API request; else the host. */
export function subjectOf(alert: RawDocument, field: FalcoFields): FalcoSubject {
  const target = targetOfRequest(field);
  if (target !== undefined) return { resource: target, container: '' };
  const [, dockerContainer, dockerPod, dockerNamespace] = dockerName.exec(field('container.name') ?? '') ?? [];
  const pod = field('k8s.pod.name') ?? field('k8smeta.pod.name') ?? dockerPod;
  if (pod !== undefined) {
    const namespace = field('k8s.ns.name') ?? field('k8smeta.ns.name') ?? dockerNamespace;
    const container = dockerContainer ?? field('container.name') ?? '';
    return {
      resource: referenceTo({ apiVersion: 'v1', kind: 'Pod', name: pod, namespace }),
      container: container === 'POD' ? '' : container,
    };
  }
  return { resource: elsewhere(alert, field), container: containerOnHost(field) };
}

/** What the audit plugin says of the object of a request. */
function targetOfRequest(field: FalcoFields): ResourceReference | undefined {
  const plural = field('ka.target.resource');
  const namespace = field('ka.target.namespace');
  if (plural === undefined && field('ka.verb') === undefined) return undefined;
  const name = field('ka.target.name') ?? field('ka.resp.name');
  if (plural !== undefined && name !== undefined) {
    const kind = kindOfPlural(plural);
    return referenceTo({ kind, name, namespace: kind === 'Namespace' ? undefined : namespace });
  }
  return namespace === undefined ? cluster : { apiVersion: 'v1', kind: 'Namespace', name: namespace };
}

const cluster: ResourceReference = { kind: 'Cluster', name: 'cluster' };

/** The host; of a plugin's alert (a cloud's audit log, a code forge) nothing in the cluster, so the plugin. */
function elsewhere(alert: RawDocument, field: FalcoFields): ResourceReference {
  const source = asText(alert['source']);
  if (source !== undefined && !systemCalls.includes(source)) return { kind: 'FalcoPlugin', name: source };
  const host = asText(alert['hostname']) ?? field('evt.hostname');
  return host === undefined ? cluster : { apiVersion: 'v1', kind: 'Node', name: host };
}

/** A container that no Pod is known of; `host` is none. */
function containerOnHost(field: FalcoFields): string {
  const name = field('container.name') ?? '';
  return name === 'host' ? '' : name;
}
