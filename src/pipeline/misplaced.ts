/** Finds own events that are not where they belong, and has them moved (event-move.ts), a part of them at a time. */
import type { Ending } from './event-changes.ts';
import type { EventIndex } from './event-index.ts';
import type { Intent } from './intent.ts';
import { intentOf } from './intent-of-row.ts';
import type { OwnEvents } from './own-events.ts';
import type { Placement } from './placement.ts';
import type { MayWrite } from './ports.ts';
import type { WorkQueue } from './work-queue.ts';

export interface MisplacedParts {
  readonly index: EventIndex;
  readonly own: OwnEvents;
  readonly queue: WorkQueue;
  readonly placement: Placement;
  readonly mayWrite: MayWrite;
  /** There are some (again), or no more of them. */
  changed(misplaced: number): void;
  /** More of them could be moved than are under way: look again. */
  more(): void;
}

/** As many wait in the queue at a time: new findings must have room. */
const maximumWaiting = 400;

export class Misplaced {
  readonly #parts: MisplacedParts;
  /** Put into the queue and not ended yet. */
  readonly #waiting = new Set<string>();
  /** Refused by the server for good: not tried again in this life. */
  readonly #refused = new Set<string>();
  #count = 0;

  constructor(parts: MisplacedParts) {
    this.#parts = parts;
  }

  /** How many there were at the last look. */
  get count(): number {
    return this.#count;
  }

  /** Looks at every event. */
  sweep(monotonicMs: number): void {
    const { queue, changed } = this.#parts;
    let count = 0;
    for (const name of this.#names()) {
      count += 1;
      const isBusy = this.#waiting.size >= maximumWaiting || queue.isFull || queue.coming(name) !== undefined;
      if (!isBusy && !this.#refused.has(name)) this.#put(name, monotonicMs);
    }
    const before = this.#count;
    this.#count = count;
    if ((before === 0) !== (count === 0)) changed(count);
  }

  /** An intent came to its end. */
  ended(intent: Intent, { kind }: Ending): void {
    // Another intent of the event may have taken the place of the move.
    if (!this.#waiting.delete(intent.key)) return;
    if (intent.kind === 'move' && kind === 'rejected') this.#refused.add(intent.key);
    if (this.#waiting.size === 0 && this.#count > 0) this.#parts.more();
  }

  *#names(): Generator<string> {
    const { index, own, placement, mayWrite } = this.#parts;
    const second = new Set(own.namesElsewhere());
    for (const name of second) if (mayWrite(index.shard(index.find(name)))) yield name;
    for (const row of index.rows()) {
      if (!index.isOnServer(row) || !mayWrite(index.shard(row))) continue;
      if (!placement.isMisplaced(index.namespace(row), index.resourceNamespace(row))) continue;
      const name = index.name(row);
      if (!second.has(name)) yield name;
    }
  }

  #put(name: string, monotonicMs: number): void {
    const { index, own, queue, placement } = this.#parts;
    const row = index.find(name);
    const resourceNamespace = own.elsewhere(name)?.resourceNamespace ?? index.resourceNamespace(row);
    const namespace = placement.namespaceFor({ namespace: resourceNamespace });
    const result = queue.put({
      ...intentOf(index, row, monotonicMs),
      key: name,
      namespace,
      partition: resourceNamespace,
      kind: 'move',
    });
    if (result.kind === 'queued') this.#waiting.add(name);
  }
}
