/** What the configuration says about the rights that the daemon needs. */
import type { AccessSettings } from '../sources/rbac.ts';
import type { Source } from '../sources/source.ts';
import { sourcesOn } from './read-contexts.ts';
import type { Config } from './schema.ts';
import { configMapNamespaces } from './schema.ts';

/** `sources` are all that can be read, on or off. */
export function accessSettings(config: Config, sources: readonly Source[]): AccessSettings {
  const { namespace, placement, migrate } = config.events;
  return {
    sources: sourcesOn(config, sources),
    namespace,
    placement,
    migrate,
    configMapNamespaces: configMapNamespaces(config),
    watchNamespaces: config.watch.namespaces,
    leases: config.leaderElection.enabled ? leaderLeases(config.leaderElection.replicas) : [],
  };
}

/** Names of the Leases of so many replicas: the leader's, and one for each slot. */
export function leaderLeases(replicas: number): string[] {
  const slots = Array.from({ length: replicas }, (_, slot) => `zen-watcher-slot-${slot}`);
  return ['zen-watcher-leader', ...slots];
}
