/**
 * Own events and wanted findings, completely, in packed arrays: one row per event name. A million rows take some 80 MB
 * where a Map of objects took 456 MB. Nothing in here is ever evicted: it decides about writes.
 *
 * A row is what the server has (`onServer`, phase, hash, resourceVersion), what the reports want (holders, wanted hash)
 * and the links between them (report key, describer). Row numbers are stable until the row is freed.
 */
import type { Severity } from '../api/words.ts';
import { fingerprintCharactersInName, severities } from '../api/words.ts';

/** A row number. 0 is no row. */
export type Row = number;

const onServerFlag = 1;
const resolvedFlag = 2;
const editedFlag = 4;
const fullKeyWords = 5;
const initialRows = 256;
const letters = 'abcdefghijklmnopqrstuvwxyz234567';
const charCodes = new Uint8Array(128).fill(255);
for (let i = 0; i < letters.length; i += 1) charCodes[letters.charCodeAt(i)] = i;

/** What the server has of an event, as read from it or answered by it. */
export interface StoredState {
  readonly resourceVersion: string;
  readonly contentHash: number;
  readonly isResolved: boolean;
  readonly severity: Severity;
  /** True when another field manager owns part of spec: somebody else wrote it. */
  readonly isEdited: boolean;
  readonly count: number;
}

/** Words that occur in many rows, as numbers. */
class Interned {
  readonly #numbers = new Map<string, number>();
  readonly #words: string[] = [''];

  number(word: string): number {
    let number = this.#numbers.get(word);
    if (number === undefined) {
      number = this.#words.length;
      this.#words.push(word);
      this.#numbers.set(word, number);
    }
    return number;
  }

  word(number: number): string {
    return this.#words[number] ?? '';
  }
}

export class EventIndex {
  #capacity = initialRows;
  /** Highest row ever used. */
  #used = 0;
  #free: number[] = [];
  #size = 0;
  #buckets = new Uint32Array(initialRows * 2);
  #keys = new Uint32Array(initialRows * fullKeyWords);
  #next = new Uint32Array(initialRows);
  #namespace = new Uint32Array(initialRows);
  #flags = new Uint8Array(initialRows);
  #severity = new Uint8Array(initialRows);
  #stored = new Float64Array(initialRows);
  #wanted = new Float64Array(initialRows);
  #version = new Float64Array(initialRows);
  #count = new Uint32Array(initialRows);
  #holders = new Uint32Array(initialRows);
  #describer = new Float64Array(initialRows);
  #reportKey = new Uint32Array(initialRows);
  #nextOfKey = new Uint32Array(initialRows);
  #previousOfKey = new Uint32Array(initialRows);
  readonly #sources = new Interned();
  readonly #namespaces = new Interned();
  /** Report keys in use: their hashes, numbered; a number is free again when its last row leaves. */
  readonly #keyNumbers = new Map<string, number>();
  readonly #keyHashes: string[] = [''];
  readonly #firstOfKey: number[] = [0];
  readonly #freeKeys: number[] = [];
  /** resourceVersions that are not plain integers: legal, though no server of today makes them. */
  readonly #oddVersions = new Map<Row, string>();

  /** How many rows are in use. */
  get size(): number {
    return this.#size;
  }

  /** The row of an event name, or 0. */
  find(name: string): Row {
    const key = parseName(name);
    return key === undefined ? 0 : this.#lookUp(key, this.#sources.number(key.source));
  }

  /** The row of an event name, made when it is not there. Throws for a name that no fingerprint can have made. */
  obtain(name: string, namespace: string): Row {
    const key = parseName(name);
    if (key === undefined) throw new RangeError(`not a name made from a fingerprint: ${name}`);
    const source = this.#sources.number(key.source);
    const found = this.#lookUp(key, source);
    if (found !== 0) return found;
    const row = this.#free.pop() ?? this.#grow();
    const at = row * fullKeyWords;
    this.#keys.set(key.words, at);
    this.#keys[at + 4] = packTail(key.tail, source);
    this.#namespace[row] = this.#namespaces.number(namespace);
    const bucket = this.#bucketOf(key.words[0] ?? 0);
    this.#next[row] = this.#buckets[bucket] ?? 0;
    this.#buckets[bucket] = row;
    this.#size += 1;
    return row;
  }

  /** Frees a row that is neither on the server nor held by a report. */
  release(row: Row): void {
    if (this.isOnServer(row) || this.holders(row) > 0) return;
    this.setReportKey(row, '');
    const bucket = this.#bucketOf(this.#keys[row * fullKeyWords] ?? 0);
    let previous = 0;
    for (let at = this.#buckets[bucket] ?? 0; at !== row; at = this.#next[at] ?? 0) {
      if (at === 0) return; // already free
      previous = at;
    }
    const following = this.#next[row] ?? 0;
    if (previous === 0) this.#buckets[bucket] = following;
    else this.#next[previous] = following;
    for (const column of this.#columns()) column[row] = 0;
    this.#oddVersions.delete(row);
    this.#free.push(row);
    this.#size -= 1;
  }

  name(row: Row): string {
    const at = row * fullKeyWords;
    const tail = this.#keys[at + 4] ?? 0;
    return `${this.#sources.word(tail >>> 2)}-${formatKey(this.#keys.subarray(at, at + 4), tail & 3)}`;
  }

  namespace(row: Row): string {
    return this.#namespaces.word(this.#namespace[row] ?? 0);
  }

  isOnServer(row: Row): boolean {
    return this.#has(row, onServerFlag);
  }

  /** On the server and Active. */
  isActive(row: Row): boolean {
    return this.#has(row, onServerFlag) && !this.#has(row, resolvedFlag);
  }

  isEdited(row: Row): boolean {
    return this.#has(row, editedFlag);
  }

  severity(row: Row): Severity {
    return severities[this.#severity[row] ?? 0] ?? 'unknown';
  }

  storedHash(row: Row): number {
    return this.#stored[row] ?? 0;
  }

  count(row: Row): number {
    return this.#count[row] ?? 0;
  }

  resourceVersion(row: Row): string {
    return this.#oddVersions.get(row) ?? String(this.#version[row] ?? 0);
  }

  /** Notes what the server has now. */
  setStored(row: Row, state: StoredState): void {
    this.#flags[row] =
      onServerFlag | (state.isResolved ? resolvedFlag : 0) | (state.isEdited ? editedFlag : 0);
    this.#severity[row] = severities.indexOf(state.severity);
    this.#stored[row] = state.contentHash;
    this.#count[row] = state.count;
    const version = Number(state.resourceVersion);
    const isPlain = Number.isSafeInteger(version) && String(version) === state.resourceVersion;
    this.#version[row] = isPlain ? version : 0;
    if (isPlain) this.#oddVersions.delete(row);
    else this.#oddVersions.set(row, state.resourceVersion);
  }

  /** Notes that the server has it no more. */
  clearStored(row: Row): void {
    this.#flags[row] = 0;
    this.#stored[row] = 0;
    this.#version[row] = 0;
    this.#count[row] = 0;
    this.#oddVersions.delete(row);
  }

  /** Hash of the content that the reports want; 0 while no report was read. */
  wantedHash(row: Row): number {
    return this.#wanted[row] ?? 0;
  }

  setWantedHash(row: Row, hash: number): void {
    this.#wanted[row] = hash;
  }

  /** How many reports hold the finding. */
  holders(row: Row): number {
    return this.#holders[row] ?? 0;
  }

  addHolder(row: Row, delta: 1 | -1): void {
    this.#holders[row] = (this.#holders[row] ?? 0) + delta;
  }

  /** The report whose text the event carries, as hash52 of its object key; 0 when none is known. */
  describer(row: Row): number {
    return this.#describer[row] ?? 0;
  }

  setDescriber(row: Row, report: number): void {
    this.#describer[row] = report;
  }

  /** Whether the row is under any report key. */
  hasReportKey(row: Row): boolean {
    return (this.#reportKey[row] ?? 0) !== 0;
  }

  /** The hash of the report key that the row is under; '' when it is under none. */
  reportKey(row: Row): string {
    return this.#keyHashes[this.#reportKey[row] ?? 0] ?? '';
  }

  /** Puts the row under a report key, taking it out of the one it was under. '' takes it out only. */
  setReportKey(row: Row, hash: string): void {
    const current = this.#reportKey[row] ?? 0;
    if (this.#keyHashes[current] === hash) return;
    if (current !== 0) this.#unlink(row, current);
    const number = hash === '' ? 0 : this.#keyNumber(hash);
    this.#reportKey[row] = number;
    if (number === 0) return;
    const first = this.#firstOfKey[number] ?? 0;
    this.#nextOfKey[row] = first;
    this.#previousOfKey[row] = 0;
    if (first !== 0) this.#previousOfKey[first] = row;
    this.#firstOfKey[number] = row;
  }

  /** The rows under a report key. A row may be released once it was yielded. */
  *rowsOfKey(hash: string): Generator<Row> {
    let row = this.#firstOfKey[this.#keyNumbers.get(hash) ?? 0] ?? 0;
    while (row !== 0) {
      const following = this.#nextOfKey[row] ?? 0;
      yield row;
      row = following;
    }
  }

  /** All rows in use. */
  *rows(): Generator<Row> {
    for (const head of this.#buckets) {
      for (let row = head; row !== 0; row = this.#next[row] ?? 0) yield row;
    }
  }

  #has(row: Row, flag: number): boolean {
    return ((this.#flags[row] ?? 0) & flag) !== 0;
  }

  #keyNumber(hash: string): number {
    let number = this.#keyNumbers.get(hash);
    if (number === undefined) {
      number = this.#freeKeys.pop() ?? this.#firstOfKey.length;
      this.#firstOfKey[number] = 0;
      this.#keyHashes[number] = hash;
      this.#keyNumbers.set(hash, number);
    }
    return number;
  }

  #unlink(row: Row, key: number): void {
    const following = this.#nextOfKey[row] ?? 0;
    const previous = this.#previousOfKey[row] ?? 0;
    if (previous === 0) this.#firstOfKey[key] = following;
    else this.#nextOfKey[previous] = following;
    if (following !== 0) this.#previousOfKey[following] = previous;
    if (this.#firstOfKey[key] === 0) {
      this.#keyNumbers.delete(this.#keyHashes[key] ?? '');
      this.#keyHashes[key] = '';
      this.#freeKeys.push(key);
    }
    this.#nextOfKey[row] = 0;
    this.#previousOfKey[row] = 0;
  }

  #lookUp(key: ParsedName, source: number): Row {
    const tail = packTail(key.tail, source);
    let row = this.#buckets[this.#bucketOf(key.words[0])] ?? 0;
    while (row !== 0) {
      const at = row * fullKeyWords;
      const keys = this.#keys;
      if (
        keys[at] === key.words[0] &&
        keys[at + 1] === key.words[1] &&
        keys[at + 2] === key.words[2] &&
        keys[at + 3] === key.words[3] &&
        keys[at + 4] === tail
      ) {
        return row;
      }
      row = this.#next[row] ?? 0;
    }
    return 0;
  }

  /** The key is a cryptographic hash: its first word is as good as any hash of it. */
  #bucketOf(word: number): number {
    return word & (this.#buckets.length - 1);
  }

  #columns(): (Uint8Array | Uint32Array | Float64Array)[] {
    return [
      this.#next,
      this.#namespace,
      this.#flags,
      this.#severity,
      this.#stored,
      this.#wanted,
      this.#version,
      this.#count,
      this.#holders,
      this.#describer,
      this.#reportKey,
      this.#nextOfKey,
      this.#previousOfKey,
    ];
  }

  /** The next unused row; doubles every column when they are full. Row 0 stays unused. */
  #grow(): Row {
    this.#used += 1;
    if (this.#used < this.#capacity) return this.#used;
    this.#capacity *= 2;
    const capacity = this.#capacity;
    const words = (column: Uint32Array, length = capacity) => {
      const grown = new Uint32Array(length);
      grown.set(column);
      return grown;
    };
    const bytes = (column: Uint8Array) => {
      const grown = new Uint8Array(capacity);
      grown.set(column);
      return grown;
    };
    const doubles = (column: Float64Array) => {
      const grown = new Float64Array(capacity);
      grown.set(column);
      return grown;
    };
    this.#keys = words(this.#keys, capacity * fullKeyWords);
    this.#next = words(this.#next);
    this.#namespace = words(this.#namespace);
    this.#flags = bytes(this.#flags);
    this.#severity = bytes(this.#severity);
    this.#stored = doubles(this.#stored);
    this.#wanted = doubles(this.#wanted);
    this.#version = doubles(this.#version);
    this.#count = words(this.#count);
    this.#holders = words(this.#holders);
    this.#describer = doubles(this.#describer);
    this.#reportKey = words(this.#reportKey);
    this.#nextOfKey = words(this.#nextOfKey);
    this.#previousOfKey = words(this.#previousOfKey);
    this.#rehash();
    return this.#used;
  }

  #rehash(): void {
    const rows = [...this.rows()];
    this.#buckets = new Uint32Array(this.#capacity * 2);
    for (const row of rows) {
      const bucket = this.#bucketOf(this.#keys[row * fullKeyWords] ?? 0);
      this.#next[row] = this.#buckets[bucket] ?? 0;
      this.#buckets[bucket] = row;
    }
  }
}

interface ParsedName {
  readonly source: string;
  /** 128 bits of the fingerprint. */
  readonly words: readonly [number, number, number, number];
  /** The last 2 of its 130 bits. */
  readonly tail: number;
}

/** `<source>-<26 characters of base32>` taken apart; undefined for every other name. */
function parseName(name: string): ParsedName | undefined {
  const start = name.length - fingerprintCharactersInName;
  if (start < 2 || name.charCodeAt(start - 1) !== 45) return undefined;
  const words: [number, number, number, number] = [0, 0, 0, 0];
  let value = 0;
  let bits = 0;
  let word = 0;
  for (let at = start; at < name.length; at += 1) {
    const code = name.charCodeAt(at);
    const letter = code < 128 ? (charCodes[code] ?? 255) : 255;
    if (letter === 255) return undefined;
    // 26 letters are 130 bits: four words of 32, taken as they fill up, and 2 bits left over.
    const room = 32 - bits;
    if (room > 5) {
      value = (value << 5) | letter;
      bits += 5;
    } else {
      words[word] = ((value << room) | (letter >>> (5 - room))) >>> 0;
      word += 1;
      bits = 5 - room;
      value = letter & ((1 << bits) - 1);
    }
  }
  return { source: name.slice(0, start - 1), words, tail: value & 3 };
}

function formatKey(words: Uint32Array, tail: number): string {
  let bits = 0n;
  for (const word of words) bits = (bits << 32n) | BigInt(word);
  bits = (bits << 2n) | BigInt(tail);
  let text = '';
  for (let at = fingerprintCharactersInName - 1; at >= 0; at -= 1) text += letters[Number((bits >> BigInt(at * 5)) & 31n)];
  return text;
}

/** Two bits of the fingerprint and the source's number share a word. */
function packTail(tail: number, source: number): number {
  return ((source << 2) | tail) >>> 0;
}
