/**
 * What the pipeline needs from the outside. src/kube implements these; daemon.ts wires them and the compiler checks that
 * they fit.
 */
import type { ZenAgentEvent } from '../api/event.ts';
import type { Answer, StatusPatch, StoredEvent } from '../api/stored-event.ts';
import type { RawDocument } from '../sources/source.ts';
import type { ObjectKey } from './report-table.ts';
import type { Shard } from './shards.ts';

/** The events on the server. Every change and removal carries the resourceVersion that it was decided on. */
export interface EventStore {
  /** Reads one event; undefined when there is none. Throws when the server cannot be asked. */
  read(namespace: string, name: string): Promise<StoredEvent | undefined>;
  /** `body` is the event as JSON text. A name that is taken is a conflict. */
  create(namespace: string, body: string): Promise<Answer>;
  /** Puts the whole event in place of `current`. */
  replace(current: StoredEvent, event: ZenAgentEvent): Promise<Answer>;
  patchStatus(namespace: string, name: string, resourceVersion: string, status: StatusPatch): Promise<Answer>;
  remove(current: StoredEvent): Promise<Answer>;
}

/**
 * Whether this replica may write what belongs to a shard: false while another one leads there. Asked when something is
 * decided, and last before each write.
 */
export type MayWrite = (shard: Shard) => boolean;

/** Reads one report anew; undefined when it is gone. Throws when the server cannot be asked. */
export type Reread = (key: ObjectKey) => Promise<RawDocument | undefined>;
