/** Findings that are reported, but that no event is made for any more. */
import type { EventIndex, Row } from './event-index.ts';
import { willBeActive } from './intent.ts';
import type { Kept, Plan } from './reading-plan.ts';
import { withheldButNamed } from './reading-plan.ts';
import type { WorkQueue } from './work-queue.ts';

export interface WithheldParts {
  readonly index: EventIndex;
  readonly queue: WorkQueue;
}

/** The rows that the report held before, and those that it holds by what was taken in of it so far. */
export interface Held {
  readonly before: ReadonlySet<Row>;
  readonly held: ReadonlySet<Row>;
}

/**
 * A finding that is in the report but filtered or muted now is not fixed: while its event is Active it stays tracked, with
 * its severity brought up to date. Also where another report holds it at the moment: that may let go of it. Such findings
 * are only hashed where something seems to be missing: what this report held before, or belongs to its key, and is not among
 * its kept findings.
 */
export function trackedThoughWithheld(plan: Plan, { before, held }: Held, { index, queue }: WithheldParts): Kept[] {
  if (plan.filtered + plan.muted === 0) return [];
  const missing = new Set<string>();
  for (const rows of [before, index.rowsOfKey(plan.reportKey)]) {
    for (const row of rows) {
      if (held.has(row)) continue;
      const name = index.name(row);
      if (willBeActive(index.isActive(row), queue.coming(name))) missing.add(name);
    }
  }
  return missing.size === 0 ? [] : withheldButNamed(plan, missing);
}
