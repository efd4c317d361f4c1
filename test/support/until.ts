/** Waiting for a condition: tests wait for what they need, never for a time. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Patience {
  /** Ends a test that would hang; it says nothing about how fast something is. */
  readonly limitSeconds?: number;
  /** Between two questions: longer where the question is work for what is measured. */
  readonly pauseMs?: number;
}

/** Asks again and again until the answer is neither undefined nor false, and gives it. */
export async function until<Answer>(
  what: string,
  look: () => Promise<Answer | undefined | false> | Answer | undefined | false,
  { limitSeconds = 60, pauseMs = 50 }: Patience = {},
): Promise<Answer> {
  let trouble: unknown;
  for (const deadline = Date.now() + limitSeconds * 1000; ; await sleep(pauseMs)) {
    try {
      const answer = await look();
      if (answer !== undefined && answer !== false) return answer;
      trouble = undefined;
    } catch (error) {
      trouble = error;
    }
    if (Date.now() > deadline) throw new Error(`waited ${limitSeconds} s in vain for ${what}`, { cause: trouble });
  }
}

/** The value below which a share of the values lies (0.5: the median). */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
