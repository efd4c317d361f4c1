/**
 * A stdout that cannot eat the memory: when whoever reads our output is slow, at most `maximumBytes` wait; further lines
 * are dropped and counted (a burst of 100,000 lines reached 377 MB without).
 */
import { Writable } from 'node:stream';

/** The stream to write to, and what it dropped. */
export interface BoundedStream {
  readonly stream: Writable;
  /** Lines dropped so far. */
  dropped(): number;
}

/** Puts the bound around a stream. */
export function boundedStream(
  out: NodeJS.WritableStream & { writableLength?: number },
  maximumBytes: number,
): BoundedStream {
  let dropped = 0;
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: Buffer | string, _encoding, done) {
      if ((out.writableLength ?? 0) > maximumBytes) dropped += 1;
      else out.write(chunk);
      done();
    },
  });
  return { stream, dropped: () => dropped };
}
