/** What follows from a replica reading only some of the shards: what it takes in, and what it forgets when it reads less. */
import { hash52 } from '../lib/hash.ts';
import type { Reading } from '../sources/source.ts';
import type { EventIndex, Row } from './event-index.ts';
import type { Holdings } from './holdings.ts';
import type { PodWaits } from './pod-waits.ts';
import type { ReportHealth } from './report-health.ts';
import type { ObjectKey, ReportObject, ReportTable } from './report-table.ts';
import { kindOfKey } from './report-table.ts';
import { isSentKey } from './sent-reports.ts';
import type { Shards } from './shards.ts';
import { isOfSignals, type Signals } from './signals.ts';
import type { WorkQueue } from './work-queue.ts';

/**
 * The readings without the findings that other replicas read. A report of the whole cluster is read by all of them: each
 * keeps its own part, and the one that reads the report's own namespace counts what could not be read.
 */
export function withinScope(readings: readonly Reading[], shards: Shards): readonly Reading[] {
  if (!shards.isPartial) return readings;
  const within: Reading[] = [];
  for (const reading of readings) {
    const findings = reading.findings.filter(({ resource }) => shards.reads(shards.of(resource)));
    // Without one, nobody could tell that it is about signals.
    if (findings.length === 0 && isOfSignals(reading)) continue;
    const rejected = shards.readsNamespace(reading.partition) ? reading.rejected : [];
    within.push({ ...reading, findings, rejected });
  }
  return within;
}

export interface ForgettingParts {
  readonly shards: Shards;
  readonly index: EventIndex;
  readonly reports: ReportTable;
  readonly queue: WorkQueue;
  readonly health: ReportHealth;
  readonly holdings: Holdings;
  readonly podWaits: PodWaits;
  readonly signals: Signals;
  /** Whether the object is not read any more, be it there or gone. Not asked of what was sent. */
  isUnread(key: ObjectKey): boolean;
  /** Those objects that are there and not read any more. */
  readonly unread: Iterable<ObjectKey>;
  /** Forgets what the server has of the row. */
  forgetStored(row: Row): void;
}

/**
 * Forgets everything that is out of scope: other replicas know it. Nothing is resolved by that, and no report counts as
 * lost. Call it when nothing of it is to be written any more.
 */
export function forgetOutside(parts: ForgettingParts, nowMs: number): void {
  const { shards, index, reports, queue, holdings, signals, isUnread, unread, forgetStored } = parts;
  // What counts signals is in no table of reports.
  for (const key of unread) signals.forgetObject(hash52(key));
  for (const object of [...reports.allObjects()]) {
    if (isSentKey(object.key)) continue;
    if (isUnread(object.key)) dropObject(object, parts, nowMs);
    else for (const record of object.records.values()) record.held = keptOf(record.held, parts);
  }
  for (const row of [...index.rows()]) {
    if (shards.reads(index.shard(row)) || index.holders(row) > 0) continue;
    const name = index.name(row);
    if (queue.coming(name) !== undefined) continue;
    signals.forget(name);
    forgetStored(row);
    holdings.forgetIdle(row);
  }
}

function dropObject(object: ReportObject, { index, reports, health, podWaits }: ForgettingParts, nowMs: number): void {
  podWaits.forget(object);
  health.lost(object, kindOfKey(object.key), nowMs, true);
  for (const record of [...object.records.values()]) {
    for (const row of record.held) index.addHolder(row, -1);
    record.held = new Uint32Array(0);
    reports.remove(record);
  }
  reports.removeIdle(object);
}

function keptOf(held: Uint32Array, { index, shards }: ForgettingParts): Uint32Array {
  if (held.every((row) => shards.reads(index.shard(row)))) return held;
  return held.filter((row) => {
    if (shards.reads(index.shard(row))) return true;
    index.addHolder(row, -1);
    return false;
  });
}
