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
    /** So long nobody takes over from a leader that says nothing. */
    leaseSeconds: z._default(z.int().check(z.gte(1), z.lte(300)), 15),
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
    z.superRefine(({ retrySeconds, renewDeadlineSeconds, leaseSeconds }, context) => {
      if (retrySeconds < renewDeadlineSeconds && renewDeadlineSeconds < leaseSeconds) return;
      const message = 'it must be retrySeconds < renewDeadlineSeconds < leaseSeconds';
      context.addIssue({ code: 'custom', path: ['renewDeadlineSeconds'], message });
    }),
  );
