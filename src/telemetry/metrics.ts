/** Every metric of the daemon. Labels come from closed sets and are set to 0 at the start, so that rates work from the first event. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { retryCauses } from '../api/stored-event.ts';
import type { StaleReason } from '../api/words.ts';
import { severities, staleReasons } from '../api/words.ts';
import { relistCauses } from '../lib/relist-cause.ts';
import type { Balance } from '../pipeline/books.ts';
import { accounts, discrepancy } from '../pipeline/books.ts';
import type { BudgetState } from '../pipeline/budget.ts';
import { dirtyReasons } from '../pipeline/holdings.ts';
import type { OpenCount } from '../pipeline/open-events.ts';
import type { GateCause } from '../pipeline/write-gates.ts';
import { gateCauses } from '../pipeline/write-gates.ts';
import type { Source } from '../sources/source.ts';
import { rejectionReasons } from '../sources/source.ts';
import { eventGauges } from './event-gauges.ts';
import { Exemplars } from './exposition.ts';
import { type InformerCount, informerGauges } from './informer-gauges.ts';
import { LabelBound, otherWords } from './label-bound.ts';

/** What is read at each scrape. */
export interface Gauges {
  books(): Balance;
  isReady(): boolean;
  isQueueFull(): boolean;
  queueItems(): number;
  queueBytes(): number;
  dirtyReports(): number;
  ownEvents(): number;
  /** Active events by source and severity. */
  openEvents(): readonly OpenCount[];
  foreignEvents(): number;
  mutedEvents(): number;
  /** Own events that are not in the namespace that they belong to. */
  misplacedEvents(): number;
  reports(): number;
  budget(): BudgetState;
  /** How much writing the server does not allow, by cause. */
  gates(cause: GateCause): number;
  /** Active events whose condition Fresh is False, by its reason. */
  staleEvents(): Readonly<Record<StaleReason, number>>;
  /** Kinds of reports of one tool that lost more than half of their reports at once and have not spoken since. */
  haltedChannels(): number;
  droppedLogLines(): number;
  informers(): readonly InformerCount[];
  /** Per source: whether the cluster serves any of its resources. */
  tools(): readonly { readonly tool: string; readonly isActive: boolean }[];
}

/** The metrics that are counted as things happen, and the registry that all of them are in. */
export interface Metrics {
  readonly registry: Registry;
  readonly events: Counter<'source' | 'category' | 'severity'>;
  readonly writes: Counter<'outcome'>;
  readonly tampered: Counter<'action'>;
  readonly moved: Counter;
  readonly retries: Counter<'cause'>;
  readonly rereads: Counter<'reason'>;
  readonly rejections: Counter<'source' | 'reason'>;
  /** Counts a request to the API server; code 0 is "no answer". */
  apiRequest(request: { readonly verb: string; readonly resource: string; readonly code: number }): void;
  readonly malformedLines: Counter<'resource'>;
  readonly relistCorrections: Counter<'cause'>;
  /** A finding that was read so many seconds ago is on the server, as that event. */
  detectedToWritten(seconds: number, event: string, now: Date): void;
  /** By name of the histogram. */
  readonly exemplars: ReadonlyMap<string, Exemplars>;
  readonly malformedMutes: Counter;
  readonly configValid: Gauge;
  readonly configReloads: Counter<'outcome'>;
}

/** Kinds of a cluster, and what a proxy may answer, are not ours to bound: so many combinations are told apart. */
const mostRequestLabels = 400;
const latencyName = 'zen_watcher_detected_to_written_seconds';
const latencyBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export const writeOutcomes = [
  'created',
  'changed',
  'reopened',
  'resolved',
  'removed',
  'moved',
  'unchanged',
  'rejected',
  'fenced',
] as const;

/** Makes and registers all metrics in a registry of their own. */
export function createMetrics(sources: readonly Source[], gauges: Gauges, version: string): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  gaugesOf(registry, gauges, version);
  const words = new Set(sources.flatMap(({ emits }) => emits));
  budgetGauges(registers, gauges, words);
  eventGauges(registry, words, () => gauges.openEvents());
  const requests = new Counter({
    name: 'zen_watcher_api_requests_total',
    help: 'Requests to the API server, by verb, resource and status code (0: no answer).',
    labelNames: ['verb', 'resource', 'code'],
    registers,
  });
  const requestLabels = new LabelBound(mostRequestLabels);
  const latency = new Histogram({
    name: latencyName,
    help: 'From reading a finding to its event being on the server.',
    buckets: latencyBounds,
    registers,
  });
  const exemplars = new Exemplars(latencyBounds);
  const metrics: Metrics = {
    registry,
    events: new Counter({
      name: 'zen_watcher_events_total',
      help: 'Events created, by source, category and severity.',
      labelNames: ['source', 'category', 'severity'],
      registers,
    }),
    writes: new Counter({
      name: 'zen_watcher_intents_total',
      help: 'Intents that came to their end, by outcome.',
      labelNames: ['outcome'],
      registers,
    }),
    tampered: new Counter({
      name: 'zen_watcher_tampered_events_total',
      help: 'Events of ours found with content that was not ours, by what was done.',
      labelNames: ['action'],
      registers,
    }),
    moved: new Counter({
      name: 'zen_watcher_moved_events_total',
      help: 'Events moved to the namespace that they belong to.',
      registers,
    }),
    retries: new Counter({
      name: 'zen_watcher_write_retries_total',
      help: 'Writes that have to be tried again, by cause.',
      labelNames: ['cause'],
      registers,
    }),
    rereads: new Counter({
      name: 'zen_watcher_rereads_total',
      help: 'Reports marked to be read again, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    rejections: new Counter({
      name: 'zen_watcher_rejected_total',
      help: 'Entries and reports that could not be understood, by source and reason.',
      labelNames: ['source', 'reason'],
      registers,
    }),
    apiRequest({ verb, resource, code }) {
      const isOther = requestLabels.word(`${verb} ${resource} ${code}`) === otherWords;
      requests.inc(
        isOther ? { verb: otherWords, resource: otherWords, code: otherWords } : { verb, resource, code: String(code) },
      );
    },
    malformedLines: new Counter({
      name: 'zen_watcher_malformed_watch_lines_total',
      help: 'Lines of a watch that were no watch events.',
      labelNames: ['resource'],
      registers,
    }),
    relistCorrections: new Counter({
      name: 'zen_watcher_relist_corrections_total',
      help: 'Objects that a listing showed otherwise than they were known: missed by a watch that was up (always 0), changed while unwatched, left out by the watch of an aggregated API, or unproven.',
      labelNames: ['cause'],
      registers,
    }),
    detectedToWritten(seconds, event, now) {
      latency.observe(seconds);
      exemplars.observe({ event, value: seconds, atMs: now.getTime() });
    },
    exemplars: new Map([[latencyName, exemplars]]),
    malformedMutes: new Counter({
      name: 'zen_watcher_malformed_mutes_total',
      help: 'Annotations that should mute an event but say no time.',
      registers,
    }),
    configValid: new Gauge({
      name: 'zen_watcher_config_valid',
      help: '1 while the configuration file is valid; at 0 the last good one is in force.',
      registers,
    }),
    configReloads: new Counter({
      name: 'zen_watcher_config_reloads_total',
      help: 'Changes of the configuration file: its rules were applied, or it was invalid.',
      labelNames: ['outcome'],
      registers,
    }),
  };
  metrics.configValid.set(1);
  initialise(metrics, sources);
  return metrics;
}

/** Sets every label combination that can occur to 0. */
function initialise(metrics: Metrics, sources: readonly Source[]): void {
  for (const source of sources) {
    const categories = new Set(source.eventTypes.map(({ category }) => category));
    for (const word of source.emits) {
      for (const category of categories) {
        for (const severity of severities) metrics.events.inc({ source: word, category, severity }, 0);
      }
    }
    for (const reason of rejectionReasons) metrics.rejections.inc({ source: source.name, reason }, 0);
  }
  for (const outcome of ['applied', 'invalid']) metrics.configReloads.inc({ outcome }, 0);
  for (const outcome of writeOutcomes) metrics.writes.inc({ outcome }, 0);
  for (const cause of retryCauses) metrics.retries.inc({ cause }, 0);
  for (const reason of dirtyReasons) metrics.rereads.inc({ reason }, 0);
  for (const cause of relistCauses) metrics.relistCorrections.inc({ cause }, 0);
  for (const action of ['replaced', 'mended']) metrics.tampered.inc({ action }, 0);
}

/** Makes gauges that are read at each scrape. */
function gaugeMaker(registers: Registry[]) {
  return (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
}

function gaugesOf(registry: Registry, gauges: Gauges, version: string): void {
  const registers = [registry];
  const gauge = gaugeMaker(registers);
  gauge('zen_watcher_ready', '1 while /readyz says so.', () => (gauges.isReady() ? 1 : 0));
  gauge('zen_watcher_queue_full', '1 while the queue takes nothing more: reports are read again later.', () =>
    gauges.isQueueFull() ? 1 : 0,
  );
  gauge('zen_watcher_queue_items', 'Intents waiting or being carried out.', () => gauges.queueItems());
  gauge('zen_watcher_queue_bytes', 'Memory held by them, about.', () => gauges.queueBytes());
  gauge('zen_watcher_dirty_reports', 'Reports waiting to be read again.', () => gauges.dirtyReports());
  gauge('zen_watcher_known_events', 'Own events known, wanted or on the server.', () => gauges.ownEvents());
  gauge('zen_watcher_foreign_events', 'Events of older versions or by hand, left alone.', () => gauges.foreignEvents());
  gauge('zen_watcher_muted_events', 'Events muted by an annotation.', () => gauges.mutedEvents());
  gauge('zen_watcher_misplaced_events', 'Own events waiting to be moved to their namespace.', () =>
    gauges.misplacedEvents(),
  );
  gauge('zen_watcher_reports', 'Reports known.', () => gauges.reports());
  gauge(
    'zen_watcher_halted_channels',
    'Kinds of reports of one tool of which more than half vanished within 10 minutes: nothing of theirs is resolved until one speaks again.',
    () => gauges.haltedChannels(),
  );
  new Gauge({
    name: 'zen_watcher_stale_events',
    help: 'Active events that nobody reports about any more (condition Fresh=False), by reason.',
    labelNames: ['reason'],
    registers,
    collect() {
      const counts = gauges.staleEvents();
      for (const reason of staleReasons) this.set({ reason }, counts[reason]);
    },
  });
  new Gauge({
    name: 'zen_watcher_stopped_writes',
    help: 'Kinds of writes (create, change) to a namespace that the server does not allow at the moment, by cause.',
    labelNames: ['cause'],
    registers,
    collect() {
      for (const cause of gateCauses) this.set({ cause }, gauges.gates(cause));
    },
  });
  new Counter({
    name: 'zen_watcher_log_lines_dropped_total',
    help: 'Log lines dropped because nobody read them, or because they could not be written.',
    registers,
    collect() {
      this.reset();
      this.inc(gauges.droppedLogLines());
    },
  });
  gauge('zen_watcher_books_discrepancy', 'What is missing for the books to balance; always 0.', () =>
    discrepancy(gauges.books()),
  );
  new Counter({
    name: 'zen_watcher_findings_received_total',
    help: 'Finding occurrences received.',
    registers,
    collect() {
      this.reset();
      this.inc(gauges.books().received);
    },
  });
  gauge('zen_watcher_findings_pending', 'Finding occurrences waiting to be written.', () => gauges.books().pending);
  new Counter({
    name: 'zen_watcher_findings_settled_total',
    help: 'Finding occurrences that came to their end, by account of the books.',
    labelNames: ['account'],
    registers,
    collect() {
      const balance = gauges.books();
      this.reset();
      for (const account of accounts) this.inc({ account }, balance.accounts[account]);
    },
  });
  new Counter({
    name: 'zen_watcher_findings_rejected_total',
    help: 'Finding occurrences rejected, by reason.',
    labelNames: ['reason'],
    registers,
    collect() {
      const balance = gauges.books();
      this.reset();
      for (const reason of rejectionReasons) this.inc({ reason }, balance.rejected[reason]);
    },
  });
  new Gauge({
    name: 'zen_watcher_tools_active',
    help: '1 when the cluster serves a resource of the tool.',
    labelNames: ['tool'],
    registers,
    collect() {
      for (const { tool, isActive } of gauges.tools()) this.set({ tool }, isActive ? 1 : 0);
    },
  });
  informerGauges(registers, () => gauges.informers());
  new Gauge({ name: 'zen_watcher_build_info', help: 'Version of this build.', labelNames: ['version'], registers }).set(
    { version },
    1,
  );
}

function budgetGauges(registers: Registry[], gauges: Gauges, words: ReadonlySet<string>): void {
  const gauge = gaugeMaker(registers);
  gauge('zen_watcher_budget_events', 'Events on the server or about to be made.', () => gauges.budget().used);
  gauge('zen_watcher_budget_limit', 'As many there may be; a ResourceQuota can lower it.', () => gauges.budget().limit);
  gauge('zen_watcher_budget_breaker_open', '1 while a ResourceQuota takes no more events.', () =>
    Math.min(1, gauges.gates('quota')),
  );
  new Gauge({
    name: 'zen_watcher_folded_findings',
    help: 'Findings without an event of their own, counted in a summary, by source.',
    labelNames: ['source'],
    registers,
    collect() {
      const { folded } = gauges.budget();
      for (const source of words) this.set({ source }, folded.get(source) ?? 0);
    },
  });
}
