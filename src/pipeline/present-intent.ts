/** A kept finding as an intent: the event that shall be on the server. */
import { buildEvent, contentHash } from './event-builder.ts';
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
  const body = JSON.stringify(event);
  return {
    kind: 'present',
    key: kept.name,
    namespace,
    source: kept.finding.source,
    partition,
    occurrences: kept.occurrences,
    readAtMs: monotonicMs,
    bytes: body.length + intentOverheadBytes,
    body,
    contentHash: contentHash(event),
    facts: {
      category: event.spec.category,
      severity: event.spec.severity,
      eventType: event.spec.eventType,
      subject: event.spec.subject ?? '',
      resourceNamespace: event.spec.resource?.namespace ?? '',
      title: event.spec.title ?? '',
    },
  };
}
