/** `kubectl get zenevents --watch`, as a user runs it: its lines go to stdout as they are, and are read for the checks. */
import { kubectlOutput } from '../../test/cluster/kubectl.ts';
import type { DemoCluster } from './demo-cluster.ts';
import { BackgroundProgram } from './processes.ts';

/** One line of the table. */
export interface EventRow {
  readonly name: string;
  readonly severity: string;
  readonly source: string;
  readonly subject: string;
  readonly summary: string;
  readonly phase: string;
}

/** The arguments of kubectl that print the events. */
export function getEvents(namespace: string): string[] {
  return ['get', 'zenevents', '-n', namespace];
}

export class EventWatch {
  readonly #program: BackgroundProgram;
  readonly #rows: EventRow[] = [];

  constructor(cluster: DemoCluster, print: (line: string) => void) {
    this.#program = new BackgroundProgram({
      name: 'kubectl get --watch',
      program: cluster.target.binaries.kubectl,
      args: [`--kubeconfig=${cluster.target.kubeconfigPath}`, ...getEvents(cluster.eventsNamespace), '--watch'],
      line: (text) => {
        print(text);
        const row = parseRow(text);
        if (row !== undefined) this.#rows.push(row);
      },
    });
  }

  /** All rows so far, in the order in which kubectl printed them. */
  get rows(): readonly EventRow[] {
    this.#program.assertRunning();
    return this.#rows;
  }

  end(): Promise<void> {
    return this.#program.end(5);
  }
}

/** The table of all events, as kubectl prints it. */
export function eventTable(cluster: DemoCluster): Promise<string> {
  return kubectlOutput(cluster.target, getEvents(cluster.eventsNamespace));
}

/** The rows of a table. */
export function parseTable(table: string): EventRow[] {
  return table.split('\n').flatMap((line) => parseRow(line) ?? []);
}

/** kubectl separates columns by at least three spaces; no value of ours holds two. */
function parseRow(line: string): EventRow | undefined {
  const [name = '', severity = '', source = '', subject = '', summary = '', phase = '', age] = line
    .trim()
    .split(/ {2,}/);
  if (age === undefined || name === 'NAME') return undefined;
  return { name, severity, source, subject, summary, phase };
}
