/** Reads the body of a request within bounds of bytes and time, unpacked on the way; what is refused is not kept. */
import type { IncomingMessage } from 'node:http';
import { createGunzip } from 'node:zlib';

/** Why a body was not read to its end. */
export type BodyProblem = 'too-large' | 'no-room' | 'too-slow' | 'not-gzip' | 'aborted';

/** The whole body, or why there is none. */
export type Body = { readonly bytes: Buffer } | { readonly problem: BodyProblem };

export interface BodyOptions {
  /** Bytes before and after unpacking. */
  readonly maximumBytes: number;
  readonly isGzip: boolean;
  /** For the whole of it. */
  readonly timeoutMs: number;
  /** Asked before so many more bytes are kept: false where there is no room for them. */
  take(bytes: number): boolean;
}

/** Reads it. Never rejects, and never ends the connection: the caller still has to answer on it. */
export function readBody(request: IncomingMessage, options: BodyOptions): Promise<Body> {
  const { maximumBytes, isGzip, timeoutMs, take } = options;
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let received = 0;
    let kept = 0;
    const gunzip = isGzip ? createGunzip() : undefined;
    const timer = setTimeout(() => end({ problem: 'too-slow' }), timeoutMs);

    function keep(chunk: Buffer): void {
      kept += chunk.length;
      if (kept > maximumBytes) end({ problem: 'too-large' });
      else if (!take(chunk.length)) end({ problem: 'no-room' });
      else chunks.push(chunk);
    }
    function onData(chunk: Buffer): void {
      received += chunk.length;
      if (received > maximumBytes) end({ problem: 'too-large' });
      else if (gunzip === undefined) keep(chunk);
      else if (!gunzip.write(chunk)) request.pause();
    }
    const onEnd = () => (gunzip === undefined ? end({ bytes: Buffer.concat(chunks) }) : gunzip.end());
    const onClose = () => (request.complete ? undefined : end({ problem: 'aborted' }));
    function end(body: Body): void {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onClose);
      gunzip?.removeAllListeners().on('error', () => {});
      gunzip?.destroy();
      chunks.length = 0;
      resolve(body);
    }

    gunzip
      ?.on('data', keep)
      .on('drain', () => request.resume())
      .on('end', () => end({ bytes: Buffer.concat(chunks) }))
      .on('error', () => end({ problem: 'not-gzip' }));
    request.on('data', onData).on('end', onEnd).on('close', onClose);
    request.on('error', () => {});
  });
}

/**
 * Reads what is left of a body that is refused, for a while: a client that is still sending when the connection ends would
 * not see the answer. True when there is nothing left, so that the connection can go on.
 */
export function discardBody(request: IncomingMessage, maximumBytes: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    if (request.complete || request.destroyed || request.readableEnded) {
      request.resume();
      resolve(true);
      return;
    }
    let bytes = 0;
    const end = (isAll: boolean) => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onClose);
      if (isAll) request.resume();
      else request.pause();
      resolve(isAll);
    };
    const timer = setTimeout(() => end(false), timeoutMs);
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maximumBytes) end(false);
    };
    const onEnd = () => end(true);
    const onClose = () => end(false);
    request.on('data', onData).on('end', onEnd).on('close', onClose);
    request.on('error', () => {});
    request.resume();
  });
}
