/**
 * Reports that name Pods which are not in the Pod list. Such a Pod may only be late: the report waits for it once, then
 * the Pod's own name must do until it appears.
 */
import type { MarkDirty } from './holdings.ts';
import type { ReportObject, ReportTable } from './report-table.ts';

/** How long a Pod that a report names may take to appear. */
const podGraceMs = 3_000;

export class PodWaits {
  readonly #reports: ReportTable;
  readonly #markDirty: MarkDirty;
  /** namespace/name of Pods that reports named in vain -> hashes of those reports. */
  readonly #wanted = new Map<string, Set<number>>();
  /** Source -> hashes of its reports that wait. */
  readonly #waiting = new Map<string, Set<number>>();

  constructor(reports: ReportTable, markDirty: MarkDirty) {
    this.#reports = reports;
    this.#markDirty = markDirty;
  }

  /** How many Pods were named in vain. */
  get wantedPods(): number {
    return this.#wanted.size;
  }

  /** Whether any report of the source waits, so that what it says is not known yet. */
  hasAny(source: string): boolean {
    return this.#waiting.has(source);
  }

  /** Whether the report has to wait; then it is read again in time. */
  mustWait(object: ReportObject, unknownPods: ReadonlySet<string>, nowMs: number): boolean {
    this.#unregister(object);
    if (unknownPods.size === 0) {
      object.acceptedPods = [];
      this.#end(object);
      return false;
    }
    this.#register(object, unknownPods);
    if (object.podsDueMs === 0) {
      const accepted = new Set(object.acceptedPods);
      if (unknownPods.isSubsetOf(accepted)) return false;
      object.podsDueMs = nowMs + podGraceMs;
    } else if (nowMs >= object.podsDueMs) {
      object.acceptedPods = object.unknownPods;
      this.#end(object);
      return false;
    }
    const waiting = this.#waiting.get(object.source);
    if (waiting === undefined) this.#waiting.set(object.source, new Set([object.hash]));
    else waiting.add(object.hash);
    this.#markDirty(object, 'pods-unknown', object.podsDueMs - nowMs);
    return true;
  }

  /** The report is gone: it waits for nothing. */
  forget(object: ReportObject): void {
    this.#unregister(object);
    object.acceptedPods = [];
    this.#end(object);
  }

  /** A Pod appeared: reports that named it in vain are read again. */
  appeared(namespace: string, name: string): void {
    for (const hash of this.#wanted.get(`${namespace}/${name}`) ?? []) {
      const object = this.#reports.find(hash);
      if (object !== undefined) this.#markDirty(object, 'pod-appeared', 0);
    }
  }

  #end(object: ReportObject): void {
    object.podsDueMs = 0;
    const waiting = this.#waiting.get(object.source);
    waiting?.delete(object.hash);
    if (waiting?.size === 0) this.#waiting.delete(object.source);
  }

  #register(object: ReportObject, pods: ReadonlySet<string>): void {
    object.unknownPods = [...pods];
    for (const pod of pods) {
      const hashes = this.#wanted.get(pod);
      if (hashes === undefined) this.#wanted.set(pod, new Set([object.hash]));
      else hashes.add(object.hash);
    }
  }

  #unregister(object: ReportObject): void {
    for (const pod of object.unknownPods) {
      const hashes = this.#wanted.get(pod);
      hashes?.delete(object.hash);
      if (hashes?.size === 0) this.#wanted.delete(pod);
    }
    object.unknownPods = [];
  }
}
