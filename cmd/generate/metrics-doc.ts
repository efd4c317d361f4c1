/** docs/metrics.md: every metric of the daemon, made from the registry that it makes. */
import type { Registry } from 'prom-client';
import { sources } from '../../src/sources/registry.ts';
import { LeaderReporter } from '../../src/telemetry/leader-reporter.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { createWebhookMetrics } from '../../src/telemetry/webhook-metrics.ts';

/** What the registry tells of a metric. */
export interface MetricWords {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labels: readonly string[];
}

/** Queries that say more than those that follow from the type. */
const queries: Readonly<Record<string, string>> = {
  zen_watcher_active_events: 'sum by (source) (zen_watcher_active_events{severity=~"critical|high"})',
  zen_watcher_overdue_events: 'zen_watcher_overdue_events{severity="critical"} > 0',
  zen_watcher_api_requests_total: 'sum by (verb, code) (rate(zen_watcher_api_requests_total[5m]))',
  zen_watcher_books_discrepancy: 'zen_watcher_books_discrepancy != 0',
  zen_watcher_build_info: 'count by (version) (zen_watcher_build_info)',
  zen_watcher_budget_events: 'zen_watcher_budget_events / zen_watcher_budget_limit',
  zen_watcher_config_valid: 'zen_watcher_config_valid == 0',
  zen_watcher_events_total: 'sum by (source) (increase(zen_watcher_events_total{severity="critical"}[1d]))',
  zen_watcher_informer_stale_seconds: 'max by (resource) (zen_watcher_informer_stale_seconds) > 300',
  zen_watcher_webhook_requests_total: 'sum by (endpoint, status) (rate(zen_watcher_webhook_requests_total[5m]))',
};

/** Every metric of ours that a daemon with all features has, by name. */
export function metricsOfDaemon(): MetricWords[] {
  const registry = registryOfDaemon();
  return registry
    .getMetricsAsArray()
    .map((metric) => {
      const {
        name,
        help,
        type,
        labelNames = [],
      } = metric as unknown as {
        readonly name: string;
        readonly help: string;
        readonly type: string;
        readonly labelNames?: readonly string[];
      };
      return { name, help, type: String(type), labels: labelNames };
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function registryOfDaemon(): Registry {
  const logger = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
  const nothing = new Proxy({}, { get: () => () => 0 });
  const { registry } = createMetrics(sources, nothing as Parameters<typeof createMetrics>[1], '0');
  createWebhookMetrics(
    registry,
    { endpoints: [], statuses: [] },
    nothing as Parameters<typeof createWebhookMetrics>[2],
  );
  const shards = () => ({ total: 1, read: 1, led: 1 });
  new LeaderReporter({ logger, registry, identity: '', isLeading: () => true, members: () => 1, shards });
  return registry;
}

/** The page. */
export function metricsDoc(): string {
  const all = metricsOfDaemon();
  const own = all.filter(({ name }) => name.startsWith('zen_watcher_'));
  const others = all.filter(({ name }) => !name.startsWith('zen_watcher_'));
  const labelled = own.map(
    (metric) =>
      `| \`${metric.name}\` | ${metric.type} | ${metric.labels.map((label) => `\`${label}\``).join(', ')} | ${unitOf(metric)} | ${escaped(metric.help)} | \`${escaped(queryOf(metric))}\` |`,
  );
  return `<!-- Generated from src/telemetry by \`npm run generate\`. Do not edit. -->
# Metrics

\`GET /metrics\` on port 8080 (\`server.metricsPort\`): Prometheus' text format, or OpenMetrics 1.0 for whoever accepts
\`application/openmetrics-text\`, then with exemplars: the buckets of \`zen_watcher_detected_to_written_seconds\` name the event
that was last seen in them (\`event="trivy-..."\`), which leads to its log line ([logs.md](logs.md)) and to \`kubectl get zenevent\`.

Labels come from closed sets and are there with 0 from the start, so that rates work from the first event. What comes from
outside (kinds of a cluster, status codes) is bounded: 100 resources, and 400 combinations of the labels of API requests; what is
beyond is \`other\`. No label
names a namespace, a workload, a CVE or an event. A daemon has at most 2,000 series, whatever is found (a test has 100,000
findings in 5,000 namespaces).

Each metric moves in a test on a real API server, scraped by Prometheus (\`npm run test:observability\`), but for those whose meaning
ends with "always 0".

| metric | type | labels | unit | meaning | example query |
|---|---|---|---|---|---|
${labelled.join('\n')}

Those of webhooks are there where a route is.

## Of the process

${others.map(({ name, help }) => `- \`${name}\`: ${help}`).join('\n')}
`;
}

function unitOf({ name, type }: MetricWords): string {
  if (name.includes('_seconds')) return 'seconds';
  if (name.includes('_bytes')) return 'bytes';
  return type === 'gauge' ? 'number' : 'count';
}

function queryOf({ name, type }: MetricWords): string {
  const own = queries[name];
  if (own !== undefined) return own;
  if (type === 'counter') return `rate(${name}[5m])`;
  return type === 'histogram' ? `histogram_quantile(0.95, sum by (le) (rate(${name}_bucket[5m])))` : name;
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|');
}
