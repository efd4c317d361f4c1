/** Where an intent has to be carried out: the namespace that its event is in by now, or belongs to. */
import type { ZenAgentEvent } from '../api/event.ts';
import type { EventIndex } from './event-index.ts';
import type { Intent, WritingIntent } from './intent.ts';
import { isWriting } from './intent.ts';
import type { Placement } from './placement.ts';

/** The intent for the namespace that its event is in; for the one that it belongs to where there is none yet. */
export function whereItIs(intent: Intent, index: EventIndex, placement: Placement): Intent {
  const row = index.find(intent.key);
  const there = index.isOnServer(row) ? index.namespace(row) : undefined;
  if (!isWriting(intent)) return there === undefined ? intent : { ...intent, namespace: there };
  const { resourceNamespace } = intent.facts;
  // One that somebody else put into another namespace is none of ours: ours is made where it belongs.
  const isThere = there !== undefined && placement.isPlace(there, resourceNamespace);
  return inNamespace(intent, isThere ? there : placement.namespaceFor({ namespace: resourceNamespace }));
}

/** The event's text names its own namespace. */
function inNamespace(intent: WritingIntent, namespace: string): WritingIntent {
  if (intent.namespace === namespace) return intent;
  const event = JSON.parse(intent.body) as ZenAgentEvent;
  return { ...intent, namespace, body: JSON.stringify({ ...event, metadata: { ...event.metadata, namespace } }) };
}
