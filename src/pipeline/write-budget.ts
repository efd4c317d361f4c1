/** Write budget: a token bucket, so that a flood of findings never becomes a flood of writes for the API server. */
export interface WriteBudgetOptions {
  /** Writes a second in the long run; 0 means no limit. */
  readonly perSecond: number;
  readonly burst: number;
}

export class WriteBudget {
  readonly #options: WriteBudgetOptions;
  readonly #monotonicMs: () => number;
  #tokens: number;
  #filledAtMs: number;

  constructor(options: WriteBudgetOptions, monotonicMs: () => number) {
    this.#options = options;
    this.#monotonicMs = monotonicMs;
    this.#tokens = options.burst;
    this.#filledAtMs = monotonicMs();
  }

  /** Takes one token: 0 when it was there, else the milliseconds until one will be. */
  take(): number {
    const { perSecond, burst } = this.#options;
    if (perSecond === 0) return 0;
    const now = this.#monotonicMs();
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAtMs) / 1000) * perSecond);
    this.#filledAtMs = now;
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      return 0;
    }
    return ((1 - this.#tokens) / perSecond) * 1000;
  }

  /** Corrects for what a taken token led to: 0 writes give it back, more than one are owed. */
  settle(writes: number): void {
    this.#tokens = Math.min(this.#options.burst, this.#tokens + 1 - writes);
  }
}
