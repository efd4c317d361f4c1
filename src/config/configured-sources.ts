/** The sources that a configuration makes: those of the registry as it wants them, and those that it adds. */
import { audit, auditSource } from '../sources/audit.ts';
import type { Source } from '../sources/source.ts';
import { auditSettings } from './audit-schema.ts';
import type { Config } from './schema.ts';

/** Everything that can be watched, received or read from files. Which of it is on: `sourcesOn`. */
export async function configuredSources(config: Config, registry: readonly Source[]): Promise<readonly Source[]> {
  return registry.map((source) =>
    source.name === audit.name ? auditSource(auditSettings(config.audit, config.events.namespace)) : source,
  );
}
