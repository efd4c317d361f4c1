/** The rows of one shard. */
import type { EventIndex, Row } from './event-index.ts';
import type { Shard } from './shards.ts';

/** All rows in use that belong to it. */
export function* rowsOfShard(index: EventIndex, shard: Shard): Generator<Row> {
  for (const row of index.rows()) if (index.shard(row) === shard) yield row;
}
