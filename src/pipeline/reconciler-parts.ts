/** What the reconciler is built from, and what it is given of webhooks. */
import type { Reading, Rejection, ResourceReference } from '../sources/source.ts';
import type { Moment } from './absence.ts';
import type { Admission } from './admission.ts';
import type { Books } from './books.ts';
import type { EventIndex, Row } from './event-index.ts';
import type { ClusterView } from './evidence.ts';
import type { MarkDirty } from './holdings.ts';
import type { PodLookup } from './owner.ts';
import type { MayWrite } from './ports.ts';
import type { Plan } from './reading-plan.ts';
import type { ReportHealth } from './report-health.ts';
import type { ObjectKey, ReportRecord, ReportTable } from './report-table.ts';
import type { Judge } from './rules.ts';
import type { Shards } from './shards.ts';
import type { SignalSettings } from './signals.ts';
import type { WorkQueue } from './work-queue.ts';

export interface ReconcilerParts {
  readonly index: EventIndex;
  readonly reports: ReportTable;
  readonly queue: WorkQueue;
  readonly books: Books;
  readonly lookUpPod: PodLookup;
  /** Decides which findings become events. Every report is read again where its verdicts change. */
  readonly judge: Judge;
  /** Namespace that the event of a resource goes to. */
  namespaceFor(resource: ResourceReference): string;
  readonly cluster?: string | undefined;
  readonly markDirty: MarkDirty;
  readonly health: ReportHealth;
  readonly view: ClusterView;
  readonly signals: SignalSettings;
  /** What was sent to this replica alone it writes in any case. */
  readonly mayWrite: MayWrite;
  /** What belongs to which shard, and what of it this replica reads. */
  readonly shards: Shards;
  /** Whether the finding may have an event of its own; where not, a summary counts it. */
  readonly admission: Admission;
  /** Told about findings that could not be mapped. */
  rejected?(source: string, key: ObjectKey, rejection: Rejection): void;
}

/** What a webhook was sent of one thing. */
export interface Sent {
  readonly key: ObjectKey;
  readonly source: string;
  readonly readings: readonly Reading[];
  readonly mustTake: boolean;
}

/** One reading that is being applied. */
export interface Applying {
  readonly record: ReportRecord;
  readonly plan: Plan;
  /** What the record held before, and what the reading holds so far. */
  readonly before: ReadonlySet<Row>;
  readonly held: Set<Row>;
  readonly moment: Moment;
}
