/** A kept finding as an intent: the event that shall be on the server. */
import type { ZenAgentEvent } from '../api/event.ts';
import { buildEvent, contentHash } from './event-builder.ts';
import { aboutOf } from './finding-facts.ts';
import type { PresentIntent } from './intent.ts';
import { intentOverheadBytes } from './intent.ts';
import type { Kept, Plan } from './reading-plan.ts';

/** What an event says besides its finding. */
export interface WantedEventContext {
  /** Namespace that the event goes to. */
  readonly namespace: string;
  readonly cluster: string | undefined;
  readonly now: Date;
}

/** What an intent says besides its finding. */
export interface PresentIntentContext extends WantedEventContext {
  readonly monotonicMs: number;
}

/** An event as it shall be. Most are there already, which the hash shows: the rest of an intent is for what is written. */
export interface WantedEvent {
  readonly event: ZenAgentEvent;
  readonly contentHash: number;
}

type Owed = Pick<PresentIntent, 'shard' | 'partition' | 'occurrences' | 'readAtMs'>;

/** Builds the event of a finding. Throws where the finding's mapping does. */
export function wantedEvent(kept: Kept, plan: Plan, context: WantedEventContext): WantedEvent {
  const { namespace, cluster, now } = context;
  const { origin } = plan.reading;
  const event = buildEvent({ ...kept, reportKey: plan.reportKey, origin }, { namespace, detectedAt: now, cluster });
  return { event, contentHash: contentHash(event) };
}

/** The intent of a finding whose event was built. */
export function intentOfKept(wanted: WantedEvent, kept: Kept, plan: Plan, readAtMs: number): PresentIntent {
  const { shard, occurrences } = kept;
  return intentFor(wanted, { shard, partition: plan.reading.partition, occurrences, readAtMs });
}

/** Builds the event of a finding and what is told of it. Throws where the finding's mapping does. */
export function presentIntent(kept: Kept, plan: Plan, context: PresentIntentContext): PresentIntent {
  return intentOfKept(wantedEvent(kept, plan, context), kept, plan, context.monotonicMs);
}

/** The intent that an event, whole as it is, shall be on the server. */
export function intentFor({ event, contentHash: hash }: WantedEvent, owed: Owed): PresentIntent {
  const { metadata, spec } = event;
  const body = JSON.stringify(event);
  return {
    ...owed,
    kind: 'present',
    key: metadata.name,
    namespace: metadata.namespace,
    source: spec.source,
    bytes: body.length + intentOverheadBytes,
    body,
    contentHash: hash,
    about: aboutOf(event),
    facts: {
      category: spec.category,
      severity: spec.severity,
      eventType: spec.eventType,
      subject: spec.subject ?? '',
      resourceNamespace: spec.resource?.namespace ?? '',
      title: spec.title ?? '',
    },
  };
}
