/**
 * The limit that a ResourceQuota sets where it is lower than the budget: as many events as there are now. From time to
 * time one more may be tried, so that a quota that was raised is noticed.
 */
import type { BackoffOptions } from '../lib/backoff.ts';
import { backoffMs } from '../lib/backoff.ts';

const tries: BackoffOptions = { firstMs: 5_000, maximumMs: 300_000 };

export class Ceiling {
  #state: 'none' | 'reached' | 'holds' | 'trying' = 'none';
  #events = 0;
  #tries = 0;
  #tryAtMs = 0;

  /** The server takes no more events. */
  reached(): void {
    if (this.#state !== 'holds') this.#state = 'reached';
  }

  /** An event was created. */
  created(): void {
    if (this.#state !== 'trying') return;
    this.#state = 'none';
    this.#tries = 0;
  }

  /** How many events there may be, `stored` of which are on the server now. */
  limit(events: number, stored: number, nowMs: number): number {
    if (this.#state === 'reached') {
      this.#state = 'holds';
      this.#events = stored;
      this.#tries += 1;
      this.#tryAtMs = nowMs + backoffMs(this.#tries, tries, () => 1);
    } else if (this.#state === 'holds' && nowMs >= this.#tryAtMs) {
      this.#state = 'trying';
      this.#events = stored + 1;
    }
    return this.#state === 'none' ? events : Math.min(events, this.#events);
  }
}
