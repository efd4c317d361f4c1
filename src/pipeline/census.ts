/** Counts what the event budget is about: which findings have events of their own, which are folded, what else is there. */
import type { Severity } from '../api/words.ts';
import type { EventIndex, Row } from './event-index.ts';
import { isWriting } from './intent.ts';
import { rowsOfShard } from './shard-rows.ts';
import type { Shard } from './shards.ts';
import { isSummaryRow } from './summary-kind.ts';
import type { WorkQueue } from './work-queue.ts';

/** The findings of one source, namespace and severity. */
export interface Count {
  readonly source: string;
  readonly namespace: string;
  readonly severity: Severity;
  /** With an event, Active or coming. */
  events: number;
  /** Without one: a summary counts them. */
  folded: number;
  /** Folded, but their events are still there. */
  leaving: number;
  /** Signals that happened and had no room. */
  signals: number;
  /** As many may still be given events. */
  left: number;
}

/** Findings by source, namespace and severity. */
export class Counts {
  readonly #counts = new Map<string, Map<string, Map<Severity, Count>>>();

  /** The count that a row belongs to. */
  of(index: EventIndex, row: Row): Count {
    return this.obtain(index.source(row), index.resourceNamespace(row), index.severity(row));
  }

  obtain(source: string, namespace: string, severity: Severity): Count {
    const namespaces = this.#counts.get(source) ?? new Map<string, Map<Severity, Count>>();
    this.#counts.set(source, namespaces);
    const severities = namespaces.get(namespace) ?? new Map<Severity, Count>();
    namespaces.set(namespace, severities);
    let count = severities.get(severity);
    if (count === undefined) {
      count = { source, namespace, severity, events: 0, folded: 0, leaving: 0, signals: 0, left: 0 };
      severities.set(severity, count);
    }
    return count;
  }

  /** All, in an order that does not depend on how they came. */
  sorted(): Count[] {
    const all: Count[] = [];
    for (const namespaces of this.#counts.values()) for (const one of namespaces.values()) all.push(...one.values());
    const keyOf = ({ source, namespace, severity }: Count) => `${source}/${namespace}/${severity}`;
    return all.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }
}

/** What there is at one moment. */
export interface Census {
  readonly counts: Counts;
  /** Events that are on the server or about to be made. */
  readonly used: number;
  /** Events that are on the server. */
  readonly stored: number;
  /** Resolved events of which nothing is to become. */
  readonly resolved: readonly Row[];
  /** Folded findings whose events are still there. */
  readonly leaving: readonly Row[];
  /** Summaries on the server. */
  readonly summaries: readonly Row[];
  /** Summaries that are about to be made. */
  readonly comingSummaries: number;
}

/** Counts everything of a shard. `undone`: folded findings whose events may be on the server although nobody has seen them there. */
export function takeCensus(index: EventIndex, queue: WorkQueue, undone: ReadonlySet<Row>, shard: Shard): Census {
  const counts = new Counts();
  const resolved: Row[] = [];
  const leaving: Row[] = [];
  const summaries: Row[] = [];
  let used = 0;
  let stored = 0;
  let comingSummaries = 0;
  for (const row of rowsOfShard(index, shard)) {
    if (!index.isOnServer(row)) {
      if (index.isFolded(row)) {
        if (undone.has(row)) used += 1;
        if (index.holders(row) > 0) counts.of(index, row).folded += 1;
      } else if (isComing(index, queue, row)) {
        used += 1;
        if (isSummaryRow(index, row)) comingSummaries += 1;
        else counts.of(index, row).events += 1;
      }
      continue;
    }
    used += 1;
    stored += 1;
    if (isSummaryRow(index, row)) summaries.push(row);
    else if (index.isFolded(row)) {
      leaving.push(row);
      if (index.holders(row) > 0) counts.of(index, row).leaving += 1;
    } else if (index.isActive(row) || isComing(index, queue, row)) counts.of(index, row).events += 1;
    else resolved.push(row);
  }
  return { counts, used, stored, resolved, leaving, summaries, comingSummaries };
}

function isComing(index: EventIndex, queue: WorkQueue, row: Row): boolean {
  const coming = queue.coming(index.name(row));
  return coming !== undefined && isWriting(coming);
}
