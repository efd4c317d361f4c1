/** What the configuration says to the formats. */
import type { ReadContext, Source } from '../sources/source.ts';
import type { Config } from './schema.ts';

/** The sources that are on. */
export function sourcesOn(config: Config, sources: readonly Source[]): Source[] {
  return sources.filter(({ name }) => config.sources[name]?.enabled ?? true);
}

/** The contexts by the name of the source that reads. `sources` are those that are on. */
export function readContextsOf(
  config: Config,
  sources: readonly Source[],
): (source: string) => Pick<ReadContext, 'isOn' | 'isTrusted'> {
  // A source that is read from files only reports nothing here by itself: what adapters copied of it is all there is.
  const on = new Set(sources.filter(({ intakes }) => intakes.length > 0).map(({ name }) => name));
  return (source) => {
    const trusted = new Set(config.sources[source]?.trustedSources?.map((word) => word.toLowerCase()));
    return { isOn: (name) => on.has(name), isTrusted: (producer) => trusted.has(producer.toLowerCase()) };
  };
}
