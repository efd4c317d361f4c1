/** Which sources have routes on the webhook port, by the configuration. */
import type { Source } from '../sources/source.ts';
import { webhookPaths } from '../sources/webhook-paths.ts';
import type { Config } from './schema.ts';

/** The sources that can be sent something, and have a credential or are open. */
export function sourcesWithRoute(config: Config, sources: readonly Source[]): Source[] {
  return receiving(config, sources).filter(({ name }) => hasRoute(config, name));
}

/** The paths that are absent since nothing says who may send to them. */
export function absentPaths(config: Config, sources: readonly Source[]): string[] {
  return receiving(config, sources)
    .filter(({ name }) => !hasRoute(config, name))
    .flatMap(webhookPaths);
}

/** What is wrong with the names of `webhooks.routes`. `declared`: names of declared sources that bodies are sent to. */
export function routeProblems(
  routes: Config['webhooks']['routes'],
  registry: readonly Source[],
  declared: readonly string[],
): string[] {
  const known = registry.filter((source) => webhookPaths(source).length > 0).map(({ name }) => name);
  const names = [...known, ...declared];
  return Object.keys(routes)
    .filter((name) => !names.includes(name))
    .map((name) => `webhooks.routes.${name}: no such source reads what is sent; there are ${names.join(', ')}`);
}

function receiving(config: Config, sources: readonly Source[]): Source[] {
  return sources.filter((source) => isOn(config, source) && webhookPaths(source).length > 0);
}

function isOn(config: Config, { name }: Source): boolean {
  return config.sources[name]?.enabled ?? true;
}

function hasRoute({ webhooks }: Config, name: string): boolean {
  const route = webhooks.routes[name];
  return route !== undefined && (route.open || route.tokenFiles.length > 0 || route.mtls !== undefined);
}
