/** Events that are to be there no more: as an intent, and those that were Resolved for long enough (F5). */
import type { ResolveReason } from '../api/words.ts';
import type { Moment } from './absence.ts';
import type { EventIndex, Row } from './event-index.ts';
import type { RemovalIntent } from './intent.ts';
import { intentOf } from './intent-of-row.ts';
import type { MayWrite } from './ports.ts';
import type { WorkQueue } from './work-queue.ts';

/** The removal of an event. Without a reason only while it is Resolved. */
export function removalIntent(
  index: EventIndex,
  row: Row,
  reason: ResolveReason | undefined,
  { now, monotonicMs }: Moment,
): RemovalIntent {
  return { ...intentOf(index, row, monotonicMs), kind: 'removal', reason, at: now };
}

/** As many events are removed at a time. */
const mostRemoved = 500;

/** What removeExpired() goes by. */
export interface Expiry {
  readonly ttlMs: number;
  readonly mayWrite: MayWrite;
}

/** Removes events that have been Resolved for `ttlMs`, so many at a time. Returns how many. */
export function removeExpired(
  index: EventIndex,
  queue: WorkQueue,
  { ttlMs, mayWrite }: Expiry,
  moment: Moment,
): number {
  let removed = 0;
  for (const row of index.rows()) {
    if (removed >= mostRemoved) break;
    if (!index.isOnServer(row) || index.isActive(row) || !mayWrite(index.shard(row))) continue;
    const sinceMs = index.sinceMs(row);
    if (sinceMs === 0 || moment.now.getTime() - sinceMs < ttlMs) continue;
    if (queue.coming(index.name(row)) !== undefined) continue;
    if (queue.put(removalIntent(index, row, undefined, moment)).kind === 'full') break;
    removed += 1;
  }
  return removed;
}
