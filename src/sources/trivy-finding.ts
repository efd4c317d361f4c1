/** What the findings of all reports of Trivy Operator have in common. */
import type { Category, EventType, Severity } from '../api/words.ts';
import { severityRank } from '../api/words.ts';
import type { Fields } from '../lib/fields.ts';
import { asText } from '../lib/fields.ts';
import { word } from './alike-entries.ts';
import type { Description, Finding, IdentityPart } from './source.ts';
import type { TrivyReport } from './trivy-report.ts';
import { severityOf } from './trivy-severity.ts';

const stateNature = { kind: 'state' } as const;

/** One entry of a report. */
export abstract class TrivyFinding implements Finding {
  protected readonly report: TrivyReport;
  protected readonly entry: Fields;
  readonly severity: Severity;

  constructor(report: TrivyReport, entry: Fields) {
    this.report = report;
    this.entry = entry;
    this.severity = severityOf(entry['severity']);
  }

  abstract get eventType(): EventType;
  abstract get rule(): string;

  get category(): Category {
    return 'security';
  }

  abstract identity(): readonly IdentityPart[];
  abstract describe(): Description;

  get source() {
    return 'trivy';
  }

  get nature() {
    return stateNature;
  }

  get sourceSeverity() {
    return asText(this.entry['severity']);
  }

  get resource() {
    return this.report.resource;
  }

  /** What was scanned, for details.observedOn: its name changes with every rollout. */
  protected get object(): string {
    const { kind, name } = this.report.resource;
    return `${kind}/${name}`;
  }
}

/** Orders entries that are one finding: the most severe first, then by the texts of these members. */
export function bySeverityAnd(...members: readonly string[]): (a: Fields, b: Fields) => number {
  return (a, b) => {
    const bySeverity = severityRank(severityOf(a['severity'])) - severityRank(severityOf(b['severity']));
    if (bySeverity !== 0) return bySeverity;
    const [left, right] = [a, b].map((entry) => members.map((member) => word(entry, member)).join('\n'));
    return left === right ? 0 : Number((left ?? '') > (right ?? '')) * 2 - 1;
  };
}
