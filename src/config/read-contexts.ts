/** What the configuration says to the formats. */
import type { ReadContext, Source } from '../sources/source.ts';
import type { Config } from './schema.ts';

/**
 * The sources that are watched: those that are on and have something to watch. One that is read from files only reports
 * nothing to a daemon by itself: what adapters copied of it is all there is, and there is no listing to wait for.
 */
export function sourcesOn(config: Config, sources: readonly Source[]): Source[] {
  return sources.filter(({ name, intakes }) => intakes.length > 0 && (config.sources[name]?.enabled ?? true));
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
