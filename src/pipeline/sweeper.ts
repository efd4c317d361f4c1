/** Calls a look at everything from time to time, and soon after something that makes it worth while. */

export interface SweeperOptions {
  readonly intervalMs: number;
  /** How long `soon()` waits for more of its kind. */
  readonly soonMs: number;
  sweep(): void;
}

export class Sweeper {
  readonly #options: SweeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #isSoon = false;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#schedule(this.#options.intervalMs);
  }

  /** Asks for a look before its time. */
  soon(): void {
    if (this.#timer === undefined || this.#isSoon) return;
    this.#isSoon = true;
    this.#schedule(this.#options.soonMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#isSoon = false;
      this.#schedule(this.#options.intervalMs);
      this.#options.sweep();
    }, afterMs);
  }
}
