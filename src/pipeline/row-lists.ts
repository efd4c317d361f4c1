/**
 * Which rows are under which report key: one doubly linked list per key, in packed arrays. A row is under one key at the
 * most. A key's number is free again when its last row leaves.
 */
import { grown } from './packed.ts';

export class RowLists {
  #keyOf: Uint32Array;
  #next: Uint32Array;
  #previous: Uint32Array;
  readonly #numbers = new Map<string, number>();
  readonly #keys: string[] = [''];
  readonly #first: number[] = [0];
  readonly #free: number[] = [];

  constructor(capacity: number) {
    this.#keyOf = new Uint32Array(capacity);
    this.#next = new Uint32Array(capacity);
    this.#previous = new Uint32Array(capacity);
  }

  /** Makes room for more rows. */
  grow(capacity: number): void {
    this.#keyOf = grown(this.#keyOf, capacity);
    this.#next = grown(this.#next, capacity);
    this.#previous = grown(this.#previous, capacity);
  }

  /** The key that the row is under; '' when it is under none. */
  keyOf(row: number): string {
    return this.#keys[this.#keyOf[row] ?? 0] ?? '';
  }

  /** Puts the row under a key, taking it out of the one it was under. '' takes it out only. */
  put(row: number, key: string): void {
    const current = this.#keyOf[row] ?? 0;
    if (this.#keys[current] === key) return;
    if (current !== 0) this.#unlink(row, current);
    const number = key === '' ? 0 : this.#number(key);
    this.#keyOf[row] = number;
    if (number === 0) return;
    const first = this.#first[number] ?? 0;
    this.#next[row] = first;
    this.#previous[row] = 0;
    if (first !== 0) this.#previous[first] = row;
    this.#first[number] = row;
  }

  /** The rows under a key. A row may be taken out once it was yielded. */
  *rows(key: string): Generator<number> {
    let row = this.#first[this.#numbers.get(key) ?? 0] ?? 0;
    while (row !== 0) {
      const following = this.#next[row] ?? 0;
      yield row;
      row = following;
    }
  }

  #number(key: string): number {
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#free.pop() ?? this.#first.length;
      this.#first[number] = 0;
      this.#keys[number] = key;
      this.#numbers.set(key, number);
    }
    return number;
  }

  #unlink(row: number, number: number): void {
    const following = this.#next[row] ?? 0;
    const previous = this.#previous[row] ?? 0;
    if (previous === 0) this.#first[number] = following;
    else this.#next[previous] = following;
    if (following !== 0) this.#previous[following] = previous;
    if (this.#first[number] === 0) {
      this.#numbers.delete(this.#keys[number] ?? '');
      this.#keys[number] = '';
      this.#free.push(number);
    }
    this.#next[row] = 0;
    this.#previous[row] = 0;
  }
}
