/**
 * Which reports there are and which findings (rows of the event index) each holds: keys and row numbers only, never a
 * report's content. A report that vanished keeps what it held until a newer report of its key speaks: a deleted report is
 * no proof that anything was fixed.
 */
import type { ObjectReference } from '../api/event.ts';
import { groupOf } from '../lib/api-group.ts';
import { hash52 } from '../lib/hash.ts';
import { reportKind } from '../sources/report-kind.ts';
import type { Origin } from '../sources/source.ts';
import type { Row } from './event-index.ts';

/** Names one watched object: group, kind, namespace, name. No uid: tools delete and re-create their reports. */
export type ObjectKey = string;

/** One report key's share of one object. */
export interface ReportRecord {
  readonly object: ReportObject;
  /** reportKeyHash of its reading. */
  readonly reportKey: string;
  readonly partition: string;
  held: Uint32Array;
  /** False once the object is gone, or speaks of this report key no more. */
  isLive: boolean;
  /** Whether its last reading was complete. */
  isComplete: boolean;
  /** Milliseconds since the epoch when the tool made the report. */
  reportedAtMs: number;
  /** When a complete reading of it was taken in last, by the count of Holdings. */
  spokeAt: number;
  /** Monotonic milliseconds when it vanished; means something while it is not live. */
  vanishedAtMs: number;
}

/** One watched object and what it says. */
export interface ReportObject {
  readonly key: ObjectKey;
  /** hash52(key): what the index knows as the describer. */
  readonly hash: number;
  readonly source: string;
  readonly records: Map<string, ReportRecord>;
  /** Pods that it names and that are not in the list, as namespace/name. */
  unknownPods: readonly string[];
  /** Those of them that were waited for in vain: their own names do. */
  acceptedPods: readonly string[];
  /** The tools that it speaks for, by their words in spec.source; none while it is gone. */
  words: readonly string[];
  /** Its resourceVersion when it was last read. */
  version: string;
  /** Monotonic milliseconds until when its unknown Pods are waited for; 0 when they are not. */
  podsDueMs: number;
}

/** The key of a watched object. */
export function objectKey(of: Origin): ObjectKey {
  return `${reportKindOf(of.apiVersion, of.kind)}|${of.namespace ?? ''}|${of.name}`;
}

/** The key of the object that an event says it came from. */
export function keyOfOrigin({ apiVersion = '', kind = '', name = '', namespace = '' }: ObjectReference): ObjectKey {
  return objectKey({ apiVersion, kind, name, namespace });
}

/** The kind of a watched object, `group|Kind`: what its key begins with. */
export function reportKindOf(apiVersion: string, kind: string): string {
  return reportKind({ group: groupOf(apiVersion), kind });
}

/** The kind of the object that a key names. */
export function kindOfKey(key: ObjectKey): string {
  return key.slice(0, key.indexOf('|', key.indexOf('|') + 1));
}

/** The parts of an object key. */
export function parseObjectKey(key: ObjectKey) {
  const [group = '', kind = '', namespace = '', name = ''] = key.split('|');
  return { group, kind, namespace, name };
}

export class ReportTable {
  readonly #objects = new Map<number, ReportObject>();
  readonly #byReportKey = new Map<string, Set<ReportRecord>>();

  get objects(): number {
    return this.#objects.size;
  }

  find(hash: number): ReportObject | undefined {
    return this.#objects.get(hash);
  }

  obtainObject(key: ObjectKey, source: string): ReportObject {
    const hash = hash52(key);
    let object = this.#objects.get(hash);
    if (object === undefined) {
      object = {
        key,
        hash,
        source,
        records: new Map(),
        unknownPods: [],
        acceptedPods: [],
        words: [],
        version: '',
        podsDueMs: 0,
      };
      this.#objects.set(hash, object);
    }
    return object;
  }

  obtainRecord(object: ReportObject, reportKey: string, partition: string): ReportRecord {
    let record = object.records.get(reportKey);
    if (record === undefined) {
      record = {
        object,
        reportKey,
        partition,
        held: new Uint32Array(0),
        isLive: false,
        isComplete: false,
        reportedAtMs: 0,
        spokeAt: 0,
        vanishedAtMs: 0,
      };
      object.records.set(reportKey, record);
      const records = this.#byReportKey.get(reportKey);
      if (records === undefined) this.#byReportKey.set(reportKey, new Set([record]));
      else records.add(record);
    }
    return record;
  }

  /** Every object that is known. */
  allObjects(): Iterable<ReportObject> {
    return this.#objects.values();
  }

  /** What the reports of a source that are there hold, by report key. */
  *liveRecords(source: string): Generator<ReportRecord> {
    for (const record of this.allRecords()) if (record.isLive && record.object.source === source) yield record;
  }

  /** Everything that is remembered of reports, live and vanished. */
  *allRecords(): Generator<ReportRecord> {
    for (const object of this.#objects.values()) yield* object.records.values();
  }

  /** All reports of a key, live and vanished. */
  recordsOf(reportKey: string): readonly ReportRecord[] {
    return [...(this.#byReportKey.get(reportKey) ?? [])];
  }

  /** Forgets a record whose findings were handed back; the object goes with its last one. */
  remove(record: ReportRecord): void {
    record.object.records.delete(record.reportKey);
    const records = this.#byReportKey.get(record.reportKey);
    records?.delete(record);
    if (records?.size === 0) this.#byReportKey.delete(record.reportKey);
    this.removeIdle(record.object);
  }

  /** Forgets an object that has no record and waits for no Pod. */
  removeIdle(object: ReportObject): void {
    if (object.records.size === 0 && object.unknownPods.length === 0) this.#objects.delete(object.hash);
  }

  /** The live reports that hold the row: those of the given key, else of any. */
  holdersOf(row: Row, reportKey: string): readonly ReportRecord[] {
    const ofKey = this.recordsOf(reportKey).filter((record) => isHolding(record, row));
    // Rare: a finding that two report keys share, and whose first key let go of it.
    return ofKey.length > 0 ? ofKey : [...this.allRecords()].filter((record) => isHolding(record, row));
  }

  /** Whether the object is there and still holds the row under this report key. */
  isDescribing(hash: number, row: Row, reportKey: string): boolean {
    const record = this.#objects.get(hash)?.records.get(reportKey);
    return record !== undefined && isHolding(record, row);
  }
}

function isHolding(record: ReportRecord, row: Row): boolean {
  return record.isLive && record.held.includes(row);
}
