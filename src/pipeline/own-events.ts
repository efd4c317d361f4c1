/**
 * Keeps the index true to the events on the server, from two witnesses: the watch on our own events, and the answers to
 * our writes. A watch lags behind the answers: until it shows the version that a write was answered with, what it says of
 * that event is older news.
 */
import type { ObjectReference } from '../api/event.ts';
import { fieldManager, reportAnnotation } from '../api/event.ts';
import { fingerprintCharactersInName } from '../api/words.ts';
import { contentHash } from './event-builder.ts';
import type { EventIndex, Row, StoredState } from './event-index.ts';
import type { StoredEvent } from '../api/stored-event.ts';

/** What was learnt about an event that is ours. */
export interface Observation {
  readonly row: Row;
  readonly origin: ObjectReference | undefined;
}

const fingerprintPattern = /^[a-z2-7]{52}$/;

/** Ours are the events whose name is bound to a fingerprint; all others are foreign and never touched. */
export function isOwn(event: StoredEvent): boolean {
  const { source, fingerprint } = event.spec ?? {};
  return (
    typeof source === 'string' &&
    typeof fingerprint === 'string' &&
    fingerprintPattern.test(fingerprint) &&
    event.metadata.name === `${source}-${fingerprint.slice(0, fingerprintCharactersInName)}`
  );
}

export class OwnEvents {
  readonly #index: EventIndex;
  /** resourceVersion of our last write, until the watch has shown it. */
  readonly #unseen = new Map<Row, string>();
  /** While a request about an event is under way: the versions that the watch showed meanwhile. */
  readonly #underWay = new Map<string, Set<string>>();
  #foreign = new Set<string>();

  constructor(index: EventIndex) {
    this.#index = index;
  }

  /** Events of older versions or by hand, which we leave alone. */
  get foreignCount(): number {
    return this.#foreign.size;
  }

  /** A fresh listing shows the present state whatever we wrote before: no older news can follow. */
  listingBegan(): void {
    this.#unseen.clear();
  }

  /** Takes in what a listing or the watch shows. Undefined: foreign, or older than what we know. */
  observe(event: StoredEvent): Observation | undefined {
    const { name, namespace, resourceVersion } = event.metadata;
    if (!isOwn(event)) {
      this.#foreign.add(`${namespace}/${name}`);
      return undefined;
    }
    this.#underWay.get(name)?.add(resourceVersion);
    const row = this.#index.obtain(name, namespace);
    const unseen = this.#unseen.get(row);
    if (unseen !== undefined) {
      if (unseen === resourceVersion) this.#unseen.delete(row);
      return undefined;
    }
    if (this.#index.isOnServer(row) && this.#index.resourceVersion(row) === resourceVersion) return undefined;
    this.#store(row, event);
    return { row, origin: event.spec.origin };
  }

  /** The watch says that an event is gone. Returns its row when it was ours and the news is not older than our last write. */
  gone(namespace: string, name: string): Row {
    this.#foreign.delete(`${namespace}/${name}`);
    const row = this.#index.find(name);
    if (row === 0 || this.#unseen.has(row)) return 0;
    this.#index.clearStored(row);
    return row;
  }

  /** A request about the event is about to be sent. One at a time per event. */
  begin(name: string): void {
    this.#underWay.set(name, new Set());
  }

  end(name: string): void {
    this.#underWay.delete(name);
  }

  /** Takes in what the server answered to a write or a read of ours, between begin() and end(). */
  answered(event: StoredEvent): Row {
    const { name, namespace, resourceVersion } = event.metadata;
    const row = this.#index.obtain(name, namespace);
    const isKnown = this.#index.isOnServer(row) && this.#index.resourceVersion(row) === resourceVersion;
    // The watch can be faster than the answer: then what it shows is as new as the answer, or newer.
    if (isKnown || this.#underWay.get(name)?.has(resourceVersion)) return row;
    this.#store(row, event);
    this.#unseen.set(row, resourceVersion);
    return row;
  }

  /** A read of ours found no such event. */
  missing(name: string): void {
    const row = this.#index.find(name);
    if (row === 0) return;
    this.#unseen.delete(row);
    this.#index.clearStored(row);
  }

  #store(row: Row, event: StoredEvent): void {
    this.#index.setStored(row, storedState(event));
    const reportKey = event.metadata.annotations?.[reportAnnotation];
    if (reportKey !== undefined && !this.#index.hasReportKey(row)) this.#index.setReportKey(row, reportKey);
  }
}

/** What the index keeps of a stored event. */
export function storedState(event: StoredEvent): StoredState {
  return {
    resourceVersion: event.metadata.resourceVersion,
    contentHash: contentHash(event),
    isResolved: event.status?.phase === 'Resolved',
    severity: event.spec.severity,
    isEdited: isEditedByOthers(event),
    count: event.status?.count ?? 1,
  };
}

/** Another field manager owns part of spec: somebody else created or changed it. */
export function isEditedByOthers(event: StoredEvent): boolean {
  return (event.metadata.managedFields ?? []).some(
    (entry) => entry.manager !== fieldManager && entry.fieldsV1 !== undefined && 'f:spec' in entry.fieldsV1,
  );
}
