/** Audit events in the envelopes of those who forward them. */
import { readAuditEvents } from './audit-event.ts';
import type { AuditJudge } from './audit-rules.ts';
import { isAuditEnvelope, unwrapAudit } from './audit-unwrap.ts';
import type { Format } from './source.ts';

/** The format of envelopes, judged by these rules. */
export function auditEnvelopeFormat(judge: AuditJudge): Format {
  return {
    name: 'audit-envelope',
    recognise: isAuditEnvelope,
    read(document, context) {
      const { events, rejected } = unwrapAudit(document);
      return readAuditEvents(events, judge, context, rejected);
    },
  };
}
