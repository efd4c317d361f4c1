/**
 * Keeps the index true to the events on the server, from two witnesses: the watch on our own events, and the answers to
 * our writes. A watch lags behind the answers: until it shows the version that a write was answered with, or a newer one,
 * what it says of that event is older news.
 */
import type { ObjectReference } from '../api/event.ts';
import { fieldManager, freshCondition, mutedUntilAnnotation, reportAnnotation } from '../api/event.ts';
import type { Answer, CreatedVersion, StoredEvent } from '../api/stored-event.ts';
import type { StaleReason } from '../api/words.ts';
import { fingerprintCharactersInName, staleReasons } from '../api/words.ts';
import { parseUntil } from '../lib/until.ts';
import { contentHash } from './event-builder.ts';
import type { EventIndex, Row } from './event-index.ts';
import type { FindingFacts, StoredState } from './event-state.ts';
import { aboutOf } from './finding-facts.ts';
import type { PresentIntent } from './intent.ts';
import type { Placement } from './placement.ts';
import type { Shards } from './shards.ts';
import { oneShard } from './shards.ts';
import { shardOfEvent } from './summary-event.ts';

/** What was learnt about an event that is ours. */
export interface Observation {
  readonly row: Row;
  readonly origin: ObjectReference | undefined;
}

/** A second place of an event. */
export interface Elsewhere {
  readonly namespace: string;
  /** As the event there says. */
  readonly resourceNamespace: string;
  /** What the watch showed last of it; '' when it showed nothing yet. */
  readonly version: string;
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

/** Whether a source's events of a type are signals: the registry knows. */
export type IsSignal = (source: string, eventType: string) => boolean;

/** Told of a muted-until annotation that says no time: it mutes nothing. */
export type TellMalformedMute = (event: string, text: string) => void;

export class OwnEvents {
  readonly #index: EventIndex;
  readonly #isSignal: IsSignal;
  readonly #malformedMute: TellMalformedMute;
  /** resourceVersion of our last write or read, until the watch has shown it or something newer. */
  readonly #unseen = new Map<Row, string>();
  /** Rows of which the watch had not shown our last write when the listing under way began. */
  readonly #unlisted = new Set<Row>();
  /** While a request about an event is under way: the version known before, and those that the watch showed meanwhile. */
  readonly #underWay = new Map<string, { readonly before: string | undefined; readonly shown: Set<string> }>();
  readonly #foreign = new Set<string>();
  /** Events of which a second one lies in another namespace than the one that the index knows: see event-move.ts. */
  readonly #elsewhere = new Map<string, Elsewhere>();
  readonly #placement: Placement | undefined;
  readonly #shards: Shards;
  /** resourceVersion of the last complete listing, where it is known. */
  #listedAt = '';

  /** Without a placement all events are expected in one namespace. */
  constructor(
    index: EventIndex,
    isSignal: IsSignal = () => false,
    malformedMute: TellMalformedMute = () => {},
    placement?: Placement,
    shards: Shards = oneShard,
  ) {
    this.#index = index;
    this.#isSignal = isSignal;
    this.#malformedMute = malformedMute;
    this.#placement = placement;
    this.#shards = shards;
  }

  /** Where else than in the index's place an event of that name lies. */
  elsewhere(name: string): Elsewhere | undefined {
    return this.#elsewhere.get(name);
  }

  /** The names of all events that lie in a second place. */
  namesElsewhere(): Iterable<string> {
    return this.#elsewhere.keys();
  }

  /** Events of older versions or by hand, which we leave alone. */
  get foreignCount(): number {
    return this.#foreign.size;
  }

  /** A fresh listing shows the present state whatever we wrote before: no older news can follow. */
  listingBegan(): void {
    for (const row of this.#unseen.keys()) this.#unlisted.add(row);
    this.#unseen.clear();
  }

  /**
   * The listing was told to its end. Returns the rows of events that are gone without anyone having said so: the watch
   * broke off before it showed our write, and the listing lacks them. `resourceVersion` is the listing's own, where it is
   * known: what was written while it ran and is not newer than it would have been in it.
   */
  listingComplete(resourceVersion?: string): Row[] {
    const gone: Row[] = [];
    for (const row of this.#unlisted) if (!this.#unseen.has(row) && this.#index.isOnServer(row)) gone.push(row);
    this.#unlisted.clear();
    if (resourceVersion !== undefined) {
      this.#listedAt = resourceVersion;
      for (const [row, ours] of this.#unseen) if (isNewer(resourceVersion, ours)) gone.push(row);
    }
    for (const row of gone) {
      this.#unseen.delete(row);
      this.#index.clearStored(row);
    }
    return gone;
  }

  /** Takes in what a listing or the watch shows. Undefined: foreign, or nothing that was not known. */
  observe(event: StoredEvent): Observation | undefined {
    const { name, namespace, resourceVersion } = event.metadata;
    if (!isOwn(event) || !this.#isInPlace(event)) {
      this.#foreign.add(`${namespace}/${name}`);
      return undefined;
    }
    if (this.#isSecond(event)) {
      this.#noteElsewhere(event);
      return undefined;
    }
    if (!this.#shards.reads(shardOfEvent(event, this.#shards)) && !this.isHeard(name)) return undefined;
    this.#underWay.get(name)?.shown.add(resourceVersion);
    const row = this.#obtainIn(namespace, name);
    this.#unlisted.delete(row);
    const unseen = this.#unseen.get(row);
    if (unseen !== undefined) {
      if (unseen !== resourceVersion && !isNewer(resourceVersion, unseen)) return undefined;
      this.#unseen.delete(row);
    }
    if (this.#index.isOnServer(row) && this.#index.resourceVersion(row) === resourceVersion) return undefined;
    this.#store(row, event);
    return { row, origin: event.spec.origin };
  }

  /** Whether the event has a row: what happens to it matters here, be it of a shard that is read or not. */
  isHeard(name: string): boolean {
    return this.#index.find(name) !== 0;
  }

  /** Whether that version of an event is what the index has of it, so that the watch need not say what is in it. */
  isKnown(namespace: string, name: string, resourceVersion: string): boolean {
    const index = this.#index;
    const row = index.find(name);
    if (row === 0 || !index.isOnServer(row) || this.#elsewhere.has(name)) return false;
    return index.resourceVersion(row) === resourceVersion && index.namespace(row) === namespace;
  }

  /** The watch showed the version that is known: there is nothing older to come. As observe() takes in what it knows. */
  shown(name: string, resourceVersion: string): void {
    this.#underWay.get(name)?.shown.add(resourceVersion);
    const row = this.#index.find(name);
    this.#unlisted.delete(row);
    if (this.#unseen.get(row) === resourceVersion) this.#unseen.delete(row);
  }

  /** The watch says that an event is gone. Returns its row when it was ours and the news is not older than our last write. */
  gone(namespace: string, name: string): Row {
    this.#foreign.delete(`${namespace}/${name}`);
    const row = this.#index.find(name);
    if (this.#elsewhere.get(name)?.namespace === namespace) this.#elsewhere.delete(name);
    if (row === 0 || this.#unseen.has(row) || this.#isOnServerBut(row, namespace)) return 0;
    this.#unlisted.delete(row);
    this.#index.clearStored(row);
    return row;
  }

  /** A request about the event is about to be sent. One at a time per event. */
  begin(name: string): void {
    const row = this.#index.find(name);
    const before = this.#index.isOnServer(row) ? this.#index.resourceVersion(row) : undefined;
    this.#underWay.set(name, { before, shown: new Set() });
  }

  end(name: string): void {
    this.#underWay.delete(name);
  }

  /**
   * Takes in what the server answered to a write or a read of ours, between begin() and end(). The event may be gone all
   * the same: deleted since, and a listing that lacks it was faster than the answer.
   */
  answered(event: StoredEvent, knownHash?: number): void {
    const row = this.#takeAnswer(event.metadata);
    if (row !== undefined) this.#store(row, event, knownHash);
  }

  /** The same of the event that an intent had made, of which nothing but the version is new. */
  created(answer: Answer & { readonly kind: 'created' }, intent: PresentIntent): void {
    const { untouched } = answer;
    const { contentHash: hash, about, facts, source, shard } = intent;
    const row = this.#takeAnswer(untouched ?? answer.event.metadata);
    if (row === undefined) return;
    if (untouched === undefined || this.#index.reportKey(row) === '') {
      this.#store(row, answer.event, hash);
      return;
    }
    const { severity, resourceNamespace, eventType } = facts;
    const { resourceVersion } = untouched;
    const state = { isResolved: false, isEdited: false, count: 1, sinceMs: about.detectedAtMs };
    this.#index.setStored(row, { ...state, resourceVersion, contentHash: hash, severity });
    const isSignal = this.#isSignal(source, eventType);
    this.#index.setFacts(row, { ...about, severity, resourceNamespace, shard, isSignal });
  }

  /** The row of an answer that is news. */
  #takeAnswer({ name, namespace, resourceVersion }: CreatedVersion): Row | undefined {
    const second = this.#elsewhere.get(name);
    const shownElsewhere = second?.namespace === namespace ? second.version : '';
    const row = this.#obtainIn(namespace, name);
    // The watch can be faster than the answer: then what it shows is as new as the answer, or newer.
    const underWay = this.#underWay.get(name);
    if (underWay?.before === resourceVersion || underWay?.shown.has(resourceVersion)) return undefined;
    if (this.#index.isOnServer(row)) {
      const known = this.#index.resourceVersion(row);
      if (known === resourceVersion || isNewer(known, resourceVersion)) return undefined;
    } else if (shownElsewhere === '' && isNewer(this.#listedAt, resourceVersion)) return undefined;
    if (shownElsewhere !== resourceVersion) this.#unseen.set(row, resourceVersion);
    return row;
  }

  /** A read of ours found no such event. What the watch showed meanwhile is left to it: it will show the deletion too. */
  missing(name: string, namespace?: string): void {
    const row = this.#index.find(name);
    if (namespace !== undefined && this.#elsewhere.get(name)?.namespace === namespace) this.#elsewhere.delete(name);
    if (row === 0 || (namespace !== undefined && this.#isOnServerBut(row, namespace))) return;
    const isLeftToWatch = !this.#unseen.has(row) && (this.#underWay.get(name)?.shown.size ?? 0) > 0;
    if (isLeftToWatch) return;
    this.#unseen.delete(row);
    this.#unlisted.delete(row);
    this.#index.clearStored(row);
  }

  /** The event is other replicas' to know. */
  forget(row: Row): void {
    this.#unseen.delete(row);
    this.#unlisted.delete(row);
    this.#elsewhere.delete(this.#index.name(row));
    this.#index.clearStored(row);
  }

  /** The row of an event that is the one to be known now: one that was known in another namespace is the second from here. */
  #obtainIn(namespace: string, name: string): Row {
    const index = this.#index;
    const row = index.obtain(name, namespace);
    if (this.#isOnServerBut(row, namespace)) {
      const second = {
        namespace: index.namespace(row),
        resourceNamespace: index.resourceNamespace(row),
        version: this.#unseen.has(row) ? '' : index.resourceVersion(row),
      };
      if (this.#placement?.isPlace(second.namespace, second.resourceNamespace)) this.#elsewhere.set(name, second);
      index.clearStored(row);
      this.#unseen.delete(row);
      this.#unlisted.delete(row);
    } else if (this.#elsewhere.get(name)?.namespace === namespace) this.#elsewhere.delete(name);
    index.setNamespace(row, namespace);
    return row;
  }

  /** Whether it can have been put there by us. */
  #isInPlace({ metadata, spec }: StoredEvent): boolean {
    return this.#placement?.isPlace(metadata.namespace, spec.resource?.namespace ?? '') ?? true;
  }

  /** Whether another event of that name is known already that is the one to be known: it is where it belongs, or was first. */
  #isSecond({ metadata, spec }: StoredEvent): boolean {
    const row = this.#index.find(metadata.name);
    if (row === 0 || !this.#isOnServerBut(row, metadata.namespace)) return false;
    const home = this.#placement?.namespaceFor({ namespace: this.#index.resourceNamespace(row) });
    return home !== metadata.namespace || this.#index.resourceNamespace(row) !== (spec.resource?.namespace ?? '');
  }

  /** What is about to go, or speaks of a resource in another namespace, is left alone. */
  #noteElsewhere({ metadata, spec }: StoredEvent): void {
    const { name, namespace, deletionTimestamp } = metadata;
    const resourceNamespace = spec.resource?.namespace ?? '';
    if (this.#index.resourceNamespace(this.#index.find(name)) !== resourceNamespace) {
      this.#foreign.add(`${namespace}/${name}`);
    } else if (deletionTimestamp === undefined)
      this.#elsewhere.set(name, { namespace, resourceNamespace, version: metadata.resourceVersion });
  }

  #isOnServerBut(row: Row, namespace: string): boolean {
    return this.#index.isOnServer(row) && this.#index.namespace(row) !== namespace;
  }

  #store(row: Row, event: StoredEvent, knownHash?: number): void {
    const { source, eventType } = event.spec;
    const state = storedState(event, knownHash);
    this.#index.setStored(row, state);
    this.#index.setFacts(row, factsOf(event, this.#shards, this.#isSignal(source, eventType)));
    const muted = event.metadata.annotations?.[mutedUntilAnnotation];
    if (muted !== undefined && state.mutedUntilMs === undefined) this.#malformedMute(event.metadata.name, muted);
    const reportKey = event.metadata.annotations?.[reportAnnotation];
    if (reportKey !== undefined && this.#index.reportKey(row) === '') this.#index.setReportKey(row, reportKey);
  }
}

/** What the index keeps of a stored event. `knownHash`: its content hash, where that is known already. */
export function storedState(event: StoredEvent, knownHash = contentHash(event)): StoredState {
  const { status, spec } = event;
  const isResolved = status?.phase === 'Resolved';
  const condition = staleness(event);
  const stale = isResolved ? undefined : condition?.reason;
  const lastSeen = status?.lastSeen ?? status?.firstSeen ?? spec.detectedAt;
  const since = isResolved ? (status.resolvedAt ?? lastSeen) : (stale && condition?.since) || lastSeen;
  const sinceMs = Date.parse(since ?? '');
  return {
    resourceVersion: event.metadata.resourceVersion,
    contentHash: knownHash,
    isResolved,
    severity: spec.severity,
    isEdited: isEditedByOthers(event),
    count: event.status?.count ?? 1,
    stale,
    sinceMs: Number.isNaN(sinceMs) ? 0 : sinceMs,
    mutedUntilMs: parseUntil(event.metadata.annotations?.[mutedUntilAnnotation] ?? ''),
  };
}

/** What an event says of its finding. */
function factsOf(event: StoredEvent, shards: Shards, isSignal: boolean): FindingFacts {
  const { severity, resource } = event.spec;
  const shard = shardOfEvent(event, shards);
  return { ...aboutOf(event), severity, resourceNamespace: resource?.namespace ?? '', shard, isSignal };
}

/** Since when and why the condition Fresh is False; undefined while it is not. */
function staleness(event: StoredEvent): { readonly reason: StaleReason; readonly since: string } | undefined {
  const condition = event.status?.conditions?.find(({ type }) => type === freshCondition);
  if (condition?.status !== 'False') return undefined;
  const reason = staleReasons.find((one) => one === condition.reason) ?? 'ReportMissing';
  return { reason, since: condition.lastTransitionTime };
}

const plainVersion = /^[1-9]\d{0,14}$/;

/**
 * Whether a resourceVersion is known to be newer than another one of the same collection. They are in order where both are
 * plain numbers (promised since Kubernetes 1.35, true of etcd always); of others nothing but equality is known.
 */
function isNewer(version: string, other: string): boolean {
  return plainVersion.test(version) && plainVersion.test(other) && Number(version) > Number(other);
}

/** Another field manager owns part of spec: somebody else created or changed it. */
export function isEditedByOthers(event: StoredEvent): boolean {
  return (event.metadata.managedFields ?? []).some(
    (entry) => entry.manager !== fieldManager && entry.fieldsV1 !== undefined && 'f:spec' in entry.fieldsV1,
  );
}
