/**
 * A service account with exactly the rights that the daemon needs, computed from the registry: the tests exercise least
 * privilege, and unlike system:masters it is subject to the API server's priority and fairness.
 */
import type { RoleRule } from '../../src/api/roles.ts';
import { daemonEventRules } from '../../src/api/roles.ts';
import { leaderLeases } from '../../src/config/access.ts';
import { accessGrants, configMapRule, leaseRules } from '../../src/sources/rbac.ts';
import { sources } from '../../src/sources/registry.ts';
import type { Rest } from './rest.ts';

/** Who a daemon is. */
export interface DaemonAccount {
  readonly token: string;
  /** As the audit log names it. */
  readonly user: string;
  /** What its ClusterRole and the binding are called. */
  readonly role: string;
}

/** A rule as RBAC has it. */
export type Rule = RoleRule;

const name = 'zen-watcher';
const rbac = '/apis/rbac.authorization.k8s.io/v1';
const roleGroup = 'rbac.authorization.k8s.io';

/** What the daemon reads, everywhere. */
export const readRules: readonly Rule[] = accessGrants({
  sources,
  namespace: '',
  placement: 'central',
  migrate: false,
  configMapNamespaces: [],
  leases: [],
})
  .filter(({ namespace }) => namespace === undefined)
  .flatMap(({ rules }) => rules.map(({ why: _why, ...rule }) => rule));

/** What it does with events. */
export const writeRules: readonly Rule[] = daemonEventRules;

/** Makes the account in the namespace of its events. `rules` are those of its ClusterRole, when other than all. */
export async function makeDaemonAccount(rest: Rest, namespace: string, rules = readRules): Promise<DaemonAccount> {
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await create(rest, accounts, { metadata: { name } });
  const role = `${name}-${namespace}`;
  await create(rest, `${rbac}/clusterroles`, { metadata: { name: role }, rules });
  await create(rest, `${rbac}/clusterrolebindings`, {
    metadata: { name: role },
    roleRef: { apiGroup: roleGroup, kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  });
  const request = { spec: { expirationSeconds: 7200 } };
  const { status } = await create(rest, `${accounts}/${name}/token`, request);
  return { token: status.token, user: `system:serviceaccount:${namespace}:${name}`, role };
}

/** Lets an account read ConfigMaps in a namespace; its own, when nothing else is said. */
export async function allowConfigMaps(
  rest: Rest,
  accountNamespace: string,
  namespace = accountNamespace,
): Promise<void> {
  await bindRole(rest, { role: `${name}-configmaps-${accountNamespace}`, accountNamespace, namespace }, [
    configMapRule,
  ]);
}

/** Lets an account write events in a namespace; its own, when nothing else is said. */
export async function allowWriting(rest: Rest, accountNamespace: string, namespace = accountNamespace): Promise<void> {
  await bindRole(rest, { role: `${name}-${accountNamespace}`, accountNamespace, namespace }, writeRules);
}

interface Binding {
  readonly role: string;
  readonly accountNamespace: string;
  readonly namespace: string;
}

async function bindRole(rest: Rest, { role, accountNamespace, namespace }: Binding, rules: readonly Rule[]) {
  const plain = rules.map(({ apiGroups, resources, verbs }) => ({ apiGroups, resources, verbs }));
  await create(rest, `${rbac}/namespaces/${namespace}/roles`, { metadata: { name: role }, rules: plain });
  await create(rest, `${rbac}/namespaces/${namespace}/rolebindings`, {
    metadata: { name: role },
    roleRef: { apiGroup: roleGroup, kind: 'Role', name: role },
    subjects: [{ kind: 'ServiceAccount', name, namespace: accountNamespace }],
  });
}

/** Lets an account elect leaders among so many replicas, in its namespace. */
export async function allowElecting(
  rest: Rest,
  namespace: string,
  election: { readonly replicas: number; readonly shards?: number },
): Promise<void> {
  const roles = `${rbac}/namespaces/${namespace}`;
  const role = `${name}-leases`;
  await create(rest, `${roles}/roles`, { metadata: { name: role }, rules: leaseRules(leaderLeases(election)) });
  await create(rest, `${roles}/rolebindings`, {
    metadata: { name: role },
    roleRef: { apiGroup: roleGroup, kind: 'Role', name: role },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  });
}

/** Puts other rules in place of those of an account's ClusterRole. */
export async function changeRules(rest: Rest, { role }: DaemonAccount, rules: readonly Rule[]): Promise<void> {
  const { code, message } = await rest.send('PATCH', `${rbac}/clusterroles/${role}`, { rules }, 'merge');
  if (code !== 200) throw new Error(message);
}

async function create(rest: Rest, path: string, body: unknown) {
  const answer = await rest.send('POST', path, body);
  if (answer.code !== 201) throw new Error(`${path}: ${answer.code} ${answer.message}`);
  return answer.body;
}
