/** One watch: a request whose answer is a stream of events, one JSON text a line, until either side ends it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { messageOf } from '../lib/error-message.ts';
import { parseRecord } from '../lib/json.ts';
import { Deadline } from './abort.ts';
import type { KubeClient } from './client.ts';
import { LineTooLong, lines } from './json-lines.ts';
import { KubeError } from './kube-error.ts';
import type { KubeObject } from './kube-object.ts';
import { isKubeObject } from './kube-object.ts';
import type { ObjectHead } from './object-head.ts';
import { objectHead } from './object-head.ts';

/** What a watch says. An ERROR event is thrown as the KubeError that it stands for. */
export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject }
  /** A version that is known already: it was not parsed. */
  | { readonly type: 'KNOWN'; readonly head: ObjectHead }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string; readonly isEndOfInitialEvents: boolean };

export interface WatchOptions {
  readonly client: KubeClient;
  readonly path: string;
  readonly resource: string;
  readonly accept: string;
  readonly signal: AbortSignal;
  readonly maximumLineBytes?: number | undefined;
  /** Milliseconds without a byte after which the watch is given up; asked anew after every byte. */
  inactivityMs(): number;
  /** Whether that version of an object is known: its line need not be parsed. */
  isKnown?(head: ObjectHead): boolean;
  /** The server has answered: it is going to send events. */
  opened(): void;
}

const maximumLineBytes = 64 * 1024 * 1024;

/**
 * Yields the events; returns when the server ends the watch cleanly. Throws KubeError: the server's own, or with status
 * 0 and the reason Silent, Malformed (out of step: nothing after that line is to be believed) or NoAnswer.
 */
export async function* watchEvents(options: WatchOptions): AsyncGenerator<WatchEvent> {
  const { client, path, resource, accept, signal } = options;
  const watchdog = new Deadline(options.inactivityMs(), signal, 'no sign of life');
  try {
    const { body } = await client.stream({
      method: 'GET',
      path,
      verb: 'watch',
      resource,
      accept,
      signal: watchdog.signal,
    });
    options.opened();
    watchdog.restart(options.inactivityMs());
    const chunks = alive(body, () => watchdog.restart(options.inactivityMs()));
    for await (const line of lines(chunks, options.maximumLineBytes ?? maximumLineBytes)) {
      const head = options.isKnown === undefined ? undefined : objectHead(line);
      const isKnown = head !== undefined && options.isKnown?.(head) === true;
      const event: WatchEvent = isKnown ? { type: 'KNOWN', head } : parseEvent(line);
      yield event;
      // The end of a listing changes how long silence is normal.
      if (event.type === 'BOOKMARK') watchdog.restart(options.inactivityMs());
    }
    await nextTurn(); // Until then the connection counts as busy, and the next watch would open another one.
  } catch (error) {
    if (watchdog.isExpired)
      throw new KubeError({ status: 0, reason: 'Silent', message: messageOf(error), cause: error });
    if (error instanceof LineTooLong) throw malformed(error.message);
    throw error instanceof KubeError ? error : KubeError.fromFailure(error);
  } finally {
    watchdog.release();
  }
}

async function* alive(chunks: AsyncIterable<Buffer>, onChunk: () => void): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    onChunk();
    yield chunk;
  }
}

function parseEvent(line: Buffer): WatchEvent {
  const { type, object } = parseRecord(line) ?? {};
  if (typeof object === 'object' && object !== null) {
    switch (type) {
      case 'ADDED':
      case 'MODIFIED':
      case 'DELETED':
        if (isKubeObject(object) && object.metadata.resourceVersion !== '') return { type, object };
        break;
      case 'BOOKMARK': {
        const { metadata } = object as {
          metadata?: { resourceVersion?: unknown; annotations?: Record<string, unknown> };
        };
        if (typeof metadata?.resourceVersion !== 'string' || metadata.resourceVersion === '') break;
        const isEndOfInitialEvents = metadata.annotations?.['k8s.io/initial-events-end'] === 'true';
        return { type, resourceVersion: metadata.resourceVersion, isEndOfInitialEvents };
      }
      case 'ERROR':
        throw KubeError.fromStatus(object as Record<string, unknown>);
    }
  }
  throw malformed(`a line of ${line.length} bytes is no watch event`);
}

function malformed(message: string): KubeError {
  return new KubeError({ status: 0, reason: 'Malformed', message });
}
