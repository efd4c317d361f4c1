/**
 * Moves an event to the namespace that it belongs to: makes it there with its history, then removes the old one. It can end
 * at any point and be taken up again: while both are there, what the new one lacks is added, and only then the old one goes.
 *
 * The new one says which it was made from (movedFromAnnotation). One that says so and has no history yet is completed; any
 * other that stands in the right place has lived a life of its own, and only gets what does no harm to that.
 */
import type { EventStatus, ZenAgentEvent } from '../api/event.ts';
import { apiVersion, kind, movedFromAnnotation, reportAnnotation } from '../api/event.ts';
import type { StatusPatch, StoredEvent } from '../api/stored-event.ts';
import { isOurLabel } from './event-builder.ts';
import type { EventIndex } from './event-index.ts';
import type { FencedAnswer, FencedStore } from './fenced-store.ts';
import type { OwnEvents } from './own-events.ts';
import { isOwn } from './own-events.ts';
import type { Placement } from './placement.ts';

export interface EventMoveParts {
  readonly store: FencedStore;
  readonly index: EventIndex;
  readonly own: OwnEvents;
  readonly placement: Placement;
  /** The event is in its place, and the old one was removed. */
  moved(name: string, from: string, to: string): void;
}

/** settled: there was nothing (more) to move. The rest are answers of the server that stopped it. */
export type MoveStep = { readonly kind: 'settled' } | { readonly kind: 'moved' } | FencedAnswer;

/** How often one move is begun again because somebody changed one of the two events. */
const moveRounds = 4;
/** Says what was applied to the other object; kubectl would take it for this one's. */
const appliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';

/** Sees to it that the event is in its place and nowhere else. Throws when the server cannot be asked. */
export async function moveEvent(name: string, parts: EventMoveParts): Promise<MoveStep> {
  const { store, own, placement, moved } = parts;
  for (let round = 0; round < moveRounds; round += 1) {
    const { from, resourceNamespace } = wrongPlace(name, parts) ?? {};
    if (from === undefined || resourceNamespace === undefined) return adopt(name, parts);
    const old = await store.read(from, name);
    if (old === undefined || old.metadata.deletionTimestamp !== undefined || !isMovable(old, from, placement)) {
      own.missing(name, from);
      continue;
    }
    const to = placement.namespaceFor({ namespace: resourceNamespace });
    const placed = await putInPlace(old, to, parts);
    if (placed.kind === 'conflict' || placed.kind === 'gone') continue;
    if (placed.kind !== 'changed') return placed;
    own.answered(placed.event);
    const removed = await store.remove(old);
    if (removed.kind === 'conflict') continue;
    if (removed.kind !== 'changed' && removed.kind !== 'gone') return removed;
    own.missing(name, from);
    moved(name, from, to);
    return { kind: 'moved' };
  }
  return { kind: 'conflict' };
}

/** A place of the event where it should not be, and its resource's namespace. */
function wrongPlace(name: string, { index, own, placement }: EventMoveParts) {
  const row = index.find(name);
  const second = own.elsewhere(name);
  if (second !== undefined && placement.isMisplaced(second.namespace, second.resourceNamespace)) {
    return { from: second.namespace, resourceNamespace: second.resourceNamespace };
  }
  const resourceNamespace = index.resourceNamespace(row);
  const from = index.namespace(row);
  return index.isOnServer(row) && placement.isMisplaced(from, resourceNamespace)
    ? { from, resourceNamespace }
    : undefined;
}

/** Nothing is to be moved. One that is in its place, but was known as the second one only, is the event from now on. */
async function adopt(name: string, { store, index, own }: EventMoveParts): Promise<MoveStep> {
  const second = own.elsewhere(name);
  if (second === undefined || index.isOnServer(index.find(name))) return { kind: 'settled' };
  const event = await store.read(second.namespace, name);
  if (event === undefined) own.missing(name, second.namespace);
  else own.answered(event);
  return { kind: 'settled' };
}

function isMovable(event: StoredEvent, from: string, placement: Placement): boolean {
  return isOwn(event) && placement.isMisplaced(from, event.spec.resource?.namespace ?? '');
}

/** Sees to it that the event is in its place with all that the old one knows. */
async function putInPlace(old: StoredEvent, to: string, { store }: EventMoveParts): Promise<FencedAnswer> {
  const answer = await store.create(to, JSON.stringify(copyOf(old, to)));
  if (answer.kind === 'created') return setStatus(answer.event, statusOf(old, answer.event, true), store);
  if (answer.kind !== 'conflict') return answer;
  const there = await store.read(to, old.metadata.name);
  if (there === undefined) return { kind: 'conflict' };
  // Not ours, but in the way: whoever next writes the event puts that right.
  if (there.spec?.fingerprint !== old.spec.fingerprint) return { kind: 'rejected', message: 'its place is taken' };
  const isCopy = there.metadata.annotations?.[movedFromAnnotation] === markOf(old);
  const event = await addMetadata(there, old, isCopy, store);
  if (event.kind !== 'changed') return event;
  return setStatus(event.event, statusOf(old, event.event, isCopy && isUnwritten(there.status)), store);
}

/** Namespace and uid of the event that another was made from. */
function markOf({ metadata }: StoredEvent): string {
  return `${metadata.namespace}/${metadata.uid}`;
}

function copyOf(old: StoredEvent, namespace: string): ZenAgentEvent {
  const { name, labels, annotations } = old.metadata;
  const report = annotations?.[reportAnnotation];
  const ours = {
    ...(report === undefined ? {} : { [reportAnnotation]: report }),
    [movedFromAnnotation]: markOf(old),
  };
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, labels: { ...labels }, annotations: { ...annotationsOfOthers(old), ...ours } },
    spec: old.spec,
  };
}

/** Brings over what others noted on the old event, and the earlier time of its detection. */
async function addMetadata(
  there: StoredEvent,
  old: StoredEvent,
  isCopy: boolean,
  store: FencedStore,
): Promise<FencedAnswer> {
  const { name, namespace, annotations = {}, labels = {} } = there.metadata;
  // A copy was made a moment ago: what differs was changed on the old event since.
  const join = (ofOld: Texts, ofThere: Texts) => (isCopy ? { ...ofThere, ...ofOld } : { ...ofOld, ...ofThere });
  const metadata = {
    name,
    namespace,
    labels: join(labelsOfOthers(old), labels),
    annotations: join(annotationsOfOthers(old), annotations),
  };
  const detectedAt = earlier(there.spec.detectedAt, old.spec.detectedAt);
  const isSame =
    isSubset(metadata.labels, labels) &&
    isSubset(metadata.annotations, annotations) &&
    detectedAt === there.spec.detectedAt;
  if (isSame) return { kind: 'changed', event: there };
  const spec = { ...there.spec, ...(detectedAt === undefined ? {} : { detectedAt }) };
  return store.replace(there, { apiVersion, kind, metadata, spec });
}

type Texts = Readonly<Record<string, string>>;

function labelsOfOthers({ metadata }: StoredEvent): Texts {
  return Object.fromEntries(Object.entries(metadata.labels ?? {}).filter(([key]) => !isOurLabel(key)));
}

function annotationsOfOthers({ metadata }: StoredEvent): Texts {
  const {
    [appliedAnnotation]: _a,
    [reportAnnotation]: _r,
    [movedFromAnnotation]: _m,
    ...others
  } = {
    ...metadata.annotations,
  };
  return others;
}

function isSubset(some: Texts, all: Texts): boolean {
  return Object.entries(some).every(([key, value]) => all[key] === value);
}

const historyFields = ['phase', 'reason', 'count', 'firstSeen', 'lastSeen', 'resolvedAt', 'conditions'] as const;
const consumerFields = ['synced', 'lastSyncAttempt', 'syncError', 'saasEventId'] as const;

/** Nothing was written to it yet: it is as the schema's defaults made it. */
function isUnwritten(status: EventStatus = {}): boolean {
  const { phase = 'Active', count = 1 } = status;
  const others = historyFields.filter((field) => field !== 'phase' && field !== 'count');
  return phase === 'Active' && count === 1 && others.every((field) => status[field] === undefined);
}

/** What of the old status the new one lacks. `isNew`: it has no history of its own. */
function statusOf({ status: old = {} }: StoredEvent, { status: now = {} }: StoredEvent, isNew: boolean): EventStatus {
  const carried: EventStatus = isNew ? pick(old, historyFields) : grownFrom(old, now);
  // What consumers know of the event holds for the moved one: they would take it for another, and report it twice.
  const theirs = consumerFields.some((field) => now[field] !== undefined) ? {} : pick(old, consumerFields);
  const wanted: EventStatus = { ...carried, ...theirs };
  const entries = Object.entries(wanted).filter(
    ([field, value]) => JSON.stringify(value) !== JSON.stringify(now[field as keyof EventStatus]),
  );
  return Object.fromEntries(entries);
}

/** Of two histories: from the first time to the last. Counts are not added up: this may be done twice. */
function grownFrom(old: EventStatus, now: EventStatus): EventStatus {
  const firstSeen = earlier(old.firstSeen, now.firstSeen);
  const lastSeen = later(old.lastSeen, now.lastSeen);
  return {
    count: Math.max(old.count ?? 1, now.count ?? 1),
    ...(firstSeen === undefined ? {} : { firstSeen }),
    ...(lastSeen === undefined ? {} : { lastSeen }),
  };
}

function pick(status: EventStatus, fields: readonly (keyof EventStatus)[]): EventStatus {
  return Object.fromEntries(fields.flatMap((field) => (status[field] === undefined ? [] : [[field, status[field]]])));
}

async function setStatus(event: StoredEvent, status: EventStatus, store: FencedStore): Promise<FencedAnswer> {
  if (Object.keys(status).length === 0) return { kind: 'changed', event };
  const { namespace, name, resourceVersion } = event.metadata;
  // The one write of ours that carries consumers' fields: they go where the event goes.
  return store.patchStatus(namespace, name, resourceVersion, status as StatusPatch);
}

function earlier(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Date.parse(b) < Date.parse(a) ? b : a;
}

function later(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Date.parse(b) > Date.parse(a) ? b : a;
}
