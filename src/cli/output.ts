import { isBrokenPipe } from '../lib/broken-pipe.ts';

const charactersPerWrite = 64 * 1024;

/** A stream of text that ends silently when its reader has gone (`zen-watcher scan . | head`). */
export class Output {
  readonly #stream: NodeJS.WritableStream;
  #isClosed = false;

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
    // Without a listener a broken pipe would end the process; the callback of write() says the same once more.
    stream.on('error', this.#onError);
  }

  /** True once nobody reads any more: there is no point in making further text. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves when the text is handed on, so that slow readers slow us down. Rejects for a full disk and the like. */
  async write(text: string): Promise<void> {
    if (this.#isClosed || text === '') return;
    await new Promise<void>((resolve, reject) => {
      this.#stream.write(text, (error) => {
        if (error === undefined || error === null) resolve();
        else if (isBrokenPipe(error)) {
          this.#isClosed = true;
          resolve();
        } else reject(error);
      });
    });
  }

  /** Writes text that is made piece by piece, as long as there is somebody to read it. */
  async writeAll(pieces: AsyncIterable<string> | Iterable<string>): Promise<void> {
    let text = '';
    for await (const piece of pieces) {
      if (this.#isClosed) return;
      text += piece;
      if (text.length < charactersPerWrite) continue;
      await this.write(text);
      text = '';
    }
    await this.write(text);
  }

  /** Stops listening to the stream, which stays open: it is not ours. */
  async release(): Promise<void> {
    // The event of an error comes after the callback of the write that it belongs to.
    await new Promise((resolve) => setImmediate(resolve));
    // After a broken pipe every further write fails again: there the listener has to stay.
    if (!this.#isClosed) this.#stream.off('error', this.#onError);
  }

  readonly #onError = (error: Error): void => {
    if (isBrokenPipe(error)) this.#isClosed = true;
  };
}
