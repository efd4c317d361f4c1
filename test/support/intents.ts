/** Intents made by hand, and the events that they stand for. */

import type { ZenAgentEvent } from '../../src/api/event.ts';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { OwnerResolver } from '../../src/pipeline/identity.ts';
import type { PresentIntent, SignalIntent } from '../../src/pipeline/intent.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import { presentIntent } from '../../src/pipeline/present-intent.ts';
import { planReadings } from '../../src/pipeline/reading-plan.ts';
import { oneShard } from '../../src/pipeline/shards.ts';
import { finding, reading, start } from './findings.ts';
import { everythingAccepted, judgeOf } from './rules.ts';

/** The intent that a finding leads to. */
export function presentOf(id: string, change: Partial<PresentIntent> = {}): PresentIntent {
  const [plan] = planReadings([reading('r', [finding(id)])], {
    owners: new OwnerResolver(noPods),
    judge: judgeOf(everythingAccepted),
    shards: oneShard,
  });
  const kept = plan?.kept[0];
  if (plan === undefined || kept === undefined) throw new Error('the finding was not kept');
  const context = { namespace: 'zen-system', cluster: undefined, now: start, monotonicMs: 0 };
  return { ...presentIntent(kept, plan, context), ...change };
}

/** A signal about the same, that happened so many times. */
export function signalOf(id: string, count: number): SignalIntent {
  return { ...presentOf(id), kind: 'signal', occurrences: count, count, lastSeen: start };
}

/** The event on the server that a finding leads to. */
export function eventOf(id: string): StoredEvent {
  const { metadata, spec } = JSON.parse(presentOf(id).body) as ZenAgentEvent;
  return {
    metadata: { ...metadata, uid: `uid-${id}`, resourceVersion: '1' },
    spec,
    status: { phase: 'Active', count: 1 },
  };
}
