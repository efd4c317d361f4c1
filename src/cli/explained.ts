/** A finding with what becomes of it and by which rule, and how that is shown. */
import type { Severity } from '../api/words.ts';
import { severityRank } from '../api/words.ts';
import { clean, cut } from '../lib/text.ts';
import type { OwnerResolver } from '../pipeline/identity.ts';
import { identify } from '../pipeline/identity.ts';
import type { Judge, Verdict } from '../pipeline/rules.ts';
import type { Finding, Origin } from '../sources/source.ts';
import { type Column, renderTable } from './table.ts';

/** One finding of a report, judged. The JSON output is a list of these. */
export interface Explained {
  /** Name of the event that it is or would be. */
  readonly event: string;
  readonly source: string;
  readonly eventType: string;
  readonly category: string;
  readonly rule: string;
  /** `Kind/name` of the workload. */
  readonly subject: string;
  readonly namespace: string;
  readonly severity: Severity;
  /** Before overrides. */
  readonly severityBefore: Severity;
  /** The tool's own word. */
  readonly sourceSeverity: string;
  readonly verdict: Verdict['kind'];
  readonly decidedBy: string;
  readonly overriddenBy?: string;
  readonly report: Origin;
}

const maximumCharacters = 256;

/** Judges a finding and says why. All of its text may come from a report: a terminal must not be told what to do by it. */
export function explain(finding: Finding, report: Origin, owners: OwnerResolver, judge: Judge): Explained {
  const { kind, severity, decidedBy, overriddenBy } = judge(finding, owners);
  const resource = owners.resolve(finding.resource);
  return {
    event: identify(finding, owners).name,
    source: shown(finding.source),
    eventType: finding.eventType,
    category: finding.category,
    rule: shown(finding.rule),
    subject: shown(`${resource.kind}/${resource.name}`),
    namespace: shown(resource.namespace ?? ''),
    severity,
    severityBefore: finding.severity,
    sourceSeverity: shown(finding.sourceSeverity ?? ''),
    verdict: kind,
    decidedBy: shown(decidedBy),
    ...(overriddenBy === undefined ? {} : { overriddenBy: shown(overriddenBy) }),
    report,
  };
}

/** Text of others, for people. */
export function shown(text: string): string {
  return cut(clean(text), maximumCharacters);
}

/** Who decided, with the override where there was one. */
export function decision({ decidedBy, overriddenBy }: Pick<Explained, 'decidedBy' | 'overriddenBy'>): string {
  return overriddenBy === undefined ? decidedBy : `${decidedBy}; severity by ${overriddenBy}`;
}

/** `low (was high)` */
export function severityPhrase({ severity, severityBefore }: Pick<Explained, 'severity' | 'severityBefore'>): string {
  return severity === severityBefore ? severity : `${severity} (was ${severityBefore})`;
}

const columns: readonly Column<Explained>[] = [
  { title: 'VERDICT', text: ({ verdict }) => verdict },
  { title: 'SEVERITY', text: severityPhrase },
  { title: 'SOURCE', text: ({ source }) => source },
  { title: 'NAMESPACE', text: ({ namespace }) => namespace },
  { title: 'SUBJECT', text: ({ subject }) => subject },
  { title: 'RULE', text: ({ rule }) => rule },
  { title: 'DECIDED BY', text: decision },
];

/** A table, or a JSON list. */
export function* renderExplained(all: readonly Explained[], format: 'table' | 'json'): Generator<string> {
  if (format === 'json') {
    yield `${JSON.stringify(all, undefined, 2)}\n`;
    return;
  }
  yield* renderTable(columns, all);
}

const verdictOrder: readonly Verdict['kind'][] = ['accepted', 'muted', 'filtered'];

/** Accepted ones first, then by severity, then by what they are about. */
export function inOrder(all: readonly Explained[]): Explained[] {
  const rank = ({ verdict, severity }: Explained) => verdictOrder.indexOf(verdict) * 10 + severityRank(severity);
  const words = ({ source, namespace, subject, rule, event }: Explained) =>
    [source, namespace, subject, rule, event].join('\n');
  return all.toSorted((a, b) => rank(a) - rank(b) || (words(a) < words(b) ? -1 : 1));
}
