/**
 * One Lease and our part in it, by the rules of client-go's leader election:
 *
 *  1. A Lease of another is free once it was not seen to change for the duration that stands on it, by our monotonic clock
 *     from the moment when we saw it change last. Times that others wrote are never compared with ours.
 *  2. It is ours from a write that succeeded until the renew deadline, counted from the start of that request. The deadline
 *     is shorter than the duration that we write, so it is over for us before anybody else may take it, however slow the
 *     server was, and whatever the others are configured to.
 *  3. Once over it stays over: an answer that comes later begins a new term, and whoever fenced a write meanwhile is told.
 *  4. Every write carries the version that it was decided on; of two who try, the server takes one.
 *
 * The monotonic clock (CLOCK_MONOTONIC) goes on while the process is stopped, but not while the whole machine is suspended.
 * The wall clock usually does then: a term is also over when that says so. It can only end a term, never lengthen it.
 */
import type { Clock } from '../lib/clock.ts';
import { paused } from './abort.ts';
import type { LeaseRecord, LeaseStore, StoredLease } from './lease-store.ts';

/** Limits in time. */
export interface LeaseTiming {
  /** How long the others wait after they saw it change last: what our Lease says. Whole seconds, as it has them. */
  readonly waitSeconds: number;
  /** How long it is ours after the start of the last request that renewed it. */
  readonly renewDeadlineMs: number;
  /** Between two attempts; up to a fifth less for those who do not hold it. */
  readonly retryMs: number;
}

/** Why a term ended. taken: another one holds it. expired: it could not be renewed in time. released: by ourselves. */
export type LeaseEnd = 'taken' | 'expired' | 'released';

export interface LeaseParts {
  readonly name: string;
  /** Nobody else has the same, and not this process before its restart. */
  readonly identity: string;
  readonly store: LeaseStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly timing: LeaseTiming;
  /** A term began, or ended. Called in the same turn as isHeld changes. */
  acquired?(): void;
  lost?(end: LeaseEnd): void;
  /** An attempt to get or renew it failed for another reason than that somebody was faster. */
  failed?(error: unknown): void;
  /**
   * For how long it is left to others once it is free; Infinity: it is not to be taken now. Absent: not at all.
   * `isRunOut`: its holder did not give it back, so nobody did its work for a while.
   */
  patienceMs?(isRunOut: boolean): number;
  /** An attempt saw that its holder, another one, should have renewed it by now. */
  silent?(): void;
  /** What is said on it besides at each renewal. */
  notes?(): Readonly<Record<string, string>>;
  /** Waits between attempts, or until the signal aborts. Absent: by the timers of the process. */
  readonly pause?: typeof paused;
}

/** A record may say anything; no term that we know of is longer. */
export const longestLeaseSeconds = 600;

export class Lease {
  readonly #parts: LeaseParts;
  /** As it was last read or written; a write is decided on it. Undefined: not known, or not there. */
  #known: StoredLease | undefined;
  #isKnown = false;
  /** What it said when it was last seen to change, and when that was. */
  #observed = '';
  #observedAtMs = 0;
  #isHeld = false;
  #heldUntilMs = 0;
  #heldSince = 0;
  #timer: NodeJS.Timeout | undefined;
  #wake: () => void = () => {};
  #isStopping = false;
  #running: Promise<void> | undefined;

  constructor(parts: LeaseParts) {
    const { waitSeconds, renewDeadlineMs, retryMs } = parts.timing;
    if (!(retryMs < renewDeadlineMs && renewDeadlineMs < waitSeconds * 1000)) {
      throw new RangeError(`it must be retry < renew deadline < wait, got ${JSON.stringify(parts.timing)}`);
    }
    this.#parts = parts;
  }

  get name(): string {
    return this.#parts.name;
  }

  /** Whether it is ours at this moment, by the clocks. */
  get isHeld(): boolean {
    if (this.#isHeld && this.#isOver()) this.#end('expired');
    return this.#isHeld;
  }

  /** Who holds it at the moment, as far as can be seen; undefined: nobody. */
  get holder(): string | undefined {
    if (this.isHeld) return this.#parts.identity;
    return this.freeInMs > 0 ? this.#known?.record.holderIdentity : undefined;
  }

  /** Until it is free, as far as can be seen, if it does not change before; 0: nobody else holds it. */
  get freeInMs(): number {
    if (!this.#isOfAnother) return 0;
    return Math.max(0, this.#observedAtMs + this.#waitMs - this.#parts.clock.monotonicMs());
  }

  /** Another one who holds it, or did to the last, and whose own term must be over by now. It may be renewed yet. */
  get silentHolder(): string | undefined {
    return this.#isOfAnother && this.#silentInMs <= 0 ? this.#known?.record.holderIdentity : undefined;
  }

  /** Whether what was last read or written of it is all that we know to have happened. */
  get isSeen(): boolean {
    return this.#isKnown;
  }

  /** What its holder says on it, if anybody holds it. */
  get notes(): Readonly<Record<string, string>> {
    return this.#known?.record.notes ?? {};
  }

  /** Begins to try for it, and to renew it, until stop(). */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Gives it back while it is ours. It is tried for again as soon as it is wanted. Does not throw. */
  async giveBack(): Promise<void> {
    await this.#release();
  }

  /** Ends it; a Lease that is ours is released, so that others need not wait. Does not throw. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#wake();
    await this.#running;
    await this.#release();
  }

  /** It may have changed: looks at it soon rather than at its time. */
  nudge(): void {
    if (!this.#isHeld) this.#wake();
  }

  /** Reads it, without trying for it. Does not throw. */
  async look(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** One attempt to get it or to keep it. Does not throw. */
  async attempt(): Promise<void> {
    const { store, clock, name } = this.#parts;
    try {
      if (!this.isHeld || !this.#isKnown) await this.#read();
      if (this.#isStopping || this.freeInMs > 0) return;
      if (!this.#isHeld && this.#wantedInMs() > 0) return;
      const startedMs = clock.monotonicMs();
      const startedAt = clock.now();
      this.#isKnown = false;
      this.#see(await store.write(name, this.#renewal(startedAt), this.#known));
      this.#renewed(startedMs, startedAt.getTime());
    } catch (error) {
      this.#fail(error);
    }
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await this.attempt();
      if (this.#isStopping) return;
      if (this.silentHolder !== undefined) this.#parts.silent?.();
      const pause = new AbortController();
      await Promise.race([woken, (this.#parts.pause ?? paused)(this.#nextAttemptMs(), pause.signal)]);
      pause.abort();
    }
  }

  /** Until the next attempt: when a Lease of another is to be taken, if it does not change before. */
  #nextAttemptMs(): number {
    const { timing, random } = this.#parts;
    if (this.isHeld) return timing.retryMs;
    const retryMs = timing.retryMs * (1 - random() / 5);
    if (!this.#isOfAnother) return retryMs;
    const wantedInMs = this.#wantedInMs();
    // What is wanted now was tried for in vain just before.
    if (wantedInMs <= 0) return timing.retryMs / 8;
    const silentInMs = this.#silentInMs;
    return Math.min(retryMs, wantedInMs, silentInMs > 0 ? silentInMs : retryMs);
  }

  async #read(): Promise<void> {
    const { store, name, identity } = this.#parts;
    this.#isKnown = false;
    const stored = await store.read(name);
    this.#see(stored);
    if (this.#isHeld && stored?.record.holderIdentity !== identity) this.#end('taken');
  }

  #see(stored: StoredLease | undefined): void {
    this.#known = stored;
    this.#isKnown = true;
    const text = JSON.stringify(stored?.record ?? null);
    if (text === this.#observed) return;
    this.#observed = text;
    this.#observedAtMs = this.#parts.clock.monotonicMs();
  }

  /** Whether the last word on it is another's who did not give it back. */
  get #isOfAnother(): boolean {
    const { holderIdentity = '' } = this.#known?.record ?? {};
    return holderIdentity !== '' && holderIdentity !== this.#parts.identity;
  }

  /** Until it is to be taken, if nobody else does: 0 or less is now, Infinity is not in sight. */
  #wantedInMs(): number {
    const { clock, patienceMs } = this.#parts;
    const isRunOut = this.#isOfAnother;
    const freeSinceMs = this.#observedAtMs + (isRunOut ? this.#waitMs : 0);
    return freeSinceMs + (patienceMs?.(isRunOut) ?? 0) - clock.monotonicMs();
  }

  /** Until a holder who renewed when it was last seen to change has to give up, if it is configured as we are. */
  get #silentInMs(): number {
    const { clock, timing } = this.#parts;
    return this.#observedAtMs + timing.renewDeadlineMs - clock.monotonicMs();
  }

  /** How long its holder wants others to wait. */
  get #waitMs(): number {
    const said = this.#known?.record.leaseDurationSeconds ?? 0;
    return 1000 * (said > 0 && said <= longestLeaseSeconds ? said : this.#parts.timing.waitSeconds);
  }

  #renewal(now: Date): LeaseRecord {
    const { identity, timing } = this.#parts;
    const before = this.#known?.record;
    const isOurs = before?.holderIdentity === identity;
    const notes = this.#parts.notes?.();
    return {
      ...(notes === undefined ? {} : { notes }),
      holderIdentity: identity,
      leaseDurationSeconds: timing.waitSeconds,
      acquireTime: isOurs && before.acquireTime !== '' ? before.acquireTime : microTime(now),
      renewTime: microTime(now),
      leaseTransitions: before === undefined ? 0 : before.leaseTransitions + (isOurs ? 0 : 1),
    };
  }

  #renewed(startedMs: number, startedWallMs: number): void {
    this.#heldUntilMs = startedMs + this.#parts.timing.renewDeadlineMs;
    this.#heldSince = startedWallMs;
    if (this.#isOver()) {
      if (this.#isHeld) this.#end('expired');
      return;
    }
    this.#watchEnd();
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.#parts.acquired?.();
  }

  #isOver(): boolean {
    const { clock, timing } = this.#parts;
    if (clock.monotonicMs() >= this.#heldUntilMs) return true;
    return clock.now().getTime() - this.#heldSince >= timing.renewDeadlineMs;
  }

  /** Sees to it that the end is told, also when nobody asks. */
  #watchEnd(): void {
    clearTimeout(this.#timer);
    const leftMs = this.#heldUntilMs - this.#parts.clock.monotonicMs();
    this.#timer = setTimeout(() => (this.isHeld ? this.#watchEnd() : undefined), Math.max(1, leftMs));
  }

  #end(end: LeaseEnd): void {
    this.#isHeld = false;
    clearTimeout(this.#timer);
    this.#parts.lost?.(end);
  }

  async #release(): Promise<void> {
    if (!this.isHeld) return;
    const { store, clock, name } = this.#parts;
    this.#end('released');
    try {
      if (!this.#isKnown) await this.#read();
      if (this.#known?.record.holderIdentity !== this.#parts.identity) return;
      const renewal = this.#renewal(clock.now());
      await store.write(name, { ...renewal, holderIdentity: '', leaseDurationSeconds: 1 }, this.#known);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const { status } = error as { readonly status?: unknown };
    // Somebody was faster, or our own earlier request arrived without its answer: the next attempt reads what is there.
    if (status !== 409) this.#parts.failed?.(error);
  }
}

/** As Kubernetes writes a MicroTime. */
function microTime(time: Date): string {
  return time.toISOString().replace('Z', '000Z');
}
