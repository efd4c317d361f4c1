/** Stands for all words beyond the bound. */
export const otherWords = 'other';

/**
 * Bounds the words of a label that come from outside: the first so many are themselves, later ones are `other`. A cluster
 * with 5,000 kinds must not make 5,000 series.
 */
export class LabelBound {
  readonly #words = new Set<string>();
  readonly #maximum: number;

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  /** The word as the label has it. */
  word(word: string): string {
    if (this.#words.has(word)) return word;
    if (this.#words.size >= this.#maximum) return otherWords;
    this.#words.add(word);
    return word;
  }
}
