/** Keeps one summary event for each group of folded findings, true to the unit, written at most every 10 seconds. */
import type { BudgetPlan, Group } from './budget-plan.ts';
import { groupKey } from './budget-plan.ts';
import type { Census, Count } from './census.ts';
import type { EventIndex, Row } from './event-index.ts';
import { removalIntent } from './removal.ts';
import type { Shard } from './shards.ts';
import type { SeverityCounts, Summarized, SummaryContext } from './summary-event.ts';
import { countOf, summaryIntent, summaryName, summaryResource } from './summary-event.ts';
import { summaryReportKind } from './summary-kind.ts';
import type { WorkQueue } from './work-queue.ts';

export interface SummariesParts {
  readonly index: EventIndex;
  readonly queue: WorkQueue;
  /** Namespace that the summaries of a namespace's findings go to. */
  namespaceFor(resource: ReturnType<typeof summaryResource>): string;
  readonly cluster: string | undefined;
  /** Between two writes of a summary; grows while it goes on changing. */
  readonly intervalMs: number;
  /** The shard that they are of. */
  readonly shard: Shard;
  /** Whether there are several. */
  readonly isSharded: boolean;
}

interface Pace {
  readonly writtenMs: number;
  readonly waitMs: number;
}

/** What bring() needs besides the plan. */
export interface Bringing extends Pick<SummaryContext, 'events' | 'moment'> {
  /** As many more events may be made. */
  readonly room: number;
}

const greatestIntervals = 6;

export class Summaries {
  readonly #parts: SummariesParts;
  readonly #paces = new Map<string, Pace>();

  constructor(parts: SummariesParts) {
    this.#parts = parts;
  }

  /** Whether a summary on the server stands for a whole source. */
  arePerSource({ summaries }: Census): boolean {
    const { index } = this.#parts;
    const wanted = new Set(summaries.map((row) => index.source(row)));
    const names = new Set([...wanted].map((source) => summaryName(this.#summarized({ source, namespace: undefined }))));
    return summaries.some((row) => names.has(index.name(row)));
  }

  /** Brings the summaries to what is folded. */
  bring(plan: BudgetPlan, census: Census, { room, events, moment }: Bringing): void {
    const { index } = this.#parts;
    const groups = foldedBy(census.counts.sorted(), plan.isPerSource);
    const planned = new Set(plan.groups.map(groupKey));
    const stored = new Map(census.summaries.map((row) => [index.name(row), row]));
    let left = room;
    for (const [key, { group, counts }] of groups) {
      const name = summaryName(this.#summarized(group));
      const row = stored.get(name) ?? 0;
      // What is folded only until its event is made again needs no summary, but one that is there stays true.
      if (!planned.has(key) && (row === 0 || room <= 0)) continue;
      stored.delete(name);
      if (row === 0 && left <= 0) continue;
      if (this.#put(group, counts, { name, events, moment }) && row === 0) left -= 1;
    }
    for (const [name, row] of stored) {
      if (planned.has(this.#keyOf(row, plan, name))) continue;
      this.#paces.delete(name);
      this.#remove(row, moment);
    }
  }

  /** The key of the planned group whose summary it is; '' where there is none. */
  #keyOf(row: Row, plan: BudgetPlan, name: string): string {
    const { index } = this.#parts;
    const source = index.source(row);
    const group = plan.groups.find((one) => one.source === source && summaryName(this.#summarized(one)) === name);
    return group === undefined ? '' : groupKey(group);
  }

  /** What is of all namespaces is of those of the shard. */
  #summarized(group: Group): Summarized {
    const { shard, isSharded } = this.#parts;
    return isSharded && group.namespace === undefined ? { ...group, shard } : group;
  }

  #remove(row: Row, moment: SummaryContext['moment']): void {
    const { index, queue } = this.#parts;
    if (queue.coming(index.name(row))?.kind !== 'removal') queue.put(removalIntent(index, row, 'expired', moment));
  }

  /** Returns whether it is going to be written. */
  #put(group: Group, counts: SeverityCounts, { name, events, moment }: Putting): boolean {
    const { index, queue, cluster, intervalMs, namespaceFor, shard } = this.#parts;
    const namespace = namespaceFor(summaryResource(group));
    const intent = summaryIntent(this.#summarized(group), counts, { namespace, cluster, events, moment, shard });
    const row = index.find(name);
    const pace = this.#paces.get(name);
    if (index.isActive(row) && index.storedHash(row) === intent.contentHash && index.count(row) === countOf(counts)) {
      if (pace !== undefined && moment.monotonicMs - pace.writtenMs >= intervalMs) this.#paces.delete(name);
      return false;
    }
    if (pace !== undefined && moment.monotonicMs - pace.writtenMs < pace.waitMs) return false;
    if (queue.put(intent).kind === 'full') return false;
    const waitMs = pace === undefined ? intervalMs : Math.min(pace.waitMs * 2, intervalMs * greatestIntervals);
    this.#paces.set(name, { writtenMs: moment.monotonicMs, waitMs });
    const { severity } = intent.facts;
    const { resourceNamespace } = intent.facts;
    const facts = { severity, resourceNamespace, shard, resourceHash: 0, isPod: false };
    const marks = { reportKind: summaryReportKind, policy: '', isSignal: false };
    index.setFacts(index.obtain(name, namespace), { ...facts, ...marks });
    return true;
  }
}

interface Putting extends Pick<SummaryContext, 'events' | 'moment'> {
  readonly name: string;
}

/** What is folded, by group. */
function foldedBy(counts: readonly Count[], isPerSource: boolean) {
  const groups = new Map<string, { readonly group: Group; readonly counts: SeverityCounts }>();
  for (const { source, namespace, severity, folded, signals } of counts) {
    if (folded + signals === 0) continue;
    const group = { source, namespace: isPerSource ? undefined : namespace };
    const key = groupKey(group);
    const entry = groups.get(key) ?? { group, counts: {} };
    entry.counts[severity] = (entry.counts[severity] ?? 0) + folded + signals;
    groups.set(key, entry);
  }
  return groups;
}
