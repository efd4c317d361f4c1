/**
 * What was counted of signals already. Tools repeat themselves: an object that counts comes again with its new total, and
 * with the old one after every new listing; webhooks are sent again after a time-out. Only what is new is to be added.
 *
 * What it remembers is gone after a restart. Then the event on the server says until when, and how many, were counted:
 * an object whose last time is not later was counted; one whose first time is later is all new; of one that spans it, what
 * goes beyond the event's count is new, and at least one. Where several objects are one event, the event's count is theirs
 * together: what is new is then found too low, never too high.
 */
import { LRUCache } from 'lru-cache';
import { hash52 } from '../lib/hash.ts';
import type { SignalNature } from '../sources/source.ts';

/** Objects remembered after they are gone: a kubelet makes its Event anew, with the old total, once it has expired. */
const departedObjects = 10_000;
/** Ids of occurrences remembered. A sender that repeats one later than so many others is counted twice. */
const rememberedIds = 65_536;

/** What was counted of an event before this process wrote any of it. */
export interface CountedBefore {
  /** Milliseconds since the epoch of the last occurrence; 0 when nothing was counted. */
  readonly untilMs: number;
  readonly count: number;
}

/** What was counted of one object. */
interface Counted {
  readonly total: number;
  readonly lastMs: number;
}

export class SignalLedger {
  /** By hash52 of the object's key; as many as there are objects. */
  readonly #live = new Map<number, Counted>();
  #departed: LRUCache<number, Counted> | undefined;
  #ids: LRUCache<number, true> | undefined;

  /** How many objects that count are known. */
  get objects(): number {
    return this.#live.size;
  }

  /** How many of the occurrences were not counted yet. `name` is the event's, `object` the hash of the object's key. */
  owed(name: string, object: number, nature: SignalNature, before: CountedBefore): number {
    if (nature.cumulative === true) return this.#owedOf(object, nature, before);
    const { occurrences, occurrenceIds } = nature;
    return occurrenceIds === undefined ? occurrences : this.#newIds(name, occurrenceIds).length;
  }

  /** Everything that the nature says is counted from now on. */
  note(name: string, object: number, nature: SignalNature): void {
    if (nature.cumulative === true) {
      const counted = this.#countedOf(object);
      const isAnew = counted === undefined || isNewObject(nature, counted);
      const lastMs = nature.at.getTime();
      this.#departed?.delete(object);
      this.#live.set(object, {
        total: isAnew ? nature.occurrences : Math.max(counted.total, nature.occurrences),
        lastMs: isAnew ? lastMs : Math.max(counted.lastMs, lastMs),
      });
    } else if (nature.occurrenceIds !== undefined) {
      this.#ids ??= new LRUCache({ max: rememberedIds });
      for (const id of this.#newIds(name, nature.occurrenceIds)) this.#ids.set(id, true);
    }
  }

  /** Another replica counted meanwhile: what objects count is to be compared with the events again. */
  forgetObjects(): void {
    this.#live.clear();
    this.#departed?.clear();
  }

  /** The same of one object. */
  forget(object: number): void {
    this.#live.delete(object);
    this.#departed?.delete(object);
  }

  /** The object is gone, which says nothing about what it counted. */
  gone(object: number): void {
    const counted = this.#live.get(object);
    if (counted === undefined) return;
    this.#live.delete(object);
    this.#departed ??= new LRUCache({ max: departedObjects });
    this.#departed.set(object, counted);
  }

  #countedOf(object: number): Counted | undefined {
    return this.#live.get(object) ?? this.#departed?.get(object);
  }

  #owedOf(object: number, nature: SignalNature, { untilMs, count }: CountedBefore): number {
    const total = nature.occurrences;
    const counted = this.#countedOf(object);
    if (counted !== undefined) return isNewObject(nature, counted) ? total : Math.max(0, total - counted.total);
    const lastMs = nature.at.getTime();
    if (lastMs < untilMs) return 0;
    // Times of Events are whole seconds: more can have happened within the last one.
    if (lastMs === untilMs) return Math.max(0, total - count);
    return firstMsOf(nature) > untilMs ? total : Math.max(1, total - count);
  }

  /** Those that were not seen, each once, as hashes. */
  #newIds(name: string, ids: readonly string[]): number[] {
    return [...new Set(ids.map((id) => hash52(`${name} ${id}`)))].filter((id) => this.#ids?.has(id) !== true);
  }
}

/** It counts from the beginning again: another object of the same name. An older state of it begins as early as it did. */
function isNewObject(nature: SignalNature, counted: Counted): boolean {
  return nature.occurrences < counted.total && firstMsOf(nature) > counted.lastMs;
}

function firstMsOf({ firstAt, at }: SignalNature): number {
  return (firstAt ?? at).getTime();
}
