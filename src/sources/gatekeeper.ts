/**
 * Gatekeeper (https://open-policy-agent.github.io/gatekeeper/website/docs/audit): what its audit writes into the status of
 * every constraint, and the lines of the audit's log that say the same. docs/sources/gatekeeper.md.
 */
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, asNumber, asText, kindOf, textAt } from '../lib/fields.ts';
import { firstFitting } from '../lib/text-fit.ts';
import { plausibleTime } from '../lib/times.ts';
import { CarriedReading, stateNature } from './carried-report.ts';
import { statusOf } from './conditions.ts';
import { gatekeeperAuditLog } from './gatekeeper-audit-log.ts';
import { gatekeeperSeverityWords, gatekeeper as name, violationFinding } from './gatekeeper-violation.ts';
import type { ObjectReport } from './object-report.ts';
import { isObjectOf, openObject } from './object-report.ts';
import { joinedApiVersion, referenceTo } from './reference.ts';
import type { Finding, Format, ResourceReference, Source } from './source.ts';
import { summaryWidth } from './summary-width.ts';

const group = 'constraints.gatekeeper.sh';

/** `--constraint-violations-limit`, as it is when nobody sets it. */
const usualLimit = 20;

const constraint: Format = {
  name: 'gatekeeper-constraint',
  recognise: (document) => isObjectOf(document, group),
  read(document, { now }) {
    const report = openObject(document);
    const { origin } = report;
    const reading = new CarriedReading('gatekeeper-constraint', { object: origin }, [origin.kind, origin.name]);
    const status = statusOf(document['status'], reading);
    const violations = status?.['violations'];
    const stated = asText(report.labels['severity']) ?? asText(report.annotations['severity']);
    const description = asText(report.annotations['description']) ?? asText(report.annotations['docstring']);
    const usualAction = textAt(document, 'spec', 'enforcementAction') ?? 'deny';
    for (const { fields, place } of reading.entries(violations, '.status.violations')) {
      const resource = resourceOf(fields);
      if (resource === undefined) {
        const missing = asText(fields['kind']) === undefined ? 'kind' : 'name';
        const found = kindOf(fields[missing]);
        reading.refuse('missing-field', `${place}.${missing}`, `expected the ${missing} of an object, found ${found}`);
      } else {
        reading.find(
          violationFinding({
            constraintKind: origin.kind,
            constraint: origin.name,
            resource,
            message: asText(fields['message']) ?? '',
            actions: actionsOf(fields, usualAction),
            stated,
            description,
            observedOn: {},
          }),
        );
      }
    }
    const total = asNumber(status?.['totalViolations']);
    const listed = asList(violations)?.length ?? 0;
    if (status === undefined || !wasAudited(status)) reading.isNotYet();
    else if (total === undefined ? listed >= usualLimit : total > listed) {
      reading.isPartial();
      if (total !== undefined) reading.find(truncationNotice(report, listed, total));
    }
    return [reading.reading(plausibleTime(status?.['auditTimestamp'], now))];
  },
};

/**
 * Whether the list of violations is the audit's. Before its first run, and where no Pod does the operation `audit`, no
 * violations mean nothing. Old versions do not say who does what.
 */
function wasAudited(status: Fields): boolean {
  if (asText(status['auditTimestamp']) === undefined) return false;
  const operations = (asList(status['byPod']) ?? []).map((pod) => asList(asFields(pod)?.['operations']));
  return operations.length === 0 || operations.some((words) => words === undefined || words.includes('audit'));
}

/** Old versions leave the group out, still older ones the version too; objects of the cluster have no namespace. */
function resourceOf(violation: Fields): ResourceReference | undefined {
  const kind = asText(violation['kind']);
  const objectName = asText(violation['name']);
  if (kind === undefined || objectName === undefined) return undefined;
  const apiVersion = joinedApiVersion(violation['group'], violation['version']);
  return referenceTo({ apiVersion, kind, name: objectName, namespace: asText(violation['namespace']) });
}

function actionsOf(violation: Fields, usual: string): readonly string[] {
  const scoped =
    asList(violation['enforcementActions'])
      ?.map(asText)
      .filter((word) => word !== undefined) ?? [];
  return scoped.length > 0 ? scoped.sort() : [asText(violation['enforcementAction']) ?? usual];
}

/**
 * The audit lists a part of the violations, another one each time: what is not listed is not fixed. That somebody has to
 * raise the limit is a finding of its own; the numbers, which change every minute, are no part of it.
 */
function truncationNotice({ origin }: ObjectReport, listed: number, total: number): Finding {
  const { apiVersion, kind, name: constraintName } = origin;
  const policy = `${kind}/${constraintName}`;
  return {
    source: name,
    eventType: 'policy-error',
    category: 'operations',
    severity: 'low',
    rule: policy,
    policy,
    resource: { apiVersion, kind, name: constraintName },
    nature: stateNature,
    identity: () => [kind, constraintName, 'truncated'],
    describe: () => ({
      title: `Constraint ${policy} has more violations than its status lists`,
      summary: firstFitting([`not all listed: ${constraintName}`, 'violations not all listed'], summaryWidth(name)),
      remediation: 'Raise --constraint-violations-limit of the audit, or repair some of what is listed.',
      details: { policy, constraintKind: kind, constraint: constraintName },
      observedOn: { listed, total },
    }),
  };
}

export const gatekeeper: Source = {
  name,
  title: 'Gatekeeper',
  homepage: 'https://open-policy-agent.github.io/gatekeeper/',
  emits: [name],
  eventTypes: [
    { eventType: 'policy-violation', category: 'security' },
    { eventType: 'policy-error', category: 'operations' },
  ],
  severityWords: gatekeeperSeverityWords,
  // Violations name Pods.
  needsPods: true,
  intakes: [
    {
      via: 'group',
      group,
      versions: ['v1beta1'],
      namespaced: false,
      format: constraint,
      endsAs: 'policy-deleted',
    },
  ],
  formats: [gatekeeperAuditLog],
  // A constraint is written anew only when somebody deletes it: its audit comes every minute.
  graceSeconds: 60 * 60,
};
