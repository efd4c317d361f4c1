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
    leases: config.leaderElection.enabled ? leaderLeases(config.leaderElection) : [],
  };
}

/** The Lease of the only leader. Where there are several shards, they see by it that nobody leads in all. */
export const leaderLease = 'zen-watcher-leader';

/** Names of the Leases of shards, by number: that of the leader where there is only one. */
export function shardLeases(shards: number): string[] {
  return shards === 1 ? [leaderLease] : Array.from({ length: shards }, (_, shard) => `zen-watcher-shard-${shard}`);
}

/** Names of the Leases by which so many replicas tell that they are there. */
export function slotLeases(replicas: number): string[] {
  return Array.from({ length: replicas }, (_, slot) => `zen-watcher-slot-${slot}`);
}

/** Names of all Leases that a replica touches. */
export function leaderLeases({
  shards = 1,
  replicas,
}: {
  readonly shards?: number;
  readonly replicas: number;
}): string[] {
  return [...new Set([leaderLease, ...shardLeases(shards)]), ...slotLeases(replicas)];
}
