/**
 * What a replica does when it begins to lead. While it stood by it read everything and wrote nothing, so it remembers what
 * the server has and what the reports want of each event. Only where the two differ a report is read again; what is the same
 * costs nothing, however much there is.
 */
import type { EventIndex, Row } from './event-index.ts';
import type { Holdings } from './holdings.ts';
import { rowsOfShard } from './shard-rows.ts';
import type { Shard } from './shards.ts';
import { isSummaryRow } from './summary-kind.ts';

export interface TakeOverParts {
  readonly index: EventIndex;
  readonly holdings: Holdings;
  /** Looks for what stands under a report key and no report holds. */
  check(reportKey: string): void;
}

/** Compares all events of a shard with all findings, and has read again what differs. */
export function compareAll({ index, holdings, check }: TakeOverParts, shard: Shard): void {
  const rows = [...rowsOfShard(index, shard)];
  // Which findings have no event for want of room is planned as after a restart: by the first look of the budget.
  const isCapped = rows.some((row) => index.isActive(row) && isSummaryRow(index, row));
  const unheld = new Set<string>();
  for (const row of rows) {
    const isWithoutRoom = isCapped && !index.isOnServer(row) && index.holders(row) > 0;
    index.setFolded(row, isWithoutRoom);
    if (isWithoutRoom || index.isSignal(row) || isSummaryRow(index, row)) continue;
    if (index.holders(row) > 0) compare(row, index, holdings);
    else if (index.isActive(row)) unheld.add(index.reportKey(row));
  }
  for (const reportKey of unheld) check(reportKey);
}

function compare(row: Row, index: EventIndex, holdings: Holdings): void {
  if (!index.isActive(row)) holdings.rereadHolders(row, 'take-over');
  // 0: the report that it was written from was not read since. What that says now is not known.
  else if (index.wantedHash(row) === 0 || index.wantedHash(row) !== index.storedHash(row)) {
    holdings.rereadHolder(row, 'take-over');
  }
}

/** Another replica wrote the event, from a report of its choice: that one describes it here too. 0: it does not say. */
export function follow(index: EventIndex, row: Row, describer: number): void {
  if (index.isActive(row)) index.setFolded(row, false);
  if (describer === 0 || describer === index.describer(row) || index.storedHash(row) === index.wantedHash(row)) return;
  index.setDescriber(row, describer);
  index.setWantedHash(row, 0);
}
