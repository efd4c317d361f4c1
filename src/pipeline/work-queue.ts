/**
 * The deduplicating work queue between intake and writer: one intent per event key, never two workers on one key, turns
 * between sources, FIFO within a source, per-key back-off, bounded in items and in bytes.
 *
 * A key whose intent is being carried out may be put again: the new intent waits until the first one is done.
 *
 * An intent can be put off (repeats of a signal are). Those that are do not make the queue full, and have half of its
 * limits for themselves; beyond that nothing is put off any more.
 */
import type { Intent } from './intent.ts';
import { mergedOccurrences, mergeIntents } from './intent.ts';

/** Bounds of what waits and runs. */
export interface QueueLimits {
  readonly items: number;
  readonly bytes: number;
}

/**
 * queued: waits. merged: took the place of, or added to, the waiting intent of its key, of which so many occurrences,
 * booked in that partition, ended by it. full: refused, nothing changed.
 */
export type PutResult =
  | { readonly kind: 'queued' | 'full' }
  | { readonly kind: 'merged'; readonly occurrences: number; readonly partition: string };

interface Entry {
  intent: Intent;
  /** Monotonic milliseconds before which it must not be taken. */
  notBefore: number;
  /** It waits because it was put off, and not because it failed. */
  isDeferred: boolean;
}

/** What an intent with its event takes, about. */
const typicalBytes = 3 * 1024;

export class WorkQueue {
  readonly #limits: QueueLimits;
  readonly #monotonicMs: () => number;
  readonly #waiting = new Map<string, Entry>();
  /** Keys in turn order, per source. A key stands in exactly one of ready, delayed or running. */
  readonly #ready = new Map<string, Set<string>>();
  readonly #delayed = new Set<string>();
  readonly #running = new Map<string, Intent>();
  readonly #listeners: (() => void)[] = [];
  #roomWaiters: (() => void)[] = [];
  #bytes = 0;
  #runningBytes = 0;
  /** Keys that were put in by what admit() does at the moment. */
  #admitted: Set<string> | undefined;
  #deferredItems = 0;
  #deferredBytes = 0;
  /** No delayed intent becomes ready before this. */
  #nextWakeMs = Number.POSITIVE_INFINITY;

  constructor(limits: QueueLimits, monotonicMs: () => number) {
    if (!(limits.items >= 1) || !(limits.bytes >= 1)) {
      throw new RangeError(`queue limits must be positive, got items=${limits.items} bytes=${limits.bytes}`);
    }
    this.#limits = limits;
    this.#monotonicMs = monotonicMs;
  }

  /** Waiting and running intents. */
  get items(): number {
    return this.#waiting.size + this.#running.size;
  }

  get bytes(): number {
    return this.#bytes + this.#runningBytes;
  }

  /** Intents that wait for their time: they failed, or were put off. */
  get delayed(): number {
    return this.#delayed.size;
  }

  get isFull(): boolean {
    return this.#undeferredItems >= this.#limits.items || this.#undeferredBytes >= this.#limits.bytes;
  }

  /** What is to become of a key next: its waiting intent, else the one that is being carried out. */
  coming(key: string): Intent | undefined {
    return this.#waiting.get(key)?.intent ?? this.#running.get(key);
  }

  /** Whether any intent that waits or is being carried out is one of these. */
  holds(isOne: (intent: Intent) => boolean): boolean {
    for (const { intent } of this.#waiting.values()) if (isOne(intent)) return true;
    for (const intent of this.#running.values()) if (isOne(intent)) return true;
    return false;
  }

  /** Calls back whenever there may be something to take. */
  onReady(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** `notBeforeMs`: it is put off until then, by the monotonic clock; the sooner of two such times counts. */
  put(intent: Intent, notBeforeMs = 0): PutResult {
    this.#admitted?.add(intent.key);
    const entry = this.#waiting.get(intent.key);
    if (entry !== undefined) {
      const { partition } = entry.intent;
      const occurrences = mergedOccurrences(entry.intent, intent);
      this.#replace(entry, mergeIntents(entry.intent, intent));
      if (entry.isDeferred && notBeforeMs < entry.notBefore) this.#bringForward(entry, notBeforeMs);
      return { kind: 'merged', occurrences, partition };
    }
    const isDeferred = notBeforeMs > this.#monotonicMs() && this.#canDefer();
    if (this.isFull && !isDeferred && this.#admitted === undefined) return { kind: 'full' };
    const added = { intent, notBefore: isDeferred ? notBeforeMs : 0, isDeferred };
    this.#waiting.set(intent.key, added);
    this.#bytes += intent.bytes;
    if (isDeferred) this.#countDeferred(added, 1);
    if (!this.#running.has(intent.key)) this.#release(added);
    return { kind: 'queued' };
  }

  /**
   * Does what puts intents in that cannot come again: all of them find room. Their keys; undefined, and nothing is done,
   * where there is no room for `items` of them. Where half of the queue is free, there is for any number.
   */
  admit(items: number, put: () => void): ReadonlySet<string> | undefined {
    if (!this.#hasRoomFor(items)) return undefined;
    const keys = new Set<string>();
    this.#admitted = keys;
    try {
      put();
    } finally {
      this.#admitted = undefined;
    }
    return keys;
  }

  /** Whether the key is being written or will be in its turn; what was put off is not. */
  isImminent(key: string): boolean {
    return this.#running.has(key) || this.#waiting.get(key)?.isDeferred === false;
  }

  /** Puts nothing off any more that waits now: it is to be written before the end. */
  flush(isOne: (intent: Intent) => boolean = () => true): void {
    for (const entry of this.#waiting.values())
      if (entry.isDeferred && isOne(entry.intent)) this.#bringForward(entry, 0);
  }

  /** Takes those out that wait and are to be removed; what is being carried out stays. */
  remove(isToGo: (intent: Intent) => boolean): readonly Intent[] {
    const removed: Intent[] = [];
    for (const [key, entry] of this.#waiting) {
      const { intent } = entry;
      if (!isToGo(intent)) continue;
      this.#waiting.delete(key);
      this.#bytes -= intent.bytes;
      if (entry.isDeferred) this.#countDeferred(entry, -1);
      this.#delayed.delete(key);
      this.#ready.get(intent.source)?.delete(key);
      removed.push(intent);
    }
    this.#tellRoom();
    return removed;
  }

  /** Takes the next intent in turn; its key is running until done() or retry(). Undefined when there is none. */
  take(): Intent | undefined {
    this.#wakeDelayed();
    for (const [source, keys] of this.#ready) {
      const key = first(keys);
      if (key === undefined) continue;
      keys.delete(key);
      // The source goes to the end of the round.
      this.#ready.delete(source);
      if (keys.size > 0) this.#ready.set(source, keys);
      const entry = this.#waiting.get(key);
      if (entry === undefined) continue;
      this.#waiting.delete(key);
      this.#bytes -= entry.intent.bytes;
      if (entry.isDeferred) this.#countDeferred(entry, -1);
      this.#running.set(key, entry.intent);
      this.#runningBytes += entry.intent.bytes;
      return entry.intent;
    }
    return undefined;
  }

  /** The intent came to its end; a newer one of its key, if there is one, becomes ready. */
  done(intent: Intent): void {
    this.#stopRunning(intent.key);
    const next = this.#waiting.get(intent.key);
    if (next !== undefined) this.#release(next);
    this.#tellRoom();
  }

  /**
   * The intent is to be tried again after a while; a newer one of its key takes its place or adds to it, and waits as
   * long. Returns how many occurrences were merged by that.
   */
  retry(intent: Intent, afterMs: number): number {
    this.#stopRunning(intent.key);
    const notBefore = this.#monotonicMs() + afterMs;
    this.#nextWakeMs = Math.min(this.#nextWakeMs, notBefore);
    this.#delayed.add(intent.key);
    const newer = this.#waiting.get(intent.key);
    if (newer !== undefined) {
      const occurrences = mergedOccurrences(intent, newer.intent);
      if (newer.isDeferred) this.#countDeferred(newer, -1);
      newer.isDeferred = false;
      this.#replace(newer, mergeIntents(intent, newer.intent));
      newer.notBefore = notBefore;
      this.#tellRoom();
      return occurrences;
    }
    this.#waiting.set(intent.key, { intent, notBefore, isDeferred: false });
    this.#bytes += intent.bytes;
    return 0;
  }

  /** Milliseconds until the next delayed intent becomes ready; undefined when none is delayed. */
  nextDelayMs(): number | undefined {
    return this.#delayed.size === 0 ? undefined : Math.max(0, this.#nextWakeMs - this.#monotonicMs());
  }

  /** Resolves when there is room again: at once, or when the queue has fallen to half of its limits. */
  room(): Promise<void> {
    if (!this.isFull) return Promise.resolve();
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  get #undeferredItems(): number {
    return this.items - this.#deferredItems;
  }

  get #undeferredBytes(): number {
    return this.bytes - this.#deferredBytes;
  }

  #hasRoomFor(items: number): boolean {
    const { items: mostItems, bytes: mostBytes } = this.#limits;
    if (this.isFull) return false;
    const isHalfFree = this.#undeferredItems <= mostItems / 2 && this.#undeferredBytes <= mostBytes / 2;
    const bytes = items * typicalBytes;
    return isHalfFree || (this.#undeferredItems + items <= mostItems && this.#undeferredBytes + bytes <= mostBytes);
  }

  #canDefer(): boolean {
    return this.#deferredItems < this.#limits.items / 2 && this.#deferredBytes < this.#limits.bytes / 2;
  }

  #countDeferred({ intent }: Entry, sign: 1 | -1): void {
    this.#deferredItems += sign;
    this.#deferredBytes += sign * intent.bytes;
  }

  #replace(entry: Entry, intent: Intent): void {
    if (entry.isDeferred) this.#countDeferred(entry, -1);
    this.#bytes += intent.bytes - entry.intent.bytes;
    entry.intent = intent;
    if (entry.isDeferred) this.#countDeferred(entry, 1);
  }

  #bringForward(entry: Entry, notBefore: number): void {
    entry.notBefore = notBefore;
    if (notBefore <= this.#monotonicMs()) {
      this.#countDeferred(entry, -1);
      entry.isDeferred = false;
    }
    if (!this.#running.has(entry.intent.key)) this.#release(entry);
  }

  /** Its key does not run: it may be taken, or waits until its time. */
  #release({ intent, notBefore }: Entry): void {
    if (notBefore > this.#monotonicMs()) {
      this.#delayed.add(intent.key);
      this.#nextWakeMs = Math.min(this.#nextWakeMs, notBefore);
    } else {
      this.#delayed.delete(intent.key);
      this.#makeReady(intent.source, intent.key);
    }
    this.#tellReady();
  }

  #makeReady(source: string, key: string): void {
    let keys = this.#ready.get(source);
    if (keys === undefined) {
      keys = new Set();
      this.#ready.set(source, keys);
    }
    keys.add(key);
  }

  #tellReady(): void {
    for (const listener of this.#listeners) listener();
  }

  #stopRunning(key: string): void {
    this.#runningBytes -= this.#running.get(key)?.bytes ?? 0;
    this.#running.delete(key);
  }

  #wakeDelayed(): void {
    const now = this.#monotonicMs();
    if (now < this.#nextWakeMs) return;
    this.#nextWakeMs = Number.POSITIVE_INFINITY;
    for (const key of this.#delayed) {
      const entry = this.#waiting.get(key);
      if (entry !== undefined && entry.notBefore > now) {
        this.#nextWakeMs = Math.min(this.#nextWakeMs, entry.notBefore);
        continue;
      }
      this.#delayed.delete(key);
      if (entry !== undefined) this.#makeReady(entry.intent.source, key);
    }
  }

  #tellRoom(): void {
    if (this.#roomWaiters.length === 0) return;
    if (this.#undeferredItems > this.#limits.items / 2 || this.#undeferredBytes > this.#limits.bytes / 2) return;
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const resolve of waiters) resolve();
  }
}

function first(keys: Set<string>): string | undefined {
  for (const key of keys) return key;
  return undefined;
}
