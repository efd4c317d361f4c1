/**
 * Readers for documents of unknown shape. Each answers undefined for a value of the wrong type and never throws, so that
 * a mapping reads like the format it maps and still survives any input.
 */

/** An object of a parsed document. */
export type Fields = Readonly<Record<string, unknown>>;

/** The value as an object; lists and null are none. */
export function asFields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

/** The value as a list. */
export function asList(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}

/**
 * The value as text. The empty text counts as absent: tools write it for "none". A number is accepted, because YAML
 * makes numbers of unquoted versions and names.
 */
export function asText(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : undefined;
}

const decimal = /^-?\d{1,15}(?:\.\d{1,15})?$/;

/** The value as a finite number; text that is a plain decimal number counts, since report properties are all text. */
export function asNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  return typeof value === 'string' && decimal.test(value) ? Number(value) : undefined;
}

/** The value as a boolean. */
export function asBoolean(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

/** The value at a path of own members: what an object inherits (`constructor`, `__proto__`) is never found. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let current = value;
  for (const key of path) {
    const fields = asFields(current);
    if (fields === undefined || !Object.hasOwn(fields, key)) return undefined;
    current = fields[key];
  }
  return current;
}

/** The text at a path of own members. */
export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  return asText(at(value, ...path));
}

/** What a value is, in words for a message: never the value itself, which may be secret. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (value === '') return 'an empty text';
  const words: Readonly<Record<string, string>> = {
    object: 'an object',
    string: 'text',
    number: 'a number',
    boolean: 'a boolean',
  };
  return words[typeof value] ?? typeof value;
}
