/**
 * Everything that is read from the API server, in the order in which it must be known:
 *
 *   discovery -> own events, Namespaces -> Pods -> reports
 *
 * Each decides by what came before it. The tools' resources come and go with what the server serves.
 */
import type { CoreInformersParts } from './core-informers.ts';
import { eventInformer, namespaceInformer, podInformers } from './core-informers.ts';
import type { ServedResources } from './kube/discovery.ts';
import { Discovery } from './kube/discovery.ts';
import type { Informer } from './kube/informer.ts';
import { splitKey } from './kube/kube-object.ts';
import { DirtyReports } from './pipeline/dirty-reports.ts';
import type { KindState } from './pipeline/lifecycle.ts';
import { PolicyInformers } from './policy-informers.ts';
import type { ReportInformersParts } from './report-informers.ts';
import { ReportInformers } from './report-informers.ts';

export interface InputsParts
  extends CoreInformersParts,
    Omit<ReportInformersParts, 'informer' | 'dirty' | 'reportEnded'> {
  /** Between two looks at what the server serves. */
  readonly discoveryMs: number;
  /** A policy was deleted, or an object that speaks for itself: what it found may be over. */
  policyGone(): void;
}

export class Inputs {
  readonly #parts: InputsParts;
  readonly #discovery: Discovery;
  readonly #events: Informer;
  readonly #pods: readonly Informer[];
  readonly #namespaces: Informer | undefined;
  readonly #policies: PolicyInformers;
  readonly #reports: ReportInformers;
  readonly #dirty: DirtyReports;
  #served: ServedResources = new Map();
  #isOpen = false;
  #isStopped = false;
  #wasSynced = false;
  readonly #opened = Promise.withResolvers<void>();

  constructor(parts: InputsParts) {
    const { informing, reporter } = parts;
    const { client, random } = informing;
    this.#parts = parts;
    this.#reports = new ReportInformers({
      ...parts,
      reportEnded: () => parts.policyGone(),
      informer: informing,
      dirty: () => this.#dirty,
    });
    this.#dirty = new DirtyReports({
      queue: parts.queue,
      clock: parts.clock,
      random,
      reread: (key) => this.#reports.reread(key),
      take: (key, document) => this.#reports.take(key, document),
      failed: (key, error) => reporter.rereadFailed(key, error),
    });
    // Policies of the whole cluster would have to be known: in some namespaces they say nothing.
    const sources = parts.watchNamespaces === undefined ? parts.sources : [];
    this.#policies = new PolicyInformers({ ...parts, sources, informer: informing });
    this.#events = eventInformer(parts);
    this.#pods = podInformers(parts, parts.watchNamespaces);
    // They can only be listed in the whole cluster.
    this.#namespaces = parts.watchNamespaces === undefined ? namespaceInformer(parts) : undefined;
    this.#discovery = new Discovery(
      { client, random, intervalMs: parts.discoveryMs },
      {
        changed: (served) => this.#follow(served),
        failed: (message) => reporter.serverUnreachable(message),
        recovered: () => reporter.serverReached(),
      },
    );
  }

  /** Own events, Namespaces and Pods were listed once: what is sent can be judged. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Everything was listed once. */
  get isSynced(): boolean {
    this.#wasSynced ||= this.#isOpen && this.#events.isSynced && this.#reports.isSettled;
    return this.#wasSynced;
  }

  /** What is on the server is known at this moment: while it does not answer, nothing is known to be away. */
  get isLive(): boolean {
    return this.isSynced && this.#events.state.kind === 'live';
  }

  /** What all reports say is known, but for those that cannot be read at all. */
  get isRead(): boolean {
    return this.#reports.isRead;
  }

  /** How many reports wait to be read again. */
  get dirtyReports(): number {
    return this.#dirty.size;
  }

  start(): void {
    this.#discovery.start();
    void this.#open();
  }

  /** Nothing more comes in but our own events, which the writer still needs. */
  async stopReports(): Promise<void> {
    this.#isStopped = true;
    this.#discovery.stop();
    this.#dirty.stop();
    const core = [...this.#pods, this.#namespaces].map((informer) => informer?.stop());
    await Promise.all([this.#reports.stop(), this.#policies.stop(), ...core]);
  }

  /** After stopReports(). */
  async stopEvents(): Promise<void> {
    await this.#events.stop();
  }

  /** Resolves when own events, Namespaces and Pods were listed once. */
  opened(): Promise<void> {
    return this.#opened.promise;
  }

  /**
   * More shards are read from now on: own events first, then Pods, then reports. Resolves when what reports are judged by is
   * known, and their listings began.
   */
  async widen(): Promise<void> {
    this.#reports.beginWidening();
    await this.#events.widen(false);
    const { sources, needsAllPods } = this.#parts;
    const needsPods = sources.some((source) => source.needsPods) && !needsAllPods;
    if (needsPods) await Promise.all(this.#pods.map((pods) => pods.widen(false)));
    this.#reports.widen();
  }

  /** Fewer shards are read from now on: forgets which reports of the others are there. Gives their keys. */
  narrowReports(): string[] {
    const { shards, needsAllPods, pods } = this.#parts;
    const isUnread = (key: string) => !shards.readsNamespace(splitKey(key).namespace);
    for (const informer of needsAllPods ? [] : this.#pods) {
      for (const key of informer.narrow(isUnread)) {
        const { namespace, name } = splitKey(key);
        pods.forget(namespace, name);
      }
    }
    return this.#reports.narrow();
  }

  /** The same of own events, once those were forgotten that nothing here is about. */
  narrowEvents(): void {
    this.#events.narrow((key) => !this.#parts.own.isHeard(splitKey(key).name));
  }

  /** Whether the report is not read any more. */
  isUnread(key: string): boolean {
    return this.#reports.isUnread(key);
  }

  /** Has every report read again. */
  retell(): void {
    this.#reports.retell();
  }

  /** Has everything read again that may hold signals. */
  retellSignals(): void {
    this.#reports.retellSignals();
  }

  /** Has one report read again, not before `afterMs`. */
  markDirty(key: string, afterMs: number): void {
    this.#dirty.add(key, afterMs);
  }

  kindState(kind: string): KindState {
    return this.#reports.kindState(kind);
  }

  /** Whether the cluster serves anything of the source. */
  isServed(source: string): boolean {
    return this.#reports.isServed(source);
  }

  endOfReport(...report: Parameters<ReportInformers['endOfReport']>): ReturnType<ReportInformers['endOfReport']> {
    return this.#reports.endOfReport(...report);
  }

  isPolicyGone(source: string, policy: string): boolean {
    return this.#policies.isGone(source, policy);
  }

  #follow(served: ServedResources): void {
    this.#served = served;
    void this.#events.follow(served);
    this.#policies.follow(served);
    if (this.#isOpen) this.#reports.follow(served);
  }

  async #open(): Promise<void> {
    await Promise.all([this.#events.synced(), listOnce(this.#namespaces)]);
    const needsPods = this.#parts.sources.some((source) => source.needsPods);
    if (needsPods && !this.#isStopped) await Promise.all(this.#pods.map(listOnce));
    this.#isOpen = true;
    this.#opened.resolve();
    if (!this.#isStopped) this.#reports.follow(this.#served);
  }
}

/** Starts an informer of a core resource; resolves when its first listing is complete, or known to be impossible. */
async function listOnce(informer: Informer | undefined): Promise<void> {
  await informer?.follow(undefined);
  await informer?.settled();
}
