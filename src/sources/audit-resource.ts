/** What a finding of the audit log is about. */
import { textAt } from '../lib/fields.ts';
import { controllerOf } from './audit-pod.ts';
import type { AuditRequest } from './audit-request.ts';
import { writtenObject } from './audit-request.ts';
import type { Fold } from './audit-rules.ts';
import { kindOfPlural } from './plural-kinds.ts';
import { referenceTo } from './reference.ts';
import type { ResourceReference } from './source.ts';

const cluster: ResourceReference = { kind: 'Cluster', name: 'cluster' };

/** The object, its namespace, or who it was, by what the finding is folded by. */
export function resourceOf(request: AuditRequest, fold: Fold): ResourceReference {
  switch (fold) {
    case 'subject':
      return subjectOf(request.user);
    case 'namespace':
      return namespaceOf(request);
    default:
      return objectOf(request);
  }
}

/** `system:serviceaccount:store:shop` is an object of the cluster. */
const accountName = /^system:serviceaccount:([^:]{1,63}):([^:]{1,253})$/;

function subjectOf(user: string): ResourceReference {
  const [, namespace, name] = accountName.exec(user) ?? [];
  if (name !== undefined) return referenceTo({ apiVersion: 'v1', kind: 'ServiceAccount', name, namespace });
  return user === '' ? cluster : { kind: 'User', name: user };
}

function namespaceOf({ namespace }: AuditRequest): ResourceReference {
  return namespace === '' ? cluster : { apiVersion: 'v1', kind: 'Namespace', name: namespace };
}

/**
 * A Pod that was made is its controller's, which the object says where the policy records it. The name that the server made
 * up stands only in its answer; without that, and for a whole collection, the namespace must do.
 */
function objectOf(request: AuditRequest): ResourceReference {
  const { plural, group, version, namespace } = request;
  if (plural === '') return cluster;
  const kind = kindOfPlural(plural);
  const object = request.subresource === '' ? writtenObject(request) : undefined;
  const controller = kind === 'Pod' ? controllerOf(object) : undefined;
  if (controller !== undefined) {
    const { podTemplateHash, ...named } = controller;
    const reference = referenceTo({ ...named, namespace });
    return podTemplateHash === undefined ? reference : { ...reference, podTemplateHash };
  }
  const name = request.name || (textAt(object, 'metadata', 'name') ?? '');
  if (name === '') return namespaceOf(request);
  const apiVersion = group === '' ? version : `${group}/${version}`;
  return referenceTo({ apiVersion, kind, name, namespace: kind === 'Namespace' ? undefined : namespace });
}

/** `clusterroles.rbac.authorization.k8s.io`, `pods/exec`; the word for requests of paths. */
export function qualifiedResource({ plural, subresource, group }: AuditRequest): string {
  if (plural === '') return 'path';
  return `${plural}${group === '' ? '' : `.${group}`}${subresource === '' ? '' : `/${subresource}`}`;
}
