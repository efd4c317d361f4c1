/** `spec.details` within their bounds: members in the order given until the byte limit; what was cut is marked. */
import type { EventDetails } from '../api/event.ts';
import { limits } from '../api/schema.ts';
import { clean, cut, cutMark } from '../lib/text.ts';
import type { Description } from '../sources/source.ts';

/** What observedOn may take of the details. Kept apart from the rest: it changes while the finding does not. */
const observedBytes = limits.detailsBytes / 3;
/** What the details take when there is nothing in them: `{}`. */
const bracesBytes = 2;
const maximumCharacters = 1024;
const maximumItems = 32;
const maximumMembers = 48;
const maximumDepth = 4;
const maximumNameCharacters = 63;
/** How many values of one member are looked at, whatever its shape. */
const maximumValues = 512;
/** Names with a meaning of their own. */
const observedOn = 'observedOn';
const truncated = 'truncated';

/** The details of an event. `isCut`: something of the description outside of the details was left out. */
export function detailsOf(description: Description, isCut: boolean): EventDetails {
  const details: EventDetails = {};
  const observed = fitted(description.observedOn ?? {}, observedBytes - sizeOf(observedOn, {}));
  if (observed.isCut) put(observed.members, truncated, true);
  if (Object.keys(observed.members).length > 0) details[observedOn] = observed.members;
  const rest = fitted(description.details, limits.detailsBytes - observedBytes - bracesBytes);
  for (const [name, value] of Object.entries(rest.members)) if (name !== observedOn) put(details, name, value);
  if (rest.isCut || isCut) details[truncated] = true;
  return details;
}

interface Fitted {
  readonly members: Record<string, unknown>;
  readonly isCut: boolean;
}

/** The members that fit, each cleaned. */
function fitted(record: Readonly<Record<string, unknown>>, bytes: number): Fitted {
  const members: Record<string, unknown> = {};
  let room = bytes - sizeOf(truncated, true);
  let count = 0;
  let isCut = false;
  for (const [key, raw] of Object.entries(record)) {
    const value = bounded(raw, 1, { values: maximumValues });
    if (value === undefined) continue;
    const name = nameOf(key);
    const size = sizeOf(name, value);
    if (name === '' || count >= maximumMembers || size > room) {
      isCut = true;
      continue;
    }
    put(members, name, value);
    count += 1;
    room -= size;
  }
  return { members, isCut };
}

/** Sets an own member whatever it is called, `__proto__` too. */
function put(record: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== '__proto__') record[name] = value;
  else Object.defineProperty(record, name, { value, enumerable: true, writable: true, configurable: true });
}

/** Too short for any known shape of a secret, and nothing in it to remove: the usual case. */
const plainName = /^[A-Za-z][A-Za-z0-9]{0,15}$/;

function nameOf(key: string): string {
  return plainName.test(key) ? key : cut(clean(key), maximumNameCharacters);
}

/** Nothing in it that JSON escapes, and each character one byte. */
const plainText = /^[ !#-[\]-~]*$/;

/** Bytes of a member with its colon and comma. */
function sizeOf(name: string, value: unknown): number {
  return jsonSize(name) + jsonSize(value) + 2;
}

function jsonSize(value: unknown): number {
  if (typeof value === 'string' && plainText.test(value)) return value.length + 2;
  return Buffer.byteLength(JSON.stringify(value));
}

/** A JSON-safe, bounded copy of a value; undefined for what says nothing. */
function bounded(value: unknown, depth: number, left: { values: number }): unknown {
  left.values -= 1;
  if (left.values < 0) return undefined;
  switch (typeof value) {
    case 'string': {
      const text = cut(clean(value), maximumCharacters);
      return text === '' ? undefined : text;
    }
    case 'number':
      return Number.isFinite(value) ? value : undefined;
    case 'boolean':
      return value;
    case 'object':
      if (value === null) return undefined;
      if (depth > maximumDepth) return cutMark;
      return Array.isArray(value) ? boundedList(value, depth, left) : boundedRecord(value, depth, left);
    default:
      return undefined;
  }
}

function boundedList(list: readonly unknown[], depth: number, left: { values: number }): unknown[] | undefined {
  const items = list
    .slice(0, maximumItems)
    .map((item) => bounded(item, depth + 1, left))
    .filter((item) => item !== undefined);
  if (list.length > maximumItems) items.push(`${cutMark} ${list.length - maximumItems} more`);
  else if (left.values < 0) items.push(cutMark);
  return items.length > 0 ? items : undefined;
}

function boundedRecord(record: object, depth: number, left: { values: number }): Record<string, unknown> | undefined {
  const result: Record<string, unknown> = {};
  const entries = Object.entries(record);
  for (const [key, raw] of entries.slice(0, maximumItems)) {
    const value = bounded(raw, depth + 1, left);
    const name = nameOf(key);
    if (value !== undefined && name !== '') put(result, name, value);
  }
  if (entries.length > maximumItems || left.values < 0) put(result, truncated, true);
  return Object.keys(result).length > 0 ? result : undefined;
}
