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
  #share = 1;
  #isLifted = false;

  constructor(options: WriteBudgetOptions, monotonicMs: () => number) {
    this.#options = options;
    this.#monotonicMs = monotonicMs;
    this.#tokens = options.burst;
    this.#filledAtMs = monotonicMs();
  }

  /** Spends only a share of itself from now on. */
  setShare(share: number): void {
    this.#refill();
    this.#share = share;
    this.#tokens = Math.min(this.#tokens, this.#options.burst * share);
  }

  /** No limit from now on: what is left is written within a time, and then there is nobody to write it. */
  lift(): void {
    this.#isLifted = true;
  }

  /** Takes one token: 0 when it was there, else the milliseconds until one will be. */
  take(): number {
    const { perSecond } = this.#options;
    if (perSecond === 0 || this.#isLifted) return 0;
    this.#refill();
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      return 0;
    }
    return ((1 - this.#tokens) / (perSecond * this.#share)) * 1000;
  }

  /** Corrects for what a taken token led to: 0 writes give it back, more than one are owed. */
  settle(writes: number): void {
    this.#tokens = Math.min(this.#options.burst, this.#tokens + 1 - writes);
  }
  #refill(): void {
    const { perSecond, burst } = this.#options;
    const now = this.#monotonicMs();
    const filled = this.#tokens + ((now - this.#filledAtMs) / 1000) * perSecond * this.#share;
    // One at least: a burst below that would never let anything through.
    this.#tokens = Math.min(Math.max(1, burst * this.#share), filled);
    this.#filledAtMs = now;
  }
}
