/** One measured figure, printed as one JSON line. */
export interface Figure {
  /** P1, P4.restart, ... */
  readonly id: string;
  readonly value: number;
  readonly unit: string;
  /** Measured value against the peer or raw limit of the same run; null where there is none. */
  readonly ratio: number | null;
  /** What is asked for, in words. */
  readonly goal: string;
  readonly ok: boolean;
  /** What else a reader needs to judge it. */
  readonly note?: string;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** `share` of 0.99 is the 99th percentile. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

export function rounded(value: number, digits = 3): number {
  return Number(value.toFixed(digits));
}
