/** Which findings become events. Pure predicates over the cheap fields of a finding; run before anything is hashed. */
import type { EventType, Severity } from '../api/words.ts';
import { severityRank } from '../api/words.ts';
import type { Finding } from '../sources/source.ts';

/** The least severity that each event type must have; `unknown` passes every threshold. */
export type Thresholds = Readonly<Partial<Record<EventType, Severity>>> & { readonly default: Severity };

/** The daemon's defaults: vulnerabilities from high, failed checks from medium, the rest from low. */
export const defaultThresholds: Thresholds = {
  default: 'low',
  vulnerability: 'high',
  misconfiguration: 'medium',
  'infra-misconfiguration': 'medium',
  'rbac-risk': 'medium',
  'compliance-failure': 'medium',
  'cis-benchmark-fail': 'medium',
  'static-analysis': 'medium',
};

/** `scan` shows everything. */
export const noThresholds: Thresholds = { default: 'info' };

/** Whether a finding passes, and why. */
export interface FilterVerdict {
  readonly accepted: boolean;
  /** The rule that decided, for `explain`. */
  readonly rule: string;
}

const accepted: FilterVerdict = { accepted: true, rule: 'accepted' };

/** Whether a finding passes, and which rule decided. */
export type Filter = (finding: Finding) => FilterVerdict;

/** A filter by severity threshold per event type. */
export function thresholdFilter(thresholds: Thresholds): Filter {
  return (finding) => {
    if (finding.severity === 'unknown') return accepted;
    const least = thresholds[finding.eventType] ?? thresholds.default;
    if (severityRank(finding.severity) <= severityRank(least)) return accepted;
    return { accepted: false, rule: `severity below ${least}` };
  };
}
