/**
 * Writes of a signal's occurrences whose answers never came: they may have arrived. What they left on the event says so, and
 * then what they counted is not counted again.
 *
 * A create shows by spec.detectedAt, which stays what its maker said. An addition can only have been made to the version
 * that it named: it shows by its sum and time, until another replica adds to it, and cannot arrive any more once that version
 * is history without them. Where another one came in between nothing can be told: the occurrences are counted again.
 */
import type { ZenAgentEvent } from '../api/event.ts';
import type { StatusPatch, StoredEvent } from '../api/stored-event.ts';
import type { FencedAnswer } from './fenced-store.ts';
import type { SignalIntent } from './intent.ts';

/** A write that nobody answered. */
export type UnansweredWrite =
  | { readonly kind: 'create'; readonly detectedAt: string | undefined }
  | {
      readonly kind: 'add';
      /** What it was made on. */
      readonly uid: string;
      readonly resourceVersion: string;
      /** How many occurrences it added, and what the event says where it arrived. */
      readonly added: number;
      readonly count: number;
      readonly lastSeen: string | undefined;
      readonly isReopening: boolean;
    };

/** More than these are not remembered of one event: each is a retry that had more to count than the one before. */
const mostRemembered = 16;

/** Whether it may have arrived all the same. The server answers what it refuses. */
export function mayHaveArrived(answer: FencedAnswer): boolean {
  return answer.kind === 'retry' && answer.cause === 'unavailable';
}

/** The intent, which a create of its event was sent for. */
export function createUnanswered(intent: SignalIntent): SignalIntent {
  const { spec } = JSON.parse(intent.body) as ZenAgentEvent;
  return withUnanswered(intent, { kind: 'create', detectedAt: spec.detectedAt });
}

/** The intent, for all of which `patch` was sent. */
export function addUnanswered(
  intent: SignalIntent,
  { metadata, status }: StoredEvent,
  patch: StatusPatch,
): SignalIntent {
  const { uid, resourceVersion } = metadata;
  return withUnanswered(intent, {
    kind: 'add',
    uid,
    resourceVersion,
    added: intent.count,
    count: patch.count ?? 0,
    lastSeen: patch.lastSeen ?? status?.lastSeen,
    isReopening: patch.phase !== undefined,
  });
}

/** What is left of the intent now that its event was made, which counts one. */
export function created({ unanswered: _, ...intent }: SignalIntent): SignalIntent {
  return { ...intent, count: intent.count - 1, became: 'created' };
}

/** What is left to be counted of the intent, by what the event shows. */
export function leftOf(intent: SignalIntent, current: StoredEvent): SignalIntent {
  const { unanswered = [], ...bare } = intent;
  if (unanswered.length === 0) return intent;
  const arrived = unanswered.find((write) => isIn(write, current));
  if (arrived === undefined) {
    const open = unanswered.filter((write) => isOpen(write, current));
    return open.length === 0 ? bare : { ...bare, unanswered: open };
  }
  if (arrived.kind === 'create') return created(bare);
  const left = { ...bare, count: intent.count - arrived.added };
  return arrived.isReopening ? { became: 'reopened', ...left } : left;
}

function isIn(write: UnansweredWrite, { metadata, spec, status }: StoredEvent): boolean {
  if (write.kind === 'create') return write.detectedAt !== undefined && spec.detectedAt === write.detectedAt;
  return metadata.uid === write.uid && status?.count === write.count && status.lastSeen === write.lastSeen;
}

/** Whether it can arrive yet. Where an event stands, none is made. */
function isOpen(write: UnansweredWrite, { metadata }: StoredEvent): boolean {
  return write.kind === 'add' && metadata.uid === write.uid && metadata.resourceVersion === write.resourceVersion;
}

function withUnanswered(intent: SignalIntent, write: UnansweredWrite): SignalIntent {
  const text = JSON.stringify(write);
  const others = (intent.unanswered ?? []).filter((one) => JSON.stringify(one) !== text);
  return { ...intent, unanswered: [...others, write].slice(-mostRemembered) };
}
