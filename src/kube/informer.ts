/**
 * An informer: a reflector that lives while the server serves its collection. A tool's CRD may appear or vanish, or
 * change its versions, at any time.
 */
import type { Clock } from '../lib/clock.ts';
import { parseRecord } from '../lib/json.ts';
import type { KubeClient } from './client.ts';
import type { ServedResources } from './discovery.ts';
import { KubeError } from './kube-error.ts';
import type { KubeObject } from './kube-object.ts';
import { isKubeObject } from './kube-object.ts';
import { listByName, malformedAnswer } from './list-by-name.ts';
import type { Collection } from './paths.ts';
import { pathOf } from './paths.ts';
import type { ReflectorHandler, ReflectorState, ReflectorTiming } from './reflector.ts';
import { Reflector } from './reflector.ts';
import { ToldObjects } from './told-objects.ts';

export interface InformerOptions {
  readonly client: KubeClient;
  readonly group: string;
  readonly resource: string;
  /** Versions that we can read, the preferred one first. */
  readonly versions: readonly string[];
  readonly namespaced: boolean;
  readonly namespace?: string | undefined;
  readonly shape: 'full' | 'metadata';
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** The API lists metadata only: an object is read by a GET of its own. */
  readonly isReadOneByOne?: boolean | undefined;
  /** Served by an aggregated API, whose watch may leave something out. */
  readonly isAggregated?: boolean | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly timing?: Partial<ReflectorTiming> | undefined;
}

/** starting: nothing is known yet. The rest are the reflector's. */
export type InformerState = { readonly kind: 'starting' } | ReflectorState;

/**
 * How a server says that it does not have a version, or knows nothing of such: 400, 410, and 504 for one that is yet to come
 * (a server that lags behind, or an etcd that was put back).
 */
const withoutThatVersion = new Set([400, 410, 504]);

export class Informer {
  readonly #options: InformerOptions;
  readonly #handler: ReflectorHandler;
  /** Outlives its reflectors: what was deleted while the collection was not served is told once it is again. */
  readonly #known = new Map<string, string>();
  /** What the server offers of what we can read. */
  #wanted: string | undefined;
  /** What the reflector watches. */
  #version: string | undefined;
  #moving: Promise<void> = Promise.resolve();
  #isStopped = false;
  #reflector: Reflector | undefined;
  #state: InformerState = { kind: 'starting' };
  #isSynced = false;
  readonly #synced = Promise.withResolvers<void>();
  readonly #settled = Promise.withResolvers<void>();
  /** Those who wait for a listing that began after they asked. */
  #awaiting: (() => void)[] = [];

  constructor(options: InformerOptions, handler: ReflectorHandler) {
    this.#options = options;
    this.#handler = handler;
  }

  get state(): InformerState {
    return this.#state;
  }

  /** True once a whole listing was told, until the collection vanishes. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** How many objects are known. */
  get size(): number {
    return this.#known.size;
  }

  /** Resolves at the first complete listing. */
  synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Resolves at the first complete listing, or when it is known that there can be none now (absent, forbidden). */
  settled(): Promise<void> {
    return this.#settled.promise;
  }

  /**
   * Starts, stops or restarts by what the server serves. `undefined` starts it whatever is served (core resources).
   * Calls that overlap take effect one after the other; the last one counts.
   */
  follow(served: ServedResources | undefined): Promise<void> {
    const { group, resource, versions } = this.#options;
    const offered = served === undefined ? versions : served.get(`${group}/${resource}`)?.versions;
    this.#wanted = versions.find((candidate) => offered?.includes(candidate));
    this.#moving = this.#moving.catch(() => {}).then(() => this.#move());
    return this.#moving;
  }

  /** Whether the object was told last as being there. */
  has(namespace: string, name: string): boolean {
    return this.#known.has(`${namespace}/${name}`);
  }

  /**
   * Reads one object anew; undefined when the server says that there is none that is watched. Throws KubeError when it
   * cannot be asked, which includes a collection that is not served: nobody knows whether its objects are gone. By a list
   * with the watch's own selectors: it needs no verb but `list`, and an object that left the selection is gone.
   */
  async get(namespace: string, name: string): Promise<KubeObject | undefined> {
    const { group, resource, namespaced, isReadOneByOne } = this.#options;
    if (this.#version === undefined) {
      throw new KubeError({ status: 0, reason: 'Absent', message: `${resource}.${group} is not served` });
    }
    const collection = { group, version: this.#version, resource, ...(namespaced ? { namespace } : {}) };
    return isReadOneByOne === true ? this.#getByName(collection, name) : this.#listByName(collection, name);
  }

  /** Nothing older than what was told of it is asked for, so that the server need not ask etcd: many may be read at a time. */
  async #listByName(collection: Collection, name: string): Promise<KubeObject | undefined> {
    const selection = { ...this.#options, collection };
    const resourceVersion = this.#known.get(`${collection.namespace ?? ''}/${name}`);
    // What an aggregated API makes of versions is its own.
    if (!resourceVersion || this.#options.isAggregated === true) return listByName(selection, name);
    try {
      return await listByName(selection, name, { resourceVersion, resourceVersionMatch: 'NotOlderThan' });
    } catch (error) {
      if (error instanceof KubeError && withoutThatVersion.has(error.status)) return listByName(selection, name);
      throw error;
    }
  }

  async #getByName(collection: Collection, name: string): Promise<KubeObject | undefined> {
    const { client, resource } = this.#options;
    const path = pathOf(collection, { name });
    try {
      const object = parseRecord((await client.request({ method: 'GET', path, verb: 'get', resource })).body);
      if (isKubeObject(object)) return object;
      throw malformedAnswer(path, 'object');
    } catch (error) {
      if (error instanceof KubeError && error.status === 404 && error.target?.name === name) return undefined;
      throw error;
    }
  }

  /** Has everything told again, from one new listing; what is not served now, once it is. */
  retell(): void {
    if (this.#reflector === undefined) new ToldObjects(this.#known).forgetVersions();
    else this.#reflector.retell();
  }

  /** Lists anew what is watched, and tells what the watch did not. */
  relist(): void {
    this.#reflector?.relist();
  }

  /**
   * Lists anew for a handler that wants more than before: until that listing is complete, it is not synced. Resolves then, or
   * when it is known that there can be none now. `isToldAgain`: also what was told already.
   */
  widen(isToldAgain: boolean): Promise<void> {
    this.#isSynced = false;
    if (isToldAgain) this.retell();
    else this.#reflector?.widen();
    if (this.#state.kind === 'absent' || this.#state.kind === 'forbidden') return Promise.resolve();
    return new Promise((resolve) => this.#awaiting.push(resolve));
  }

  /** Forgets those of which the handler does not want to hear any more. Gives their keys, `namespace/name`. */
  narrow(isUnwanted: (key: string) => boolean): string[] {
    return new ToldObjects(this.#known).forgetAll(isUnwanted);
  }

  /** Ends it for good. Resolves when nothing more will be told. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#version = undefined;
    await this.#reflector?.stop();
    await this.#moving;
  }

  async #move(): Promise<void> {
    const version = this.#wanted;
    if (this.#isStopped || (version !== undefined && version === this.#version)) return;
    this.#version = version;
    await this.#reflector?.stop();
    this.#reflector = undefined;
    if (this.#isStopped) return;
    const { client, group, resource, namespace, shape, clock, random, timing } = this.#options;
    const { labelSelector, fieldSelector, isAggregated } = this.#options;
    if (version === undefined) {
      this.#isSynced = false;
      this.#change({ kind: 'absent', message: `${resource}.${group} is not served` });
      return;
    }
    const collection = { group, version, resource, namespace };
    this.#reflector = new Reflector(
      {
        client,
        collection,
        shape,
        clock,
        random,
        known: this.#known,
        isAggregated,
        ...(labelSelector === undefined ? {} : { labelSelector }),
        ...(fieldSelector === undefined ? {} : { fieldSelector }),
        ...(timing === undefined ? {} : { timing }),
      },
      this.#watched(),
    );
    this.#reflector.start();
  }

  #change(state: InformerState): void {
    if (this.#state.kind === state.kind) return;
    this.#state = state;
    if (state.kind === 'starting') return;
    this.#handler.stateChanged(state);
    if (state.kind !== 'stale') this.#settled.resolve();
    if (state.kind === 'absent' || state.kind === 'forbidden') this.#tellAwaiting();
  }

  #tellAwaiting(): void {
    const awaiting = this.#awaiting;
    this.#awaiting = [];
    for (const resolve of awaiting) resolve();
  }

  #watched(): ReflectorHandler {
    const handler = this.#handler;
    return {
      listingBegan: () => handler.listingBegan(),
      object: (object) => handler.object(object),
      gone: (namespace, name) => handler.gone(namespace, name),
      malformed: (message) => handler.malformed(message),
      corrected: (cause, keys) => handler.corrected?.(cause, keys),
      room: () => handler.room(),
      ...(handler.isKnown === undefined ? {} : { isKnown: (head) => handler.isKnown?.(head) === true }),
      shown: (head) => handler.shown?.(head),
      isWanted: handler.isWanted,
      isStillWanted: handler.isStillWanted,
      listingComplete: (resourceVersion) => {
        this.#isSynced = true;
        this.#synced.resolve();
        this.#tellAwaiting();
        handler.listingComplete(resourceVersion);
      },
      stateChanged: (state) => this.#change(state),
    };
  }
}
