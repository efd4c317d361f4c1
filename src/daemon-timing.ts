/** The waits of the daemon that tests shorten. */
import type { ReflectorTiming } from './kube/reflector.ts';
import type { WebhooksParts } from './webhooks.ts';

export interface DaemonTiming {
  readonly reflector?: Partial<ReflectorTiming>;
  readonly discoveryMs?: number;
  readonly relistMs?: number;
  readonly sweepMs?: number;
  readonly signalStepsMs?: readonly number[];
  readonly summaryMs?: number;
  readonly webhooks?: Pick<WebhooksParts, 'timing' | 'patience'>;
}
