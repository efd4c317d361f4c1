/** Plays the scenes of the story against the cluster and checks what really came of each. */
import { join } from 'node:path';
import { kubectlOutput } from '../../test/cluster/kubectl.ts';
import type { DaemonProcess } from './daemon-process.ts';
import type { DemoCluster } from './demo-cluster.ts';
import { type EventRow, type EventWatch, eventTable, parseTable } from './event-watch.ts';
import type { Narrator } from './narrator.ts';
import type { ExpectedRow, Scene } from './story.ts';
import { waitFor } from './wait.ts';

export interface PerformanceParts {
  readonly cluster: DemoCluster;
  readonly daemon: DaemonProcess;
  readonly watch: EventWatch;
  readonly narrator: Narrator;
  readonly signal: AbortSignal;
}

const reportsFolder = 'cmd/demo/reports';
const root = join(import.meta.dirname, '../..');
const metric = {
  received: 'zen_watcher_findings_received_total',
  pending: 'zen_watcher_findings_pending',
  /** The resource of the report that the story deletes. */
  reports: 'zen_watcher_informer_objects{resource="vulnerabilityreports.aquasecurity.github.io"}',
  discrepancy: 'zen_watcher_books_discrepancy',
};

/** Plays one scene; throws when something that must come of it does not come. */
export async function play(scene: Scene, parts: PerformanceParts): Promise<void> {
  const { narrator, watch } = parts;
  narrator.step(scene.title);
  for (const note of scene.notes) narrator.note(note);
  const rowsBefore = watch.rows.length;
  if (scene.rows.length > 0) {
    await change(scene, parts);
    for (const row of scene.rows) {
      const words = `${row.severity} ${row.subject} ${row.about} ${row.phase} in the output of kubectl`;
      await waitFor(words, parts.signal, () => watch.rows.slice(rowsBefore).some((seen) => isAsExpected(seen, row)));
    }
  } else {
    const before = await versions(parts);
    await changeAndWait(scene, parts);
    const after = await versions(parts);
    if (after !== before) throw new Error(`events changed although nothing should:\n${before}\n${after}`);
    narrator.note(`zen-watcher has seen it, and none of the ${before.split('\n').length} events was touched.`);
  }
}

/** Applies and deletes, as a user does. */
async function change({ apply = [], remove }: Scene, { cluster, narrator }: PerformanceParts): Promise<void> {
  const steps = [
    ...apply.map((report) => ({ verb: 'apply', ...report })),
    ...(remove === undefined ? [] : [{ verb: 'delete', ...remove }]),
  ];
  for (const { verb, file, place } of steps) {
    const args = [verb, '-n', cluster.namespaces[place], '-f'];
    narrator.progress(`  $ kubectl ${args.join(' ')} ${reportsFolder}/${file}`);
    await kubectlOutput(cluster.target, [...args, join(root, reportsFolder, file)]);
  }
}

/** The daemon's own numbers tell that it has read the change: without a row to come there is nothing else to wait for. */
async function changeAndWait(scene: Scene, parts: PerformanceParts): Promise<void> {
  const { daemon, signal } = parts;
  const before = await daemon.metrics(signal);
  await change(scene, parts);
  await waitFor('the daemon to see the change', signal, async () => {
    const now = await daemon.metrics(signal);
    const name = scene.remove === undefined ? metric.received : metric.reports;
    return now.get(name) !== before.get(name) && now.get(metric.pending) === 0;
  });
}

/** Name and resourceVersion of each event of the demo; any write would change one. */
async function versions({ cluster }: PerformanceParts): Promise<string> {
  const ours = Object.values(cluster.namespaces);
  const lines = await kubectlOutput(cluster.target, [
    ...['get', 'zenevents', '-n', cluster.eventsNamespace, '-o'],
    'jsonpath={range .items[*]}{.spec.resource.namespace} {.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}',
  ]);
  return lines
    .split('\n')
    .filter((line) => ours.includes(line.split(' ')[0] ?? ''))
    .join('\n');
}

/** Prints the table and the books; throws when they are not as they must be. */
export async function finish(rows: readonly ExpectedRow[], parts: PerformanceParts): Promise<void> {
  const { cluster, daemon, watch, narrator, signal } = parts;
  await watch.end();
  narrator.step(`$ kubectl get zenevents -n ${cluster.eventsNamespace}`);
  const table = await eventTable(cluster);
  process.stdout.write(`\n${table}`);
  const found = parseTable(table);
  const missing = rows.filter((row) => !found.some((each) => isAsExpected(each, row)));
  if (missing.length > 0) throw new Error(`events are missing in the table: ${JSON.stringify(missing)}`);
  const metrics = await daemon.metrics(signal);
  narrator.step(books(metrics));
  if (metrics.get(metric.discrepancy) !== 0) throw new Error('the books of the daemon do not balance');
}

/** The books in one line: where every finding that was read went to. */
function books(metrics: ReadonlyMap<string, number>): string {
  const settled = [...metrics].flatMap(([series, value]) => {
    const account = /^zen_watcher_findings_settled_total\{account="(\w+)"\}$/.exec(series)?.[1];
    return account === undefined || value === 0 ? [] : [`${value} ${account}`];
  });
  const received = metrics.get(metric.received);
  const discrepancy = metrics.get(metric.discrepancy);
  return `Of ${received} findings read: ${settled.join(', ')}; books discrepancy ${discrepancy} (from /metrics)`;
}

function isAsExpected(row: EventRow, expected: ExpectedRow): boolean {
  return (
    row.source === expected.source &&
    row.subject === expected.subject &&
    row.summary.startsWith(expected.about) &&
    row.severity === expected.severity &&
    row.phase === expected.phase
  );
}
