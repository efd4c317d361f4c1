/**
 * A cluster in which reports come and change all the time, and the book of what they say: which findings exist, and how
 * often each one changed. The events on the server are compared with it. It knows nothing of the daemon.
 */
import type { StoredEvent } from '../../src/api/stored-event.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { Stage } from './stage.ts';
import type { Report } from './vulnerability-reports.ts';
import { createReport, putReport, removeReport, vulnerabilityReport } from './vulnerability-reports.ts';

/** What became of one finding. */
interface Fate {
  /** Undefined: the newest report does not have it. */
  severity: string | undefined;
  lastSeverity: string;
  /** Its report was away for a while: what ended it then need not be a newer report. */
  wasWithdrawn?: boolean;
  /** How many writes its history can ask for, at most. */
  changes: number;
}

interface Workload {
  readonly name: string;
  readonly namespace: string;
  readonly findings: Map<string, Fate>;
  /** How often it was rolled out: gives its ReplicaSet's name. */
  rollouts: number;
  report: Report | undefined;
}

const severities = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'];
const firstScan = Date.UTC(2026, 0, 2);

export interface ReportChurnParts {
  readonly stage: Stage;
  readonly namespace: string;
  /** More namespaces: the workloads are spread over all. */
  readonly others?: readonly string[];
  readonly random: SeededRandom;
  /** How many findings a report begins with. */
  readonly each: number;
  /** How many different ones a workload can ever have. */
  readonly most?: number;
}

export class ReportChurn {
  readonly #stage: Stage;
  readonly #namespaces: readonly string[];
  readonly #random: SeededRandom;
  readonly #each: number;
  readonly #most: number;
  readonly #workloads: Workload[] = [];
  #scans = 0;

  constructor(parts: ReportChurnParts) {
    this.#stage = parts.stage;
    this.#namespaces = [parts.namespace, ...(parts.others ?? [])];
    this.#random = parts.random;
    this.#each = parts.each;
    this.#most = parts.most ?? Number.POSITIVE_INFINITY;
  }

  get reports(): number {
    return this.#workloads.length;
  }

  /** How many findings exist. */
  get size(): number {
    return this.#fates().filter(({ fate }) => fate.severity !== undefined).length;
  }

  /** How many existed at some time. */
  get everFound(): number {
    return this.#fates().length;
  }

  /** A workload and its first report. */
  async add(): Promise<void> {
    const workload: Workload = {
      name: `app-${this.#workloads.length}`,
      namespace: this.#namespaces[this.#workloads.length % this.#namespaces.length] ?? '',
      findings: new Map(),
      rollouts: 0,
      report: undefined,
    };
    this.#workloads.push(workload);
    for (let count = 0; count < this.#each; count += 1) this.#find(workload);
    workload.report = this.#reportOf(workload);
    await createReport(this.#stage, workload.report);
  }

  /** Something happens to one of the workloads: what its newest report says changes, or is reported anew unchanged. */
  async step(): Promise<void> {
    const random = this.#random;
    const workload = random.pick(this.#workloads);
    if (random.isLucky(0.8)) this.#alter(workload);
    const before = workload.report;
    if (before === undefined || random.isLucky(0.6)) {
      workload.report = this.#reportOf(workload);
      await putReport(this.#stage, workload.report);
      return;
    }
    // A rollout: the report of the new ReplicaSet comes before that of the old one goes, or after.
    workload.rollouts += 1;
    workload.report = this.#reportOf(workload);
    const isNewFirst = random.isLucky(0.5);
    if (isNewFirst) await putReport(this.#stage, workload.report);
    await removeReport(this.#stage, before);
    if (!isNewFirst) await putReport(this.#stage, workload.report);
  }

  /** A report goes, until its workload's next step or publish(). */
  async withdraw(): Promise<void> {
    const workload = this.#random.pick(this.#workloads);
    if (workload.report === undefined) return;
    for (const fate of workload.findings.values()) fate.wasWithdrawn = true;
    await removeReport(this.#stage, workload.report);
    workload.report = undefined;
  }

  /** Every workload is scanned anew, unchanged. */
  async publish(): Promise<void> {
    for (const workload of this.#workloads) {
      workload.report = this.#reportOf(workload);
      await putReport(this.#stage, workload.report);
    }
  }

  /**
   * How the events differ from the findings, in words: nothing is missing, nothing is there that was never found, what
   * exists is Active with the severity of today, what is gone is Resolved as fixed. A finding that came and went between
   * two looks needs no event.
   */
  differences(events: readonly StoredEvent[]): string[] {
    const found = new Map(events.map((event) => [keyOf(event), event]));
    const differences: string[] = [];
    for (const { key, fate } of this.#fates()) {
      const event = found.get(key);
      found.delete(key);
      const wanted = fate.severity === undefined ? 'Resolved fixed' : `Active ${fate.severity.toLowerCase()}`;
      const is = event === undefined ? 'missing' : stateOf(event);
      const isOver =
        fate.severity === undefined && (is === 'missing' || (fate.wasWithdrawn && is.startsWith('Resolved')));
      if (is !== wanted && !isOver) differences.push(`${key} is ${is}, not ${wanted}`);
    }
    for (const key of found.keys()) differences.push(`${key} was never found`);
    if (found.size + this.#fates().length < events.length) differences.push('a finding has more than one event');
    return differences;
  }

  /** Events with more writes than the history of their finding can have asked for, in words. */
  excesses(events: readonly StoredEvent[], writesOf: ReadonlyMap<string, number>): string[] {
    const fates = new Map(this.#fates().map(({ key, fate }) => [key, fate]));
    return events.flatMap((event) => {
      const { changes = 0 } = fates.get(keyOf(event)) ?? {};
      const writes = writesOf.get(event.metadata.name) ?? 0;
      return writes <= changes ? [] : [`${keyOf(event)} was written ${writes} times and changed ${changes} times`];
    });
  }

  #fates(): { readonly key: string; readonly fate: Fate }[] {
    return this.#workloads.flatMap(({ name, findings }) =>
      [...findings].map(([id, fate]) => ({ key: `Deployment/${name} ${id}`, fate })),
    );
  }

  #alter(workload: Workload): void {
    const random = this.#random;
    for (const fate of workload.findings.values()) {
      if (!random.isLucky(0.15)) continue;
      const severity = fate.severity === undefined || random.isLucky(0.5) ? random.pick(severities) : undefined;
      this.#become(fate, severity);
    }
    if (workload.findings.size < this.#most && random.isLucky(0.3)) this.#find(workload);
  }

  #find({ findings }: Workload): void {
    const severity = this.#random.pick(severities);
    findings.set(`CVE-2026-${10_000 + findings.size}`, { severity, lastSeverity: severity, changes: 1 });
  }

  #become(fate: Fate, severity: string | undefined): void {
    const comesOrGoes = (fate.severity === undefined) !== (severity === undefined);
    const isOther = severity !== undefined && severity !== fate.lastSeverity;
    fate.changes += Number(comesOrGoes) + Number(isOther);
    fate.severity = severity;
    fate.lastSeverity = severity ?? fate.lastSeverity;
  }

  #reportOf({ name, namespace, findings, rollouts }: Workload): Report {
    this.#scans += 1;
    const present = [...findings].flatMap(([id, { severity }]) => (severity === undefined ? [] : [{ id, severity }]));
    return vulnerabilityReport({
      namespace,
      workload: name,
      vulnerabilities: present,
      hash: replicaSetHash(rollouts),
      at: new Date(firstScan + this.#scans * 1000).toISOString(),
    });
  }
}

const keyOf = ({ spec }: StoredEvent) => `${spec.subject} ${spec.details?.['vulnerabilityID']}`;

function stateOf({ spec, status }: StoredEvent): string {
  return status?.phase === 'Active' ? `Active ${spec.severity}` : `${status?.phase} ${status?.reason}`;
}

/** As Kubernetes writes them: the digits of a number, each as one of ten letters. */
function replicaSetHash(rollout: number): string {
  return [...String(1_000_000_007 + rollout * 7_919)].map((digit) => '456789bcdf'[Number(digit)]).join('');
}
