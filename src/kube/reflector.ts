/**
 * A reflector: lists a collection, then watches it, for ever, and tells a handler what is there. It keeps keys and
 * resourceVersions, never objects. Its contract (docs/reflector.md), tested against a real server and a misbehaving one:
 *
 *  1. Every object there is, is told at least once; a version that was told already is not told again (a replayed ADDED,
 *     an unchanged object of a relist).
 *  2. States of one object are told in order; some in between may be skipped. No order holds between objects.
 *  3. gone() is told for a deletion that was watched, and after a complete listing for what the listing lacks; never from
 *     a listing that broke off.
 *  4. resourceVersions are compared for equality only.
 *  5. A watch that ends cleanly is resumed where it was. 410, as status or as ERROR event, leads to a new listing.
 *     Everything else is tried again with back-off and jitter, or when Retry-After says.
 *  6. A watch that shows no sign of life is given up and resumed.
 *  7. Paged lists wait for the handler's room(); watches never wait.
 */
import type { Clock } from '../lib/clock.ts';
import { backoffMs } from '../lib/backoff.ts';
import { parseRecord } from '../lib/json.ts';
import type { KubeClient } from './client.ts';
import { lines } from './json-lines.ts';
import { KubeError } from './kube-error.ts';
import type { Collection } from './paths.ts';
import { PagedList } from './paged-list.ts';
import { pathOf } from './paths.ts';

/** An object as the server sent it; only its metadata has been checked. */
export interface KubeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly resourceVersion: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

export type ReflectorState =
  | { readonly kind: 'live' }
  /** The server cannot be asked, since when, and why. What is known may be old. */
  | { readonly kind: 'stale'; readonly since: Date; readonly message: string }
  /** We may not list or watch it. */
  | { readonly kind: 'forbidden'; readonly message: string }
  /** There is no such collection. */
  | { readonly kind: 'absent'; readonly message: string };

export interface ReflectorHandler {
  listingBegan(): void;
  object(object: KubeObject): void;
  gone(namespace: string, name: string): void;
  listingComplete(): void;
  stateChanged(state: ReflectorState): void;
  /** A line of the watch that is no watch event. */
  malformed(message: string): void;
  /** Resolves when more objects can be taken in: paged lists wait for it. */
  room(): Promise<void>;
}

export interface ReflectorOptions {
  readonly client: KubeClient;
  readonly collection: Collection;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** metadata: PartialObjectMetadata only. */
  readonly shape: 'full' | 'metadata';
  readonly clock: Clock;
  readonly random: () => number;
  readonly timing?: Partial<ReflectorTiming>;
  /** What an earlier reflector of the collection told: namespace/name -> resourceVersion. It is gone on with. */
  readonly known?: Map<string, string>;
}

export interface ReflectorTiming {
  /** How long the server is asked to keep a watch open; jittered by a fifth. */
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

const maximumLineBytes = 64 * 1024 * 1024;
/** After so many streaming lists that did not come to their end, or lines that are no events, another way is taken. */
const patience = 3;
/** A watch that lived this long was a good one: back-off starts anew. */
const goodWatchMs = 10_000;

interface WatchEvent {
  readonly type: string;
  readonly object: KubeObject;
}

export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #timing: ReflectorTiming;
  readonly #handler: ReflectorHandler;
  readonly #stopping = new AbortController();
  /** namespace/name -> resourceVersion last told. */
  readonly #known: Map<string, string>;
  readonly #pages: PagedList;
  /** Keys of the listing under way; undefined outside of one. */
  #seen: Set<string> | undefined;
  /** Where the watch resumes; '' when a listing is needed. */
  #resourceVersion = '';
  #canStream = true;
  #brokenStreams = 0;
  #malformedLines = 0;
  #failures = 0;
  #state: ReflectorState['kind'] | undefined;
  #running: Promise<void> | undefined;

  constructor(options: ReflectorOptions, handler: ReflectorHandler) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#handler = handler;
    this.#pages = new PagedList(options);
    this.#known = options.known ?? new Map();
  }

  /** How many objects are known. */
  get size(): number {
    return this.#known.size;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends the watch; resolves when nothing more will be told. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const startedAtMs = this.#options.clock.monotonicMs();
      try {
        if (this.#resourceVersion === '' && !this.#canStream) await this.#listPages();
        await this.#watch();
        this.#failures = 0;
      } catch (error) {
        if (this.#isStopped) return;
        if (this.#options.clock.monotonicMs() - startedAtMs > goodWatchMs) this.#failures = 0;
        await this.#recover(error);
        continue;
      }
      // A clean end is normal, but a server that ends every watch at once must not be asked in a tight loop.
      if (this.#options.clock.monotonicMs() - startedAtMs < 1_000) await this.#pause(this.#timing.backoffFirstMs);
    }
  }

  /** Decides what a failure means, tells it, and waits. */
  async #recover(error: unknown): Promise<void> {
    const failure = error instanceof KubeError ? error : KubeError.fromFailure(error);
    if (failure.status === 410) {
      this.#resourceVersion = '';
      if (this.#failures === 0) {
        this.#failures = 1;
        return;
      }
    } else if (this.#resourceVersion === '' && this.#canStream && isStreamingRefused(failure)) {
      this.#canStream = false;
      return;
    } else {
      this.#tell(failure);
    }
    this.#failures += 1;
    const { backoffFirstMs: firstMs, backoffMaximumMs: maximumMs } = this.#timing;
    const waitMs = backoffMs(this.#failures, { firstMs, maximumMs }, this.#options.random);
    await this.#pause(Math.max(waitMs, failure.retryAfterMs ?? 0));
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
    this.#handler.stateChanged(state);
  }

  async #listPages(): Promise<void> {
    this.#beginListing();
    for await (const page of this.#pages.pages(this.#stopping.signal)) {
      for (const object of page.items) {
        await this.#handler.room();
        if (this.#isStopped) return;
        this.#take(object);
      }
      if (page.resourceVersion !== undefined) this.#completeListing(page.resourceVersion);
    }
  }

  #beginListing(): void {
    this.#seen = new Set();
    this.#handler.listingBegan();
  }

  #completeListing(resourceVersion: string): void {
    const seen = this.#seen ?? new Set();
    this.#seen = undefined;
    for (const key of [...this.#known.keys()]) if (!seen.has(key)) this.#lose(key);
    this.#resourceVersion = resourceVersion;
    this.#failures = 0;
    this.#brokenStreams = 0;
    this.#handler.listingComplete();
    this.#setState({ kind: 'live' });
  }

  /** Watches from where it was, or lists by stream and goes on watching. Returns at a clean end. */
  async #watch(): Promise<void> {
    const isListing = this.#resourceVersion === '';
    const attempt = new AbortController();
    const signal = AbortSignal.any([this.#stopping.signal, attempt.signal]);
    const isIdle = { tooLong: false };
    const giveUp = () => {
      isIdle.tooLong = true;
      attempt.abort();
    };
    let idle = setTimeout(giveUp, this.#timing.inactivityMs);
    try {
      const stream = await this.#options.client.stream({
        method: 'GET',
        path: this.#watchPath(isListing),
        verb: 'watch',
        resource: this.#options.collection.resource,
        accept: this.#accept(),
        signal,
      });
      if (isListing) this.#beginListing();
      else this.#setState({ kind: 'live' });
      const alive = async function* (chunks: AsyncIterable<Buffer>, onChunk: () => void) {
        for await (const chunk of chunks) {
          onChunk();
          yield chunk;
        }
      };
      const onChunk = () => {
        clearTimeout(idle);
        idle = setTimeout(giveUp, this.#seen === undefined ? this.#timing.inactivityMs : this.#timing.listInactivityMs);
      };
      for await (const line of lines(alive(stream.body, onChunk), maximumLineBytes)) {
        if (this.#isStopped) return;
        this.#event(line);
      }
    } catch (error) {
      if (!isIdle.tooLong || this.#isStopped) throw error;
      if (!isListing || this.#seen === undefined) return; // silent for too long: watch again from where it was
    } finally {
      clearTimeout(idle);
    }
    if (isListing && this.#seen !== undefined) this.#streamBrokeOff();
  }

  /** A streaming list ended before its closing bookmark: the server ignores the parameter, or was in trouble. */
  #streamBrokeOff(): never {
    this.#seen = undefined;
    this.#brokenStreams += 1;
    if (this.#brokenStreams >= patience) this.#canStream = false;
    throw new KubeError({ status: 0, reason: 'BrokenStream', message: 'the streaming list ended before it was complete' });
  }

  #watchPath(isListing: boolean): string {
    const { collection, labelSelector, fieldSelector, random } = this.#options;
    const timeoutSeconds = Math.round(this.#timing.watchSeconds * (0.9 + random() / 5));
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

  #event(line: Buffer): void {
    const event = asWatchEvent(parseRecord(line));
    if (event === undefined) return this.#malformed(line);
    this.#malformedLines = 0;
    switch (event.type) {
      case 'ADDED':
      case 'MODIFIED':
        this.#take(event.object);
        break;
      case 'DELETED':
        this.#lose(keyOf(event.object));
        break;
      case 'BOOKMARK':
        if (this.#seen !== undefined && isInitialEventsEnd(event.object)) {
          return this.#completeListing(event.object.metadata.resourceVersion);
        }
        break;
      default:
        throw KubeError.fromStatus(event.object);
    }
    if (this.#seen === undefined) this.#resourceVersion = event.object.metadata.resourceVersion;
  }

  /** The stream is out of step: resume from the last good event; when that does not help, list anew. */
  #malformed(line: Buffer): never {
    this.#malformedLines += 1;
    if (this.#malformedLines >= patience) {
      this.#malformedLines = 0;
      this.#resourceVersion = '';
    }
    this.#seen = undefined;
    const message = `a line of ${line.length} bytes is no watch event`;
    this.#handler.malformed(message);
    throw new KubeError({ status: 0, reason: 'Malformed', message });
  }

  #take(object: KubeObject): void {
    const key = keyOf(object);
    this.#seen?.add(key);
    if (this.#known.get(key) === object.metadata.resourceVersion) return;
    this.#known.set(key, object.metadata.resourceVersion);
    this.#handler.object(object);
  }

  #lose(key: string): void {
    this.#seen?.delete(key);
    if (!this.#known.delete(key)) return;
    const slash = key.indexOf('/');
    this.#handler.gone(key.slice(0, slash), key.slice(slash + 1));
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#stopping;
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      if (signal.aborted) done();
      else signal.addEventListener('abort', done);
    });
  }
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

function asWatchEvent(record: Record<string, unknown> | undefined): WatchEvent | undefined {
  if (typeof record?.['type'] !== 'string') return undefined;
  const object = record['object'];
  if (typeof object !== 'object' || object === null) return undefined;
  if (record['type'] === 'ERROR') return record as unknown as WatchEvent;
  const { metadata } = object as { metadata?: { resourceVersion?: unknown; name?: unknown } };
  if (typeof metadata?.resourceVersion !== 'string') return undefined;
  if (record['type'] !== 'BOOKMARK' && typeof metadata.name !== 'string') return undefined;
  return record as unknown as WatchEvent;
}

function isInitialEventsEnd(object: KubeObject): boolean {
  const annotations = object.metadata['annotations'] as Readonly<Record<string, unknown>> | undefined;
  return annotations?.['k8s.io/initial-events-end'] === 'true';
}

/** 1.33 answers 422 "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled", older ones 400. */
function isStreamingRefused(failure: KubeError): boolean {
  return failure.status === 400 || failure.status === 422;
}
