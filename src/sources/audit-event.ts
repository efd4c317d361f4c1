/** Audit events of the API server, one or a batch: audit.k8s.io/v1 (and v1beta1, which is the same). */
import { asFields, kindOf } from '../lib/fields.ts';
import { auditFinding } from './audit-finding.ts';
import { isAuditEvent, isAuditEventList, isDryRun, outcomeOf, requestOf } from './audit-request.ts';
import type { AuditJudge } from './audit-rules.ts';
import { CarriedReading } from './carried-report.ts';
import type { Format, ReadContext, Reading, Rejection } from './source.ts';
import { MalformedReport } from './source.ts';

/** Head of the report keys of all audit events, whatever they came in: the same event is the same by every road. */
const reportKey = 'audit-event';

/** An event somewhere in a document. */
export interface PlacedEvent {
  readonly event: unknown;
  readonly place: string;
}

/** Judges events, and reads those that a rule tells of. No reading where there is nothing to say, as nearly always. */
export function readAuditEvents(
  events: Iterable<PlacedEvent>,
  judge: AuditJudge,
  context: ReadContext,
  rejected: readonly Rejection[] = [],
): readonly Reading[] {
  let reading: CarriedReading | undefined;
  const open = () => {
    reading ??= new CarriedReading(reportKey, context, []);
    return reading;
  };
  for (const { reason, place, message } of rejected) open().refuse(reason, place, message);
  for (const { event, place } of events) {
    const fields = asFields(event);
    if (fields === undefined) {
      open().refuse('malformed', place, `expected an audit event, found ${kindOf(event)}`);
      continue;
    }
    const request = requestOf(fields);
    if (request === undefined) continue;
    if ('reason' in request) {
      open().refuse(request.reason, `${place}${request.place}`, request.message);
      continue;
    }
    const rules = judge(request);
    if (rules.length === 0 || (outcomeOf(request) === 'succeeded' && isDryRun(request))) continue;
    for (const rule of rules) open().find(auditFinding(request, rule, context.now));
  }
  // That something did not happen again fixes nothing.
  reading?.isPartial();
  return reading === undefined ? [] : [reading.reading()];
}

/** The format of events as the API server sends and logs them, judged by these rules. */
export function auditEventFormat(judge: AuditJudge): Format {
  return {
    name: reportKey,
    recognise: (document) => isAuditEvent(document) || isAuditEventList(document),
    read(document, context) {
      if (!isAuditEventList(document)) return readAuditEvents([{ event: document, place: '' }], judge, context);
      const { items } = document;
      if (items === undefined || items === null) return [];
      if (!Array.isArray(items)) {
        const message = `expected a list, found ${kindOf(items)}`;
        throw new MalformedReport({ reason: 'malformed', place: '.items', message });
      }
      return readAuditEvents(placed(items), judge, context);
    },
  };
}

function* placed(items: readonly unknown[]): Generator<PlacedEvent> {
  for (const [index, event] of items.entries()) yield { event, place: `.items[${index}]` };
}
