/**
 * What the events should be after a history of reports, by requirements F2 and F3: Active while a report holds the finding
 * or one that vanished did; Resolved when a complete report of the same key, at least as new, lacks it, while every report
 * of that key which is there is complete. What vanished is remembered by one process only.
 */
import assert from 'node:assert/strict';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import type { Reading } from '../../src/sources/source.ts';

interface Holding {
  held: Set<string>;
  isComplete: boolean;
  reportedAt: number;
}

export class HistoryModel {
  readonly #isQueueSmall: boolean;
  /** What each report says now. */
  readonly #said = new Map<string, Reading>();
  /** What reports that are there hold, and what vanished ones held, by the report's name. */
  readonly #live = new Map<string, Holding>();
  readonly #vanished = new Map<string, Holding>();
  /** either: the report that shows that it is fixed has to be read again, if it can be; else it stays Active. */
  readonly #phases = new Map<string, 'Active' | 'fixed' | 'either'>();

  constructor(isQueueSmall: boolean) {
    this.#isQueueSmall = isQueueSmall;
  }

  /**
   * Checks events in the words of World.state. What a report says now must be there; what none says any more may never
   * have been written, where it vanished or was fixed first.
   */
  check(state: readonly string[]): void {
    const all = [...this.#phases].flatMap(([id, phase]) => {
      if (phase === 'either') return [id, `(${id} fixed)`];
      return phase === 'Active' ? [id] : [`(${id} fixed)`];
    });
    assert.deepEqual(
      state.filter((event) => !all.includes(event)),
      [],
      `all there may be: ${all}`,
    );
    assert.deepEqual(
      all.filter((id) => this.isSaid(id) && !state.includes(id)),
      [],
      `events: ${state}`,
    );
  }

  /** Whether a report that is there names the finding now; one that did before holds it, but cannot say it again. */
  isSaid(id: string): boolean {
    return [...this.#said.values()].some(({ findings }) => findings.some(({ rule }) => rule === id));
  }

  report(name: string, reading: Reading): void {
    this.#said.set(name, reading);
    this.#loosen(name.charAt(0));
    this.#read(name, reading);
    if (reading.completeness === 'complete') this.#conclude(name.charAt(0));
  }

  unreport(name: string): void {
    this.#said.delete(name);
    this.#loosen(name.charAt(0));
    const holding = this.#live.get(name);
    if (holding === undefined) return;
    this.#live.delete(name);
    this.#vanished.set(name, holding);
    this.#conclude(name.charAt(0), 'either');
  }

  /** A new process reads everything. `isAtRest`: it is given the time to write what follows. */
  restart(isAtRest = false): void {
    for (const [id, phase] of this.#phases) {
      // What was waiting to be written and is not said any more is lost.
      if (phase === 'fixed' || (!isAtRest && !this.isSaid(id))) this.#phases.set(id, 'either');
    }
    this.#live.clear();
    this.#vanished.clear();
    for (const [name, reading] of this.#said) this.#read(name, reading);
    for (const key of ['a', 'b']) this.#conclude(key, isAtRest ? 'fixed' : 'either');
  }

  /** Of reports that hold the same finding, any may describe it. */
  checkSeverities(events: Iterable<StoredEvent>): void {
    for (const { spec } of events) {
      const id = String(spec.details?.['id']);
      const said = [...this.#said.values()].flatMap(({ findings }) => findings.filter(({ rule }) => rule === id));
      const isHeldFromBefore = [...this.#said].some(([name]) => {
        const isSaid = this.#said.get(name)?.findings.some(({ rule }) => rule === id);
        return this.#live.get(name)?.held.has(id) && !isSaid;
      });
      if (said.length === 0 || isHeldFromBefore) continue;
      assert.ok(
        said.some(({ severity }) => severity === spec.severity),
        `${id} is ${spec.severity}`,
      );
    }
  }

  #read(name: string, { completeness, findings, reportedAt }: Reading): void {
    if (completeness === 'not-yet') return;
    const held = new Set(findings.map(({ rule }) => rule));
    const earlier = this.#live.get(name) ?? this.#vanished.get(name);
    this.#vanished.delete(name);
    if (completeness === 'partial') for (const id of earlier?.held ?? []) held.add(id);
    this.#live.set(name, { held, isComplete: completeness === 'complete', reportedAt: reportedAt?.getTime() ?? 0 });
    for (const id of findings) this.#phases.set(id.rule, 'Active');
  }

  /**
   * What a report said last cannot be read again: a resolve may be owed for an event whose creation was not answered, and
   * with a small queue it may not have been taken in at all.
   */
  #loosen(key: string): void {
    for (const [id, phase] of this.#phases) {
      if (!id.startsWith(key) || this.isSaid(id)) continue;
      if (phase === 'fixed' || this.#isQueueSmall) this.#phases.set(id, 'either');
    }
  }

  #conclude(key: string, phase: 'fixed' | 'either' = 'fixed'): void {
    const isOfKey = ([name]: [string, Holding]) => name.startsWith(key);
    const live = [...this.#live].filter(isOfKey).map(([, holding]) => holding);
    for (const [name, { reportedAt }] of [...this.#vanished].filter(isOfKey)) {
      if (live.some((other) => other.isComplete && other.reportedAt >= reportedAt)) this.#vanished.delete(name);
    }
    if (live.length === 0 || live.some(({ isComplete }) => !isComplete)) return;
    const holdings = [...live, ...[...this.#vanished].filter(isOfKey).map(([, holding]) => holding)];
    for (const id of this.#phases.keys()) {
      if (!id.startsWith(key) || holdings.some(({ held }) => held.has(id))) continue;
      if (this.#phases.get(id) !== 'fixed') this.#phases.set(id, phase);
    }
  }
}
