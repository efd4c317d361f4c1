/** Which events an annotation mutes, and until when: few of all, so a row that none mutes costs nothing. */
import type { Row } from './event-index.ts';

export class MutedRows {
  readonly #untilMs = new Map<Row, number>();

  /** Notes until when the event is muted, in milliseconds since the epoch; undefined: it is not. */
  set(row: Row, untilMs: number | undefined): void {
    if (untilMs === undefined) this.#untilMs.delete(row);
    else this.#untilMs.set(row, untilMs);
  }

  /** Whether the event is muted now. */
  has(row: Row, now: Date): boolean {
    return (this.#untilMs.get(row) ?? 0) > now.getTime();
  }

  /** How many events are muted now. */
  count(now: Date): number {
    let count = 0;
    for (const untilMs of this.#untilMs.values()) if (untilMs > now.getTime()) count += 1;
    return count;
  }
}
