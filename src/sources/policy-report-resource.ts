/** The object that a policy report, or one of its results, is about. */
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, asText, at } from '../lib/fields.ts';
import type { ResourceReference } from './source.ts';

/** A reference that may be used, or the namespace that the report has no right to speak for. */
export interface Referenced {
  readonly resource?: ResourceReference | undefined;
  readonly foreignNamespace?: string;
}

/**
 * An ObjectReference of a report in this namespace (undefined for cluster reports). Undefined when it names nothing: one
 * adapter of Trivy writes a name without a kind. `isTrusted`: the report may speak for other namespaces.
 */
export function referenceIn(value: unknown, namespace: string | undefined, isTrusted: boolean): Referenced | undefined {
  const fields = asFields(value);
  const kind = asText(fields?.['kind']);
  const name = asText(fields?.['name']);
  if (fields === undefined || kind === undefined || name === undefined) return undefined;
  const apiVersion = asText(fields['apiVersion']);
  const named: ResourceReference = { ...(apiVersion === undefined ? {} : { apiVersion }), kind, name };
  const stated = asText(fields['namespace']);
  if (namespace === undefined) return { resource: stated === undefined ? named : { ...named, namespace: stated } };
  // Whoever may write reports in one namespace must not be able to accuse another one. A Namespace is its own namespace.
  const isNamespace = kind === 'Namespace';
  const spokenFor = isNamespace ? name : (stated ?? namespace);
  if (spokenFor !== namespace && !isTrusted) return { foreignNamespace: spokenFor };
  return { resource: isNamespace ? named : { ...named, namespace: spokenFor } };
}

/** The first owner of the report: adapters have it where engines have a scope. */
export function ownerOf(metadata: Fields, namespace: string | undefined): Referenced | undefined {
  // An owner is in the namespace of what it owns.
  return referenceIn(asFields(asList(at(metadata, 'ownerReferences'))?.[0]), namespace, false);
}

/** The Pod that KubeArmor's and Falco's adapters name in the properties of a result. */
export function podIn(properties: Fields, namespace: string | undefined, isTrusted: boolean): Referenced | undefined {
  const name = asText(properties['pod_name']) ?? asText(properties['k8s.pod.name']);
  const stated = asText(properties['namespace_name']) ?? asText(properties['k8s.ns.name']);
  if (name === undefined || name === '<NA>' || stated === '<NA>') return undefined;
  return referenceIn({ apiVersion: 'v1', kind: 'Pod', name, namespace: stated }, namespace, isTrusted);
}
