/** The audit log of the API server: docs/sources/audit.md. */
import { auditEnvelopeFormat } from './audit-envelope.ts';
import { auditEventFormat } from './audit-event.ts';
import { auditSource as name } from './audit-finding.ts';
import { compileAuditRules } from './audit-rules.ts';
import type { AuditSettings } from './audit-settings.ts';
import { auditTables, defaultAuditSettings } from './audit-settings.ts';
import type { Source } from './source.ts';

/** The source with the rules of a configuration. */
export function auditSource(settings: AuditSettings): Source {
  const { rules, exclusions } = auditTables(settings);
  const judge = compileAuditRules(rules, exclusions);
  return {
    name,
    title: 'Kubernetes audit log',
    homepage: 'https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/',
    emits: [name],
    eventTypes: [
      { eventType: 'resource-deletion', category: 'compliance', nature: 'signal' },
      { eventType: 'secret-access', category: 'compliance', nature: 'signal' },
      { eventType: 'rbac-change', category: 'compliance', nature: 'signal' },
      { eventType: 'admission-change', category: 'compliance', nature: 'signal' },
      { eventType: 'network-policy-change', category: 'compliance', nature: 'signal' },
      { eventType: 'privileged-pod-creation', category: 'compliance', nature: 'signal' },
      { eventType: 'exec', category: 'compliance', nature: 'signal' },
      { eventType: 'impersonation', category: 'compliance', nature: 'signal' },
      { eventType: 'anonymous-access', category: 'compliance', nature: 'signal' },
      { eventType: 'access-denied', category: 'compliance', nature: 'signal' },
    ],
    // The API server has no severities: the rules have.
    severityWords: {},
    needsPods: true,
    intakes: [],
    formats: [auditEventFormat(judge), auditEnvelopeFormat(judge)],
    webhook: { path: '/audit/webhook', acknowledge: 'batch' },
    graceSeconds: 2 * 60 * 60,
  };
}

/** The source with the default rules. */
export const audit: Source = auditSource(defaultAuditSettings);
