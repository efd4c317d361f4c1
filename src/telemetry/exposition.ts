/**
 * How metrics are written: Prometheus' text format, or OpenMetrics for whoever accepts it. prom-client's own OpenMetrics
 * renames its counters for good, so that the text format would lose their `_total`: the text is turned into OpenMetrics
 * here, with exemplars that lead from a latency to the event.
 */
import type { Registry } from 'prom-client';

/** The event that was last seen in a bucket of a histogram. */
interface Exemplar {
  readonly event: string;
  readonly value: number;
  readonly atMs: number;
}

/** One exemplar for each bucket. */
export class Exemplars {
  readonly #bounds: readonly number[];
  readonly #byBound = new Map<string, Exemplar>();

  /** `bounds`: the upper bounds of the buckets, rising. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
  }

  observe(exemplar: Exemplar): void {
    const bound = this.#bounds.find((each) => exemplar.value <= each);
    this.#byBound.set(bound === undefined ? '+Inf' : String(bound), exemplar);
  }

  /** Of the bucket with that `le`. */
  of(bound: string): Exemplar | undefined {
    return this.#byBound.get(bound);
  }
}

/** What is exposed: the registry, and the exemplars of histograms by their name. */
export interface Exposed {
  readonly registry: Registry;
  readonly exemplars: ReadonlyMap<string, Exemplars>;
}

const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** The metrics in the format that `accept` (the header) asks for. */
export async function expose({ registry, exemplars }: Exposed, accept = '') {
  const text = await registry.metrics();
  if (!accept.includes('application/openmetrics-text')) return { contentType: registry.contentType, text };
  return { contentType: openMetricsType, text: toOpenMetrics(text, exemplars) };
}

/** In OpenMetrics a counter's family has no `_total`, its sample has; quotes in help are escaped; the end is marked. */
function toOpenMetrics(text: string, exemplars: Exposed['exemplars']): string {
  const lines = text.split('\n').filter((line) => line !== '');
  const counters = new Set(lines.flatMap((line) => /^# TYPE (\S+)_total counter$/.exec(line)?.[1] ?? []));
  const converted = lines.map((line) => {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === undefined) return withExemplar(line, exemplars);
    const family = counters.has(name.replace(/_total$/, '')) ? name.replace(/_total$/, '') : name;
    return `# ${keyword} ${family} ${keyword === 'HELP' ? rest.replaceAll('"', '\\"') : rest}`;
  });
  return `${converted.join('\n')}\n# EOF\n`;
}

function withExemplar(line: string, exemplars: Exposed['exemplars']): string {
  const [, name = '', bound = ''] = /^([a-z_]+)_bucket\{le="([^"]+)"\} /.exec(line) ?? [];
  const exemplar = exemplars.get(name)?.of(bound);
  if (exemplar === undefined) return line;
  return `${line} # {event="${exemplar.event}"} ${exemplar.value} ${(exemplar.atMs / 1000).toFixed(3)}`;
}
