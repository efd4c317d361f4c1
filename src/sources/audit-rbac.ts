/** What a Role or a binding that was written gives, where the policy of the audit log records objects. */
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, at, textAt } from '../lib/fields.ts';
import type { AuditRequest } from './audit-request.ts';
import { writtenObject } from './audit-request.ts';

/** What more than the rights in the rules themselves follows from. */
const escalatingVerbs: readonly string[] = ['escalate', 'bind', 'impersonate'];
const everyone: readonly string[] = [
  'system:anonymous',
  'system:unauthenticated',
  'system:authenticated',
  'system:serviceaccounts',
];
const mostEntries = 256;

/** `cluster-admin`, `everyone`, `everything`, `escalate`, `bind`, `impersonate`, in order. */
export function grantsOf(request: AuditRequest): readonly string[] {
  const object = writtenObject(request);
  if (object === undefined) return [];
  const words = new Set<string>();
  if (textAt(object, 'roleRef', 'name') === 'cluster-admin') words.add('cluster-admin');
  if (subjectsIn(object).some((subject) => everyone.includes(textAt(subject, 'name') ?? ''))) words.add('everyone');
  for (const rule of entries(object, 'rules')) {
    const verbs = entries(rule, 'verbs');
    for (const verb of escalatingVerbs) if (verbs.includes(verb)) words.add(verb);
    if (verbs.includes('*') && entries(rule, 'resources').includes('*')) words.add('everything');
  }
  return [...words].sort();
}

/** `ClusterRole/edit`, of a binding. */
export function roleOf(request: AuditRequest): string {
  const role = asFields(at(writtenObject(request), 'roleRef'));
  const name = textAt(role, 'name');
  return name === undefined ? '' : `${textAt(role, 'kind') ?? 'Role'}/${name}`;
}

/** Who is given the role, of a binding: `User/alice`, `ServiceAccount/store/shop`. */
export function subjectsOf(request: AuditRequest): readonly string[] {
  return subjectsIn(writtenObject(request))
    .slice(0, 16)
    .map((subject) =>
      [textAt(subject, 'kind'), textAt(subject, 'namespace'), textAt(subject, 'name')]
        .filter((word) => word !== undefined)
        .join('/'),
    );
}

function subjectsIn(object: Fields | undefined): readonly unknown[] {
  return entries(object, 'subjects');
}

function entries(of: unknown, list: string): readonly unknown[] {
  return asList(at(of, list))?.slice(0, mostEntries) ?? [];
}
