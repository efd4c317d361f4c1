/**
 * Own events and wanted findings, completely, in packed arrays: one row per event name. A million rows take some 120 MB
 * where a Map of objects took 456 MB. Nothing in here is ever evicted: it decides about writes.
 *
 * A row is what the server has (`onServer`, phase, hash, resourceVersion), what the reports want (holders, wanted hash)
 * and the links between them (report key, describer). Row numbers are stable until the row is freed.
 */
import type { Severity, StaleReason } from '../api/words.ts';
import { severities, staleReasons } from '../api/words.ts';
import type { ParsedName } from './event-name.ts';
import { formatFingerprintHead, packTail, parseName } from './event-name.ts';
import type { FindingFacts, StoredState } from './event-state.ts';
import { Interned } from './interned.ts';
import { MutedRows } from './muted-rows.ts';
import { grown } from './packed.ts';
import { editedFlag, findingFlags, foldedFlag, onServerFlag, podFlag, resolvedFlag, signalFlag } from './row-flags.ts';
import { RowLists } from './row-lists.ts';
import type { Shard } from './shards.ts';

/** A row number. 0 is no row. */
export type Row = number;

/** As many different policies and kinds of reports are told apart. */
const greatestWords = 65_535;
const fullKeyWords = 5;
const initialRows = 256;

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
  #since = new Float64Array(initialRows);
  #stale = new Uint8Array(initialRows);
  #shard = new Uint8Array(initialRows);
  #resourceNamespace = new Uint32Array(initialRows);
  #policy = new Uint32Array(initialRows);
  #reportKind = new Uint16Array(initialRows);
  #resource = new Float64Array(initialRows);
  readonly #byReportKey = new RowLists(initialRows);
  readonly #sources = new Interned();
  readonly #namespaces = new Interned();
  readonly #policies = new Interned(greatestWords);
  readonly #reportKinds = new Interned(greatestWords);
  /** resourceVersions that are not plain integers: legal, though no server of today makes them. */
  readonly #oddVersions = new Map<Row, string>();
  /** Events that an annotation mutes. */
  readonly muted = new MutedRows();

  /** How many rows are in use. */
  get size(): number {
    return this.#size;
  }

  /** The row of an event name, or 0. */
  find(name: string): Row {
    const key = parseName(name);
    const source = key === undefined ? undefined : this.#sources.find(key.source);
    return key === undefined || source === undefined ? 0 : this.#lookUp(key, source);
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
    if (row === 0 || this.isOnServer(row) || this.holders(row) > 0) return;
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
    return `${this.#sources.word(tail >>> 2)}-${formatFingerprintHead(this.#keys.subarray(at, at + 4), tail & 3)}`;
  }

  /** spec.source of the event. */
  source(row: Row): string {
    return this.#sources.word((this.#keys[row * fullKeyWords + 4] ?? 0) >>> 2);
  }

  /** The namespace that the event is in, or is to be. */
  namespace(row: Row): string {
    return this.#namespaces.word(this.#namespace[row] ?? 0);
  }

  setNamespace(row: Row, namespace: string): void {
    this.#namespace[row] = this.#namespaces.number(namespace);
  }

  /** Namespace of the resource; '' for cluster-scoped ones. */
  resourceNamespace(row: Row): string {
    return this.#namespaces.word(this.#resourceNamespace[row] ?? 0);
  }

  /** The shard that the finding belongs to. */
  shard(row: Row): Shard {
    return this.#shard[row] ?? 0;
  }

  /** The policy that was violated; '' for tools without policies. */
  policy(row: Row): string {
    return this.#policies.word(this.#policy[row] ?? 0);
  }

  /** The kind of report that it comes from, `group|Kind`; '' where unknown. */
  reportKind(row: Row): string {
    return this.#reportKinds.word(this.#reportKind[row] ?? 0);
  }

  /** resourceHash of its resource. */
  resourceHash(row: Row): number {
    return this.#resource[row] ?? 0;
  }

  /** Its resource is a Pod, not collapsed to a workload. */
  isPod(row: Row): boolean {
    return this.#has(row, podFlag);
  }

  isSignal(row: Row): boolean {
    return this.#has(row, signalFlag);
  }

  /** Held by a report, but without an event of its own: a summary counts it. */
  isFolded(row: Row): boolean {
    return this.#has(row, foldedFlag);
  }

  setFolded(row: Row, isFolded: boolean): void {
    const flags = this.#flags[row] ?? 0;
    this.#flags[row] = isFolded ? flags | foldedFlag : flags & ~foldedFlag;
  }

  /** Notes what is known of the finding. The severity of an event that is on the server stays the stored one. */
  setFacts(row: Row, facts: FindingFacts): void {
    if (!this.isOnServer(row)) this.#severity[row] = severities.indexOf(facts.severity);
    this.#resourceNamespace[row] = this.#namespaces.number(facts.resourceNamespace);
    this.#shard[row] = facts.shard;
    this.#policy[row] = this.#policies.number(facts.policy);
    this.#reportKind[row] = this.#reportKinds.number(facts.reportKind);
    this.#resource[row] = facts.resourceHash;
    const flags = (this.#flags[row] ?? 0) & ~(signalFlag | podFlag);
    this.#flags[row] = flags | (facts.isSignal ? signalFlag : 0) | (facts.isPod ? podFlag : 0);
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

  /** Why its condition Fresh is False on the server; undefined while it is not. */
  stale(row: Row): StaleReason | undefined {
    const code = this.#stale[row] ?? 0;
    return code === 0 ? undefined : staleReasons[code - 1];
  }

  /** Milliseconds since the epoch; see StoredState.sinceMs. */
  sinceMs(row: Row): number {
    return this.#since[row] ?? 0;
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
    const kept = (this.#flags[row] ?? 0) & findingFlags;
    this.#flags[row] = kept | onServerFlag | (state.isResolved ? resolvedFlag : 0) | (state.isEdited ? editedFlag : 0);
    this.#severity[row] = severities.indexOf(state.severity);
    this.#stored[row] = state.contentHash;
    this.#count[row] = state.count;
    this.#since[row] = state.sinceMs;
    this.#stale[row] = state.stale === undefined ? 0 : staleReasons.indexOf(state.stale) + 1;
    const version = Number(state.resourceVersion);
    const isPlain = Number.isSafeInteger(version) && String(version) === state.resourceVersion;
    this.#version[row] = isPlain ? version : 0;
    if (isPlain) this.#oddVersions.delete(row);
    else this.#oddVersions.set(row, state.resourceVersion);
    this.muted.set(row, state.mutedUntilMs);
  }

  /** Notes that the server has it no more. */
  clearStored(row: Row): void {
    this.#flags[row] = (this.#flags[row] ?? 0) & findingFlags;
    this.#stored[row] = 0;
    this.#version[row] = 0;
    this.#count[row] = 0;
    this.#since[row] = 0;
    this.#stale[row] = 0;
    this.#oddVersions.delete(row);
    this.muted.set(row, undefined);
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

  /** The hash of the report key that the row is under; '' when it is under none. */
  reportKey(row: Row): string {
    return this.#byReportKey.keyOf(row);
  }

  /** Puts the row under a report key, taking it out of the one it was under. '' takes it out only. */
  setReportKey(row: Row, hash: string): void {
    this.#byReportKey.put(row, hash);
  }

  /** The rows under a report key. A row may be released once it was yielded. */
  rowsOfKey(hash: string): Generator<Row> {
    return this.#byReportKey.rows(hash);
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

  #columns(): (Uint8Array | Uint16Array | Uint32Array | Float64Array)[] {
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
      this.#since,
      this.#stale,
      this.#shard,
      this.#resourceNamespace,
      this.#policy,
      this.#reportKind,
      this.#resource,
    ];
  }

  /** The next unused row; doubles every column when they are full. Row 0 stays unused. */
  #grow(): Row {
    this.#used += 1;
    if (this.#used < this.#capacity) return this.#used;
    this.#capacity *= 2;
    const capacity = this.#capacity;
    this.#keys = grown(this.#keys, capacity * fullKeyWords);
    this.#next = grown(this.#next, capacity);
    this.#namespace = grown(this.#namespace, capacity);
    this.#flags = grown(this.#flags, capacity);
    this.#severity = grown(this.#severity, capacity);
    this.#stored = grown(this.#stored, capacity);
    this.#wanted = grown(this.#wanted, capacity);
    this.#version = grown(this.#version, capacity);
    this.#count = grown(this.#count, capacity);
    this.#holders = grown(this.#holders, capacity);
    this.#describer = grown(this.#describer, capacity);
    this.#since = grown(this.#since, capacity);
    this.#stale = grown(this.#stale, capacity);
    this.#shard = grown(this.#shard, capacity);
    this.#resourceNamespace = grown(this.#resourceNamespace, capacity);
    this.#policy = grown(this.#policy, capacity);
    this.#reportKind = grown(this.#reportKind, capacity);
    this.#resource = grown(this.#resource, capacity);
    this.#byReportKey.grow(capacity);
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
