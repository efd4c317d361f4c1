/** `kubectl zenevents`: what is found, for people: a summary, the most urgent, and what comes. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { version as apiVersion, group, plural } from '../api/event.ts';
import type { StoredEvent } from '../api/stored-event.ts';
import { type Severity, severities, severityRank } from '../api/words.ts';
import type { Environment } from '../config/environment.ts';
import { KubeClient } from '../kube/client.ts';
import { loadKubeConfig } from '../kube/kube-config.ts';
import { PagedList } from '../kube/paged-list.ts';
import type { Clock } from '../lib/clock.ts';
import { clean, cut } from '../lib/text.ts';
import { Output } from './output.ts';
import { type Column, renderTable } from './table.ts';

/** What the command lines say. */
interface EventFlags {
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly allNamespaces?: boolean;
}

/** What the plugin needs from outside. */
export interface ZenEventsIo {
  readonly stdout: NodeJS.WritableStream;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly version: string;
  readonly useColor: boolean;
  /** Resolves when somebody wants `tail` to end. */
  stopSignal(): Promise<unknown>;
}

const requestTimeoutMs = 30_000;
const defaultNamespace = 'zen-system';
/** How often `tail` looks. */
const tailMs = 2_000;

/** Adds the commands summary, top and tail. */
export function addZenEventCommands(program: Command, io: ZenEventsIo): void {
  const withFlags = (command: Command) =>
    command
      .option(
        '-n, --namespace <name>',
        'namespace of the events',
        io.environment['WATCH_NAMESPACE'] || defaultNamespace,
      )
      .option('-A, --all-namespaces', 'events of all namespaces')
      .option('--kubeconfig <file>', 'kubeconfig; default: as kubectl')
      .option('--context <name>', 'context of the kubeconfig');
  withFlags(program.command('summary').description('count Active events by source and severity')).action(
    (flags: EventFlags) => withEvents(flags, io, async (events, out) => out.writeAll(summary(await all(events)))),
  );
  withFlags(program.command('top').description('the most urgent Active events, the oldest of each severity first'))
    .addOption(new Option('-c, --count <n>', 'how many').default(20).argParser(countOf))
    .action((flags: EventFlags & { readonly count: number }) =>
      withEvents(flags, io, async (events, out) => {
        const urgent = (await all(events)).filter(isActive).toSorted(byUrgency).slice(0, flags.count);
        await out.writeAll(renderTable(columnsAt(io.clock.now()), urgent, painter(io.useColor)));
      }),
    );
  withFlags(
    program.command('tail').description('events as they become new, change their phase, or are resolved'),
  ).action((flags: EventFlags) => withEvents(flags, io, (events, out) => tail(events, out, io)));
}

function countOf(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('expected a number from 1');
  return count;
}

/** Lists the events anew each time. */
type ListEvents = () => AsyncIterable<StoredEvent>;

async function withEvents(flags: EventFlags, io: ZenEventsIo, use: (events: ListEvents, out: Output) => Promise<void>) {
  const { kubeconfig: file, context, allNamespaces, namespace } = flags;
  const client = new KubeClient(loadKubeConfig({ file, context, environment: io.environment }), {
    clock: io.clock,
    connections: 2,
    timeoutMs: requestTimeoutMs,
    userAgent: `kubectl-zenevents/${io.version}`,
  });
  const collection = { group, version: apiVersion, resource: plural, ...(allNamespaces ? {} : { namespace }) };
  const out = new Output(io.stdout);
  try {
    await use(async function* () {
      const list = new PagedList({ client, collection, shape: 'full' });
      for await (const { items } of list.pages(new AbortController().signal)) yield* items as unknown as StoredEvent[];
    }, out);
  } finally {
    await Promise.all([client.close(), out.release()]);
  }
}

async function all(events: ListEvents): Promise<StoredEvent[]> {
  const found: StoredEvent[] = [];
  for await (const event of events()) found.push(event);
  return found;
}

function isActive({ status }: StoredEvent): boolean {
  return (status?.phase ?? 'Active') === 'Active';
}

function byUrgency(a: StoredEvent, b: StoredEvent): number {
  const bySeverity = severityRank(a.spec.severity) - severityRank(b.spec.severity);
  return bySeverity || (firstSeen(a) < firstSeen(b) ? -1 : 1);
}

function firstSeen({ spec, status }: StoredEvent): string {
  return status?.firstSeen ?? spec.detectedAt ?? '';
}

interface SummaryRow {
  readonly source: string;
  readonly counts: Readonly<Record<Severity, number>>;
  readonly resolved: number;
}

/** A row for each source, and their sum. */
function* summary(events: readonly StoredEvent[]): Generator<string> {
  const names = [...new Set(events.map(({ spec }) => spec.source))].toSorted();
  const rowOf = (source: string, of: readonly StoredEvent[]): SummaryRow => ({
    source,
    counts: Object.fromEntries(
      severities.map((word) => [word, of.filter((event) => isActive(event) && event.spec.severity === word).length]),
    ) as Record<Severity, number>,
    resolved: of.filter((event) => !isActive(event)).length,
  });
  const rows = names.map((name) =>
    rowOf(
      name,
      events.filter(({ spec }) => spec.source === name),
    ),
  );
  const columns: Column<SummaryRow>[] = [
    { title: 'SOURCE', text: ({ source }) => shown(source) },
    ...severities.map((word) => ({
      title: word.toUpperCase(),
      text: ({ counts }: SummaryRow) => String(counts[word]),
    })),
    { title: 'RESOLVED', text: ({ resolved }) => String(resolved) },
  ];
  yield* renderTable(columns, [...rows, rowOf('all', events)]);
}

function columnsAt(now: Date): readonly Column<StoredEvent>[] {
  return [
    { title: 'NAME', text: ({ metadata }) => shown(metadata.name) },
    { title: 'SEVERITY', text: ({ spec }) => spec.severity },
    { title: 'SOURCE', text: ({ spec }) => shown(spec.source) },
    { title: 'NAMESPACE', text: ({ spec }) => shown(spec.resource?.namespace ?? '') },
    { title: 'SUBJECT', text: ({ spec }) => shown(spec.subject ?? '') },
    { title: 'SUMMARY', text: ({ spec }) => shown(spec.summary ?? '') },
    { title: 'COUNT', text: ({ status }) => String(status?.count ?? 1) },
    { title: 'SINCE', text: (event) => ageOf(firstSeen(event), now) },
  ];
}

const severityColumn = 1;
const colors: Readonly<Partial<Record<Severity, string>>> = { critical: '1;31', high: '31', medium: '33', low: '36' };

function painter(useColor: boolean) {
  return (cells: string[], { spec }: StoredEvent) => {
    const color = colors[spec.severity];
    if (useColor && color !== undefined) cells[severityColumn] = `\u001b[${color}m${cells[severityColumn]}\u001b[0m`;
  };
}

/** `3d`, `5h`, `7m`, `10s`, as kubectl says it. */
function ageOf(time: string, now: Date): string {
  const seconds = Math.floor((now.getTime() - Date.parse(time)) / 1000);
  if (Number.isNaN(seconds)) return '';
  const steps = [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'm'],
  ] as const;
  for (const [size, unit] of steps) if (seconds >= 2 * size) return `${Math.floor(seconds / size)}${unit}`;
  return `${Math.max(0, seconds)}s`;
}

/** Says what is new or has another phase than at the look before. What is there at the start is not news. */
async function tail(events: ListEvents, out: Output, { stopSignal, clock }: ZenEventsIo): Promise<void> {
  const phases = new Map<string, string>();
  let isFirst = true;
  let isStopped = false;
  const stopped = stopSignal().then(() => {
    isStopped = true;
  });
  while (!isStopped && !out.isClosed) {
    for await (const { metadata, spec, status } of events()) {
      const phase = status?.phase ?? 'Active';
      const before = phases.get(metadata.uid);
      phases.set(metadata.uid, phase);
      if (isFirst || before === phase) continue;
      const what = phase === 'Resolved' ? `Resolved (${status?.reason ?? ''})` : before === undefined ? 'new' : 'again';
      const words = [
        clock.now().toISOString(),
        what,
        spec.severity,
        spec.source,
        spec.subject ?? '',
        spec.summary ?? '',
      ];
      await out.write(`${words.map(shown).join('  ')}\n`);
    }
    isFirst = false;
    await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, tailMs))]);
  }
}

function shown(text: string): string {
  return cut(clean(text), 128);
}
