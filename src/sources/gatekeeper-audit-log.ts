/**
 * The log of Gatekeeper's audit Pod, one JSON object a line. A line says that one object violates one constraint; nothing
 * says that it does not any more. Unlike the constraint's status the log is not cut.
 */
import { asText, kindOf } from '../lib/fields.ts';
import { plausibleTime } from '../lib/times.ts';
import { CarriedReading } from './carried-report.ts';
import { violationFinding } from './gatekeeper-violation.ts';
import { joinedApiVersion, referenceTo } from './reference.ts';
import type { Format, RawDocument } from './source.ts';

/** What stands beside the violations: the start and end of the audit, and the sum of each constraint. */
const otherLines = ['constraint_audited', 'audit_started', 'audit_finished'];
const violationLine = 'violation_audited';

/** The members that name the violation. */
const needed = ['constraint_kind', 'constraint_name', 'resource_kind', 'resource_name'] as const;

export const gatekeeperAuditLog: Format = {
  name: 'gatekeeper-audit-log',
  recognise: ({ process, event_type }) =>
    process === 'audit' &&
    typeof event_type === 'string' &&
    (event_type === violationLine || otherLines.includes(event_type)),
  read(document, context) {
    const reading = new CarriedReading('gatekeeper-audit-log', context, []);
    reading.isPartial();
    if (document['event_type'] === violationLine) readViolation(document, reading);
    return [reading.reading(plausibleTime(document['audit_id'], context.now))];
  },
};

function readViolation(line: RawDocument, reading: CarriedReading): void {
  const words = needed.map((member) => asText(line[member]));
  const missing = needed.find((_, index) => words[index] === undefined);
  if (missing !== undefined) {
    reading.refuse('missing-field', `.${missing}`, `expected a name, found ${kindOf(line[missing])}`);
    return;
  }
  const [constraintKind = '', constraint = '', kind = '', name = ''] = words;
  reading.find(
    violationFinding({
      constraintKind,
      constraint,
      resource: referenceTo({
        apiVersion: joinedApiVersion(line['resource_group'], line['resource_api_version']),
        kind,
        name,
        namespace: asText(line['resource_namespace']),
      }),
      message: asText(line['msg']) ?? '',
      actions: [asText(line['constraint_action']) ?? 'deny'],
      stated: undefined,
      description: undefined,
      observedOn: { auditedAt: asText(line['audit_id']) },
    }),
  );
}
