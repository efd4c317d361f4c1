/**
 * A stdout that cannot eat the memory: when whoever reads our output is slow, at most `maximumBytes` wait; further lines
 * are dropped and counted (a burst of 100,000 lines reached 377 MB without). So are lines that cannot be written: a file on
 * a full disk is no reason to end.
 */
import { Writable } from 'node:stream';
import { isBrokenPipe } from '../lib/broken-pipe.ts';

/** The stream to write to, and what it dropped. */
export interface BoundedStream {
  readonly stream: Writable;
  /** Lines dropped so far. */
  dropped(): number;
  /** Resolves when nobody reads it any more, nor ever will: the pipe is broken. */
  readonly broken: Promise<undefined>;
}

/** Puts the bound around a stream. */
export function boundedStream(
  out: NodeJS.WritableStream & { writableLength?: number },
  maximumBytes: number,
): BoundedStream {
  let dropped = 0;
  const written = (error?: Error | null) => {
    if (error) dropped += 1;
  };
  const broken = new Promise<undefined>((resolve) => {
    out.on('error', (error: Error) => {
      if (isBrokenPipe(error)) resolve(undefined);
    });
  });
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: Buffer | string, _encoding, done) {
      if ((out.writableLength ?? 0) > maximumBytes) dropped += 1;
      else out.write(chunk, written);
      done();
    },
  });
  return { stream, dropped: () => dropped, broken };
}
