/**
 * A reflector: lists a collection, then watches it, for ever, and tells a handler what is there. Its contract is
 * docs/reflector.md, each line of it tested against a real server or a misbehaving one:
 *
 *  1. Every object there is, is told at least once; a version that was told is not told again.
 *  2. States of one object are told in order; some in between may be skipped. No order holds between objects.
 *  3. gone() is told for a deletion that was watched, and after a complete listing for what it lacks; never from a
 *     listing that broke off.
 *  4. resourceVersions are compared for equality only.
 *  5. A watch that ends cleanly is resumed where it was. 410, as status or as ERROR event, leads to a new listing.
 *     Everything else is tried again with back-off and jitter, or when Retry-After says.
 *  6. A watch that shows no sign of life is given up and resumed.
 *  7. Paged lists wait for the handler's room(); watches never wait.
 *  8. After retell() everything is told once more, from one new listing.
 *  9. What the handler does not want is not told, and a listing that was under way when that changed does not count.
 */
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/error-message.ts';
import type { RelistCause } from '../lib/relist-cause.ts';
import { orAborted, paused } from './abort.ts';
import type { KubeClient } from './client.ts';
import { KubeError } from './kube-error.ts';
import type { KubeObject } from './kube-object.ts';
import { keyOf, splitKey } from './kube-object.ts';
import type { ObjectHead } from './object-head.ts';
import { PagedList } from './paged-list.ts';
import type { Collection } from './paths.ts';
import { pathOf } from './paths.ts';
import { Recovery } from './recovery.ts';
import { RelistJudge } from './relist-judge.ts';
import { ToldObjects } from './told-objects.ts';
import type { Glance, IsWanted, WatchEvent } from './watch.ts';
import { watchEvents } from './watch.ts';

/** How well a reflector knows its collection. */
export type ReflectorState =
  | { readonly kind: 'live' }
  /** The server cannot be asked, since when, and why. What is known may be old. */
  | { readonly kind: 'stale'; readonly since: Date; readonly message: string }
  /** We may not list or watch it. */
  | { readonly kind: 'forbidden'; readonly message: string }
  /** There is no such collection. */
  | { readonly kind: 'absent'; readonly message: string };

/** Its methods should not throw; what they throw is told to malformed(), and an object is told again when next seen. */
export interface ReflectorHandler {
  listingBegan(): void;
  object(object: KubeObject): void;
  gone(namespace: string, name: string): void;
  listingComplete(resourceVersion: string): void;
  stateChanged(state: ReflectorState): void;
  /** Something could not be read: a line that is no watch event, an item without a name. */
  malformed(message: string): void;
  /** A listing showed these, by namespace/name, otherwise than they had been told. */
  corrected?(cause: RelistCause, keys: readonly string[]): void;
  /** Resolves when more objects can be taken in: paged lists wait for it. */
  room(): Promise<void>;
  /** Whether that version of an object is known from elsewhere, the answer to a write: it is not read then, only shown(). */
  isKnown?(head: ObjectHead): boolean;
  /** A version that is known was shown. */
  shown?(head: ObjectHead): void;
  /** Whether the object means anything here; one that does not is not even parsed, nor told. Absent: everything does. */
  isWanted?: IsWanted | undefined;
  /** Asked just before an object is told that was wanted when its bytes came: no longer, it is not, nor remembered as told. */
  isStillWanted?: ((object: KubeObject) => boolean) | undefined;
}

export interface ReflectorOptions {
  readonly client: KubeClient;
  readonly collection: Collection;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Served by an aggregated API, whose watch may leave something out. */
  readonly isAggregated?: boolean | undefined;
  /** metadata: PartialObjectMetadata only. */
  readonly shape: 'full' | 'metadata';
  readonly clock: Clock;
  readonly random: () => number;
  readonly timing?: Partial<ReflectorTiming>;
  /** What an earlier reflector of the collection told: namespace/name -> resourceVersion. It is gone on with. */
  readonly known?: Map<string, string>;
  /** Waits before trying again; ends early when the signal aborts. */
  readonly pause?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** A longer line of a watch is malformed. */
  readonly maximumLineBytes?: number;
}

/** Limits in time. */
export interface ReflectorTiming {
  /** How long the server is asked to keep a watch open; jittered by a tenth. */
  readonly watchSeconds: number;
  /** A watch without a byte for so long is given up: the server sends a bookmark about every minute. */
  readonly inactivityMs: number;
  /** The same while a streaming list has not come to its end. */
  readonly listInactivityMs: number;
  readonly backoffFirstMs: number;
  readonly backoffMaximumMs: number;
}

const defaultTiming: ReflectorTiming = {
  watchSeconds: 270,
  inactivityMs: 150_000,
  listInactivityMs: 30_000,
  backoffFirstMs: 500,
  backoffMaximumMs: 30_000,
};

export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #timing: ReflectorTiming;
  readonly #handler: ReflectorHandler;
  readonly #stopping = new AbortController();
  /** Ends the listing or watch under way, not the reflector. */
  #round = new AbortController();
  #mustRelist = false;
  readonly #told: ToldObjects;
  readonly #pages: PagedList;
  readonly #recovery: Recovery;
  readonly #judge: RelistJudge;
  /** Where the watch resumes; '' when a listing is needed. */
  #resourceVersion = '';
  #state: ReflectorState['kind'] | undefined;
  #running: Promise<void> | undefined;

  constructor(options: ReflectorOptions, handler: ReflectorHandler) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#handler = handler;
    this.#recovery = new Recovery({ ...this.#timing, clock: options.clock, random: options.random });
    this.#told = new ToldObjects(options.known ?? new Map());
    this.#judge = new RelistJudge(
      {
        ...options,
        isAggregated: options.isAggregated === true,
        signal: this.#stopping.signal,
        tell: (cause, keys) => this.#safely('corrected', () => handler.corrected?.(cause, keys)),
      },
      this.#told.size > 0,
    );
    this.#pages = new PagedList(options, this.#handler.isWanted);
  }

  /** How many objects are known. */
  get size(): number {
    return this.#told.size;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /**
   * Has everything told again, for a handler that sees the same objects with other eyes now: forgets which versions were
   * told and lists anew. Nothing is told gone by it but what the new listing lacks.
   */
  retell(): void {
    this.#told.forgetVersions();
    this.relist();
  }

  /** Lists anew, for a server whose watch may have left something out: tells only what the watch did not. */
  relist(): void {
    this.#mustRelist = true;
    this.#round.abort();
  }

  /** Lists anew, since the handler wants more than before: what it was not told is no fault of the watch. */
  widen(): void {
    this.#judge.widened();
    this.relist();
  }

  /** Ends the watch; resolves when nothing more will be told. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#round.abort();
    await this.#running;
    await this.#judge.idle();
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      this.#beginRound();
      try {
        if (this.#resourceVersion === '' && !this.#recovery.listsByStream) await this.#listPages();
        if (!this.#isStopped) await this.#watch();
        if (!this.#mustRelist) await this.#pause(this.#recovery.endedCleanly());
      } catch (error) {
        if (this.#mustRelist) this.#told.abandonListing();
        else if (!this.#isStopped) {
          await this.#recover(error instanceof KubeError ? error : KubeError.fromFailure(error));
        }
      }
    }
  }

  #beginRound(): void {
    this.#recovery.begin();
    this.#round = new AbortController();
    if (!this.#mustRelist) return;
    this.#mustRelist = false;
    this.#judge.asked(this.#resourceVersion);
    this.#resourceVersion = '';
  }

  async #listPages(): Promise<void> {
    this.#beginListing();
    const { signal } = this.#round;
    let isWhole = true;
    for await (const page of this.#pages.pages(signal)) {
      if (page.malformedItems > 0) {
        isWhole = false;
        this.#handler.malformed(`${page.malformedItems} items of a listing have no name or version`);
      }
      for (const object of page.items) {
        if (this.#told.see(object)) await orAborted(this.#handler.room(), signal);
        if (this.#isStopped || this.#mustRelist) return this.#told.abandonListing();
        this.#take(object);
      }
      if (this.#mustRelist) return this.#told.abandonListing();
      if (page.resourceVersion !== undefined) this.#completeListing(page.resourceVersion, isWhole);
    }
  }

  /** Watches from where it was, or lists by stream and goes on watching. Returns at a clean end. */
  async #watch(): Promise<void> {
    const isListing = this.#resourceVersion === '';
    const events = watchEvents({
      client: this.#options.client,
      path: this.#watchPath(isListing),
      resource: this.#options.collection.resource,
      accept: this.#accept(),
      signal: this.#round.signal,
      maximumLineBytes: this.#options.maximumLineBytes,
      inactivityMs: () => (this.#told.isListing ? this.#timing.listInactivityMs : this.#timing.inactivityMs),
      glance: this.#glance(),
      opened: () => {
        if (isListing) return this.#beginListing();
        this.#recovery.watching();
        if (this.#recovery.trustsOpening) this.#setState({ kind: 'live' });
      },
    });
    try {
      for await (const event of events) {
        if (this.#isStopped) return;
        if (this.#mustRelist) return this.#told.abandonListing();
        this.#event(event);
      }
    } finally {
      if (this.#told.isListing && !this.#mustRelist) this.#recovery.streamBroke();
    }
    if (!this.#told.isListing) return;
    throw new KubeError({ status: 0, reason: 'Cut', message: 'the streaming list ended before it was complete' });
  }

  #glance(): Glance {
    const { isKnown, isWanted } = this.#handler;
    if (isWanted === undefined) return isKnown === undefined ? {} : { isKnown: (head) => isKnown(head) };
    return { isKnown: (head) => this.#told.isTold(head) || isKnown?.(head) === true, isWanted };
  }

  #watchPath(isListing: boolean): string {
    const { collection, labelSelector, fieldSelector, random } = this.#options;
    const timeoutSeconds = Math.max(1, Math.round(this.#timing.watchSeconds * (0.9 + random() / 5)));
    return pathOf(collection, {
      query: {
        watch: true,
        allowWatchBookmarks: true,
        timeoutSeconds,
        labelSelector,
        fieldSelector,
        ...(isListing
          ? { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' }
          : { resourceVersion: this.#resourceVersion }),
      },
    });
  }

  #accept(): string {
    return this.#options.shape === 'metadata'
      ? 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
      : 'application/json';
  }

  #event(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') {
      this.#recovery.bookmark();
      if (!this.#told.isListing) this.#resourceVersion = event.resourceVersion;
      else if (event.isEndOfInitialEvents) this.#completeListing(event.resourceVersion, true);
    } else if ('head' in event) {
      if (event.type === 'KNOWN') this.#takeKnown(event.head);
      else this.#told.forget(`${event.head.namespace}/${event.head.name}`);
      if (!this.#told.isListing) this.#resourceVersion = event.head.resourceVersion;
    } else {
      if (event.type === 'DELETED') this.#lose(keyOf(event.object));
      else this.#take(event.object);
      if (!this.#told.isListing) this.#resourceVersion = event.object.metadata.resourceVersion;
    }
    if (this.#told.isListing) return;
    this.#recovery.progressed(event.type !== 'BOOKMARK');
    this.#setState({ kind: 'live' });
  }

  #beginListing(): void {
    this.#told.beginListing();
    this.#safely('listingBegan', () => this.#handler.listingBegan());
  }

  /** `isWhole`: what it lacks is gone. */
  #completeListing(resourceVersion: string, isWhole: boolean): void {
    const { missing, differences } = this.#told.endListing(isWhole);
    for (const key of missing) this.#lose(key);
    this.#resourceVersion = resourceVersion;
    this.#recovery.listed();
    this.#judge.listed(differences);
    this.#safely('listingComplete', () => this.#handler.listingComplete(resourceVersion));
    this.#setState({ kind: 'live' });
  }

  #take(object: KubeObject): void {
    if (!this.#told.see(object) || this.#handler.isStillWanted?.(object) === false) return;
    if (this.#safely(keyOf(object), () => this.#handler.object(object))) this.#told.tell(object);
    else this.#told.tellInVain(object);
  }

  #takeKnown(head: ObjectHead): void {
    const { namespace, name, resourceVersion } = head;
    const object = { metadata: { namespace, name, resourceVersion } };
    if (!this.#told.see(object)) return;
    if (this.#safely(keyOf(object), () => this.#handler.shown?.(head))) this.#told.tell(object);
    else this.#told.tellInVain(object);
  }

  #lose(key: string): void {
    if (!this.#told.forget(key)) return;
    const { namespace, name } = splitKey(key);
    this.#safely(key, () => this.#handler.gone(namespace, name));
  }

  /** One object that its handler stumbles over must not keep all others from being told. */
  #safely(what: string, tell: () => void): boolean {
    try {
      tell();
      return true;
    } catch (error) {
      this.#handler.malformed(`${what} was not taken in: ${messageOf(error)}`);
      return false;
    }
  }

  async #recover(failure: KubeError): Promise<void> {
    if (failure.reason === 'Malformed') this.#handler.malformed(failure.message);
    this.#told.abandonListing();
    this.#judge.broke();
    const { relist, tell, waitMs } = this.#recovery.failed(failure, this.#resourceVersion === '');
    if (relist) this.#resourceVersion = '';
    if (tell) this.#tell(failure);
    await this.#pause(waitMs);
  }

  #tell(failure: KubeError): void {
    const { message } = failure;
    if (failure.status === 403) this.#setState({ kind: 'forbidden', message });
    else if (failure.status === 404) this.#setState({ kind: 'absent', message });
    else this.#setState({ kind: 'stale', since: this.#options.clock.now(), message });
  }

  #setState(state: ReflectorState): void {
    if (this.#state === state.kind) return;
    this.#state = state.kind;
    this.#safely('stateChanged', () => this.#handler.stateChanged(state));
  }

  async #pause(milliseconds: number): Promise<void> {
    const { pause = paused } = this.#options;
    if (milliseconds > 0 && !this.#isStopped) await pause(milliseconds, this.#stopping.signal);
  }
}
