/**
 * Which findings have events of their own when there are more than the budget allows (F5). Pure: numbers in, numbers out,
 * so that every replica and every restart comes to the same.
 *
 * While all fit, nothing is folded. Else findings give way in this order, each time the least severe of those concerned:
 *   1. in namespaces that have more than 20 % of the budget, the largest first;
 *   2. in sources that have more than 60 % of it, the largest first;
 *   3. everywhere.
 * What gives way is counted in one summary event for each source and namespace; for each source when these get too many.
 */
import type { Severity } from '../api/words.ts';
import { levelled, levelledKeeping, total } from './levelling.ts';

/** How many findings of one source, namespace and severity there are. */
export interface Bucket {
  readonly source: string;
  /** Of the resources; '' for what is of no namespace. */
  readonly namespace: string;
  readonly severity: Severity;
  /** All that are Active or would be. */
  readonly wanted: number;
  /** Those that have an event of their own now: equals do not take turns. */
  readonly current: number;
}

/** What is counted in one summary. */
export interface Group {
  readonly source: string;
  /** Undefined: all namespaces of the source. */
  readonly namespace: string | undefined;
}

export interface PlanOptions {
  /** The greatest number of events. At least the number of sources. */
  readonly events: number;
  /** Whether summaries stand for whole sources now. */
  readonly isPerSource: boolean;
}

/** What the budget is to be spent on. */
export interface BudgetPlan {
  /** False while every finding has room for its own event. */
  readonly isCapped: boolean;
  /** How many of each bucket have events of their own, in the order of the buckets. */
  readonly quotas: readonly number[];
  readonly isPerSource: boolean;
  /** The summaries that are needed. */
  readonly groups: readonly Group[];
  /** How many events are set aside for summaries: as many, or a few more. */
  readonly summaries: number;
}

/** The order in which findings keep their events. Of `unknown` nobody said that it is harmless. */
export const keepingOrder: readonly Severity[] = ['critical', 'high', 'medium', 'unknown', 'low', 'info'];

const namespaceShare = 0.2;
const sourceShare = 0.6;
/** Share of the budget that summaries may take before they stand for whole sources. */
const summaryShare = 0.02;
const greatestRounds = 10;

/** Divides the budget among the buckets. */
export function planBudget(buckets: readonly Bucket[], options: PlanOptions): BudgetPlan {
  let plan = planOnce(buckets, options);
  for (let round = 0; round < greatestRounds && plan.summaries > plan.groups.length; round += 1) {
    // More was set aside for summaries than they need.
    const { quotas, isPerSource } = plan;
    const carriedOut = buckets.map((bucket, at) => ({ ...bucket, current: quotas[at] ?? 0 }));
    plan = planOnce(carriedOut, { ...options, isPerSource });
  }
  return plan;
}

function planOnce(buckets: readonly Bucket[], { events, isPerSource }: PlanOptions): BudgetPlan {
  const wanted = buckets.map((bucket) => bucket.wanted);
  if (total(wanted) <= events) return { isCapped: false, quotas: wanted, isPerSource, groups: [], summaries: 0 };
  const most = Math.max(1, Math.floor(events * summaryShare));
  // Back to a summary for each namespace only when there is ample room: no changing to and fro.
  const perNamespace = withSummaries(buckets, events, false, isPerSource ? Math.floor(most / 2) : most);
  return perNamespace ?? (withSummaries(buckets, events, true, events) as BudgetPlan);
}

/** Finds how many summaries are needed, which take from what they make room for. Undefined when they are too many. */
function withSummaries(
  buckets: readonly Bucket[],
  events: number,
  isPerSource: boolean,
  most: number,
): BudgetPlan | undefined {
  const current = buckets.map((bucket) => Math.min(bucket.wanted, bucket.current));
  let summaries = groupsOf(buckets, current, isPerSource).length;
  for (;;) {
    if (summaries > most) summaries = most;
    const quotas = allot(buckets, Math.max(0, events - summaries), events);
    const groups = groupsOf(buckets, quotas, isPerSource);
    if (groups.length <= summaries) return { isCapped: true, quotas, isPerSource, groups, summaries };
    if (groups.length > most) return undefined;
    summaries = groups.length;
  }
}

/** The groups of which something is folded. */
function groupsOf(buckets: readonly Bucket[], quotas: readonly number[], isPerSource: boolean): Group[] {
  const groups = new Map<string, Group>();
  for (const [at, { source, namespace, wanted }] of buckets.entries()) {
    if (wanted <= (quotas[at] ?? 0)) continue;
    const group = { source, namespace: isPerSource ? undefined : namespace };
    groups.set(groupKey(group), group);
  }
  return [...groups.values()];
}

/** Names a group. */
export function groupKey({ source, namespace }: Group): string {
  return namespace === undefined ? source : `${source}/${namespace}`;
}

/** How many of each bucket fit into `room`. */
function allot(buckets: readonly Bucket[], room: number, events: number): number[] {
  const quotas = buckets.map(({ wanted }) => wanted);
  const namespaces = parted(buckets, ({ namespace }) => namespace);
  // What is of no namespace is of none that could be too large.
  namespaces.delete('');
  cutDown(buckets, quotas, { parts: namespaces, room, share: Math.floor(events * namespaceShare), isKeeping: false });
  const sources = parted(buckets, ({ source }) => source);
  cutDown(buckets, quotas, { parts: sources, room, share: Math.floor(events * sourceShare), isKeeping: true });
  if (total(quotas) > room) {
    const all = buckets.map((_, at) => at);
    keepMostSevere(buckets, quotas, { members: all, room, isKeeping: true });
  }
  return quotas;
}

interface Cut {
  /** Numbers of buckets by what they have in common. */
  readonly parts: ReadonlyMap<string, readonly number[]>;
  readonly room: number;
  /** As much may each part have in any case. */
  readonly share: number;
  /** Among equals, those that have events keep them. Not where later cuts depend on which of them do. */
  readonly isKeeping: boolean;
}

/** Cuts those parts that have more than their share down, the largest first, as far as it is needed. */
function cutDown(buckets: readonly Bucket[], quotas: number[], { parts, room, share, isKeeping }: Cut): void {
  const excess = total(quotas) - room;
  if (excess <= 0) return;
  const large = [...parts]
    .map(([word, members]) => ({ word, members, size: total(members.map((at) => quotas[at] ?? 0)) }))
    .filter(({ size }) => size > share)
    .sort((a, b) => (a.word < b.word ? -1 : 1));
  const above = large.map(({ size }) => size - share);
  const left = levelled(above, Math.max(0, total(above) - excess));
  for (const [at, { members }] of large.entries()) {
    keepMostSevere(buckets, quotas, { members, room: share + (left[at] ?? 0), isKeeping });
  }
}

interface Keeping {
  /** Numbers of the buckets concerned. */
  readonly members: readonly number[];
  readonly room: number;
  /** Among equals, those that have events keep them. */
  readonly isKeeping: boolean;
}

/** Lowers the quotas of the members so that they fit, from the least severe on. */
function keepMostSevere(buckets: readonly Bucket[], quotas: number[], { members, room, isKeeping }: Keeping): void {
  let left = room;
  for (const severity of keepingOrder) {
    const equals = members.filter((at) => buckets[at]?.severity === severity);
    const wanted = equals.map((at) => quotas[at] ?? 0);
    const current = equals.map((at) => (isKeeping ? (buckets[at]?.current ?? 0) : 0));
    const given = levelledKeeping(wanted, current, left);
    for (const [place, at] of equals.entries()) quotas[at] = given[place] ?? 0;
    left -= total(given);
  }
}

function parted(buckets: readonly Bucket[], wordOf: (bucket: Bucket) => string): Map<string, number[]> {
  const parts = new Map<string, number[]>();
  for (const [at, bucket] of buckets.entries()) {
    const word = wordOf(bucket);
    const members = parts.get(word);
    if (members === undefined) parts.set(word, [at]);
    else members.push(at);
  }
  return parts;
}
