/** An event on the server beside what an intent says of it: whose it is, what stays, what has to be said. */
import type { ZenAgentEvent } from '../api/event.ts';
import type { StatusPatch, StoredEvent } from '../api/stored-event.ts';
import { severityRank } from '../api/words.ts';
import { contentHash, isOurLabel } from './event-builder.ts';
import type { Intent, SignalIntent } from './intent.ts';
import { isWriting } from './intent.ts';
import { isEditedByOthers } from './own-events.ts';

/** Whether what is stored under the intent's name carries the intent's source and whole fingerprint. */
export function isTheSame(current: StoredEvent, intent: Intent): boolean {
  if (!isWriting(intent)) return current.spec?.fingerprint !== undefined;
  const wanted = JSON.parse(intent.body) as ZenAgentEvent;
  return current.spec?.fingerprint === wanted.spec.fingerprint && current.spec.source === wanted.spec.source;
}

/** The wanted event with the first time of the stored one, and the labels and annotations that others put there. */
export function keepWhatIsNotOurs(wanted: ZenAgentEvent, current: StoredEvent): ZenAgentEvent {
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(current.metadata.labels ?? {})) if (!isOurLabel(key)) labels[key] = value;
  const detectedAt = current.spec.detectedAt ?? wanted.spec.detectedAt;
  return {
    ...wanted,
    metadata: {
      ...wanted.metadata,
      labels: { ...labels, ...wanted.metadata.labels },
      annotations: { ...current.metadata.annotations, ...wanted.metadata.annotations },
    },
    spec: { ...wanted.spec, ...(detectedAt === undefined ? {} : { detectedAt }) },
  };
}

/** Whether a signal's content has to take the place of the stored one. A lower severity alone is no reason. */
export function mustBeTold(intent: SignalIntent, current: StoredEvent): boolean {
  if (contentHash(current) === intent.contentHash) return false;
  const isRaised = severityRank(intent.facts.severity) < severityRank(current.spec.severity);
  return isRaised || current.status?.phase === 'Resolved' || isEditedByOthers(current);
}

/** lastSeen, where the time is later than what is stored: detectedAt stands for it while it is absent. */
export function later(at: Date, { spec, status }: StoredEvent): StatusPatch {
  const storedMs = Date.parse(status?.lastSeen ?? spec.detectedAt ?? '');
  return storedMs >= at.getTime() ? {} : { lastSeen: at.toISOString() };
}
