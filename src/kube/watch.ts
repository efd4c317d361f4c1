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
import { glanceAtLine, objectHead } from './object-head.ts';

/** What a watch says. An ERROR event is thrown as the KubeError that it stands for. */
export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject }
  /** A version that is known already, or an object that nobody wants: it was not parsed. */
  | { readonly type: 'KNOWN' | 'UNWANTED'; readonly head: ObjectHead }
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
  /** What need not be parsed. */
  readonly glance: Glance;
  /** The server has answered: it is going to send events. */
  opened(): void;
}

/** Judges objects by their heads, so that those of which nothing follows are not parsed. */
export interface Glance {
  /** Whether that version of an object is known. */
  isKnown?(head: ObjectHead): boolean;
  /** Whether the object means anything here. It begins at `start` of the bytes. Absent: everything does. */
  isWanted?: IsWanted | undefined;
}

/**
 * Whether an object means anything, by its head and, if need be, by its bytes, which may break off: what cannot be seen in
 * them is wanted.
 */
export type IsWanted = (head: ObjectHead, bytes: Buffer, start: number) => boolean;

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
    const isEnough = (beginning: Buffer) => isUnwanted(beginning, options.glance);
    for await (const line of lines(chunks, options.maximumLineBytes ?? maximumLineBytes, isEnough)) {
      const event = glancedEvent(line, options.glance) ?? parseEvent(line);
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

/** The event of a line that need not be parsed. */
function glancedEvent(line: Buffer, glance: Glance): WatchEvent | undefined {
  if (glance.isWanted === undefined) {
    const known = glance.isKnown === undefined ? undefined : objectHead(line);
    return known !== undefined && glance.isKnown?.(known) === true ? { type: 'KNOWN', head: known } : undefined;
  }
  const glanced = glanceAtLine(line);
  if (glanced === undefined) return undefined;
  const { type, head, start } = glanced;
  if (!glance.isWanted(head, line, start)) return { type: 'UNWANTED', head };
  return type !== 'DELETED' && glance.isKnown?.(head) === true ? { type: 'KNOWN', head } : undefined;
}

/** Whether that can be said of a line from its beginning; undefined where its object cannot be judged yet. */
function isUnwanted(beginning: Buffer, { isWanted }: Glance): boolean | undefined {
  if (isWanted === undefined) return false;
  const glanced = glanceAtLine(beginning);
  return glanced === undefined ? undefined : !isWanted(glanced.head, beginning, glanced.start);
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
