/** How much there is in a value that an expression compares, copies or finds the type of: what looking at it costs. */

/**
 * What an operand costs besides its own steps. typed: its type is found out, along its first members. copied: its items
 * are copied. member: it is searched. deep: all of it may be looked at.
 */
export type Weight = 'typed' | 'copied' | 'member' | 'deep';

/** Sixteen characters a unit. */
export const textShift = 4;
/** Reading all names of a map with many takes so many units for each. */
const unitsOfName = 8;
/** Maps with more names are remembered: reading the names is what has to be avoided. */
const manyNames = 256;

export class ValueSizes {
  readonly #names = new WeakMap<object, number>();

  /** In units. What is above the limit is not counted to its end. */
  weightOf(value: object, weight: Weight, limit: number): number {
    if (weight === 'deep' || (weight === 'member' && Array.isArray(value))) return this.#deep(value, limit);
    return (weight === 'copied' && Array.isArray(value) ? value.length >> 2 : 0) + this.#typed(value, limit);
  }

  /** Finding out a type looks at the first member of the first member; of a map all names are read for that. */
  #typed(value: object, limit: number): number {
    let units = 0;
    let current: unknown = value;
    while (typeof current === 'object' && current !== null && units <= limit) {
      const members = Array.isArray(current) ? current.slice(0, 1) : this.#members(current, limit - units);
      if (members === undefined) return limit + 1;
      units += 1 + (Array.isArray(current) ? 0 : nameUnits(members.length));
      current = members[0];
    }
    return units;
  }

  /** Values in the value, and their text. What is in it twice counts twice: it would be compared twice. */
  #deep(value: object, limit: number): number {
    let units = 0;
    const open: unknown[] = [value];
    while (open.length > 0 && units <= limit) {
      const current = open.pop();
      units += 1;
      if (typeof current === 'string') units += current.length >> textShift;
      else if (typeof current === 'object' && current !== null) {
        const members = Array.isArray(current) ? current : this.#members(current, limit - units);
        if (members === undefined || members.length + open.length > limit - units) return limit + 1;
        for (const member of members) open.push(member);
      }
    }
    return units;
  }

  /** The members of a map, the items of a set, what an optional holds; undefined where there are too many to look at. */
  #members(value: object, limit: number): unknown[] | undefined {
    const known = this.#names.get(value);
    if (known !== undefined && nameUnits(known) > limit) return undefined;
    const members = membersOf(value);
    if (members.length > manyNames) this.#names.set(value, members.length);
    return nameUnits(members.length) > limit ? undefined : members;
  }
}

function nameUnits(names: number): number {
  return names > manyNames ? names * unitsOfName : names >> 1;
}

function membersOf(value: object): unknown[] {
  if (value instanceof Map) return [...value.values()];
  if (value instanceof Set) return [...value];
  if ('hasValue' in value && typeof value.hasValue === 'function') {
    return value.hasValue() && 'value' in value && typeof value.value === 'function' ? [value.value()] : [];
  }
  return Object.values(value);
}
