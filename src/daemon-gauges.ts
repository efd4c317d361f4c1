/** What the daemon's gauges are read from at each scrape. */

import type { Config } from './config/schema.ts';
import { dueMs } from './config/waits.ts';
import type { Inputs } from './inputs.ts';
import type { Books } from './pipeline/books.ts';
import type { Budgets } from './pipeline/budgets.ts';
import type { EventIndex } from './pipeline/event-index.ts';
import { staleCounts } from './pipeline/lifecycle.ts';
import type { Misplaced } from './pipeline/misplaced.ts';
import { openEvents } from './pipeline/open-events.ts';
import type { OwnEvents } from './pipeline/own-events.ts';
import type { ReportHealth } from './pipeline/report-health.ts';
import type { ReportTable } from './pipeline/report-table.ts';
import type { WorkQueue } from './pipeline/work-queue.ts';
import type { GateCause, WriteGates } from './pipeline/write-gates.ts';
import type { Source } from './sources/source.ts';
import type { ControlledLogger } from './telemetry/logger.ts';
import type { Gauges } from './telemetry/metrics.ts';
import type { Reporter } from './telemetry/reporter.ts';
import type { Webhooks } from './webhooks.ts';

/** The parts of a daemon that say something of themselves. */
export interface GaugedState {
  readonly index: EventIndex;
  readonly reports: ReportTable;
  readonly books: Books;
  readonly queue: WorkQueue;
  readonly own: OwnEvents;
  readonly inputs: Inputs;
  readonly budget: Budgets;
  readonly gates: WriteGates;
  readonly health: ReportHealth;
  readonly logger: ControlledLogger;
  readonly reporter: Reporter;
  readonly misplaced: Misplaced;
}

export interface GaugedParts {
  readonly config: Config;
  readonly sources: readonly Source[];
  now(): Date;
  /** Made later than the gauges. */
  state(): GaugedState;
  webhooks(): Webhooks | undefined;
  isReady(): boolean;
}

/** Reads them when they are asked for. */
export function gaugesOf({ config, sources, now, state, webhooks, isReady }: GaugedParts): Gauges {
  return {
    books: () => state().books.balance(),
    isReady,
    isQueueFull: () => state().queue.isFull,
    queueItems: () => state().queue.items,
    queueBytes: () => state().queue.bytes,
    dirtyReports: () => state().inputs.dirtyReports,
    ownEvents: () => state().index.size,
    openEvents: () => openEvents(state().index, dueMs(config), now()),
    foreignEvents: () => state().own.foreignCount,
    mutedEvents: () => state().index.muted.count(now()),
    misplacedEvents: () => state().misplaced.count,
    reports: () => state().reports.objects,
    budget: () => state().budget.state,
    gates: (cause: GateCause) => state().gates.count(cause),
    droppedLogLines: () => state().logger.dropped(),
    staleEvents: () => staleCounts(state().index),
    haltedChannels: () => state().health.halted().length,
    informers: () => state().reporter.informers(),
    tools: () =>
      sources.map(({ name }) => ({
        tool: name,
        isActive: state().inputs.isServed(name) || webhooks()?.hasSpoken(name) === true,
      })),
  };
}
