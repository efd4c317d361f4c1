/** What the chart holds of the program: its CRD and the rights of every source. */
import { peopleRoles } from '../../src/api/roles.ts';
import {
  configMapRule,
  eventRules,
  leaseRules,
  migrationRules,
  namespaceRule,
  podRule,
  readsConfigMaps,
  sourceRules,
} from '../../src/sources/rbac.ts';
import { sources } from '../../src/sources/registry.ts';

/** The data of charts/zen-watcher/files/rbac.yaml, from which templates/rbac.yaml makes roles. */
export function chartRights() {
  return {
    namespaces: namespaceRule,
    pods: podRule,
    configMaps: configMapRule,
    events: eventRules,
    migration: migrationRules,
    leases: leaseRules([]).map(({ resourceNames: _resourceNames, ...rule }) => rule),
    people: peopleRoles,
    sources: sources.map((source) => ({
      name: source.name,
      needsPods: source.needsPods,
      readsConfigMaps: readsConfigMaps(source),
      rules: sourceRules(source),
      namespacedRules: sourceRules(source, true),
    })),
  };
}
