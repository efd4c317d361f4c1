/** Whether a finding may have an event of its own: what the reconciler asks the event budget. */
import type { Row } from './event-index.ts';

/** Decides it. */
export interface Admission {
  /** False: it is folded, and a summary counts it. */
  admits(row: Row): boolean;
  /** The same for a signal that just happened, which no report holds. */
  admitsSignal(row: Row): boolean;
}

/** Every finding has its event. */
export const unlimited: Admission = { admits: () => true, admitsSignal: () => true };
