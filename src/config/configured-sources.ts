/** The sources that a configuration makes: those of the registry as it wants them, and those that it adds. */
import { audit, auditSource } from '../sources/audit.ts';
import type { Source } from '../sources/source.ts';
import { auditSettings } from './audit-schema.ts';
import type { Config } from './schema.ts';

/** Everything that can be watched, received or read from files. Which of it is on: `sourcesOn`. */
export async function configuredSources(config: Config, registry: readonly Source[]): Promise<readonly Source[]> {
  const known = registry.map((source) =>
    source.name === audit.name ? auditSource(auditSettings(config.audit, config.events.namespace)) : source,
  );
  if (config.declarativeSources.length === 0) return known;
  // On demand: the language of declared sources takes memory.
  const { declaredSources } = await import('./declarations.ts');
  return [...known, ...declaredSources(config.declarativeSources)];
}

/** What is wrong with the expressions and names of declared sources, as lines with their place. */
export async function problemsOfDeclared(entries: readonly unknown[], registry: readonly Source[]): Promise<string[]> {
  if (entries.length === 0) return [];
  const { declarationProblems } = await import('./declarations.ts');
  return declarationProblems(entries, registry).map(({ place, message }) => `declarativeSources${place}: ${message}`);
}
