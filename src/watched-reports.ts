/**
 * One watched collection of reports: its informer, and what becomes of its objects. Where the API lists metadata only,
 * each object that is new or changed is read by itself; where the watch is weak, it is listed anew from time to time.
 */
import type { InformerOptions } from './kube/informer.ts';
import { Informer } from './kube/informer.ts';
import type { KubeObject } from './kube/kube-object.ts';
import { splitKey } from './kube/kube-object.ts';
import type { Clock } from './lib/clock.ts';
import { hash52 } from './lib/hash.ts';
import type { DirtyReports } from './pipeline/dirty-reports.ts';
import type { ReportEnd } from './pipeline/evidence.ts';
import type { PreferenceChange } from './pipeline/preferred-reports.ts';
import { PreferredReports } from './pipeline/preferred-reports.ts';
import type { ObjectKey } from './pipeline/report-table.ts';
import { objectKey, parseObjectKey } from './pipeline/report-table.ts';
import type { WorkQueue } from './pipeline/work-queue.ts';
import { reportKind } from './sources/report-kind.ts';
import type { OwnEnd, RawDocument, Standing } from './sources/source.ts';
import type { Reporter } from './telemetry/reporter.ts';

/** What is watched. */
export interface WatchedCollection {
  readonly group: string;
  readonly versions: readonly string[];
  /** Plural name in the API. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Only this namespace; undefined: all. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly isReadOneByOne?: boolean | undefined;
  readonly isAggregated?: boolean | undefined;
  readonly endsAs?: OwnEnd | undefined;
  readonly standing?: ((metadata: RawDocument) => Standing | undefined) | undefined;
  readonly speaksForOthers?: true | readonly string[] | undefined;
  /** What tells it from another selection of the same resource, in logs and metrics. */
  readonly selection?: string | undefined;
}

/** What takes the objects in. */
export interface DocumentIntake {
  /** Gives when the object is to be read again although nothing changed. */
  read(key: ObjectKey, namespace: string, document: RawDocument): Date | undefined;
  gone(key: ObjectKey): void;
}

export interface WatchedReportsParts {
  /** Whose records these are in the reconciler: a source, or all of ConfigMaps. */
  readonly owner: string;
  readonly collection: WatchedCollection;
  readonly intake: DocumentIntake;
  readonly informer: Pick<InformerOptions, 'client' | 'clock' | 'random' | 'timing'>;
  readonly queue: WorkQueue;
  readonly reporter: Reporter;
  readonly clock: Clock;
  readonly dirty: () => DirtyReports;
  /** How long until a weak watch is checked by a listing. */
  readonly relistMs: number;
  /** Whether objects of a namespace are read; absent: all are. */
  readonly isRead?: ((namespace: string) => boolean) | undefined;
  lookAgain(key: ObjectKey, at: Date | undefined): void;
  /** Its state, or what is known of it, changed. */
  changed(): void;
  /** An object is not read any more, and that alone ends what it said. */
  ended(): void;
}

export class WatchedReports {
  readonly owner: string;
  readonly collection: WatchedCollection;
  readonly kind: string;
  readonly #parts: WatchedReportsParts;
  readonly #informer: Informer;
  /** Objects that are known by their metadata only so far. */
  readonly #unread = new Set<ObjectKey>();
  /** Objects that were told while the queue had no room for what they say. */
  readonly #putOff = new Set<ObjectKey>();
  readonly #preferred = new PreferredReports();
  /** Which of several objects about one thing is read is only known once all are: these wait for the end of the listing. */
  readonly #heldBack = new Set<ObjectKey>();
  /** Hashes of the objects that are there, where their end is that of their findings. */
  readonly #there = new Set<number>();
  /** Hashes of those that others stand in for. */
  readonly #superseded = new Set<number>();
  #changedMs: number;
  #relist: NodeJS.Timeout | undefined;
  #isWidening = false;

  constructor(parts: WatchedReportsParts) {
    const { collection, clock } = parts;
    this.#parts = parts;
    this.owner = parts.owner;
    this.collection = collection;
    this.kind = reportKind(collection);
    this.#changedMs = clock.monotonicMs();
    this.#informer = this.#makeInformer();
  }

  get state(): Informer['state']['kind'] {
    return this.#informer.state.kind;
  }

  /** Monotonic milliseconds when the state last changed. */
  get changedMs(): number {
    return this.#changedMs;
  }

  /** Whether every object was listed, and read as far as the queue had room. */
  get isListed(): boolean {
    return this.#informer.isSynced && this.#unread.size === 0 && !this.#isWidening;
  }

  /** Whether what every object says is known. */
  get isRead(): boolean {
    return this.isListed && this.#putOff.size === 0;
  }

  /** Whether the object that a key names belongs to this collection. */
  covers(key: ObjectKey): boolean {
    const { group, kind, namespace } = parseObjectKey(key);
    const { collection } = this;
    return collection.group === group && collection.kind === kind && this.isWithin(namespace);
  }

  /** Whether objects of the namespace belong to this collection. */
  isWithin(namespace: string): boolean {
    return this.collection.namespace === undefined || this.collection.namespace === namespace;
  }

  has(namespace: string, name: string): boolean {
    return this.#informer.has(namespace, name);
  }

  /** Why what the object said is over by its own end; undefined where that is not known. `describer`: the hash of its key. */
  endOf(describer: number): ReportEnd | undefined {
    if (this.state !== 'live' || !this.#informer.isSynced) return undefined;
    if (this.#superseded.has(describer)) return 'folded';
    return this.#there.has(describer) ? undefined : this.collection.endsAs;
  }

  follow(served: Parameters<Informer['follow']>[0]): void {
    void this.#informer.follow(served);
  }

  retell(): void {
    this.#informer.retell();
  }

  /** More is to be read than before: what is known is not all, until widen() was called and listed it. */
  beginWidening(): void {
    this.#isWidening = true;
    this.#parts.changed();
  }

  /** Lists what is read now. What all read is told again, since more of it means something. */
  widen(): void {
    this.#isWidening = false;
    void this.#informer.widen(this.#parts.isRead === undefined);
  }

  /** Forgets what is not read any more, and gives its keys. */
  narrow(): ObjectKey[] {
    if (this.#parts.isRead === undefined) return [];
    const keys = this.#informer.narrow((key) => this.isUnread(splitKey(key).namespace));
    return keys.map((key) => {
      const { namespace, name } = splitKey(key);
      return this.#drop(this.#keyOf(namespace, name));
    });
  }

  /** Whether objects of the namespace are not read. */
  isUnread(namespace: string): boolean {
    return this.#parts.isRead?.(namespace) === false;
  }

  /** Reads an object anew; undefined when it is gone. */
  async reread(key: ObjectKey): Promise<RawDocument | undefined> {
    const { namespace, name } = parseObjectKey(key);
    const object = await this.#informer.get(namespace, name);
    return object === undefined ? undefined : this.#document(object);
  }

  /** Takes in what was read anew; undefined: it is gone. */
  take(key: ObjectKey, document: RawDocument | undefined): void {
    const { intake, lookAgain } = this.#parts;
    const { namespace } = parseObjectKey(key);
    if (this.isUnread(namespace)) return;
    if (document === undefined) intake.gone(key);
    const at = document === undefined ? undefined : intake.read(key, namespace, document);
    lookAgain(key, at);
    this.#needNotRead(key);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#relist);
    await this.#informer.stop();
  }

  #makeInformer(): Informer {
    const { collection, informer, reporter, queue, isRead } = this.#parts;
    const { isReadOneByOne } = collection;
    const label = labelOf(collection);
    const made = new Informer(
      { ...informer, ...collection, shape: isReadOneByOne === true ? 'metadata' : 'full' },
      {
        listingBegan: () => {},
        object: (object) => this.#told(object),
        gone: (objectNamespace, name) => this.#gone(objectNamespace, name),
        listingComplete: () => {
          this.#readHeldBack();
          this.#relistLater();
          this.#parts.changed();
        },
        stateChanged: (state) => {
          this.#changedMs = this.#parts.clock.monotonicMs();
          reporter.informerChanged(label, state);
          this.#parts.changed();
        },
        malformed: (message) => reporter.malformedLine(label, message),
        corrected: (cause, keys) => reporter.relistCorrected(label, cause, keys),
        room: () => queue.room(),
        isWanted: isRead === undefined ? undefined : (head) => isRead(head.namespace),
        isStillWanted: ({ metadata }) => !this.isUnread(metadata.namespace ?? ''),
      },
    );
    reporter.watch(label, made);
    return made;
  }

  #told(object: KubeObject): void {
    const { namespace, name } = object.metadata;
    const key = this.#keyOf(namespace, name);
    const { isReadOneByOne, standing, endsAs } = this.collection;
    this.#parts.dirty().forget(key);
    if (endsAs !== undefined) this.#there.add(hash52(key));
    if (isReadOneByOne === true) this.#prefer(this.#preferred.told(key, standing?.({ ...object.metadata })));
    else if (this.#mustWait) this.#putOffReading(key);
    else this.take(key, this.#document(object));
  }

  /** A listing that comes as a watch cannot wait for room in the queue: what there is none for is read once there is. */
  get #mustWait(): boolean {
    return !this.#informer.isSynced && this.#parts.queue.isFull;
  }

  #putOffReading(key: ObjectKey): void {
    this.#putOff.add(key);
    this.#parts.dirty().add(key, 0);
    this.#parts.reporter.readLater('queue-full');
  }

  #gone(namespace: string, name: string): void {
    const key = this.#keyOf(namespace, name);
    this.#parts.dirty().forget(key);
    this.#superseded.delete(hash52(key));
    this.take(key, undefined);
    this.#prefer(this.#preferred.gone(key));
    if (this.#there.delete(hash52(key))) this.#parts.ended();
  }

  #drop(key: ObjectKey): ObjectKey {
    this.#parts.dirty().forget(key);
    this.#parts.lookAgain(key, undefined);
    this.#needNotRead(key);
    this.#there.delete(hash52(key));
    return key;
  }

  #needNotRead(key: ObjectKey): void {
    for (const keys of [this.#unread, this.#putOff]) if (keys.delete(key) && keys.size === 0) this.#parts.changed();
  }

  /** Reads what is to be read, in its turn, and forgets what is not. */
  #prefer({ read, drop }: PreferenceChange): void {
    const dirty = this.#parts.dirty();
    for (const key of drop) {
      dirty.forget(key);
      this.#superseded.add(hash52(key));
      this.take(key, undefined);
      this.#parts.ended();
    }
    const mustWait = this.collection.standing !== undefined && !this.#informer.isSynced;
    for (const key of read) {
      this.#superseded.delete(hash52(key));
      this.#unread.add(key);
      if (mustWait) this.#heldBack.add(key);
      else dirty.add(key, 0);
    }
  }

  #readHeldBack(): void {
    for (const key of this.#heldBack) if (this.#unread.has(key)) this.#parts.dirty().add(key, 0);
    this.#heldBack.clear();
  }

  #keyOf(namespace: string | undefined, name: string): ObjectKey {
    const { group, kind } = this.collection;
    return objectKey({ apiVersion: `${group}/`, kind, name, ...(namespace ? { namespace } : {}) });
  }

  #document(object: KubeObject): RawDocument {
    return { kind: this.collection.kind, ...object };
  }

  #relistLater(): void {
    if (this.collection.isAggregated !== true) return;
    const { relistMs, informer } = this.#parts;
    clearTimeout(this.#relist);
    this.#relist = setTimeout(() => this.#informer.relist(), relistMs * (0.9 + informer.random() / 5));
    this.#relist.unref();
  }
}

/** `configmaps in zen-system by app` */
function labelOf({ resource, group, namespace, selection }: WatchedCollection): string {
  const where = namespace === undefined ? '' : ` in ${namespace}`;
  return `${resource}${group === '' ? '' : `.${group}`}${where}${selection === undefined ? '' : ` by ${selection}`}`;
}
