/** The Grafana dashboards of the chart, as code: a row of panels, each with its queries. */

interface Panel {
  readonly title: string;
  readonly description: string;
  readonly type: 'stat' | 'timeseries' | 'bargauge' | 'table';
  readonly queries: readonly { readonly expr: string; readonly legend: string }[];
  readonly unit?: 'short' | 's' | 'bytes' | 'percentunit' | 'reqps';
  /** Of 24. */
  readonly width: number;
  /** From which value on it is not well any more. */
  readonly badFrom?: number;
  /** Below which value it is not well. */
  readonly badBelow?: number;
  /** Colours of series, by legend. */
  readonly colors?: Readonly<Record<string, string>>;
  /** Words in place of values. */
  readonly words?: Readonly<Record<string, string>>;
}

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly panels: readonly Panel[];
}

const one = (expr: string, legend = '') => [{ expr, legend }];
const perPod = 'max without (pod, instance)';
const latency = (quantile: number) =>
  `histogram_quantile(${quantile}, sum by (le) (rate(zen_watcher_detected_to_written_seconds_bucket[$__rate_interval])))`;

/** Nobody should have to read a legend to see that something critical is there. */
const severityColors = {
  critical: '#c4162a',
  high: '#ff780a',
  medium: '#f2cc0c',
  low: '#5794f2',
  info: '#8e8e8e',
  unknown: '#b877d9',
};

/** For people who look after the cluster's security. */
const overview: Dashboard = {
  uid: 'zen-watcher-overview',
  title: 'zen-watcher: security overview',
  description: 'What the cluster’s security tools find.',
  panels: [
    ...(['critical', 'high', 'medium'] as const).map(
      (severity): Panel => ({
        title: `Active, ${severity}`,
        description: `Findings of severity ${severity} that are not resolved.`,
        type: 'stat',
        queries: one(`sum(max by (source) (zen_watcher_active_events{severity="${severity}"}))`),
        width: 4,
        ...(severity === 'medium' ? {} : { badFrom: 1 }),
      }),
    ),
    {
      title: 'Overdue, critical and high',
      description: 'Active for longer than `due` allows.',
      type: 'stat',
      queries: one('sum(max by (severity) (zen_watcher_overdue_events{severity=~"critical|high"}))'),
      width: 4,
      badFrom: 1,
    },
    {
      title: 'Not reported any more',
      description: 'Active events that nobody reports about (Fresh=False), by reason.',
      type: 'stat',
      queries: one('max by (reason) (zen_watcher_stale_events)', '{{reason}}'),
      width: 8,
      badFrom: 1,
    },
    {
      title: 'Active by severity',
      description: 'How the number of open findings develops.',
      type: 'timeseries',
      queries: one('sum by (severity) (max by (source, severity) (zen_watcher_active_events))', '{{severity}}'),
      width: 12,
      colors: severityColors,
    },
    {
      title: 'New findings an hour',
      description: 'Events created, by source.',
      type: 'timeseries',
      queries: one('sum by (source) (increase(zen_watcher_events_total[1h])) > 0', '{{source}}'),
      width: 12,
    },
    {
      title: 'Active by source',
      description: 'Critical and high ones, by the tool that found them.',
      type: 'bargauge',
      queries: one(
        'sum by (source) (max by (source, severity) (zen_watcher_active_events{severity=~"critical|high"})) > 0',
        '{{source}}',
      ),
      width: 12,
    },
    {
      title: 'Tools',
      description: 'Whether the cluster serves a resource of the tool, or it has sent something.',
      type: 'table',
      queries: one('sort_desc(max by (tool) (zen_watcher_tools_active))', '{{tool}}'),
      width: 6,
      words: { 0: 'not found', 1: 'found' },
    },
    {
      title: 'Without an event of their own',
      description: 'Findings that are counted in a summary only, since the event budget is used up.',
      type: 'stat',
      queries: one('sum(max by (source) (zen_watcher_folded_findings))'),
      width: 6,
      badFrom: 1,
    },
  ],
};

/** For people who run zen-watcher. */
const operations: Dashboard = {
  uid: 'zen-watcher-operations',
  title: 'zen-watcher: operations',
  description: 'Whether zen-watcher itself is well.',
  panels: [
    {
      title: 'Ready',
      description: 'Replicas that say so on /readyz.',
      type: 'stat',
      queries: one('sum(zen_watcher_ready)'),
      width: 4,
      badBelow: 1,
    },
    {
      title: 'Leader',
      description: 'Replicas that may write: one.',
      type: 'stat',
      queries: one('sum(zen_watcher_leader)'),
      width: 4,
      badBelow: 1,
    },
    {
      title: 'Books',
      description: 'What is missing for the books to balance: always 0.',
      type: 'stat',
      queries: one('max(abs(zen_watcher_books_discrepancy))'),
      width: 4,
      badFrom: 1,
    },
    {
      title: 'Configuration',
      description: 'Whether the file is valid; where it is not, the last good one is in force.',
      type: 'stat',
      queries: one('min(zen_watcher_config_valid)'),
      width: 4,
      badBelow: 1,
      words: { 0: 'not valid', 1: 'valid' },
    },
    {
      title: 'Event budget',
      description: 'Part of budget.events that is used.',
      type: 'stat',
      unit: 'percentunit',
      queries: one('max(zen_watcher_budget_events / zen_watcher_budget_limit)'),
      width: 4,
      badFrom: 0.95,
    },
    {
      title: 'Version',
      description: 'Of the replicas that are scraped.',
      type: 'stat',
      queries: one('count by (version) (zen_watcher_build_info)', '{{version}}'),
      width: 4,
    },
    {
      title: 'From finding to event',
      description: 'Latency of new events.',
      type: 'timeseries',
      unit: 's',
      queries: [
        { expr: latency(0.5), legend: 'p50' },
        { expr: latency(0.95), legend: 'p95' },
        { expr: latency(0.99), legend: 'p99' },
      ],
      width: 12,
    },
    {
      title: 'Findings by account',
      description: 'Where what came in has gone (the books).',
      type: 'timeseries',
      queries: one('sum by (account) (rate(zen_watcher_findings_settled_total[$__rate_interval]))', '{{account}}'),
      width: 12,
    },
    {
      title: 'Queue',
      description: 'What waits to be written, and reports that wait to be read again.',
      type: 'timeseries',
      queries: [
        { expr: `${perPod} (zen_watcher_queue_items)`, legend: 'events' },
        { expr: `${perPod} (zen_watcher_dirty_reports)`, legend: 'reports' },
        { expr: `${perPod} (zen_watcher_findings_pending)`, legend: 'findings' },
      ],
      width: 12,
    },
    {
      title: 'Writes',
      description: 'Intents by outcome.',
      type: 'timeseries',
      queries: one('sum by (outcome) (rate(zen_watcher_intents_total[$__rate_interval]))', '{{outcome}}'),
      width: 12,
    },
    {
      title: 'Requests to the API server',
      description: 'By verb and status code; 0 is no answer.',
      type: 'timeseries',
      unit: 'reqps',
      queries: one('sum by (verb, code) (rate(zen_watcher_api_requests_total[$__rate_interval]))', '{{verb}} {{code}}'),
      width: 12,
    },
    {
      title: 'Write troubles',
      description: 'Writes that have to be tried again, and kinds of writes that are not allowed.',
      type: 'timeseries',
      queries: [
        {
          expr: 'sum by (cause) (rate(zen_watcher_write_retries_total[$__rate_interval]))',
          legend: 'again: {{cause}}',
        },
        { expr: 'max by (cause) (zen_watcher_stopped_writes)', legend: 'stopped: {{cause}}' },
      ],
      width: 12,
    },
    {
      title: 'Watches',
      description: 'For how long a resource could not be watched.',
      type: 'timeseries',
      unit: 's',
      queries: one('max by (resource) (zen_watcher_informer_stale_seconds)', '{{resource}}'),
      width: 12,
    },
    {
      title: 'Put right by listings',
      description: 'What a listing showed otherwise than it was known, by cause: missed must stay 0.',
      type: 'timeseries',
      queries: one('sum by (cause) (increase(zen_watcher_relist_corrections_total[1h]))', '{{cause}}'),
      width: 12,
    },
    {
      title: 'Not understood',
      description: 'Entries and reports that were left out, by reason.',
      type: 'timeseries',
      queries: one('sum by (source, reason) (increase(zen_watcher_rejected_total[1h])) > 0', '{{source}} {{reason}}'),
      width: 12,
    },
    {
      title: 'Webhooks',
      description: 'Requests by path and status.',
      type: 'timeseries',
      unit: 'reqps',
      queries: one(
        'sum by (endpoint, status) (rate(zen_watcher_webhook_requests_total[$__rate_interval])) > 0',
        '{{endpoint}} {{status}}',
      ),
      width: 12,
    },
    {
      title: 'Memory',
      description: 'Resident, and the heap of JavaScript.',
      type: 'timeseries',
      unit: 'bytes',
      queries: [
        { expr: `${perPod} (process_resident_memory_bytes{job=~".*zen-watcher.*"})`, legend: 'resident' },
        { expr: `${perPod} (nodejs_heap_size_used_bytes{job=~".*zen-watcher.*"})`, legend: 'heap' },
      ],
      width: 12,
    },
    {
      title: 'CPU and event loop',
      description: 'CPU seconds a second; delay of the event loop at the 99th percentile.',
      type: 'timeseries',
      unit: 's',
      queries: [
        { expr: 'sum(rate(process_cpu_seconds_total{job=~".*zen-watcher.*"}[$__rate_interval]))', legend: 'CPU' },
        { expr: 'max(nodejs_eventloop_lag_p99_seconds{job=~".*zen-watcher.*"})', legend: 'event loop p99' },
      ],
      width: 12,
    },
  ],
};

export const dashboards: readonly Dashboard[] = [overview, operations];

/** The file that Grafana imports. */
export function dashboardFile({ uid, title, description, panels }: Dashboard): string {
  const datasource = { type: 'prometheus', uid: '$datasource' };
  const dashboard = {
    uid,
    title,
    description,
    tags: ['zen-watcher', 'security'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    timezone: 'browser',
    time: { from: 'now-24h', to: 'now' },
    refresh: '1m',
    templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' }] },
    panels: placed(panels).map(({ panel, gridPos }, at) => ({
      id: at + 1,
      title: panel.title,
      description: panel.description,
      type: panel.type,
      datasource,
      gridPos,
      targets: panel.queries.map(({ expr, legend }, index) => ({
        refId: String.fromCharCode(65 + index),
        datasource,
        expr,
        legendFormat: legend === '' ? '__auto' : legend,
        ...(panel.type === 'timeseries' ? {} : { instant: true }),
        ...(panel.type === 'table' ? { format: 'table' } : {}),
      })),
      fieldConfig: {
        defaults: { unit: panel.unit ?? 'short', min: 0, ...thresholdsOf(panel), ...mappingsOf(panel) },
        overrides: overridesOf(panel),
      },
      options: optionsOf(panel),
    })),
  };
  return `${JSON.stringify(dashboard, undefined, 2)}\n`;
}

function thresholdsOf({ badFrom, badBelow }: Panel) {
  const steps =
    badBelow === undefined
      ? [{ color: 'green', value: null }, ...(badFrom === undefined ? [] : [{ color: 'red', value: badFrom }])]
      : [
          { color: 'red', value: null },
          { color: 'green', value: badBelow },
        ];
  return { thresholds: { mode: 'absolute', steps } };
}

function overridesOf({ colors = {} }: Panel) {
  return Object.entries(colors).map(([name, fixedColor]) => ({
    matcher: { id: 'byName', options: name },
    properties: [{ id: 'color', value: { mode: 'fixed', fixedColor } }],
  }));
}

function mappingsOf({ words }: Panel) {
  if (words === undefined) return {};
  const options = Object.entries(words).map(([value, text], index) => [value, { index, text }]);
  return { mappings: [{ type: 'value', options: Object.fromEntries(options) }] };
}

function optionsOf({ type }: Panel) {
  if (type === 'stat') return { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'value', graphMode: 'none' };
  if (type === 'timeseries')
    return { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi' } };
  return type === 'bargauge' ? { orientation: 'horizontal', displayMode: 'basic' } : {};
}

/** From left to right, row by row. */
function placed(panels: readonly Panel[]) {
  let x = 0;
  let y = 0;
  let height = 0;
  return panels.map((panel) => {
    const h = panel.type === 'stat' ? 4 : 8;
    if (x + panel.width > 24) {
      x = 0;
      y += height;
      height = 0;
    }
    const gridPos = { x, y, w: panel.width, h };
    x += panel.width;
    height = Math.max(height, h);
    return { panel, gridPos };
  });
}
