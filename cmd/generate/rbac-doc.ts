/** RBAC.md: every rule with its reason, from the data that the chart, `zen-watcher rbac` and the tests use. */
import { peopleRoles } from '../../src/api/roles.ts';
import { ruleTable } from '../../src/cli/rbac.ts';
import { leaderLeases } from '../../src/config/access.ts';
import type { AccessSettings, ReasonedRule } from '../../src/sources/rbac.ts';
import {
  accessGrants,
  migrationRules,
  namespaceRule,
  needsPods,
  podRule,
  readsConfigMaps,
  sourceRules,
} from '../../src/sources/rbac.ts';
import { sources } from '../../src/sources/registry.ts';

const namespace = 'zen-system';
const everything: AccessSettings = {
  sources,
  namespace,
  placement: 'central',
  migrate: false,
  configMapNamespaces: ['NAMED'],
  leases: leaderLeases({ replicas: 2 }),
};

/** The text of RBAC.md. */
export function rbacDoc(): string {
  const grants = accessGrants(everything);
  const rulesIn = (place: string) => grants.find((grant) => grant.namespace === place)?.rules ?? [];
  const rows = (where: string, rules: readonly ReasonedRule[]) => rules.map((rule) => ({ where, rule }));
  const withPods = sources.filter((source) => needsPods([source]));
  return [
    `# Rights

Generated from src/sources/rbac.ts and the sources by \`npm run generate\`. Do not edit: change them and generate again.

What zen-watcher may do, and why. The chart grants exactly the rules of the sources that are on: switching one off in
\`config.sources\` takes its rules away. \`zen-watcher rbac --config FILE\` prints what a configuration needs.

- It reads by \`list\` and \`watch\`. Where \`get\` is granted, the reason says so.
- It writes \`zenagentevents\` and nothing else in the cluster; with more than one replica also the Leases named below.
- It reads no Secrets, no logs of Pods, no ReplicaSets, no Jobs. It has no \`*\` but for API groups whose kinds users make,
  while the source that reads them is on.
- Discovery (\`GET /apis\`) needs no rule: Kubernetes grants it to every account.

\`test/integration/chart-rights.test.ts\` runs a daemon with the chart's service account on a real API server and compares
the audit log with the rendered roles: no request is refused, and every rule is used.

## In the whole cluster (ClusterRole)

`,
    ...ruleTable(rows('cluster', [namespaceRule, podRule])),
    `\nPods are read while one of these sources is on: ${withPods.map(({ name }) => name).join(', ')}.\n`,
    ...sources.flatMap((source) => {
      const rules = sourceRules(source);
      return rules.length === 0
        ? []
        : [`\n### ${source.title} (\`${source.name}\`)\n\n`, ...ruleTable(rows('cluster', rules))];
    }),
    `\n## In the events' namespace (Role in \`${namespace}\`)\n\n`,
    ...ruleTable(rows(namespace, rulesIn(namespace))),
    `
With \`events.placement: resource\` the rules for events are in the ClusterRole; with \`events.migrate: true\` these are there
besides, until the events are home ([docs/placement.md](docs/placement.md)):

`,
    ...ruleTable(rows('cluster', migrationRules)),
    `
## In namespaces with reports in ConfigMaps (a Role in each)

`,
    ...ruleTable(rows('each of configMaps.namespaces', rulesIn('NAMED'))),
    `
For the sources ${sources
      .filter(readsConfigMaps)
      .map(({ name }) => name)
      .join(', ')}.

## People

| ClusterRole | part of | may |
|---|---|---|
`,
    ...peopleRoles.map(({ name, partOf, rules }) => {
      const may = rules.map(({ resources, verbs }) => `${resources.join(', ')}: ${verbs.join(', ')}`).join('; ');
      return `| ${name} | ${partOf.join(', ')} | ${may} |\n`;
    }),
    `
RBAC knows no fields. With \`admissionPolicy.enabled\` a ValidatingAdmissionPolicy keeps spec and life cycle to zen-watcher's
account, whoever has these roles.

## Your own sources

The ClusterRole \`<release>-sources\` is aggregated: any ClusterRole with the label
\`zen.kube-zen.io/aggregate-to-<release>: "true"\` becomes part of it. A source that the chart's
\`config.declarativeSources\` declares gets its rule by itself; what else it reads goes there.
`,
  ].join('');
}
