/** What the configuration says to the formats. */
import type { ReadContext, Source } from '../sources/source.ts';
import type { Config } from './schema.ts';
import { configMapNamespaces } from './schema.ts';
import { sourcesWithRoute } from './webhook-routes.ts';

/** The sources that are on: something of theirs is watched, may come in a ConfigMap, or has a route to be sent to. */
export function sourcesOn(config: Config, sources: readonly Source[]): Source[] {
  const sent = new Set(sourcesWithRoute(config, sources));
  const isCarried = ({ formats = [] }: Source) => formats.length > 0 && configMapNamespaces(config).length > 0;
  const isEnabled = ({ name }: Source) => config.sources[name]?.enabled ?? true;
  return sources.filter(
    (source) => ((source.intakes.length > 0 || isCarried(source)) && isEnabled(source)) || sent.has(source),
  );
}

/**
 * The sources that report by themselves, so that what adapters copied of them is there twice. A tool whose results may
 * come in ConfigMaps need not: its copies may be all there is.
 */
function reportingSources(config: Config, sources: readonly Source[]): ReadonlySet<string> {
  const sent = new Set(sourcesWithRoute(config, sources));
  const reporting = sources.filter((source) => source.intakes.length > 0 || sent.has(source));
  return new Set(reporting.map(({ name }) => name));
}

/** The contexts by the name of the source that reads. `sources` are those that are on. */
export function readContextsOf(
  config: Config,
  sources: readonly Source[],
): (source: string) => Pick<ReadContext, 'isOn' | 'isTrusted'> {
  const on = reportingSources(config, sources);
  return (source) => {
    const trusted = new Set(config.sources[source]?.trustedSources?.map((word) => word.toLowerCase()));
    const isOn = (name: string) => on.has(name);
    return trusted.size === 0 ? { isOn } : { isOn, isTrusted: (producer) => trusted.has(producer.toLowerCase()) };
  };
}
