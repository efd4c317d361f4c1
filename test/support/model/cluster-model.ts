/**
 * What the events of a cluster have to be after a history of reports, outages, deletions by hand and ends of the daemon.
 * Written from the requirements (E2, E4, F2, F3, F7) and docs/sources alone: it imports nothing of the product, and knows
 * findings by what their events say, not by their names.
 *
 * A daemon that was cut off or ended may have missed what was there for a while only. So the model does not say what the
 * event is, but as what it may be found; once it was looked at, that is where the model goes on from. Without an outage
 * there is next to no choice.
 */
import type { Evidence, Happening, Outcome } from './fate.ts';
import { fatesAfter, outcomes } from './fate.ts';

export type Severity = 'critical' | 'high' | 'medium' | 'low' | 'info' | 'unknown';

const rank: Readonly<Record<Severity, number>> = { critical: 5, high: 4, medium: 3, low: 2, info: 1, unknown: 0 };

/** A workload as one tool reports on it: what stands under one report key. */
export interface Subject {
  readonly tool: 'trivy' | 'kyverno';
  readonly namespace: string;
  /** Name of the Deployment. */
  readonly workload: string;
}

/** What one report says: the severities of the findings that it lists, by the finding's number. */
export interface Said {
  readonly shape: 'complete' | 'partial' | 'malformed';
  readonly severities: ReadonlyMap<number, Severity>;
  /** When the tool looked. Each report is newer than those before. */
  readonly at: number;
}

/** What the model reads of an event on the server. */
export interface SeenEvent {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>> | undefined;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
  };
  readonly spec: {
    readonly source?: string | undefined;
    readonly category?: string | undefined;
    readonly eventType?: string | undefined;
    readonly severity?: string | undefined;
    readonly detectedAt?: string | undefined;
    readonly resource?: { readonly kind?: string; readonly name?: string; readonly namespace?: string } | undefined;
    readonly details?: Readonly<Record<string, unknown>> | undefined;
  };
  readonly status?:
    | {
        readonly phase?: string | undefined;
        readonly reason?: string | undefined;
        readonly count?: number | undefined;
        readonly resolvedAt?: string | undefined;
        readonly saasEventId?: string | undefined;
      }
    | undefined;
}

/** One finding of one subject. */
export interface FindingId {
  readonly subject: number;
  readonly finding: number;
}

/** The findings that reports of a tool may list, as the details of their events name them. */
export const findingsOf: Readonly<Record<Subject['tool'], readonly Readonly<Record<string, string>>[]>> = {
  trivy: [
    { vulnerabilityID: 'CVE-2099-1001', package: 'openssl' },
    { vulnerabilityID: 'CVE-2099-1001', package: 'zlib' },
    { vulnerabilityID: 'CVE-2099-1002', package: 'openssl' },
  ],
  kyverno: [
    { policy: 'require-labels', rule: 'check-app' },
    { policy: 'require-labels', rule: 'check-team' },
    { policy: 'disallow-latest-tag', rule: 'check-app' },
  ],
};

const eventTypes: Readonly<Record<Subject['tool'], string>> = { trivy: 'vulnerability', kyverno: 'policy-violation' };

/** What is known of one finding and its event. */
class Finding {
  /** As it was found when the events were looked at last. */
  seen: Outcome = 'absent';
  event: SeenEvent | undefined;
  /** The name its event had, for ever (E4). */
  name: string | undefined;
  happenings: Happening[] = [];
  /** All severities that it may have been written with since. */
  severities = new Set<string>();
  /** When a report last held it, and when one last spoke that may have. */
  heldAt = 0;
  maybeAt = 0;
  /** Whether the process that runs has read the report that last held it. */
  isRemembered = true;
  /** Whether an event that is found may be another one than was seen. */
  mayBeNew = true;
  labels: Record<string, string> = {};
  saasEventId: string | undefined;
  /** Deletions, edits and the like by others. */
  touches = 0;
}

export class ClusterModel {
  readonly #subjects: readonly Subject[];
  readonly #thresholds: Readonly<Record<Subject['tool'], Severity>>;
  /** What the reports say now: per subject, by the report's slot. */
  readonly #said: readonly Map<number, Said>[];
  readonly #findings: readonly (readonly Finding[])[];
  #isDisturbed = false;

  constructor(subjects: readonly Subject[], thresholds: Readonly<Record<Subject['tool'], Severity>>) {
    this.#subjects = subjects;
    this.#thresholds = thresholds;
    this.#said = subjects.map(() => new Map());
    this.#findings = subjects.map(({ tool }) => findingsOf[tool].map(() => new Finding()));
  }

  /** What a report that is there says. */
  said(subject: number, slot: number): Said | undefined {
    return this.#said[subject]?.get(slot);
  }

  /** A report is there, or says something else now. */
  report(subject: number, slot: number, said: Said): void {
    this.#said[subject]?.set(slot, said);
    this.#all(subject).forEach((finding, number) => {
      if (said.shape !== 'complete') finding.maybeAt = said.at;
      if (said.shape !== 'malformed' && said.severities.has(number)) finding.heldAt = said.at;
    });
    this.#speak(subject);
  }

  /** A report is gone. */
  unreport(subject: number, slot: number): void {
    this.#said[subject]?.delete(slot);
    this.#speak(subject);
  }

  /** The daemon was cut off, or ended, since the events were looked at. */
  disturbed(): void {
    this.#isDisturbed = true;
  }

  deletedByHand({ subject, finding }: FindingId): void {
    const one = this.#one(subject, finding);
    one.event = undefined;
    one.mayBeNew = true;
    one.labels = {};
    one.saasEventId = undefined;
    this.#touch(subject, one, 'deleted by hand');
  }

  resolvedByHand({ subject, finding }: FindingId): void {
    this.#touch(subject, this.#one(subject, finding), 'resolved by hand');
  }

  editedByHand({ subject, finding }: FindingId, severity: Severity): void {
    const one = this.#one(subject, finding);
    one.severities.add(severity);
    this.#touch(subject, one, 'edited by hand');
  }

  /** A person's label and annotation: both stay as long as the event. */
  acknowledged({ subject, finding }: FindingId, labels: Readonly<Record<string, string>>): void {
    Object.assign(this.#one(subject, finding).labels, labels);
  }

  /** A consumer's part of status: it stays as long as the event. */
  synced({ subject, finding }: FindingId, saasEventId: string): void {
    this.#one(subject, finding).saasEventId = saasEventId;
  }

  /** Whether a report that is there lists the finding, at or above the threshold. */
  isHeld({ subject, finding }: FindingId): boolean {
    return this.#evidence(subject, finding) === 'held';
  }

  /** The finding that an event is about. */
  findingOf({ spec }: SeenEvent): FindingId | undefined {
    const subject = this.#subjects.findIndex(
      ({ tool, namespace, workload }) =>
        tool === spec.source &&
        spec.resource?.kind === 'Deployment' &&
        namespace === spec.resource.namespace &&
        workload === spec.resource.name,
    );
    const tool = this.#subjects[subject]?.tool;
    if (tool === undefined) return undefined;
    const finding = findingsOf[tool].findIndex((details) =>
      Object.entries(details).every(([key, value]) => spec.details?.[key] === value),
    );
    return finding < 0 ? undefined : { subject, finding };
  }

  /** What is not as it must be; the daemon has come to rest. */
  compare(events: readonly SeenEvent[]): string[] {
    const problems: string[] = [];
    const found = new Map<Finding, SeenEvent>();
    for (const event of events) {
      const id = this.findingOf(event);
      if (id === undefined) {
        problems.push(`${event.metadata.name}: nobody reported ${JSON.stringify(event.spec)}`);
        continue;
      }
      const finding = this.#one(id.subject, id.finding);
      if (found.has(finding)) problems.push(`${this.words(id)}: a second event, ${event.metadata.name}`);
      found.set(finding, event);
    }
    this.#each((id, finding) => {
      for (const problem of this.#problems(id, finding, found.get(finding))) {
        problems.push(`${this.words(id)}: ${problem}`);
      }
    });
    return problems;
  }

  /**
   * The most writes that one event may have had since the events were looked at: none where all that was said is what it
   * says (a rescan, a rollout, a restart, a report that vanished).
   */
  mostWrites({ subject, finding }: FindingId): number {
    const one = this.#one(subject, finding);
    const fates = this.#now(subject, finding).flatMap((_, index, all) => [
      ...fatesAfter(one.seen, all.slice(0, index + 1), { isDisturbed: this.#isDisturbed }),
    ]);
    const isSteady = fates.every((fate) => fate === one.seen);
    const isSame = one.seen !== 'active' || [...one.severities].every((word) => word === one.event?.spec.severity);
    // Of reports that disagree any may describe the event, and a new process may choose another one (ADR 0005): so it may
    // where a report became partial and listed it before, which a new process cannot know.
    const isDisputed = this.#isDisturbed && new Set(this.#severities(subject, finding, one.seen)).size > 1;
    if (isSteady && isSame && one.touches === 0 && !isDisputed) return 0;
    // Content and phase are two writes.
    return 2 * (one.happenings.length + 1);
  }

  /** The events are as the model says: from here on it goes by what was seen. */
  settle(events: readonly SeenEvent[]): void {
    this.#each((_, finding) => {
      finding.seen = 'absent';
      finding.event = undefined;
      finding.mayBeNew = true;
    });
    for (const event of events) {
      const id = this.findingOf(event);
      if (id === undefined) continue;
      const finding = this.#one(id.subject, id.finding);
      finding.seen = event.status?.phase === 'Resolved' ? 'resolved' : 'active';
      finding.event = event;
      finding.name = event.metadata.name;
      finding.mayBeNew = false;
    }
    this.#each(({ subject, finding: number }, finding) => {
      const isListed = this.#listed(subject, number).length > 0;
      finding.isRemembered = isListed || (finding.isRemembered && !this.#isDisturbed);
      finding.happenings = [];
      finding.severities = new Set(finding.event === undefined ? [] : [String(finding.event.spec.severity)]);
      finding.touches = 0;
    });
    this.#isDisturbed = false;
  }

  #problems({ subject, finding: number }: FindingId, finding: Finding, event: SeenEvent | undefined): string[] {
    const may = outcomes(finding.seen, this.#now(subject, number), { isDisturbed: this.#isDisturbed });
    const is = event === undefined ? 'absent' : event.status?.phase === 'Resolved' ? 'resolved' : 'active';
    const problems: string[] = [];
    if (!may.has(is)) problems.push(`is ${is}, may be ${[...may].join(' or ')}`);
    if (event === undefined) return problems;
    const expect = (what: string, value: unknown, ...wanted: readonly unknown[]) => {
      if (!wanted.includes(value)) problems.push(`${what} is ${value}, may be ${wanted.join(' or ')}`);
    };
    const tool = this.#subjects[subject]?.tool ?? 'trivy';
    const { metadata, spec, status } = event;
    expect('category', spec.category, 'security');
    expect('eventType', spec.eventType, eventTypes[tool]);
    expect('severity', spec.severity, ...this.#severities(subject, number, is));
    expect('phase', status?.phase, 'Active', 'Resolved');
    expect('count', status?.count, 1);
    expect('reason', status?.reason, is === 'resolved' ? 'fixed' : undefined);
    if (finding.touches === 0) expect('resolvedAt', status?.resolvedAt !== undefined, is === 'resolved');
    if (!new RegExp(`^${tool}-[a-z2-7]{26}$`).test(metadata.name)) problems.push(`is called ${metadata.name}`);
    if (finding.name !== undefined) expect('name', metadata.name, finding.name);
    if (!finding.mayBeNew && finding.event !== undefined) {
      expect('uid', metadata.uid, finding.event.metadata.uid);
      expect('detectedAt', spec.detectedAt, finding.event.spec.detectedAt);
    }
    for (const [key, value] of Object.entries(finding.labels)) {
      expect(`label ${key}`, metadata.labels?.[key], value);
      expect(`annotation ${key}`, metadata.annotations?.[key], value);
    }
    expect('saasEventId', status?.saasEventId, finding.saasEventId);
    return problems;
  }

  /** What is Active and reported has the severity of today; what is not reported keeps one that it had. */
  #severities(subject: number, number: number, is: Outcome): readonly string[] {
    const listed = this.#listed(subject, number);
    const mayHoldUnseen = [...(this.#said[subject]?.values() ?? [])].some(({ shape }) => shape !== 'complete');
    if (is !== 'active' || listed.length === 0 || mayHoldUnseen) {
      return [...listed, ...this.#one(subject, number).severities];
    }
    return listed;
  }

  /** What has happened, and then what is: a daemon at rest has seen that. */
  #now(subject: number, number: number): Happening[] {
    const { happenings, isRemembered } = this.#one(subject, number);
    return [...happenings, { kind: 'evidence', evidence: this.#evidence(subject, number), isRemembered }];
  }

  #speak(subject: number): void {
    this.#all(subject).forEach((finding, number) => {
      const evidence = this.#evidence(subject, number);
      for (const severity of this.#listed(subject, number)) finding.severities.add(severity);
      if (this.#listed(subject, number).length > 0) finding.isRemembered = true;
      finding.happenings.push({ kind: 'evidence', evidence, isRemembered: finding.isRemembered });
    });
  }

  #touch(subject: number, finding: Finding, kind: 'deleted by hand' | 'resolved by hand' | 'edited by hand'): void {
    finding.touches += 1;
    finding.happenings.push({ kind });
    for (const severity of this.#listed(subject, this.#all(subject).indexOf(finding))) finding.severities.add(severity);
  }

  #evidence(subject: number, number: number): Evidence {
    const said = [...(this.#said[subject]?.values() ?? [])];
    const listed = this.#listed(subject, number);
    if (listed.some((severity) => this.#passes(subject, severity))) return 'held';
    if (listed.length > 0) return 'filtered';
    const complete = said.filter(({ shape }) => shape === 'complete');
    if (complete.length === 0 || said.some(({ shape }) => shape === 'partial')) return 'silent';
    const { heldAt, maybeAt } = this.#one(subject, number);
    const newest = Math.max(...complete.map(({ at }) => at));
    if (newest < heldAt) return 'stale';
    return newest < maybeAt || complete.length < said.length ? 'doubtful' : 'cleared';
  }

  /** The severities with which reports that are there list a finding. */
  #listed(subject: number, number: number): Severity[] {
    const readable = [...(this.#said[subject]?.values() ?? [])].filter(({ shape }) => shape !== 'malformed');
    return readable.flatMap(({ severities }) => severities.get(number) ?? []);
  }

  #passes(subject: number, severity: Severity): boolean {
    const tool = this.#subjects[subject]?.tool ?? 'trivy';
    return severity === 'unknown' || rank[severity] >= rank[this.#thresholds[tool]];
  }

  #all(subject: number): readonly Finding[] {
    return this.#findings[subject] ?? [];
  }

  #one(subject: number, number: number): Finding {
    const finding = this.#findings[subject]?.[number];
    if (finding === undefined) throw new RangeError(`no finding ${number} of subject ${subject}`);
    return finding;
  }

  #each(act: (id: FindingId, finding: Finding) => void): void {
    this.#findings.forEach((all, subject) => {
      for (const [number, finding] of all.entries()) act({ subject, finding: number }, finding);
    });
  }

  /** What a finding is called in messages. */
  words({ subject, finding }: FindingId): string {
    const { tool, namespace, workload } = this.#subjects[subject] ?? { tool: 'trivy', namespace: '', workload: '' };
    return `${namespace}/${workload} ${Object.values(findingsOf[tool][finding] ?? {}).join(' ')}`;
  }
}
