/** Waiting for real results, never for a time. */
import { setTimeout as sleep } from 'node:timers/promises';

const pauseMs = 100;
const limitSeconds = 60;

/** Asks until the answer is neither undefined nor false. Throws when that takes too long, and when the signal aborts. */
export async function waitFor<Answer>(
  what: string,
  signal: AbortSignal,
  look: () => Promise<Answer | undefined | false> | Answer | undefined | false,
): Promise<Answer> {
  for (const deadline = Date.now() + limitSeconds * 1000; ; await sleep(pauseMs, undefined, { signal })) {
    signal.throwIfAborted();
    const answer = await look();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > deadline) throw new Error(`waited ${limitSeconds} s in vain for ${what}`);
  }
}
