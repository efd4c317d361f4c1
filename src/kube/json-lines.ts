/** Splits a byte stream into lines without ever holding more than one line and one chunk. */

export class LineTooLong extends Error {
  readonly code = 'LINE_TOO_LONG';
  constructor(limit: number) {
    super(`a line is longer than ${limit} bytes`);
    this.name = 'LineTooLong';
  }
}

const newline = 0x0a;

/**
 * Whether the beginning of a line is all that anybody wants of it. Undefined: that cannot be seen yet, so ask again when there
 * is more of it.
 */
export type IsEnough = (beginning: Buffer) => boolean | undefined;

/** How many pieces of one line are put together to see whether they are enough. */
const maximumLooks = 3;

/**
 * Yields each complete line, without its end. What follows the last line end is dropped: a watch event that was cut off
 * is not an event. Of a line whose beginning is enough only that is held and yielded, once the whole line has come. Throws
 * LineTooLong.
 */
export async function* lines(
  chunks: AsyncIterable<Buffer>,
  maximumBytes: number,
  isEnough: IsEnough = () => false,
): AsyncGenerator<Buffer> {
  let line = new Line(isEnough);
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      line.add(chunk.subarray(start, end), true);
      if (line.length > maximumBytes) throw new LineTooLong(maximumBytes);
      const bytes = line.bytes();
      if (bytes.length > 0) yield bytes;
      line = new Line(isEnough);
      start = end + 1;
    }
    if (start < chunk.length) {
      line.add(chunk.subarray(start), false);
      if (line.length > maximumBytes) throw new LineTooLong(maximumBytes);
    }
  }
}

/** What is held of a line while it comes. */
class Line {
  /** Bytes that came, held or not. */
  length = 0;
  readonly #isEnough: IsEnough;
  #parts: Buffer[] = [];
  #verdict: boolean | undefined;
  #looks = 0;

  constructor(isEnough: IsEnough) {
    this.#isEnough = isEnough;
  }

  add(piece: Buffer, isLast: boolean): void {
    this.length += piece.length;
    if (this.#verdict === true) return;
    this.#parts.push(piece);
    if (isLast || this.#verdict === false) return;
    this.#looks += 1;
    this.#verdict = this.#isEnough(this.bytes()) ?? (this.#looks < maximumLooks ? undefined : false);
  }

  /** All that is held. */
  bytes(): Buffer {
    if (this.#parts.length !== 1) this.#parts = [Buffer.concat(this.#parts)];
    return this.#parts[0] as Buffer;
  }
}
