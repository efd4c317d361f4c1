/** The part of the configuration that is about several replicas: docs/replicas.md. */
import * as z from 'zod/mini';

const seconds = z.number().check(z.gt(0), z.lte(300));

export const leaderElectionSchema = z
  .strictObject({
    /** Off, this process writes without asking anybody: for one replica only. */
    enabled: z._default(z.boolean(), false),
    /** The most replicas at a time, also during a rollout: each has a Lease of its own. */
    replicas: z._default(z.int().check(z.gte(1), z.lte(16)), 4),
    /** Into so many parts the work is divided, each with a leader of its own. All replicas must say the same. */
    shards: z._default(z.int().check(z.gte(1), z.lte(16)), 1),
    /** So long after a leader died, at the most, another one has its Lease. */
    leaseSeconds: z._default(z.int().check(z.gte(2), z.lte(300)), 15),
    /** So long after it last asked for its Lease a leader writes. */
    renewDeadlineSeconds: z._default(seconds, 10),
    /** Between two attempts to get or keep it. */
    retrySeconds: z._default(seconds, 2),
  })
  .check(
    z.superRefine(({ enabled, shards }, context) => {
      if (shards === 1 || enabled) return;
      const message = 'several shards need leaderElection.enabled: replicas share them by Leases';
      context.addIssue({ code: 'custom', path: ['shards'], message });
    }),
    z.superRefine((asked, context) => {
      const message = timingTrouble(asked);
      if (message !== undefined) context.addIssue({ code: 'custom', path: ['renewDeadlineSeconds'], message });
    }),
  );

type LeaseSeconds = Pick<
  z.infer<typeof leaderElectionSchema>,
  'leaseSeconds' | 'renewDeadlineSeconds' | 'retrySeconds'
>;

/**
 * So much longer than a leader writes, at the least, others wait: the clocks of two hosts may run apart by that. The worst
 * that is known is one that is being set right: by chrony's default it runs wrong by a twelfth.
 */
const clockMargin = 1.2;

/** Of a retry: a renewal may be seen a whole one after it was made, and its Lease be left to a better one for a quarter. */
const retriesInALease = 1.25;

/**
 * Seconds without a change after which others take a Lease, so that they have it within `leaseSeconds` after its holder
 * died. Whole, since a Lease says it.
 */
export function waitSecondsOf({ leaseSeconds, retrySeconds }: Omit<LeaseSeconds, 'renewDeadlineSeconds'>): number {
  return Math.floor(leaseSeconds - retriesInALease * retrySeconds);
}

function timingTrouble(asked: LeaseSeconds): string | undefined {
  const { leaseSeconds, renewDeadlineSeconds, retrySeconds } = asked;
  if (retrySeconds >= renewDeadlineSeconds || renewDeadlineSeconds >= leaseSeconds) {
    return 'it must be retrySeconds < renewDeadlineSeconds < leaseSeconds';
  }
  const leastWait = Math.ceil(renewDeadlineSeconds * clockMargin);
  if (leastWait <= waitSecondsOf(asked)) return undefined;
  const least = Math.ceil(leastWait + retriesInALease * retrySeconds);
  return (
    `too long for leaseSeconds ${leaseSeconds}, which must be ${least} then: others wait a fifth longer than a leader writes, ` +
    `in whole seconds, here ${leastWait}, and look every ${retrySeconds} s`
  );
}
