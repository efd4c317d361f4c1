/** Exponential back-off with full jitter: between half and all of `first * 2^(attempt - 1)`, at most `maximum`. */
export interface BackoffOptions {
  readonly firstMs: number;
  readonly maximumMs: number;
}

/** Milliseconds to wait before attempt number `attempt` (1 is the first retry). `random` gives [0, 1). */
export function backoffMs(attempt: number, options: BackoffOptions, random: () => number): number {
  const ceiling = Math.min(options.maximumMs, options.firstMs * 2 ** Math.min(attempt - 1, 30));
  return ceiling * (0.5 + random() / 2);
}
