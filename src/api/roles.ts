/**
 * Who may do what with events, as RBAC rules. config/rbac holds the roles of people as YAML (`npm run generate`); the
 * rules of the daemon are bound by whoever installs it, with a Role or a ClusterRole by placement (docs/placement.md).
 */
import { group, plural } from './event.ts';

/** A rule as RBAC has it. */
export interface RoleRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  /** Only these objects. */
  readonly resourceNames?: readonly string[];
}

const status = `${plural}/status`;
const readVerbs = ['get', 'list', 'watch'];
const on = (resource: string, verbs: readonly string[]): RoleRule => ({
  apiGroups: [group],
  resources: [resource],
  verbs,
});

/** What the daemon does with events: in their namespace; with placement by resource in all. */
export const daemonEventRules: readonly RoleRule[] = [
  on(plural, ['create', 'get', 'list', 'watch', 'update', 'delete']),
  on(status, ['patch']),
];

/** What it does besides in all other namespaces while it brings events home. It makes none there. */
export const daemonMigrationRules: readonly RoleRule[] = [
  on(plural, ['get', 'list', 'watch', 'update', 'delete']),
  on(status, ['patch']),
];

interface PeopleRole {
  readonly name: string;
  /** The roles of Kubernetes that it becomes part of. */
  readonly partOf: readonly string[];
  readonly rules: readonly RoleRule[];
}

/** view reads. triage also notes things on events: RBAC knows no fields, so it may change more than labels and `synced`. */
export const peopleRoles: readonly PeopleRole[] = [
  { name: 'zen-watcher-view', partOf: ['view', 'edit', 'admin'], rules: [on(plural, readVerbs)] },
  {
    name: 'zen-watcher-triage',
    partOf: ['edit', 'admin'],
    rules: [on(plural, [...readVerbs, 'patch', 'update']), on(status, ['get', 'patch', 'update'])],
  },
];

/** A ClusterRole that the controller manager adds to those of Kubernetes. */
export function clusterRole({ name, partOf, rules }: PeopleRole) {
  const labels = Object.fromEntries(partOf.map((role) => [`rbac.authorization.k8s.io/aggregate-to-${role}`, 'true']));
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name, labels: { 'app.kubernetes.io/name': 'zen-watcher', ...labels } },
    rules,
  };
}
