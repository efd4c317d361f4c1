/**
 * The entries of one report that are the same finding: what tells them apart changes from scan to scan, or is not there.
 * They are described together, in an order of our own, so that the event does not depend on the order of the entries.
 */
import type { Fields } from '../lib/fields.ts';
import { asFields, asText } from '../lib/fields.ts';

export class AlikeEntries {
  readonly #entries: readonly unknown[];
  readonly #identityOf: (entry: Fields) => string | undefined;
  readonly #compare: (a: Fields, b: Fields) => number;
  #groups: Map<string, Fields[]> | undefined;

  /** `identityOf`: what those have in common that are one finding; undefined for entries that are none. */
  constructor(
    entries: readonly unknown[],
    identityOf: (entry: Fields) => string | undefined,
    compare: (a: Fields, b: Fields) => number,
  ) {
    this.#entries = entries;
    this.#identityOf = identityOf;
    this.#compare = compare;
  }

  /** Those of the entry's finding, itself among them. Sorted out for the first finding that asks: most reports have none. */
  of(entry: Fields): readonly Fields[] {
    if (this.#groups === undefined) {
      this.#groups = new Map();
      for (const value of this.#entries) {
        const other = asFields(value);
        if (other === undefined) continue;
        const key = this.#identityOf(other);
        if (key === undefined) continue;
        const group = this.#groups.get(key);
        if (group === undefined) this.#groups.set(key, [other]);
        else group.push(other);
      }
    }
    const group = this.#groups.get(this.#identityOf(entry) ?? '') ?? [entry];
    return group.length === 1 ? group : group.toSorted(this.#compare);
  }
}

/** The text of a member, '' where there is none. Never a template over the raw value: turning a hostile object into text throws. */
export function word(entry: Fields, key: string): string {
  return asText(entry[key]) ?? '';
}

/** The different values of a member, in order, as one text. */
export function distinct(entries: readonly Fields[], key: string): string | undefined {
  const values = new Set(entries.map((entry) => asText(entry[key])).filter((value) => value !== undefined));
  return asText([...values].sort().join(', '));
}
