/**
 * What a reflector does about its failures: from where it goes on, by which way it lists, how long it waits. It knows
 * the history of failures, nothing of objects.
 */
import { backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { KubeError } from './kube-error.ts';

export interface RecoveryOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly watchSeconds: number;
  readonly backoffFirstMs: number;
  readonly backoffMaximumMs: number;
}

/** What to do about a failure. */
export interface Verdict {
  /** Where the watch was is of no use: list anew. */
  readonly relist: boolean;
  /** Trouble that the state should show. */
  readonly tell: boolean;
  readonly waitMs: number;
}

/** After so many streaming lists that broke off, or watches whose content is in doubt, another way is taken. */
const patience = 3;
/**
 * So many silent watches in a row mean trouble, from a server that sends bookmarks: about one a minute, two minutes apart
 * when seen. From one that sends none, silence means that nothing happens.
 */
const silence = 2;
/** A watch that lived this long, or half of what was asked for, was a good one: back-off starts anew. */
const goodWatchMs = 10_000;
/** A server that ends every watch cleanly and at once is asked this often in the end. */
const shortWatchPauseMs = 5_000;

export class Recovery {
  readonly #options: RecoveryOptions;
  #canStream = true;
  #brokenStreams = 0;
  /** Watches in a row, from the same place, that said something other than events. */
  #doubts = 0;
  /** Since the last good watch. */
  #failures = 0;
  /** The server did not answer when it last should have. */
  #wasUnanswered = false;
  /** Back-off began anew because the server answered again; once, until there is a good watch. */
  #hasBegunAnew = false;
  /** Watches in a row that the server ended cleanly, without an event and too soon. */
  #shortWatches = 0;
  /** Since when the present watch tells what is new, if it does. */
  #watchingSinceMs: number | undefined;
  #sendsBookmarks = false;
  /** Watches in a row that were given up without a byte. */
  #silentWatches = 0;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** Whether the next listing is a streaming one; else it is paged. */
  get listsByStream(): boolean {
    return this.#canStream && this.#brokenStreams < patience;
  }

  /** False after watches that only opened and fell silent: another one that opens proves nothing. */
  get trustsOpening(): boolean {
    return this.#silentWatches < silence || !this.#sendsBookmarks;
  }

  /** A new attempt begins. */
  begin(): void {
    this.#watchingSinceMs = undefined;
  }

  /** From now on the watch tells what is new. */
  watching(): void {
    this.#watchingSinceMs = this.#options.clock.monotonicMs();
  }

  listed(): void {
    // After a paged listing that stood in for broken streams, the next listing tries one stream.
    this.#brokenStreams = this.listsByStream ? 0 : Math.min(this.#brokenStreams, patience - 1);
    this.#doubts = 0;
    this.#silentWatches = 0;
    this.watching();
  }

  streamBroke(): void {
    this.#brokenStreams += 1;
  }

  bookmark(): void {
    this.#sendsBookmarks = true;
  }

  /** An event, or a bookmark, that brought the watch forward. */
  progressed(isEvent: boolean): void {
    this.#doubts = 0;
    this.#silentWatches = 0;
    if (isEvent) this.#shortWatches = 0;
  }

  /** A clean end is normal. Returns how long to wait: a server that ends every watch at once must not be hammered. */
  endedCleanly(): number {
    if (this.#wasGoodWatch()) {
      this.#succeeded();
      this.#shortWatches = 0;
      return 0;
    }
    this.#shortWatches += 1;
    return this.#backoff(this.#shortWatches, shortWatchPauseMs);
  }

  /** `isListing`: the failed attempt was to list, not to watch from somewhere. */
  failed(failure: KubeError, isListing: boolean): Verdict {
    const { status, reason } = failure;
    if (this.#wasGoodWatch()) this.#succeeded();
    if (reason === 'Silent' && this.#watchingSinceMs !== undefined) {
      this.#silentWatches += 1;
      if (this.trustsOpening) return { relist: false, tell: false, waitMs: 0 };
    }
    if (isListing && this.listsByStream && (status === 400 || status === 422)) {
      // 1.33 answers 422 "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled".
      this.#canStream = false;
      return { relist: true, tell: false, waitMs: 0 };
    }
    const relist = this.#isPlaceLost(failure);
    this.#noteAnswer(failure);
    this.#failures += 1;
    if (status === 410 && this.#failures === 1) return { relist, tell: false, waitMs: 0 };
    const waitMs = this.#backoff(this.#failures, this.#options.backoffMaximumMs);
    return { relist, tell: true, waitMs: Math.max(waitMs, failure.retryAfterMs ?? 0) };
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#hasBegunAnew = false;
  }

  /**
   * A server that was away and answers, if only to refuse, is about to be there: one that starts knows neither its roles
   * (403) nor its custom resources (429) for some seconds. How long it was away says nothing about how long that takes.
   */
  #noteAnswer({ status, reason }: KubeError): void {
    if (reason === 'NoAnswer') this.#wasUnanswered = true;
    if (status === 0) return;
    if (this.#wasUnanswered && !this.#hasBegunAnew) {
      this.#failures = 0;
      this.#hasBegunAnew = true;
    }
    this.#wasUnanswered = false;
  }

  #backoff(attempt: number, maximumMs: number): number {
    const { backoffFirstMs: firstMs, backoffMaximumMs, random } = this.#options;
    return backoffMs(attempt, { firstMs, maximumMs: Math.min(maximumMs, backoffMaximumMs) }, random);
  }

  #wasGoodWatch(): boolean {
    if (this.#watchingSinceMs === undefined) return false;
    const livedMs = this.#options.clock.monotonicMs() - this.#watchingSinceMs;
    return livedMs >= Math.min(goodWatchMs, this.#options.watchSeconds * 500);
  }

  #isPlaceLost({ status, reason }: KubeError): boolean {
    // Gone, a collection that vanished (back, it will be another one), a resourceVersion that is not understood.
    if (status >= 400 && status < 500 && ![401, 403, 408, 429].includes(status)) return true;
    const isAnswered = status !== 0 || !['NoAnswer', 'Credentials', 'Silent', 'Cut'].includes(reason);
    if (this.#watchingSinceMs === undefined || status === 429 || !isAnswered) return false;
    // An ERROR event, or a line that is no event: from the same place the same may follow for ever.
    this.#doubts += 1;
    return this.#doubts >= patience;
  }
}
