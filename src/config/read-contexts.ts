/** What the configuration says to the formats. */
import type { ReadContext, Source } from '../sources/source.ts';
import type { Config } from './schema.ts';
import { sourcesWithRoute } from './webhook-routes.ts';

/**
 * The sources that report to the daemon: those that are on and have something to watch or a route to send to. One that is
 * read from files only does not: what adapters copied of it is all there is.
 */
export function sourcesOn(config: Config, sources: readonly Source[]): Source[] {
  const sent = new Set(sourcesWithRoute(config, sources));
  const watched = (source: Source) => source.intakes.length > 0 && (config.sources[source.name]?.enabled ?? true);
  return sources.filter((source) => watched(source) || sent.has(source));
}

/** The contexts by the name of the source that reads. `sources` are those that are on. */
export function readContextsOf(
  config: Config,
  sources: readonly Source[],
): (source: string) => Pick<ReadContext, 'isOn' | 'isTrusted'> {
  const on = new Set(sources.map(({ name }) => name));
  return (source) => {
    const trusted = new Set(config.sources[source]?.trustedSources?.map((word) => word.toLowerCase()));
    return { isOn: (name) => on.has(name), isTrusted: (producer) => trusted.has(producer.toLowerCase()) };
  };
}
