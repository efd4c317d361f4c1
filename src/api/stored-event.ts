/** Events as the server has them, and what it can answer: the words that the pipeline and the event store share. */
import type { EventStatus, ZenAgentEvent } from './event.ts';

/** An event as the server has it. */
export interface StoredEvent {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly managedFields?: readonly {
      readonly manager?: string;
      readonly fieldsV1?: Readonly<Record<string, unknown>>;
    }[];
  };
  readonly spec: ZenAgentEvent['spec'];
  readonly status?: EventStatus;
}

/** Which version an event has that was just created. */
export interface CreatedVersion {
  readonly name: string;
  readonly namespace: string;
  readonly resourceVersion: string;
}

/**
 * What became of one request to the server.
 * - created, changed: the server has it now. `untouched` is there where nothing but its version
 *   need be known of it: then its event is parsed when it is asked for.
 * - gone: there is no such event.
 * - conflict: it is not what the decision was made on; read it and decide again.
 * - retry: worth trying again, not before `afterMs`; `cause` tells permission and quota from mere trouble.
 * - rejected: the server will never take it.
 * - nowhere: its namespace is being deleted.
 */
export type Answer =
  | { readonly kind: 'created'; readonly event: StoredEvent; readonly untouched?: CreatedVersion | undefined }
  | { readonly kind: 'changed'; readonly event: StoredEvent }
  | { readonly kind: 'gone' }
  | { readonly kind: 'conflict' }
  | {
      readonly kind: 'retry';
      readonly cause: RetryCause;
      readonly message: string;
      readonly afterMs?: number | undefined;
    }
  | { readonly kind: 'rejected'; readonly message: string }
  | { readonly kind: 'nowhere'; readonly message: string };

export const retryCauses = ['unavailable', 'throttled', 'forbidden', 'quota', 'namespace-missing', 'conflict'] as const;
export type RetryCause = (typeof retryCauses)[number];

/** Status fields to set; null removes one. Consumers' fields are never among them. */
export type StatusPatch = {
  readonly [Field in 'phase' | 'reason' | 'count' | 'firstSeen' | 'lastSeen' | 'resolvedAt' | 'conditions']?:
    | EventStatus[Field]
    | null;
};
