/** What tests of failures do not want to wait for. */
import type { ReflectorTiming } from './kube/reflector.ts';
import type { WebhooksParts } from './webhooks.ts';

/** Waits of the daemon, where they are other than those of the product. */
export interface DaemonTiming {
  readonly reflector?: Partial<ReflectorTiming>;
  readonly discoveryMs?: number;
  readonly relistMs?: number;
  readonly sweepMs?: number;
  readonly signalStepsMs?: readonly number[];
  readonly summaryMs?: number;
  readonly webhooks?: Pick<WebhooksParts, 'timing' | 'patience'>;
}
