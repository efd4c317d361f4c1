/**
 * The closed vocabularies of the event API. Every word that may reach `spec`, a label or a metric label is listed here,
 * so that a typo is a compile error and the number of Prometheus series has a known bound.
 */

/** Severities in falling order. `unknown` is a word of its own: it is never guessed from nothing and passes every threshold. */
export const severities = ['critical', 'high', 'medium', 'low', 'info', 'unknown'] as const;
export type Severity = (typeof severities)[number];

export const categories = ['security', 'compliance', 'operations'] as const;
export type Category = (typeof categories)[number];

/** Event types of the built-in sources. Declarative sources may add words of their own within `eventTypePattern`. */
export const eventTypes = [
  'vulnerability',
  'misconfiguration',
  'exposed-secret',
  'rbac-risk',
  'infra-misconfiguration',
  'compliance-failure',
  'policy-violation',
  'policy-error',
  'runtime-threat',
  'resource-deletion',
  'secret-access',
  'rbac-change',
  'privileged-pod-creation',
  'exec',
  'impersonation',
  'anonymous-access',
  'access-denied',
  'admission-change',
  'network-policy-change',
  'cis-benchmark-fail',
  'static-analysis',
  'certificate-not-ready',
  'certificate-overdue',
  'certificate-expired',
  'unseal-failure',
  'cluster-warning',
  'findings-folded',
] as const;
export type EventType = (typeof eventTypes)[number];

export const phases = ['Active', 'Resolved'] as const;
export type Phase = (typeof phases)[number];

/** Why an event is no longer active. `fixed` is the only one that says that somebody repaired something. */
export const resolveReasons = [
  'fixed',
  'resource-deleted',
  'policy-deleted',
  'expired',
  'unverified',
  'folded',
] as const;
export type ResolveReason = (typeof resolveReasons)[number];

/** Why an event's condition Fresh is False: nobody reports about it any more, and nobody says that it is over. */
export const staleReasons = ['ReportMissing', 'SourceGone', 'SourceSilent'] as const;
export type StaleReason = (typeof staleReasons)[number];

/** What a source may be called: it is the head of every event's name and a label value. */
export const sourceNamePattern = '^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$';
export const eventTypePattern = '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$';

/** How many characters of the fingerprint stand in the event's name: 26 of base32 are 130 bits. */
export const fingerprintCharactersInName = 26;

/** Rank of a severity, 0 for the most severe; `unknown` ranks last and is treated apart by thresholds. */
export function severityRank(severity: Severity): number {
  return severities.indexOf(severity);
}
