/** What is to become of one event. One intent per event key waits in the queue. */
import type { Category, ResolveReason, Severity, StaleReason } from '../api/words.ts';
import { severityRank } from '../api/words.ts';
import { sourceOf } from './event-name.ts';
import type { EventAbout } from './event-state.ts';
import type { MayWrite } from './ports.ts';
import type { Shard } from './shards.ts';
import type { UnansweredWrite } from './unanswered.ts';

/** What all intents have in common. */
export interface IntentBase {
  /** Name of the event: the key of the queue. */
  readonly key: string;
  readonly namespace: string;
  /** spec.source: queues take turns between sources. */
  readonly source: string;
  /** The shard that it belongs to: whoever leads there writes it. */
  readonly shard: Shard;
  /** Partition whose books carry the occurrences. */
  readonly partition: string;
  /** Finding occurrences that end when this intent ends; 0 for a resolve. */
  readonly occurrences: number;
  /** Monotonic milliseconds when the oldest of its findings was read: the latency metric counts from here. */
  readonly readAtMs: number;
  /** About how much memory it holds. */
  readonly bytes: number;
  /** It follows from what was sent to this replica alone: no other one can write it. */
  readonly isSent?: true;
}

/** About what an intent takes in memory besides its body. */
export const intentOverheadBytes = 700;

/** What a log line and a metric say of an event. */
export interface EventFacts {
  readonly category: Category;
  readonly severity: Severity;
  readonly eventType: string;
  readonly subject: string;
  readonly resourceNamespace: string;
  readonly title: string;
}

/** The event shall be on the server, Active, with this content. Replaces any earlier state intent of the key. */
export interface PresentIntent extends IntentBase {
  readonly kind: 'present';
  readonly facts: EventFacts;
  /** The event as JSON. */
  readonly body: string;
  readonly contentHash: number;
  readonly about: EventAbout;
  /** What status.count shall say; left alone where absent. */
  readonly count?: number;
}

/** The event shall be Resolved. Replaces any earlier state intent of the key. */
export interface ResolvedIntent extends IntentBase {
  readonly kind: 'resolved';
  readonly reason: ResolveReason;
  readonly at: Date;
}

/** The event's condition Fresh shall be False for that reason, or True where there is none. Phase and content stay. */
export interface FreshnessIntent extends IntentBase {
  readonly kind: 'freshness';
  readonly stale: StaleReason | undefined;
  readonly at: Date;
}

/** What every intent has that carries no event and settles no occurrence: all of it follows from what it is about. */
export function bareIntent(of: Pick<IntentBase, 'key' | 'namespace' | 'shard' | 'partition' | 'readAtMs'>): IntentBase {
  return { ...of, source: sourceOf(of.key), occurrences: 0, bytes: intentOverheadBytes };
}

/** The event shall be there no more: resolved first, with the reason, where it is Active. Deleted only while Resolved. */
export interface RemovalIntent extends IntentBase {
  readonly kind: 'removal';
  readonly reason: ResolveReason | undefined;
  readonly at: Date;
}

/** The event shall be in the namespace that it belongs to, and in no other (event-move.ts). Nothing else changes. */
export interface MoveIntent extends IntentBase {
  readonly kind: 'move';
}

/** It happened again. Adds to an earlier signal intent of the key. */
export interface SignalIntent extends IntentBase {
  readonly kind: 'signal';
  readonly facts: EventFacts;
  readonly body: string;
  readonly contentHash: number;
  /** How often it happened since the last write. */
  readonly count: number;
  readonly lastSeen: Date;
  /** What a part of it that was carried out has made of the event: it is told when all is done. */
  readonly became?: 'created' | 'reopened';
  /** Writes that were sent for it and never answered. */
  readonly unanswered?: readonly UnansweredWrite[];
}

/** One intent. */
export type Intent = PresentIntent | ResolvedIntent | FreshnessIntent | RemovalIntent | MoveIntent | SignalIntent;

/** An intent that can make the event. */
export type WritingIntent = PresentIntent | SignalIntent;

/** Whether the intent carries the whole event. */
export function isWriting(intent: Intent): intent is WritingIntent {
  return intent.kind === 'present' || intent.kind === 'signal';
}

/** Whether this replica may write the intent. */
export function mayCarryOut({ isSent, shard }: IntentBase, mayWrite: MayWrite): boolean {
  return isSent === true || mayWrite(shard);
}

/** Whether the event will be there and Active once what is coming was carried out. */
export function willBeActive(isActive: boolean, coming: Intent | undefined): boolean {
  if (coming === undefined || coming.kind === 'freshness' || coming.kind === 'move') return isActive;
  return isWriting(coming);
}

/** The intent that stands for both: signals add up, everything else is replaced by the newer. */
export function mergeIntents(earlier: Intent, later: Intent): Intent {
  const readAtMs = Math.min(earlier.readAtMs, later.readAtMs);
  if (earlier.kind !== 'signal' || later.kind !== 'signal') return { ...later, readAtMs };
  // The more severe one is told, else the one that happened first.
  const isRaised = severityRank(later.facts.severity) < severityRank(earlier.facts.severity);
  const { became, unanswered } = earlier;
  return {
    ...(isRaised ? later : earlier),
    ...(became === undefined ? {} : { became }),
    ...(unanswered === undefined ? {} : { unanswered }),
    ...(earlier.isSent || later.isSent ? { isSent: true as const } : {}),
    readAtMs,
    occurrences: earlier.occurrences + later.occurrences,
    count: earlier.count + later.count,
    lastSeen: earlier.lastSeen > later.lastSeen ? earlier.lastSeen : later.lastSeen,
  };
}

/** How many of the earlier intent's occurrences end as merged when the later one takes its place. */
export function mergedOccurrences(earlier: Intent, later: Intent): number {
  return earlier.kind === 'signal' && later.kind === 'signal' ? 0 : earlier.occurrences;
}
