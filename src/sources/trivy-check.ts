/**
 * The reports of Trivy Operator that list checks: of the configuration of workloads and other objects, of Roles, and of
 * the cluster's own parts. Their bodies are alike; what a failed check is about follows from the kind.
 */
import type { Category } from '../api/words.ts';
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, asText, kindOf } from '../lib/fields.ts';
import { firstFitting } from '../lib/text-fit.ts';
import { AlikeEntries, distinct, word } from './alike-entries.ts';
import type { Description, Finding, Format, IdentityPart, Rejection } from './source.ts';
import { summaryWidth } from './summary-width.ts';
import { bySeverityAnd, TrivyFinding } from './trivy-finding.ts';
import type { TrivyReport } from './trivy-report.ts';
import { entriesOf, isTrivyReport, openTrivyReport, ownerPart, readingOf, unreadable } from './trivy-report.ts';

type CheckEventType = 'misconfiguration' | 'rbac-risk' | 'infra-misconfiguration';

const eventTypes: ReadonlyMap<string, CheckEventType> = new Map([
  ['ConfigAuditReport', 'misconfiguration'],
  ['ClusterConfigAuditReport', 'misconfiguration'],
  ['RbacAssessmentReport', 'rbac-risk'],
  ['ClusterRbacAssessmentReport', 'rbac-risk'],
  ['InfraAssessmentReport', 'infra-misconfiguration'],
  ['ClusterInfraAssessmentReport', 'infra-misconfiguration'],
]);

/** The kinds that this format reads. */
export const trivyCheckKinds: readonly string[] = [...eventTypes.keys()];

const name = 'trivy-check-report';

export const trivyCheckReport: Format = {
  name,
  recognise: (document) => isTrivyReport(document, trivyCheckKinds),
  read(document, context) {
    const report = openTrivyReport(document, context);
    const eventType = eventTypes.get(report.origin.kind) ?? 'misconfiguration';
    const findings: Finding[] = [];
    const rejected: Rejection[] = [];
    const audit = new Audit(report, eventType, entriesOf(report, 'checks'));
    audit.entries.forEach((value, index) => {
      const place = `.report.checks[${index}]`;
      const entry = asFields(value);
      const success = entry?.['success'];
      if (success === true) return;
      if (entry === undefined || (word(entry, 'checkID') || word(entry, 'title')) === '') {
        rejected.push(unreadable(value, place, 'checkID', 'an id, or a title'));
      } else if (success === false) findings.push(new CheckFinding(audit, entry));
      else rejected.push(unknownSuccess(success, place));
    });
    // The kinds are kept apart: a static Pod has a ConfigAuditReport and an InfraAssessmentReport.
    return [readingOf(report, [name, eventType, ownerPart(report.resource)], findings, rejected)];
  },
};

function unknownSuccess(value: unknown, place: string): Rejection {
  const reason = value === undefined ? 'missing-field' : 'malformed';
  return { reason, place: `${place}.success`, message: `expected true or false, found ${kindOf(value)}` };
}

/** The check's id; its title where a custom policy has none. */
function ruleOf(entry: Fields): string {
  const id = word(entry, 'checkID');
  return id === '' ? word(entry, 'title') : stableCheckId(id);
}

const kubernetesCheck = /^(?:AVD-)?(KSV|KCV)-?0*(\d{1,5})$/i;

/**
 * The id as it stays when the operator is updated: KSV014, AVD-KSV-0014 and KSV-0014 are one check, for the operator's own
 * compliance reports too.
 */
export function stableCheckId(id: string): string {
  const [, family, number] = kubernetesCheck.exec(id) ?? [];
  return family === undefined || number === undefined ? id : `${family.toUpperCase()}-${number.padStart(4, '0')}`;
}

/** One report while its findings are alive. */
class Audit {
  readonly report: TrivyReport;
  readonly eventType: CheckEventType;
  readonly entries: readonly unknown[];
  /** Some versions have an entry per container. */
  readonly alike: AlikeEntries;

  constructor(report: TrivyReport, eventType: CheckEventType, entries: readonly unknown[]) {
    this.report = report;
    this.eventType = eventType;
    this.entries = entries;
    this.alike = new AlikeEntries(entries, ruleOfFailed, byTexts);
  }
}

function ruleOfFailed(entry: Fields): string | undefined {
  return entry['success'] === false ? ruleOf(entry) : undefined;
}

const byTexts = bySeverityAnd('checkID', 'title', 'description', 'remediation');

class CheckFinding extends TrivyFinding {
  readonly #audit: Audit;

  constructor(audit: Audit, entry: Fields) {
    super(audit.report, entry);
    this.#audit = audit;
  }

  get rule() {
    return ruleOf(this.entry);
  }

  get eventType() {
    return this.#audit.eventType;
  }

  override get category(): Category {
    return this.eventType === 'infra-misconfiguration' ? 'compliance' : 'security';
  }

  /** The event type, which is part of every identity, tells a Role's rbac-risk from its misconfiguration. */
  identity(): readonly IdentityPart[] {
    return [ownerPart(this.report.resource), this.rule];
  }

  describe(): Description {
    const entries = this.#audit.alike.of(this.entry);
    const entry = entries[0] ?? this.entry;
    const written = asText(entry['checkID']);
    const title = asText(entry['title']) ?? this.rule;
    const isNamed = title !== this.rule && title !== written;
    return {
      title: isNamed ? `${this.rule}: ${title}` : this.rule,
      summary: firstFitting([isNamed ? `${this.rule} ${title}` : this.rule], summaryWidth(this.source)),
      remediation: asText(entry['remediation']),
      details: {
        checkID: written === undefined ? undefined : this.rule,
        check: title,
        category: asText(entry['category']),
        description: asText(entry['description']),
      },
      // The messages name the ReplicaSet, and containers come and go.
      observedOn: {
        object: this.object,
        checkID: written === this.rule ? undefined : written,
        scope: scopesOf(entries),
        messages: messagesOf(entries),
      },
    };
  }
}

/** The sections of the object that were audited: `Container/app`. */
function scopesOf(entries: readonly Fields[]): string | undefined {
  const scopes = entries.flatMap((entry) => {
    const scope = asFields(entry['scope']);
    return scope === undefined
      ? []
      : [{ scope: [word(scope, 'type'), word(scope, 'value')].filter(Boolean).join('/') }];
  });
  return distinct(scopes, 'scope');
}

function messagesOf(entries: readonly Fields[]): readonly string[] {
  const messages = entries.flatMap(({ messages: list }) => (asList(list) ?? []).map(asText));
  return [...new Set(messages.filter((message) => message !== undefined))].sort();
}
