/** What a result of Kubescape is about. */
import type { Fields } from '../lib/fields.ts';
import { asText, textAt } from '../lib/fields.ts';
import { clean } from '../lib/text.ts';
import { referenceTo } from './reference.ts';
import type { IdentityPart, ResourceReference } from './source.ts';

/** The object of a result. */
export interface KubescapeResource {
  readonly resource: ResourceReference;
  readonly identity: readonly IdentityPart[];
}

/** `path=1881121400/api=apps/v1//Deployment/shop`: the number is that of the file in this one scan. */
const scannedPath = /path=\d*\/api=/g;
/** A subject of RBAC with its bindings and roles has the ids of all of them as its own. */
const objectID = /^([^/]*(?:\/v\d\w*)?)\/([^/]*)\/([A-Z]\w*)\/([^/]+)$/;
const longestID = 1024;

/** By the object itself, which the report holds, else by the id. */
export function kubescapeResource(id: string, object: Fields | undefined): KubescapeResource {
  const stable = clean(id.slice(0, longestID)).replace(scannedPath, '');
  const [, group, namespace, kind, name] = objectID.exec(stable) ?? [];
  if (kind === undefined || name === undefined) {
    // Nothing of Kubernetes has this id: neither is there an owner to look for.
    return { resource: subjectOf(object) ?? { kind: 'Object', name: stable }, identity: ['id', stable] };
  }
  const resource = referenceTo({
    apiVersion: asText(object?.['apiVersion']) ?? apiVersionOf(group),
    kind: asText(object?.['kind']) ?? kind,
    name: textAt(object, 'metadata', 'name') ?? name,
    namespace: textAt(object, 'metadata', 'namespace') ?? namespace,
  });
  return { resource, identity: [{ ownerOf: resource }] };
}

function apiVersionOf(group: string | undefined): string | undefined {
  return group?.replace(/^\//, '');
}

/** The account that the roles are bound to stands in the object. */
function subjectOf(object: Fields | undefined): ResourceReference | undefined {
  const kind = asText(object?.['kind']);
  const name = textAt(object, 'metadata', 'name') ?? asText(object?.['name']);
  if (kind === undefined || name === undefined) return undefined;
  return referenceTo({
    kind,
    name,
    namespace: textAt(object, 'metadata', 'namespace') ?? asText(object?.['namespace']),
  });
}
