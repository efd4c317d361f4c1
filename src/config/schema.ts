/** The configuration: one schema, from which the type and the defaults follow. What users write, not what code passes on. */
import * as z from 'zod/mini';
import { placementModes } from '../pipeline/placement.ts';
import { logLevels } from '../telemetry/logger.ts';
import { auditSchema } from './audit-schema.ts';
import { declarativeSourcesSchema } from './declarative-schema.ts';
import { leaderElectionSchema } from './leader-election-schema.ts';
import { rulesShape, severityWordsSchema } from './rules-schema.ts';
import { webhooksSchema } from './webhooks-schema.ts';

const namespaceName = z
  .string()
  .check(z.regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'a namespace name: lower case, digits and -, at most 63'));
/** Where events go, and where the chart installs. */
export const defaultNamespace = 'zen-system';

const port = z.int().check(z.gte(0), z.lte(65535));

const eventsSchema = z.strictObject({
  /** Namespace that events are written to. */
  namespace: z._default(namespaceName, defaultNamespace),
  /** central: all events in `namespace`; resource: each in the namespace of its resource (docs/placement.md). */
  placement: z._default(z.enum(placementModes), 'central'),
  /** With central placement: watch events in all namespaces and bring them home. */
  migrate: z._default(z.boolean(), false),
  /** Name of the cluster for spec.cluster; '' leaves it out. */
  cluster: z._default(z.string().check(z.maxLength(128)), ''),
});

const seconds = z.number().check(z.gte(0), z.lte(366 * 24 * 60 * 60));

const sourceSchema = z.strictObject({
  enabled: z._default(z.boolean(), true),
  /** How long a report may be away before its findings are not fresh any more; the source's own when not said. */
  graceSeconds: z.optional(seconds),
  /** How long a signal stays Active without a repeat; the source's own when not said. */
  quietSeconds: z.optional(seconds),
  severities: severityWordsSchema,
  /** Only of policyreport: producers whose namespaced reports may speak for other namespaces. */
  trustedSources: z.optional(z.array(z.string().check(z.minLength(1), z.maxLength(128))).check(z.maxLength(64))),
});

const lifecycleSchema = z.strictObject({
  /** How long a finding that is not fresh stays Active before it is resolved as unverified. */
  unverifiedDays: z._default(z.number().check(z.gt(0), z.lte(3650)), 30),
});

const dueHours = (hours: number) => z._default(z.number().check(z.gte(0), z.lte(87_600)), hours);

/** Hours after which an Active event is overdue; 0 is never. */
const dueSchema = z.strictObject({
  critical: dueHours(24),
  high: dueHours(168),
  medium: dueHours(720),
  low: dueHours(2160),
  info: dueHours(0),
  unknown: dueHours(168),
});

const budgetSchema = z.strictObject({
  /** The greatest number of events; what is beyond is counted in summaries. 20,000 cost an API server some 320 MB. */
  events: z._default(z.int().check(z.gte(100), z.lte(1_000_000)), 5_000),
  /** How long a Resolved event is kept. */
  resolvedTtlHours: z._default(z.number().check(z.gt(0), z.lte(87_600)), 168),
});

const namespaceList = z.array(namespaceName).check(z.maxLength(256));

const watchSchema = z.strictObject({
  /**
   * The only namespaces whose reports and Pods are looked at, none of the cluster's own: for an account without a
   * ClusterRole. All where nothing is said.
   */
  namespaces: z.optional(namespaceList.check(z.minLength(1))),
});

const configMapsSchema = z.strictObject({
  /** Namespaces whose labelled ConfigMaps hold reports; that of the events where nothing is said, none for an empty list. */
  namespaces: z.optional(namespaceList),
});

const writesSchema = z.strictObject({
  /** Writes a second in the long run; 0 is no limit. */
  perSecond: z._default(z.number().check(z.gte(0)), 50),
  burst: z._default(z.int().check(z.gte(1)), 200),
  inFlight: z._default(z.int().check(z.gte(1), z.lte(64)), 8),
});

const queueSchema = z.strictObject({
  items: z._default(z.int().check(z.gte(1)), 10_000),
  bytes: z._default(z.int().check(z.gte(1024 * 1024)), 32 * 1024 * 1024),
});

const serverSchema = z.strictObject({
  host: z._default(z.string(), '0.0.0.0'),
  /** /metrics and the probes; 0 takes a free port. */
  metricsPort: z._default(port, 8080),
});

const logSchema = z.strictObject({ level: z._default(z.enum(logLevels), 'info') });
const shutdownSchema = z.strictObject({ drainSeconds: z._default(z.number().check(z.gte(0), z.lte(300)), 10) });

const shape = z.strictObject({
  events: z.prefault(eventsSchema, {}),
  /** By name of the source; all are on when nothing is said. */
  sources: z._default(
    z.record(z.string(), sourceSchema).check(
      z.superRefine((sources, context) => {
        for (const [name, { trustedSources }] of Object.entries(sources)) {
          if (trustedSources === undefined || name === 'policyreport') continue;
          const message = 'is known to policyreport only: its reports name the producer';
          context.addIssue({ code: 'custom', path: [name, 'trustedSources'], message });
        }
      }),
    ),
    {},
  ),
  declarativeSources: declarativeSourcesSchema,
  watch: z.prefault(watchSchema, {}),
  configMaps: z.prefault(configMapsSchema, {}),
  ...rulesShape,
  due: z.prefault(dueSchema, {}),
  /** What of the API server's audit log is told (docs/sources/audit.md). */
  audit: z.prefault(auditSchema, {}),
  leaderElection: z.prefault(leaderElectionSchema, {}),
  lifecycle: z.prefault(lifecycleSchema, {}),
  budget: z.prefault(budgetSchema, {}),
  writes: z.prefault(writesSchema, {}),
  queue: z.prefault(queueSchema, {}),
  server: z.prefault(serverSchema, {}),
  webhooks: z.prefault(webhooksSchema, {}),
  log: z.prefault(logSchema, {}),
  shutdown: z.prefault(shutdownSchema, {}),
});

export const configSchema = shape.check(
  z.superRefine(({ watch, events }, context) => {
    if (watch.namespaces === undefined) return;
    for (const key of ['placement', 'migrate'] as const) {
      if (events[key] === 'central' || events[key] === false) continue;
      const message = 'needs the whole cluster: leave it out, or leave out watch.namespaces';
      context.addIssue({ code: 'custom', path: ['events', key], message });
    }
  }),
);

/** Namespaces whose ConfigMaps are looked at. */
export function configMapNamespaces({ configMaps, events }: Config): readonly string[] {
  return [...new Set(configMaps.namespaces ?? [events.namespace])];
}

/** A checked configuration with its defaults filled in. */
export type Config = z.infer<typeof configSchema>;
