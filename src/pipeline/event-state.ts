/** What the index knows of an event and its finding. */
import type { Severity, StaleReason } from '../api/words.ts';
import type { Shard } from './shards.ts';

/** What the server has of an event, as read from it or answered by it. */
export interface StoredState {
  readonly resourceVersion: string;
  readonly contentHash: number;
  readonly isResolved: boolean;
  readonly severity: Severity;
  /** True when another field manager owns part of spec: somebody else wrote it. */
  readonly isEdited: boolean;
  readonly count: number;
  /** Why its condition Fresh is False; undefined while it is not. */
  readonly stale?: StaleReason | undefined;
  /**
   * Milliseconds since the epoch: of a Resolved event since when it is; of an Active one that is not fresh, since when;
   * else when it was last seen (lastSeen, firstSeen or detectedAt). 0 where none of these can be read.
   */
  readonly sinceMs: number;
  /** Until when its annotation mutes it, in milliseconds since the epoch; undefined when none does. */
  readonly mutedUntilMs?: number | undefined;
}

/** What a row says of its finding, from a report or from the stored event. */
export interface FindingFacts {
  readonly severity: Severity;
  /** Namespace of the resource; '' for cluster-scoped ones. */
  readonly resourceNamespace: string;
  /** The shard that the finding belongs to. */
  readonly shard: Shard;
  /** resourceHash of the resource. */
  readonly resourceHash: number;
  readonly isPod: boolean;
  /** The kind of report that it comes from, `group|Kind`; '' where unknown. */
  readonly reportKind: string;
  /** The policy that was violated, where the tool has policies; '' otherwise. */
  readonly policy: string;
  readonly isSignal: boolean;
}

/** What of an event is kept beside the other words of its intent, so that it need not be parsed when it was created. */
export interface EventAbout extends Pick<FindingFacts, 'resourceHash' | 'isPod' | 'reportKind' | 'policy'> {
  /** spec.detectedAt in milliseconds since the epoch; 0 where it cannot be read. */
  readonly detectedAtMs: number;
}
