/** What an intent says of an event that the index knows. */
import type { EventIndex, Row } from './event-index.ts';
import type { IntentBase } from './intent.ts';
import { bareIntent } from './intent.ts';

/** The base of an intent about the row's event, which settles nothing that was found. */
export function intentOf(index: EventIndex, row: Row, readAtMs: number): IntentBase {
  return bareIntent({
    key: index.name(row),
    namespace: index.namespace(row),
    shard: index.shard(row),
    partition: index.resourceNamespace(row),
    readAtMs,
  });
}
