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
 * Yields each complete line, without its end. What follows the last line end is dropped: a watch event that was cut off
 * is not an event. Throws LineTooLong.
 */
export async function* lines(chunks: AsyncIterable<Buffer>, maximumBytes: number): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      const piece = chunk.subarray(start, end);
      start = end + 1;
      if (length + piece.length > maximumBytes) throw new LineTooLong(maximumBytes);
      const line = parts.length === 0 ? piece : Buffer.concat([...parts, piece]);
      parts = [];
      length = 0;
      if (line.length > 0) yield line;
    }
    if (start < chunk.length) {
      parts.push(chunk.subarray(start));
      length += chunk.length - start;
      if (length > maximumBytes) throw new LineTooLong(maximumBytes);
    }
  }
}
