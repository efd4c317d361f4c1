/** Words that occur in many rows, as numbers. 0 is the empty word. */
export class Interned {
  readonly #numbers = new Map<string, number>([['', 0]]);
  readonly #words: string[] = [''];

  /** The number of a word, given to it when it has none. */
  number(word: string): number {
    let number = this.#numbers.get(word);
    if (number === undefined) {
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
