/**
 * Whether something stays as it is under a load that stays as it is: a slope that single values cannot bend (Theil and Sen:
 * the median of the slopes of all pairs), over the second half of the samples, when caches are full and code is compiled.
 */
import { quantile } from './until.ts';

export interface Bound {
  /** Of the median of the second half. */
  readonly share: number;
  /** Or so much, where that is more: what the measure moves by itself. */
  readonly least: number;
  /** Samples that are taken together by their least value: of a heap, what is left after a collection. */
  readonly lowestOf?: number;
}

export interface Verdict {
  readonly median: number;
  readonly most: number;
  /** What the slope makes of the second half, from its begin to its end. */
  readonly rise: number;
  readonly bound: number;
  readonly isFlat: boolean;
}

/** Judges values that were taken at equal distances. Throws where there are too few to say anything. */
export function judgeFlatness(values: readonly number[], { share, least, lowestOf = 1 }: Bound): Verdict {
  const half = values.slice(Math.floor(values.length / 2));
  const blocks = Math.floor(half.length / lowestOf);
  if (blocks < 4) throw new Error(`${values.length} samples are too few`);
  const lowest = Array.from({ length: blocks }, (_, block) =>
    Math.min(...half.slice(block * lowestOf, (block + 1) * lowestOf)),
  );
  const median = quantile(half, 0.5);
  const rise = theilSen(lowest) * (blocks - 1);
  const bound = Math.max(least, share * median);
  return { median, most: Math.max(...values), rise, bound, isFlat: rise <= bound };
}

/** The median slope of all pairs, for one step. */
export function theilSen(values: readonly number[]): number {
  const slopes = values.flatMap((late, end) =>
    values.slice(0, end).map((early, begin) => (late - early) / (end - begin)),
  );
  return quantile(slopes, 0.5);
}
