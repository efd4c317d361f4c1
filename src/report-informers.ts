/** The informers of all sources and of ConfigMaps, each feeding its intake: where src/kube and src/pipeline meet for input. */
import { configMapCollections, configMapOwner } from './config-map-collections.ts';
import type { ServedResources } from './kube/discovery.ts';
import type { InformerOptions } from './kube/informer.ts';
import type { Clock } from './lib/clock.ts';
import type { Books } from './pipeline/books.ts';
import { ConfigMapIntake } from './pipeline/config-map-intake.ts';
import type { DirtyReports } from './pipeline/dirty-reports.ts';
import type { ReportEnd } from './pipeline/evidence.ts';
import { Intake } from './pipeline/intake.ts';
import type { KindState } from './pipeline/lifecycle.ts';
import { LookAgain } from './pipeline/look-again.ts';
import type { Reconciler } from './pipeline/reconciler.ts';
import type { ObjectKey } from './pipeline/report-table.ts';
import { parseObjectKey } from './pipeline/report-table.ts';
import type { Shards } from './pipeline/shards.ts';
import type { WorkQueue } from './pipeline/work-queue.ts';
import { resourceIntakes } from './sources/intakes.ts';
import { hasSignals } from './sources/natures.ts';
import type { Format, GroupIntake, RawDocument, ReadContext, Source } from './sources/source.ts';
import type { Reporter } from './telemetry/reporter.ts';
import type { DocumentIntake, WatchedCollection } from './watched-reports.ts';
import { WatchedReports } from './watched-reports.ts';

export interface ReportInformersParts {
  readonly sources: readonly Source[];
  /** The only namespaces whose reports are looked at, and none of the cluster's; undefined: all. */
  readonly watchNamespaces: readonly string[] | undefined;
  /** Namespaces whose ConfigMaps are looked at. */
  readonly configMapNamespaces: readonly string[];
  readonly informer: Pick<InformerOptions, 'client' | 'clock' | 'random' | 'timing'>;
  readonly reconciler: Reconciler;
  readonly shards: Shards;
  readonly books: Books;
  readonly queue: WorkQueue;
  readonly dirty: () => DirtyReports;
  readonly reporter: Reporter;
  readonly clock: Clock;
  /** How long until a weak watch is checked by a listing. */
  readonly relistMs?: number | undefined;
  /** An object is gone, and what it said with it. */
  reportEnded(): void;
  /** What the configuration says to the formats of a source. */
  context(source: string): Omit<ReadContext, 'now' | 'carrier'>;
}

const defaultRelistMs = 30 * 60_000;

export class ReportInformers {
  readonly #parts: ReportInformersParts;
  readonly #watched: WatchedReports[] = [];
  readonly #configMaps: ConfigMapIntake;
  /** Groups of which every resource is watched, with what reads them. */
  readonly #groups: { readonly source: Source; readonly intake: GroupIntake }[] = [];
  readonly #lookAgain: LookAgain;
  readonly #startedMs: number;

  constructor(parts: ReportInformersParts) {
    const { clock, sources } = parts;
    this.#parts = parts;
    this.#startedMs = clock.monotonicMs();
    this.#configMaps = new ConfigMapIntake({
      ...parts,
      owner: configMapOwner,
      contextOf: parts.context,
      rejected: (source, key, rejection) => parts.reporter.rejected(source, key, rejection),
      reread: (key) => parts.dirty().add(key, 0),
    });
    this.#lookAgain = new LookAgain({ clock, due: (key) => parts.dirty().add(key, 0) });
    for (const source of sources) {
      for (const resource of resourceIntakes(source)) this.#watchSource(source, resource, resource.format);
      for (const intake of source.intakes) if (intake.via === 'group') this.#groups.push({ source, intake });
    }
    this.#watchConfigMaps();
  }

  /** True when every informer has told a whole listing, or is known to have none to tell. What is put off may still be unread. */
  get isSettled(): boolean {
    return this.#watched.every(({ isListed, state }) => isListed || state === 'absent' || state === 'forbidden');
  }

  /** True when what all reports say is known, but for those that cannot be read at all. */
  get isRead(): boolean {
    const owners = new Set(this.#watched.map(({ owner }) => owner));
    return [...owners].every(
      (owner) =>
        this.#parts.reconciler.isSettled(owner) ||
        this.#watched.some((one) => one.owner === owner && one.state === 'forbidden'),
    );
  }

  /** Whether the cluster has anything of the source: a resource of it is served, or a ConfigMap holds a report of it. */
  isServed(source: string): boolean {
    return (
      this.#watched.some((one) => one.owner === source && one.state !== 'absent' && one.state !== 'starting') ||
      this.#configMaps.holds(source)
    );
  }

  /**
   * Whether the reports of a kind can be seen. What no source reads (any more) is gone since the start of the process:
   * nobody watched before. Of several collections of a kind (ConfigMaps of namespaces) one that can be seen is enough,
   * once the others were tried.
   */
  kindState(kind: string): KindState {
    const watched = this.#watched.filter((one) => one.kind === kind);
    const [first] = watched;
    if (first === undefined) return { kind: 'gone', sinceMs: this.#startedMs };
    const sinceMs = Math.max(...watched.map(({ changedMs }) => changedMs));
    if (watched.every(({ state }) => state === 'absent')) return { kind: 'gone', sinceMs };
    if (watched.every(({ state }) => ['absent', 'forbidden', 'stale'].includes(state)))
      return { kind: 'silent', sinceMs };
    return { kind: this.#parts.reconciler.isSettled(first.owner) ? 'listed' : 'listing' };
  }

  /**
   * Why what an object said is over by its own end. A kind that users made and that is not served any more, while others of
   * its group are, took its objects along; where none is served the tool is gone, which proves nothing.
   */
  endOfReport(kind: string, describer: number, namespace: string): ReportEnd | undefined {
    const watched = this.#watched.find((one) => one.kind === kind && one.isWithin(namespace));
    if (watched !== undefined && watched.state !== 'absent') return watched.endOf(describer);
    const made = this.#groups.find(({ intake }) => kind.startsWith(`${intake.group}|`))?.intake;
    const hasOthers = this.#watched.some((one) => one.collection.group === made?.group && one.state === 'live');
    return hasOthers ? made?.endsAs : undefined;
  }

  /** Starts and stops informers by what the server serves. */
  follow(served: ServedResources): void {
    this.#discover(served);
    for (const one of this.#watched) one.follow(one.collection.group === '' ? undefined : served);
  }

  /** Has every report read again, from one listing each, and not one request per report. */
  retell(): void {
    for (const one of this.#watched) one.retell();
  }

  /** The same of what may hold signals: a ConfigMap may hold alerts. */
  retellSignals(): void {
    const owners = new Set([configMapOwner, ...this.#parts.sources.filter(hasSignals).map(({ name }) => name)]);
    for (const one of this.#watched) if (owners.has(one.owner)) one.retell();
  }

  /** More shards are read from now on: nothing is complete until widen() was called. */
  beginWidening(): void {
    for (const one of this.#watched) one.beginWidening();
  }

  /** Lists what is read now. */
  widen(): void {
    for (const one of this.#watched) one.widen();
  }

  /** Forgets what is not read any more, and gives its keys. */
  narrow(): ObjectKey[] {
    return this.#watched.flatMap((one) => one.narrow());
  }

  /** Whether the object is not read any more. */
  isUnread(key: ObjectKey): boolean {
    const { namespace } = parseObjectKey(key);
    const covering = this.#watched.filter((one) => one.covers(key));
    return covering.length > 0 && covering.every((one) => one.isUnread(namespace));
  }

  /** Reads a report anew; undefined when it is gone. */
  reread(key: ObjectKey): Promise<RawDocument | undefined> {
    return this.#find(key).reread(key);
  }

  /** Takes in what was read anew. */
  take(key: ObjectKey, document: RawDocument | undefined): void {
    this.#find(key).take(key, document);
  }

  async stop(): Promise<void> {
    this.#lookAgain.stop();
    await Promise.all(this.#watched.map((one) => one.stop()));
  }

  /** Kinds of a group appear when users make them; one that vanishes stays known as absent. */
  #discover(served: ServedResources): void {
    for (const { source, intake } of this.#groups) {
      for (const [key, { kind, namespaced, versions }] of served) {
        const [group = '', resource = ''] = key.split('/');
        const isWanted = group === intake.group && namespaced === intake.namespaced && kind !== '';
        if (!isWanted || !intake.versions.some((version) => versions.includes(version))) continue;
        if (this.#watched.some(({ collection }) => collection.group === group && collection.kind === kind)) continue;
        const { versions: known, endsAs } = intake;
        const speaksForOthers = true as const;
        const collection = { group, versions: known, resource, kind, namespaced, endsAs, speaksForOthers };
        this.#watchSource(source, collection, intake.format);
        this.#settle(source.name);
      }
    }
  }

  #watchSource(source: Source, collection: WatchedCollection, format: Format): void {
    const { reporter, reconciler, books, clock } = this.#parts;
    const intake = new Intake({
      source: source.name,
      format,
      context: this.#parts.context(source.name),
      reconciler,
      books,
      clock,
      rejected: (key, rejection) => reporter.rejected(source.name, key, rejection),
    });
    for (const within of this.#placesOf(collection)) this.#watch(source.name, { ...collection, ...within }, intake);
  }

  /** Where a collection is watched: everywhere, in the named namespaces, or nowhere. */
  #placesOf({ namespaced }: WatchedCollection): readonly { readonly namespace?: string }[] {
    const { watchNamespaces } = this.#parts;
    if (watchNamespaces === undefined) return [{}];
    return namespaced ? watchNamespaces.map((namespace) => ({ namespace })) : [];
  }

  #watchConfigMaps(): void {
    for (const { readers, collection } of configMapCollections(this.#parts.sources, this.#parts.configMapNamespaces)) {
      this.#watch(configMapOwner, collection, this.#configMaps.selection(readers));
    }
  }

  #watch(owner: string, collection: WatchedCollection, intake: DocumentIntake): void {
    const { informer, queue, reporter, clock, dirty, relistMs = defaultRelistMs } = this.#parts;
    const lookAgain = (key: ObjectKey, at: Date | undefined) => this.#lookAgain.set(key, at);
    const changed = () => this.#settle(owner);
    const { reportEnded: ended } = this.#parts;
    const isRead = this.#readingOf(owner, collection);
    const rest = { informer, queue, reporter, clock, dirty, relistMs, lookAgain, changed, ended, isRead };
    this.#watched.push(new WatchedReports({ owner, collection, intake, ...rest }));
  }

  /** Which namespaces of a collection are read, where those of other shards mean nothing here. */
  #readingOf(owner: string, { namespaced, speaksForOthers = [] }: WatchedCollection) {
    const { shards, context } = this.#parts;
    const isAboutAny = !namespaced || speaksForOthers === true || owner === configMapOwner;
    if (shards.count === 1 || isAboutAny || context(owner).isTrusted !== undefined) return undefined;
    return (namespace: string) => speaksForOthers.includes(namespace) || shards.readsNamespace(namespace);
  }

  /** Absence means something once everything that the owner has on the server was read. */
  #settle(owner: string): void {
    const isSettled = this.#watched
      .filter((one) => one.owner === owner)
      .every(({ isRead, state }) => isRead || state === 'absent');
    this.#parts.reconciler.setSettled(owner, isSettled);
  }

  /** Of several collections the one that has the object; else any, which will not find it. */
  #find(key: ObjectKey): WatchedReports {
    const found = this.#watched.filter((one) => one.covers(key));
    const { group, kind, namespace, name } = parseObjectKey(key);
    const holding = found.find((one) => one.has(namespace, name)) ?? found[0];
    if (holding === undefined) throw new Error(`no source reads ${kind}.${group}`);
    return holding;
  }
}
