/** `zen-watcher explain EVENT`: reads the event and the report it came from, with the user's own permissions. */
import {
  plural as eventPlural,
  group,
  mutedReasonAnnotation,
  mutedUntilAnnotation,
  reportAnnotation,
  version,
} from '../api/event.ts';
import type { StoredEvent } from '../api/stored-event.ts';
import { readContextsOf, sourcesOn } from '../config/read-contexts.ts';
import { ruleSettings } from '../config/rules-schema.ts';
import { KubeClient } from '../kube/client.ts';
import { loadKubeConfig } from '../kube/kube-config.ts';
import { parseUntil } from '../lib/until.ts';
import type { Judge, RuleSettings } from '../pipeline/rules.ts';
import { compileRules } from '../pipeline/rules.ts';
import { ClusterReader, ReportFinder } from './cluster-reports.ts';
import type { Configured, ExplainIo, ExplainOptions } from './explain.ts';
import { decision, type Explained, severityPhrase, shown } from './explained.ts';
import type { Output } from './output.ts';

const requestTimeoutMs = 30_000;

/** What is said of an event; the JSON output. */
interface EventExplained {
  readonly event: string;
  readonly namespace: string;
  readonly title: string;
  readonly phase: string;
  readonly reason?: string;
  readonly severity: string;
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
  /** The annotation that mutes it, whether or not it still does. */
  readonly muted?: { readonly until: string; readonly reason: string; readonly isInForce: boolean };
  readonly report: string;
  /** Where the finding is now: in the report it came from, in another one of the same subject, or in none. */
  readonly found: 'in its report' | 'in another report' | 'not reported' | 'report is gone';
  readonly now?: Explained;
}

/** Says what is known of the event, and gives the exit code. */
export async function explainEvent(
  options: ExplainOptions,
  { config, sources }: Configured,
  io: ExplainIo,
  { stdout, stderr }: { readonly stdout: Output; readonly stderr: Output },
): Promise<number> {
  const { what: name, kubeconfig: file, context } = options;
  const namespace = options.namespace ?? config.events.namespace;
  const client = new KubeClient(loadKubeConfig({ file, context, environment: io.environment }), {
    clock: io.clock,
    connections: 2,
    timeoutMs: requestTimeoutMs,
    userAgent: `zen-watcher/${io.version}`,
  });
  try {
    const reader = new ClusterReader(client);
    const collection = { group, version, resource: eventPlural, namespace };
    const event = (await reader.get(collection, name)) as unknown as StoredEvent | undefined;
    if (event?.spec === undefined) {
      await stderr.write(`there is no event ${name} in the namespace ${shown(namespace)} (-n names another one)\n`);
      return 1;
    }
    const judge = await judgeFor(event, ruleSettings(config, sources), io, reader);
    const finder = new ReportFinder(reader, {
      sources,
      judge,
      now: io.clock.now(),
      contextOf: readContextsOf(config, sourcesOn(config, sources)),
    });
    const said = await about(event, finder, io);
    await stdout.write(options.output === 'json' ? `${JSON.stringify(said, undefined, 2)}\n` : inWords(said));
    return 0;
  } finally {
    await client.close();
  }
}

/** The rules as they are now, with the labels of the one namespace that they can be about. */
async function judgeFor(
  { spec }: StoredEvent,
  settings: RuleSettings,
  io: ExplainIo,
  reader: ClusterReader,
): Promise<Judge> {
  const now = io.clock.now();
  const of = spec.resource?.namespace;
  const isAsked = compileRules(settings, { now, labelsOf: () => undefined }).labelKeys.size > 0;
  const labels = isAsked && of !== undefined ? await reader.labelsOf(of) : undefined;
  return compileRules(settings, { now, labelsOf: (name) => (name === of ? labels : undefined) }).judge;
}

async function about(event: StoredEvent, finder: ReportFinder, { clock }: ExplainIo): Promise<EventExplained> {
  const { metadata, spec, status } = event;
  const origin = spec.origin ?? {};
  const report = [origin.kind ?? '', [origin.namespace, origin.name].filter(Boolean).join('/')].join(' ').trim();
  const inOrigin = await finder.inReport(origin, metadata.name);
  const reportKey = metadata.annotations?.[reportAnnotation] ?? '';
  const elsewhere =
    inOrigin.finding === undefined ? await finder.elsewhere(origin, reportKey, metadata.name) : undefined;
  const now = inOrigin.finding ?? elsewhere;
  const until = metadata.annotations?.[mutedUntilAnnotation];
  const gone = inOrigin.isThere ? 'not reported' : 'report is gone';
  return {
    event: metadata.name,
    namespace: metadata.namespace,
    title: shown(spec.title ?? ''),
    phase: status?.phase ?? 'Active',
    ...(status?.reason === undefined ? {} : { reason: status.reason }),
    severity: spec.severity,
    conditions: (status?.conditions ?? []).map(({ type, status: is, reason }) => ({
      type: shown(type),
      status: shown(is),
      reason: shown(reason),
    })),
    ...(until === undefined
      ? {}
      : {
          muted: {
            until: shown(until),
            reason: shown(metadata.annotations?.[mutedReasonAnnotation] ?? ''),
            isInForce: (parseUntil(until) ?? 0) > clock.now().getTime(),
          },
        }),
    report: shown(report),
    found: inOrigin.finding ? 'in its report' : elsewhere ? 'in another report' : gone,
    ...(now === undefined ? {} : { now }),
  };
}

function inWords(said: EventExplained): string {
  const { muted, now } = said;
  const mute =
    muted && `${muted.isInForce ? '' : 'no more: '}until ${muted.until}${muted.reason && `: ${muted.reason}`}`;
  const lines: [string, string][] = [
    ['Event', `${said.namespace}/${said.event}`],
    ['Title', said.title],
    ['Phase', said.reason === undefined ? said.phase : `${said.phase} (${said.reason})`],
    ['Severity', said.severity],
    ...said.conditions.map(({ type, status, reason }): [string, string] => [type, `${status} (${reason})`]),
    ['Muted', mute ?? 'no'],
    ['Report', `${said.report}: ${reportWords(said)}`],
    ['Now', now === undefined ? 'no report holds its finding' : `${now.verdict} by ${decision(now)}`],
    ...(now === undefined ? [] : [['Severity now', severityPhrase(now)] satisfies [string, string]]),
  ];
  const width = Math.max(...lines.map(([title]) => title.length));
  return lines.map(([title, text]) => `${title.padEnd(width)}   ${text}\n`).join('');
}

function reportWords({ found, now }: EventExplained): string {
  switch (found) {
    case 'in its report':
      return 'holds the finding';
    case 'in another report':
      return `holds it no more, ${now?.report.kind} ${now?.report.name} does`;
    case 'not reported':
      return 'is there without the finding';
    case 'report is gone':
      return 'is gone';
  }
}
