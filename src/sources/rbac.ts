/**
 * What the daemon may do, computed from the sources that are on and the configuration: RBAC rules, each with its reason.
 * `zen-watcher rbac`, RBAC.md, the chart and the tests' service account are all made from this.
 */
import type { RoleRule } from '../api/roles.ts';
import { daemonEventRules, daemonMigrationRules } from '../api/roles.ts';
import type { Intake, PolicyIntake, Source } from './source.ts';

/** A rule and why it is granted. */
export interface ReasonedRule extends RoleRule {
  readonly why: string;
}

/** Rules for one place: a ClusterRole, or a Role in a namespace. */
export interface Grant {
  /** undefined: the whole cluster. */
  readonly namespace: string | undefined;
  readonly rules: readonly ReasonedRule[];
}

/** What of the configuration decides about rights. */
export interface AccessSettings {
  /** The sources that are on. */
  readonly sources: readonly Source[];
  /** The namespace of the events, and of the release. */
  readonly namespace: string;
  readonly placement: 'central' | 'resource';
  readonly migrate: boolean;
  /** Where ConfigMaps with reports are. */
  readonly configMapNamespaces: readonly string[];
  /** The only namespaces that are looked at; undefined: the whole cluster. Cluster-scoped reports are not read then. */
  readonly watchNamespaces?: readonly string[] | undefined;
  /** Names of the Leases among which replicas elect a leader; none for a single one. */
  readonly leases: readonly string[];
}

const reading = ['list', 'watch'] as const;

/** How the reports of an intake are read. */
export function readVerbs(intake: Intake): readonly string[] {
  return intake.via === 'resource' && intake.isReadOneByOne ? ['get', ...reading] : reading;
}

/** The rules by place: the cluster first, then namespaces by name. Places without rules are left out. */
export function accessGrants(settings: AccessSettings): readonly Grant[] {
  const { watchNamespaces, sources, namespace, placement, migrate, leases } = settings;
  const grants = new Map<string | undefined, ReasonedRule[]>();
  const grant = (place: string | undefined, rules: readonly ReasonedRule[]) => {
    if (rules.length > 0) grants.set(place, [...(grants.get(place) ?? []), ...rules]);
  };
  const reads = sources.flatMap((source) => sourceRules(source, watchNamespaces !== undefined));
  const shared = needsPods(sources) ? [podRule] : [];
  if (watchNamespaces === undefined) grant(undefined, [namespaceRule, ...shared, ...reads]);
  else for (const place of watchNamespaces) grant(place, [...shared, ...reads]);

  const eventsAnywhere = placement === 'resource';
  if (eventsAnywhere && watchNamespaces === undefined) grant(undefined, eventRules);
  else
    for (const place of eventsAnywhere ? unique([namespace, ...(watchNamespaces ?? [])]) : [namespace])
      grant(place, eventRules);
  if (!eventsAnywhere && migrate && watchNamespaces === undefined) grant(undefined, migrationRules);
  if (leases.length > 0) grant(namespace, leaseRules(leases));
  if (sources.some(readsConfigMaps))
    for (const place of unique(settings.configMapNamespaces)) grant(place, [configMapRule]);
  return [...grants]
    .map(([place, rules]) => ({ namespace: place, rules }))
    .toSorted((a, b) => (a.namespace ?? '').localeCompare(b.namespace ?? '', 'en'));
}

/** Whether owners of Pods have to be known. */
export function needsPods(sources: readonly Source[]): boolean {
  return sources.some((source) => source.needsPods);
}

/** Whether the source's reports come in ConfigMaps. */
export function readsConfigMaps(source: Source): boolean {
  return (source.formats ?? []).length > 0;
}

/** Namespaces cannot be listed by a Role, so this is a rule for the whole cluster only. */
export const namespaceRule: ReasonedRule = {
  apiGroups: [''],
  resources: ['namespaces'],
  verbs: reading,
  why: 'a finding ends when its namespace is deleted; filters select by labels of namespaces (metadata only)',
};

export const podRule: ReasonedRule = {
  apiGroups: [''],
  resources: ['pods'],
  verbs: reading,
  why: 'the owner of a Pod is what a finding is about, so that a rollout changes nothing (metadata only)',
};

export const configMapRule: ReasonedRule = {
  apiGroups: [''],
  resources: ['configmaps'],
  verbs: reading,
  why: 'reports that tools leave in ConfigMaps, selected by label on the server; only in the namespaces named',
};

const eventReasons: Readonly<Record<string, string>> = {
  zenagentevents: 'one event per finding; every change and removal names the version it was decided on',
  'zenagentevents/status': 'phase, count and times of an event',
};

export const eventRules: readonly ReasonedRule[] = daemonEventRules.map((rule) => ({
  ...rule,
  why: eventReasons[rule.resources[0] ?? ''] ?? '',
}));

export const migrationRules: readonly ReasonedRule[] = daemonMigrationRules.map((rule) => ({
  ...rule,
  why: 'events are brought home from other namespaces; none is made there',
}));

/** A Lease is made by PUT: a POST cannot be restricted by name, a PUT that creates can. */
export function leaseRules(names: readonly string[]): readonly ReasonedRule[] {
  return [
    {
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      resourceNames: names,
      verbs: ['get', 'list', 'watch', 'create', 'update'],
      why: 'one of the replicas writes: they elect it with these Leases, and touch no other; watch sees at once that it goes',
    },
  ];
}

/** What one source reads: resources alike in group and verbs in one rule. */
export function sourceRules(source: Source, namespacedOnly = false): readonly ReasonedRule[] {
  const within = (intake: { readonly namespaced: boolean }) => intake.namespaced || !namespacedOnly;
  const reports = source.intakes.filter(within).map((intake) => reportRule(source, intake));
  // That a policy is gone can be said only by who sees those of the whole cluster.
  const policies = namespacedOnly ? [] : (source.policies ?? []).map((intake) => policyRule(source, intake));
  return joined([...reports, ...policies]);
}

function reportRule(source: Source, intake: Intake): ReasonedRule {
  const verbs = readVerbs(intake);
  const base = { apiGroups: [intake.group], verbs };
  if (intake.via === 'group') {
    const why = `${source.title}: the kinds of this group are made by users and discovered; the group has nothing else`;
    return { ...base, resources: ['*'], why };
  }
  const oneByOne = intake.isReadOneByOne ? '; its API lists metadata only, so each is read by itself' : '';
  const again = verbs.includes('get') && !intake.isReadOneByOne ? '; get reads one again when the queue was full' : '';
  return { ...base, resources: [intake.resource], why: `${source.title}: its reports${oneByOne}${again}` };
}

function policyRule(source: Source, { group, resource }: PolicyIntake): ReasonedRule {
  const why = `${source.title}: a finding ends when the policy that it violates is deleted (metadata only)`;
  return { apiGroups: [group], resources: [resource], verbs: reading, why };
}

/** Rules of the same group, verbs and reason as one. */
function joined(rules: readonly ReasonedRule[]): ReasonedRule[] {
  const byKind = new Map<string, ReasonedRule>();
  for (const rule of rules) {
    const key = JSON.stringify([rule.apiGroups, rule.verbs, rule.why]);
    const before = byKind.get(key)?.resources ?? [];
    byKind.set(key, { ...rule, resources: unique([...before, ...rule.resources]) });
  }
  return [...byKind.values()];
}

function unique(words: readonly string[]): string[] {
  return [...new Set(words)];
}
