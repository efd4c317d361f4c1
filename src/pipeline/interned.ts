/**
 * Words that occur in many rows, as numbers. 0 is the empty word. Words are never forgotten, so a table of words that
 * anybody can make up has a limit: those beyond it are the empty word.
 */
export class Interned {
  readonly #limit: number;
  readonly #numbers = new Map<string, number>([['', 0]]);
  readonly #words: string[] = [''];

  constructor(limit = Number.POSITIVE_INFINITY) {
    this.#limit = limit;
  }

  /** The number of a word, given to it when it has none. */
  number(word: string): number {
    let number = this.#numbers.get(word);
    if (number === undefined) {
      if (this.#words.length >= this.#limit) return 0;
      number = this.#words.length;
      this.#words.push(word);
      this.#numbers.set(word, number);
    }
    return number;
  }

  /** The number of a word that was seen before. */
  find(word: string): number | undefined {
    return this.#numbers.get(word);
  }

  word(number: number): string {
    return this.#words[number] ?? '';
  }
}
