/** What a configuration says to `scan`: the sources that there are, and which findings become events. */
import { configuredSources } from '../config/configured-sources.ts';
import type { Environment } from '../config/environment.ts';
import { loadConfig } from '../config/load.ts';
import { ruleSettings } from '../config/rules-schema.ts';
import { compileRules } from '../pipeline/rules.ts';
import { sources as registry } from '../sources/registry.ts';

/** Loads it. Throws ConfigError. */
export async function configuredRules(file: string, environment: Environment, now: Date) {
  const config = await loadConfig({ config: file }, environment, registry);
  const sources = await configuredSources(config, registry);
  // What is a copy shows in what is scanned, not in which sources are on.
  const options = { now, labelsOf: () => undefined, keepsCopies: true };
  const { judge, labelKeys } = compileRules(ruleSettings(config, sources), options);
  const { namespace, cluster } = config.events;
  return {
    sources,
    foldOptions: { namespace, judge, cluster: cluster === '' ? undefined : cluster },
    ...(labelKeys.size === 0 ? {} : { warning: 'without a cluster no namespaceLabels fit\n' }),
  };
}
