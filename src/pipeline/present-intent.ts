/** A kept finding as an intent: the event that shall be on the server. */
import type { ZenAgentEvent } from '../api/event.ts';
import { buildEvent, contentHash } from './event-builder.ts';
import { aboutOf } from './finding-facts.ts';
import type { PresentIntent } from './intent.ts';
import { intentOverheadBytes } from './intent.ts';
import type { Kept, Plan } from './reading-plan.ts';

/** What an intent says besides its finding. */
export interface PresentIntentContext {
  /** Namespace that the event goes to. */
  readonly namespace: string;
  readonly cluster: string | undefined;
  readonly now: Date;
  readonly monotonicMs: number;
}

/** Builds the event of a finding and what is told of it. Throws where the finding's mapping does. */
export function presentIntent(kept: Kept, plan: Plan, context: PresentIntentContext): PresentIntent {
  const { namespace, cluster, now, monotonicMs } = context;
  const { origin, partition } = plan.reading;
  const event = buildEvent({ ...kept, reportKey: plan.reportKey, origin }, { namespace, detectedAt: now, cluster });
  const { shard, occurrences } = kept;
  return intentFor(event, { shard, partition, occurrences, readAtMs: monotonicMs });
}

/** The intent that an event, whole as it is, shall be on the server. */
export function intentFor(
  event: ZenAgentEvent,
  owed: Pick<PresentIntent, 'shard' | 'partition' | 'occurrences' | 'readAtMs'>,
): PresentIntent {
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
    contentHash: contentHash(event),
    about: aboutOf(spec),
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
