/**
 * How well the reports of each tool keep coming: how many there are, when one last spoke, and whether so many vanished at
 * once that their absence says more about the tool than about the findings. A channel is one kind of report of one tool:
 * uninstalling Kyverno says nothing about what kube-bench's adapter writes in the same kind.
 */
import type { ReportObject } from './report-table.ts';

/** Losses within this time are taken together. */
const lossWindowMs = 10 * 60_000;

interface Channel {
  readonly name: string;
  live: number;
  /** Objects that vanished and did not come back: hash -> monotonic milliseconds. */
  readonly lost: Map<number, number>;
  /** Monotonic milliseconds when a report last said something new. */
  spokeMs: number;
  /** Since when it has been speaking without a break: what vanished before has its grace from here. */
  resumedMs: number;
  isHalted: boolean;
}

export interface ReportHealthParts {
  /** A channel that was silent for longer than this begins anew when it speaks: it needs time to catch up. */
  graceMs(kind: string, word: string): number;
  /** Kinds that are one channel, because they carry the same reports; each is its own where this is absent. */
  channelOf?(kind: string): string;
  /** Told when a channel loses more than half of its reports, and when one speaks again. */
  haltChanged(channel: string, isHalted: boolean): void;
}

export class ReportHealth {
  readonly #channels = new Map<string, Channel>();
  readonly #parts: ReportHealthParts;

  constructor(parts: ReportHealthParts) {
    this.#parts = parts;
  }

  /** The object says something new, in the words of these tools. */
  spoke(object: ReportObject, kind: string, words: readonly string[], nowMs: number): void {
    for (const word of object.words) if (!words.includes(word)) this.#channel(kind, word).live -= 1;
    for (const word of words) {
      const channel = this.#channel(kind, word);
      const isBreak = nowMs - channel.spokeMs > this.#parts.graceMs(kind, word);
      if (channel.live === 0 || channel.isHalted || isBreak) channel.resumedMs = nowMs;
      if (!object.words.includes(word)) channel.live += 1;
      channel.spokeMs = nowMs;
      channel.lost.delete(object.hash);
      if (channel.isHalted) {
        channel.isHalted = false;
        channel.lost.clear();
        this.#parts.haltChanged(channel.name, false);
      }
    }
    object.words = words;
  }

  /** The object is gone. `isExpected`: its namespace is being deleted, which says nothing about the tool. */
  lost(object: ReportObject, kind: string, nowMs: number, isExpected: boolean): void {
    for (const word of object.words) {
      const channel = this.#channel(kind, word);
      channel.live -= 1;
      if (isExpected) continue;
      channel.lost.set(object.hash, nowMs);
      for (const [hash, atMs] of channel.lost) {
        if (nowMs - atMs <= lossWindowMs) break;
        channel.lost.delete(hash);
      }
      if (!channel.isHalted && channel.lost.size > channel.live) {
        channel.isHalted = true;
        this.#parts.haltChanged(channel.name, true);
      }
    }
    object.words = [];
  }

  /** How many reports there are. */
  live(kind: string, word: string): number {
    return this.#channels.get(this.#nameOf(kind, word))?.live ?? 0;
  }

  /** Whether the tool lost more than half of its reports at once and has not said anything since. */
  isHalted(kind: string, word: string): boolean {
    return this.#channels.get(this.#nameOf(kind, word))?.isHalted ?? false;
  }

  /**
   * Whether the tool has gone on reporting about others for `graceMs` while something was missing since `sinceMs`: it
   * said something after that, and has not been silent, gone or halted meanwhile.
   */
  goesOn(kind: string, word: string, sinceMs: number, nowMs: number, graceMs: number): boolean {
    const channel = this.#channels.get(this.#nameOf(kind, word));
    if (channel === undefined || channel.isHalted || channel.live === 0) return false;
    const startMs = Math.max(sinceMs, channel.resumedMs);
    return nowMs - startMs >= graceMs && channel.spokeMs > startMs;
  }

  /** The channels that are halted. */
  halted(): string[] {
    return [...this.#channels.values()].filter(({ isHalted }) => isHalted).map(({ name }) => name);
  }

  #channel(kind: string, word: string): Channel {
    const name = this.#nameOf(kind, word);
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = { name, live: 0, lost: new Map(), spokeMs: 0, resumedMs: 0, isHalted: false };
      this.#channels.set(name, channel);
    }
    return channel;
  }

  /** `group|Kind word`, or the name of several kinds and the word. */
  #nameOf(kind: string, word: string): string {
    return `${this.#parts.channelOf?.(kind) ?? kind} ${word}`;
  }
}
