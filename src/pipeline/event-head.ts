/** The shard of a stored event, read from its bytes: most events are other replicas' and need not be parsed. */
import { membersAt, plainTextAt } from '../lib/json-slices.ts';
import type { Shard, Shards } from './shards.ts';
import { summaryType } from './summary-kind.ts';

/** The shard of the event that begins there; undefined where it has to be parsed. */
export function shardOfBytes(bytes: Buffer, start: number, shards: Shards): Shard | undefined {
  const [specAt = -1] = membersAt(bytes, start, ['spec']) ?? [];
  const [typeAt = -1, resourceAt = -1] = membersAt(bytes, specAt, ['eventType', 'resource']) ?? [];
  const eventType = plainTextAt(bytes, typeAt);
  if (eventType === undefined || eventType === summaryType) return undefined;
  const members = membersAt(bytes, resourceAt, ['kind', 'name', 'namespace']);
  if (members === undefined) return undefined;
  const [kind, name, namespace] = members.map((at) => (at === -1 ? '' : plainTextAt(bytes, at)));
  return kind === undefined || name === undefined || namespace === undefined
    ? undefined
    : shards.of({ kind, name, namespace });
}
