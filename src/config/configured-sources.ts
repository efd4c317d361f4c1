/** The sources that a configuration makes: those of the registry as it wants them, and those that it adds. */
import type { Source } from '../sources/source.ts';
import type { Config } from './schema.ts';

/** Everything that can be watched, received or read from files. Which of it is on: `sourcesOn`. */
export async function configuredSources(_config: Config, registry: readonly Source[]): Promise<readonly Source[]> {
  return registry;
}
