/**
 * What each key of the configuration means: for docs/configuration.md and the JSON Schema, which editors show. Apart from
 * the schema, since the daemon has no use for it in memory. `npm run generate` fails while a key has no words.
 */
import { eventTypes, severities } from '../api/words.ts';
import { declarativeDescriptions } from './declarative-descriptions.ts';

/** `filters[]`, `mutes[]` and `severityOverrides[].match` select by the same fields. */
const matchWords: Readonly<Record<string, string>> = {
  source: 'Pattern of spec.source, or a list of them; `*` and `?` are the only magic.',
  severity: 'Severity, or a list of them.',
  eventType: 'Event type, or a list of them.',
  category: 'Category, or a list of them.',
  namespace: 'Pattern of the namespace of the resource, or a list of them.',
  namespaceLabels: 'Labels that the namespace of the resource must have.',
  resource: 'Pattern of `Kind/name` of the resource, or a list of them.',
  rule: 'Pattern of what was found: a CVE, policy/rule, a check id; or a list of them.',
};

const match = (path: string) =>
  Object.fromEntries(Object.entries(matchWords).map(([key, words]) => [`${path}.${key}`, words]));

/** By path: `[]` stands for an entry of a list, `*` for a name that is free. */
export const descriptions: Readonly<Record<string, string>> = {
  events: 'Where events are written to.',
  'events.namespace': 'Namespace that events are written to.',
  'events.placement':
    'central: all events in `namespace`; resource: each in the namespace of its resource (placement.md).',
  'events.migrate': 'With central placement: watch events in all namespaces and bring them home.',
  'events.cluster': "Name of the cluster for spec.cluster; '' leaves it out.",
  sources: 'By name of the source (`zen-watcher sources`); all are on when nothing is said.',
  'sources.*': 'One source.',
  'sources.*.enabled': 'Whether it is read at all.',
  'sources.*.graceSeconds':
    "How long a report may be away before its findings are not fresh any more; the source's own when not said.",
  'sources.*.quietSeconds': "How long a signal stays Active without a repeat; the source's own when not said.",
  'sources.*.severities': "The tool's severity words in ours, where you disagree with `zen-watcher sources`.",
  'sources.*.trustedSources':
    'Only of policyreport: producers whose namespaced reports may speak for other namespaces.',
  ...declarativeDescriptions,
  watch: 'What is looked at.',
  'watch.namespaces':
    'The only namespaces whose reports and Pods are looked at, and none of the cluster: for an account without a ClusterRole. All where nothing is said.',
  configMaps: 'Reports that tools leave in ConfigMaps.',
  'configMaps.namespaces':
    'Namespaces whose labelled ConfigMaps hold reports; that of the events where nothing is said, none for an empty list (sources/files.md).',
  preset: 'What is said where nothing is (filters.md).',
  thresholds:
    'The least severity: by source, else by event type, else by default; `unknown` passes. Each is over that of the preset.',
  'thresholds.default': 'For event types that nothing is said about.',
  ...Object.fromEntries(eventTypes.map((type) => [`thresholds.${type}`, `For ${type}.`])),
  'thresholds.sources': 'By spec.source; over those of event types.',
  filters: 'What becomes no event, in order: the first that fits decides.',
  'filters[]': 'One filter.',
  'filters[].action': 'exclude: no event; include: an event, whatever later filters say.',
  ...match('filters[]'),
  mutes: 'Findings that nobody wants to hear of for a time.',
  'mutes[]': 'One mute.',
  ...match('mutes[]'),
  'mutes[].reason': 'Why, and who knows more: shown by explain and in the log.',
  'mutes[].until':
    'When they are told of again: a time (RFC 3339) or a date; for ever where absent, which is warned about.',
  severityOverrides: 'Severities that you see otherwise, in order: the first that fits decides.',
  'severityOverrides[]': 'One override.',
  'severityOverrides[].match': 'What it is about.',
  ...match('severityOverrides[].match'),
  'severityOverrides[].severity': 'Its severity.',
  due: 'Hours after which an Active event is overdue, by severity: the metric `zen_watcher_overdue_events`; 0 is never.',
  ...Object.fromEntries(severities.map((severity) => [`due.${severity}`, `For ${severity}.`])),
  audit: "What of the API server's audit log is told (sources/audit.md). Takes effect with a restart.",
  'audit.rules':
    'Rows for the table of rules: one under the name of a default rule takes its place, `{name, enabled: false}` takes it out, others go first.',
  'audit.exclusions': 'Rows for the table of what is routine, likewise.',
  'audit.defaults': 'false: none of the default rules and exclusions (sources/audit-rules.md).',
  'audit.secretReaders': 'Users (patterns) whose reads of Secrets are routine, besides those of kube-system.',
  'audit.ownAccounts':
    'Users (patterns) that zen-watcher itself is: `system:serviceaccount:<events.namespace>:zen-watcher` where nothing is said.',
  leaderElection: 'Several replicas, of which one writes, or one in each shard (replicas.md).',
  'leaderElection.enabled': 'Off, this process writes without asking anybody: for one replica only.',
  'leaderElection.replicas': 'The most replicas at a time, also during a rollout: each has a Lease of its own.',
  'leaderElection.shards':
    'Into so many parts, by namespace, the work is divided, each with a leader of its own. The same for all replicas.',
  'leaderElection.leaseSeconds': 'So long after a leader died, at most, another one has its Lease (replicas.md).',
  'leaderElection.renewDeadlineSeconds':
    'So long after it last asked for its Lease a leader writes. Others wait a fifth longer, within the lease.',
  'leaderElection.retrySeconds': 'Between two attempts to get or keep it; less than the deadline.',
  lifecycle: 'How findings end (lifecycle.md).',
  'lifecycle.unverifiedDays': 'How long a finding that is not fresh stays Active before it is resolved as unverified.',
  budget: 'The event budget (budget.md).',
  'budget.events':
    'The greatest number of events; what is beyond is counted in summaries. 20,000 cost an API server some 320 MB.',
  'budget.resolvedTtlHours': 'How long a Resolved event is kept.',
  writes: 'The write budget.',
  'writes.perSecond': 'Writes a second in the long run; 0 is no limit.',
  'writes.burst': 'Writes at once after a quiet time.',
  'writes.inFlight': 'Writes that the API server is asked for at the same time.',
  queue: 'What may wait to be written.',
  'queue.items': 'Events that may wait; beyond that reports are read again later.',
  'queue.bytes': 'Memory that they may take, about.',
  server: 'Where /metrics and the probes answer.',
  'server.host': 'Address to listen on.',
  'server.metricsPort': 'Port of /metrics, /healthz and /readyz; 0 takes a free one.',
  webhooks: 'What tools may send, and who (webhooks.md). Without a route the port is not opened.',
  'webhooks.port': 'Port of the webhooks; 0 takes a free one.',
  'webhooks.host': 'Address to listen on.',
  'webhooks.legacyPort': 'Serve them on `server.metricsPort` too, without TLS, where older versions did.',
  'webhooks.tls': 'TLS of the port, 1.2 or newer; without it the port speaks plain HTTP.',
  'webhooks.tls.certFile': 'Certificate chain in PEM; read again when it changes.',
  'webhooks.tls.keyFile': 'Its key in PEM.',
  'webhooks.tls.clientCaFile':
    'CAs of clients in PEM: certificates are asked for, and let in where a route names them.',
  'webhooks.routes': 'By name of the source. A route is there only with a credential, or open by name.',
  'webhooks.routes.*': 'Who may send to `/webhook/<source>` (and `/falco/webhook`, `/audit/webhook`).',
  'webhooks.routes.*.tokenFiles':
    'Bearer tokens, of 16 characters at least: files with one on each line, or folders of such files; read again when they change.',
  'webhooks.routes.*.mtls': 'Client certificates, beside or in place of tokens.',
  'webhooks.routes.*.mtls.subjects':
    '`CN=name`, `DNS:name`, `URI:uri` or `email:address` of the certificate; `*` is any that the CA signed.',
  'webhooks.routes.*.open': 'Anybody who reaches the port may send.',
  'webhooks.routes.*.maxInFlight': 'Requests at one time; more are answered 429.',
  'webhooks.maxConnections': 'Connections at one time; more are closed.',
  'webhooks.maxBodyBytes': 'Bytes of one body, also once it is unpacked.',
  'webhooks.maxBytesInFlight': 'Bytes of all bodies that are read and not yet taken in; more are answered 429.',
  log: 'Log lines (logs.md).',
  'log.level': 'The least important lines that are written. Takes effect without a restart.',
  shutdown: 'What happens at SIGTERM.',
  'shutdown.drainSeconds': 'How long queued writes may take before the process ends.',
};
