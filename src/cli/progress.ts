/** How far long work is, on one line of a terminal that is written over and wiped at the end. */

/** Where it is shown: stderr, when that is a terminal. */
export interface ProgressOptions {
  readonly out: { write(text: string): unknown } | undefined;
  monotonicMs(): number;
}

/** Short work shows nothing; after that the line changes a few times a second. */
const quietMs = 700;
const everyMs = 150;

export class Progress {
  readonly #options: ProgressOptions;
  readonly #startMs: number;
  #lastMs = 0;
  #isShown = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#startMs = options.monotonicMs();
  }

  /** Shows the words that are asked for, when it is time. */
  show(words: () => string): void {
    const { out } = this.#options;
    if (out === undefined) return;
    const nowMs = this.#options.monotonicMs();
    if (nowMs - this.#startMs < quietMs || nowMs - this.#lastMs < everyMs) return;
    this.#lastMs = nowMs;
    this.#isShown = true;
    out.write(`\r\u001b[K${words()}`);
  }

  /** Wipes the line, before anything else is written. */
  clear(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    this.#options.out?.write('\r\u001b[K');
  }
}
