/** What the expressions of declarative sources give, as what findings are made of. */
import { asNumber } from '../lib/fields.ts';
import { plausibleTime } from '../lib/times.ts';
import type { Effort, Expression, Variables } from './expression.ts';
import { ExpressionError } from './expression.ts';

/** Longer text is cut here; events cut further. */
const longestText = 4_096;
/** What a detail may hold; events hold less. */
const most = { values: 512, depth: 6 };

/** True or false; true for an expression that is not there. */
export function asBool(expression: Expression | undefined, variables: Variables, effort: Effort): boolean {
  const value = expression === undefined ? true : expression.evaluate(variables, effort);
  if (typeof value === 'boolean') return value;
  throw unfit('true or false', value);
}

/** Text that says something; numbers count. */
export function asWords(expression: Expression, variables: Variables, effort: Effort): string {
  const words = wordsIn(expression.evaluate(variables, effort));
  if (words !== undefined && words !== '') return words;
  throw unfit('text', words ?? expression);
}

/** Text, or undefined where there is none to say: no expression, null, or the empty text. */
export function asOptionalWords(
  expression: Expression | undefined,
  variables: Variables,
  effort: Effort,
): string | undefined {
  const value = expression === undefined ? undefined : unwrapped(expression.evaluate(variables, effort));
  if (value === undefined || value === null || value === '') return undefined;
  return wordsIn(value) ?? refuse('text', value);
}

/** A finite number; undefined for no expression and null. */
export function asOptionalNumber(
  expression: Expression | undefined,
  variables: Variables,
  effort: Effort,
): number | undefined {
  const value = expression === undefined ? undefined : unwrapped(expression.evaluate(variables, effort));
  if (value === undefined || value === null) return undefined;
  return asNumber(plain(value)) ?? refuse('a number', value);
}

/** The texts of a list. */
export function asTexts(expression: Expression | undefined, variables: Variables, effort: Effort): readonly string[] {
  const value = expression === undefined ? [] : expression.evaluate(variables, effort);
  if (!Array.isArray(value)) return refuse('a list', value);
  return value.slice(0, most.values).map((item) => wordsIn(item) ?? refuse('a list of texts', item));
}

/** A time that a report can have; undefined for others. */
export function asTime(
  expression: Expression | undefined,
  variables: Variables,
  effort: Effort,
  now: Date,
): Date | undefined {
  const value = expression === undefined ? undefined : unwrapped(expression.evaluate(variables, effort));
  return plausibleTime(value instanceof Date ? isoOf(value) : value, now);
}

/** The value as JSON has it, bounded; undefined for what JSON does not have. */
export function asPlain(expression: Expression, variables: Variables, effort: Effort): unknown {
  return plain(expression.evaluate(variables, effort));
}

function wordsIn(value: unknown): string | undefined {
  const inner = plain(unwrapped(value));
  if (typeof inner === 'number') return Number.isFinite(inner) ? String(inner) : undefined;
  return typeof inner === 'string' ? inner : undefined;
}

function plain(value: unknown, depth = 0, left = { values: most.values }): unknown {
  left.values -= 1;
  if (left.values < 0) return undefined;
  switch (typeof value) {
    case 'string':
      return value.length > longestText ? value.slice(0, longestText) : value;
    case 'bigint':
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    case 'number':
    case 'boolean':
      return value;
    case 'object':
      return value === null ? null : plainObject(value, depth, left);
    default:
      return undefined;
  }
}

function plainObject(value: object, depth: number, left: { values: number }): unknown {
  if (value instanceof Date) return isoOf(value);
  if (isOptional(value)) return plain(unwrapped(value), depth, left);
  if (depth >= most.depth) return undefined;
  if (Array.isArray(value)) return value.slice(0, most.values).map((item) => plain(item, depth + 1, left));
  if (value instanceof Map || isRecord(value)) {
    const entries = value instanceof Map ? [...value] : Object.entries(value);
    return Object.fromEntries(
      entries.slice(0, most.values).map(([key, member]) => [String(key), plain(member, depth + 1, left)]),
    );
  }
  // Durations and unsigned integers have a text of their own; bytes have none that says anything.
  return value instanceof Uint8Array ? undefined : plain(String(value), depth, left);
}

function isRecord(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isoOf(time: Date): string | undefined {
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

interface Optional {
  hasValue(): boolean;
  value(): unknown;
}

function isOptional(value: unknown): value is Optional {
  return (
    typeof value === 'object' &&
    value !== null &&
    !isRecord(value) &&
    'hasValue' in value &&
    typeof value.hasValue === 'function' &&
    'value' in value &&
    typeof value.value === 'function'
  );
}

function unwrapped(value: unknown): unknown {
  if (!isOptional(value)) return value;
  return value.hasValue() ? value.value() : undefined;
}

function refuse(expected: string, value: unknown): never {
  throw unfit(expected, value);
}

function unfit(expected: string, value: unknown): ExpressionError {
  return new ExpressionError(value === undefined ? 'missing-field' : 'malformed', `expected ${expected}`);
}
