/** Signals that had no room for an event of their own: what they ask for, and how many there were. */
import type { Counts } from './census.ts';
import type { EventIndex, Row } from './event-index.ts';

interface Refused {
  readonly source: string;
  readonly namespace: string;
  readonly severity: Parameters<Counts['obtain']>[2];
  /** Monotonic milliseconds when it was last refused, by the name of its event. */
  readonly names: Map<string, number>;
}

/** How long a signal that was refused counts. */
const rememberedMs = 3_600_000;
/** As many are told apart in each source, namespace and severity. */
const most = 1_000;

export class RefusedSignals {
  readonly #refused = new Map<string, Refused>();

  /** The signal happened and has no room. */
  add(index: EventIndex, row: Row, nowMs: number): void {
    const source = index.source(row);
    const namespace = index.resourceNamespace(row);
    const severity = index.severity(row);
    const key = `${source}/${namespace}/${severity}`;
    let refused = this.#refused.get(key);
    if (refused === undefined) {
      refused = { source, namespace, severity, names: new Map() };
      this.#refused.set(key, refused);
    }
    const name = index.name(row);
    if (refused.names.has(name) || refused.names.size < most) refused.names.set(name, nowMs);
  }

  /** It has its event now. */
  remove(index: EventIndex, row: Row): void {
    const key = `${index.source(row)}/${index.resourceNamespace(row)}/${index.severity(row)}`;
    this.#refused.get(key)?.names.delete(index.name(row));
  }

  /** Adds them to what is folded, and forgets the old ones. */
  addTo(counts: Counts, nowMs: number): void {
    for (const [key, { source, namespace, severity, names }] of this.#refused) {
      for (const [name, at] of names) if (nowMs - at > rememberedMs) names.delete(name);
      if (names.size === 0) this.#refused.delete(key);
      else counts.obtain(source, namespace, severity).signals = names.size;
    }
  }
}
