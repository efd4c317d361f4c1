/**
 * For each alert: series that must make it fire, in promtool's notation (one value a minute), and when to look. That it stays
 * quiet is tested on series recorded from a daemon.
 */
export interface AlertScenario {
  readonly alert: string;
  readonly series: Readonly<Record<string, string>>;
  /** Minutes after the start at which it fires. */
  readonly at: number;
  /** Shortly before which it must not, where it waits. */
  readonly notAt?: number;
  /** Series that look alike and must not make it fire. */
  readonly quiet?: Readonly<Record<string, string>>;
}

const latency = (le: string) => `zen_watcher_detected_to_written_seconds_bucket{le="${le}"}`;

export const alertScenarios: readonly AlertScenario[] = [
  { alert: 'ZenWatcherDown', series: { 'zen_watcher_build_info{version="1"}': '1 1 1 _x30' }, at: 15, notAt: 6 },
  { alert: 'ZenWatcherNotReady', series: { 'zen_watcher_ready{pod="a"}': '1 0x30' }, at: 13, notAt: 9 },
  {
    alert: 'ZenWatcherForbidden',
    series: { 'zen_watcher_informer_forbidden{resource="x"}': '0 1x30' },
    at: 8,
    notAt: 4,
  },
  {
    alert: 'ZenWatcherWatchStale',
    series: { 'zen_watcher_informer_stale_seconds{resource="x"}': '0+60x30' },
    at: 12,
    notAt: 9,
    quiet: {
      'zen_watcher_informer_stale_seconds{resource="x"}': '0+60x30',
      'zen_watcher_informer_forbidden{resource="x"}': '1x30',
    },
  },
  {
    alert: 'ZenWatcherWatchMissed',
    series: { 'zen_watcher_relist_corrections_total{cause="missed"}': '0 0 1x30' },
    at: 4,
    notAt: 1,
    quiet: {
      'zen_watcher_relist_corrections_total{cause="unwatched"}': '0+5x30',
      'zen_watcher_relist_corrections_total{cause="aggregated"}': '0+5x30',
      'zen_watcher_relist_corrections_total{cause="unproven"}': '0+5x30',
    },
  },
  {
    alert: 'ZenWatcherWritesStopped',
    series: { 'zen_watcher_stopped_writes{cause="quota"}': '0 1x30' },
    at: 13,
    notAt: 9,
  },
  {
    alert: 'ZenWatcherWriteFailures',
    series: { 'zen_watcher_write_retries_total{cause="unavailable"}': '0+30x60' },
    at: 20,
    notAt: 10,
    quiet: { 'zen_watcher_write_retries_total{cause="conflict"}': '0+30x60' },
  },
  { alert: 'ZenWatcherEventsRefused', series: { 'zen_watcher_intents_total{outcome="rejected"}': '0 0 1x30' }, at: 5 },
  { alert: 'ZenWatcherQueueFull', series: { zen_watcher_queue_full: '0 1x30' }, at: 13, notAt: 9 },
  {
    alert: 'ZenWatcherWebhooksRejected',
    series: {
      'zen_watcher_webhook_requests_total{endpoint="/falco/webhook",status="200"}': '0+80x60',
      'zen_watcher_webhook_requests_total{endpoint="/falco/webhook",status="401"}': '0+20x60',
    },
    at: 15,
    notAt: 8,
    quiet: {
      'zen_watcher_webhook_requests_total{endpoint="/falco/webhook",status="200"}': '0+95x60',
      'zen_watcher_webhook_requests_total{endpoint="/falco/webhook",status="401"}': '0+5x60',
    },
  },
  {
    alert: 'ZenWatcherBudgetReached',
    series: { zen_watcher_budget_events: '4800x60', zen_watcher_budget_limit: '5000x60' },
    at: 16,
    notAt: 14,
  },
  {
    alert: 'ZenWatcherCriticalFindings',
    series: { 'zen_watcher_events_total{source="trivy",category="security",severity="critical"}': '0 0 1x30' },
    at: 4,
  },
  { alert: 'ZenWatcherOverdue', series: { 'zen_watcher_overdue_events{severity="high"}': '2x120' }, at: 61, notAt: 59 },
  {
    alert: 'ZenWatcherSourceSilent',
    series: { 'zen_watcher_stale_events{reason="SourceSilent"}': '3x60' },
    at: 31,
    notAt: 29,
  },
  { alert: 'ZenWatcherMassDisappearance', series: { zen_watcher_halted_channels: '0 1x30' }, at: 3, notAt: 1 },
  { alert: 'ZenWatcherTampering', series: { 'zen_watcher_tampered_events_total{action="mended"}': '0 0 1x30' }, at: 4 },
  {
    alert: 'ZenWatcherLatencyFastBurn',
    series: { [latency('10')]: '0+80x120', zen_watcher_detected_to_written_seconds_count: '0+100x120' },
    at: 70,
  },
  {
    alert: 'ZenWatcherLatencySlowBurn',
    series: { [latency('10')]: '0+92x400', zen_watcher_detected_to_written_seconds_count: '0+100x400' },
    at: 390,
  },
  { alert: 'ZenWatcherConfigInvalid', series: { zen_watcher_config_valid: '1 0x30' }, at: 8, notAt: 4 },
  { alert: 'ZenWatcherBooksUnbalanced', series: { zen_watcher_books_discrepancy: '0 -1x30' }, at: 8, notAt: 4 },
  {
    alert: 'ZenWatcherReportsMalformed',
    series: { 'zen_watcher_rejected_total{source="trivy",reason="malformed"}': '0 0 2x30' },
    at: 4,
  },
  {
    alert: 'ZenWatcherEventLoopBlocked',
    series: { 'nodejs_eventloop_lag_p99_seconds{pod="a"}': '0 3x30' },
    at: 13,
    notAt: 9,
  },
  {
    alert: 'ZenWatcherNoLeader',
    series: {
      'zen_watcher_shards{pod="a",state="total"}': '2x31',
      'zen_watcher_shards{pod="a",state="led"}': '1x31',
      'zen_watcher_shards{pod="b",state="led"}': '1 0x30',
    },
    at: 5,
    notAt: 2,
  },
];
