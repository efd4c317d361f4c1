/** The informers of all sources, each feeding its intake: where src/kube and src/pipeline meet for input. */
import type { ServedResources } from './kube/discovery.ts';
import type { InformerOptions } from './kube/informer.ts';
import { Informer } from './kube/informer.ts';
import type { Clock } from './lib/clock.ts';
import type { Books } from './pipeline/books.ts';
import type { DirtyReports } from './pipeline/dirty-reports.ts';
import { Intake } from './pipeline/intake.ts';
import type { KindState } from './pipeline/lifecycle.ts';
import type { Reconciler } from './pipeline/reconciler.ts';
import type { ObjectKey } from './pipeline/report-table.ts';
import { objectKey, parseObjectKey } from './pipeline/report-table.ts';
import type { WorkQueue } from './pipeline/work-queue.ts';
import { resourceIntakes } from './sources/intakes.ts';
import { reportKind } from './sources/report-kind.ts';
import type { RawDocument, ReadContext, ResourceIntake, Source } from './sources/source.ts';
import type { Reporter } from './telemetry/reporter.ts';

export interface ReportInformersParts {
  readonly sources: readonly Source[];
  readonly informer: Pick<InformerOptions, 'client' | 'clock' | 'random' | 'timing'>;
  readonly reconciler: Reconciler;
  readonly books: Books;
  readonly queue: WorkQueue;
  readonly dirty: () => DirtyReports;
  readonly reporter: Reporter;
  readonly clock: Clock;
  /** What the configuration says to the formats of a source. */
  context(source: string): Pick<ReadContext, 'isOn' | 'isTrusted'>;
}

interface Watched {
  readonly source: Source;
  readonly resource: ResourceIntake;
  readonly informer: Informer;
  readonly intake: Intake;
  /** Monotonic milliseconds when its state last changed. */
  changedMs: number;
}

export class ReportInformers {
  readonly #parts: ReportInformersParts;
  readonly #watched: readonly Watched[];
  readonly #startedMs: number;

  constructor(parts: ReportInformersParts) {
    this.#parts = parts;
    this.#startedMs = parts.clock.monotonicMs();
    this.#watched = parts.sources.flatMap((source) =>
      resourceIntakes(source).map((resource) => this.#watch(source, resource)),
    );
  }

  /** True when every informer has told a whole listing, or is known to have none to tell. */
  get isSettled(): boolean {
    return this.#watched.every(
      ({ informer }) => informer.isSynced || ['absent', 'forbidden'].includes(informer.state.kind),
    );
  }

  /** True when what all reports say is known, but for those that cannot be read at all. */
  get isRead(): boolean {
    const { sources, reconciler } = this.#parts;
    return sources.every(
      ({ name }) =>
        reconciler.isSettled(name) ||
        !this.#watched.some(({ source }) => source.name === name) ||
        this.#watched.some(({ source, informer }) => source.name === name && informer.state.kind === 'forbidden'),
    );
  }

  /** Whether the cluster serves any resource of the source. */
  isServed(source: string): boolean {
    return this.#watched.some(
      (one) => one.source.name === source && !['absent', 'starting'].includes(one.informer.state.kind),
    );
  }

  /**
   * Whether the reports of a kind can be seen. What no source reads (any more) is gone since the start of the process:
   * nobody watched before.
   */
  kindState(kind: string): KindState {
    const watched = this.#watched.find(({ resource }) => reportKind(resource) === kind);
    if (watched === undefined) return { kind: 'gone', sinceMs: this.#startedMs };
    const { informer, source, changedMs } = watched;
    switch (informer.state.kind) {
      case 'absent':
        return { kind: 'gone', sinceMs: changedMs };
      case 'forbidden':
      case 'stale':
        return { kind: 'silent', sinceMs: changedMs };
      default:
        return { kind: this.#parts.reconciler.isSettled(source.name) ? 'listed' : 'listing' };
    }
  }

  /** Starts and stops informers by what the server serves. */
  follow(served: ServedResources): void {
    for (const { informer } of this.#watched) void informer.follow(served);
  }

  /** Has every report read again, from one listing each, and not one request per report. */
  retell(): void {
    for (const { informer } of this.#watched) informer.retell();
  }

  /** Reads a report anew; undefined when it is gone. */
  async reread(key: ObjectKey): Promise<RawDocument | undefined> {
    const { namespace, name } = parseObjectKey(key);
    const { informer, resource } = this.#find(key);
    const object = await informer.get(namespace, name);
    return object === undefined ? undefined : { kind: resource.kind, ...object };
  }

  /** Takes in what was read anew. */
  take(key: ObjectKey, document: RawDocument | undefined): void {
    const { intake } = this.#find(key);
    if (document === undefined) intake.gone(key);
    else intake.read(key, parseObjectKey(key).namespace, document);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#watched.map(({ informer }) => informer.stop()));
  }

  #watch(source: Source, resource: ResourceIntake): Watched {
    const { reporter, reconciler, books, clock, queue } = this.#parts;
    const label = `${resource.resource}.${resource.group}`;
    const keyOf = (namespace: string | undefined, name: string): ObjectKey =>
      objectKey({ apiVersion: `${resource.group}/`, kind: resource.kind, name, ...(namespace ? { namespace } : {}) });
    const intake = new Intake({
      source: source.name,
      format: resource.format,
      context: this.#parts.context(source.name),
      reconciler,
      books,
      clock,
      rejected: (key, rejection) => reporter.rejected(source.name, key, rejection),
    });
    const informer = new Informer(
      { ...this.#parts.informer, ...resource, shape: 'full' },
      {
        listingBegan: () => {},
        object: (object) => {
          const { namespace, name } = object.metadata;
          const key = keyOf(namespace, name);
          this.#parts.dirty().forget(key);
          intake.read(key, namespace ?? '', { kind: resource.kind, ...object });
        },
        gone: (namespace, name) => {
          const key = keyOf(namespace, name);
          this.#parts.dirty().forget(key);
          intake.gone(key);
        },
        listingComplete: () => this.#settle(source),
        stateChanged: (state) => {
          watched.changedMs = clock.monotonicMs();
          reporter.informerChanged(label, state);
          this.#settle(source);
        },
        malformed: (message) => reporter.malformedLine(label, message),
        room: () => queue.room(),
      },
    );
    reporter.watch(label, informer);
    const watched: Watched = { source, resource, informer, intake, changedMs: clock.monotonicMs() };
    return watched;
  }

  /** Absence means something once everything that the source has on the server was listed. */
  #settle(source: Source): void {
    const isSettled = this.#watched
      .filter((one) => one.source === source)
      .every(({ informer }) => informer.isSynced || informer.state.kind === 'absent');
    this.#parts.reconciler.setSettled(source.name, isSettled);
  }

  #find(key: ObjectKey): Watched {
    const { group, kind } = parseObjectKey(key);
    const found = this.#watched.find(({ resource }) => resource.group === group && resource.kind === kind);
    if (found === undefined) throw new Error(`no source reads ${kind}.${group}`);
    return found;
  }
}
