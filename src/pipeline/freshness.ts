/** The condition Fresh: whether somebody still reports the finding. */
import type { EventStatus } from '../api/event.ts';
import { freshCondition } from '../api/event.ts';
import type { StaleReason } from '../api/words.ts';

const staleMessages = {
  ReportMissing: 'its report is gone, and nothing says that the finding is',
  SourceGone: 'the cluster does not serve the resource of its report any more',
  SourceSilent: 'its reports cannot be read, or the tool makes none any more',
} as const;

/** The condition as it is from now on. */
export function freshness(stale: StaleReason | undefined, at: Date): NonNullable<EventStatus['conditions']>[number] {
  return {
    type: freshCondition,
    status: stale === undefined ? 'True' : 'False',
    reason: stale ?? 'Reported',
    message: stale === undefined ? 'a report holds the finding' : staleMessages[stale],
    lastTransitionTime: at.toISOString(),
  };
}
