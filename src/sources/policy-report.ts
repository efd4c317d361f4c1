/**
 * PolicyReport and ClusterPolicyReport of the Kubernetes policy working group, and the same reports in the group that
 * follows it, openreports.io: Report and ClusterReport. docs/sources/policy-report.md.
 */
import { kyvernoPolicies } from './kyverno-policies.ts';
import { policySeverityWords, readPolicyReport } from './policy-report-body.ts';
import { producerSources } from './policy-report-producer.ts';
import type { Format, ResourceIntake, Source } from './source.ts';

interface ReportGroup {
  readonly group: string;
  readonly versions: readonly string[];
  readonly kinds: readonly string[];
}

const groups: readonly ReportGroup[] = [
  {
    group: 'wgpolicyk8s.io',
    versions: ['v1alpha2', 'v1beta1', 'v1alpha1'],
    kinds: ['PolicyReport', 'ClusterPolicyReport'],
  },
  { group: 'openreports.io', versions: ['v1alpha1'], kinds: ['Report', 'ClusterReport'] },
];

export const policyReportFormat: Format = {
  name: 'policy-report',
  recognise({ apiVersion, kind }) {
    if (typeof apiVersion !== 'string') return false;
    return groups.some(({ group, kinds }) => apiVersion.startsWith(`${group}/`) && kinds.some((word) => word === kind));
  },
  read: readPolicyReport,
};

function intakes({ group, versions, kinds }: ReportGroup): ResourceIntake[] {
  return kinds.map((kind) => {
    const namespaced = !kind.startsWith('Cluster');
    return {
      via: 'resource',
      group,
      versions,
      resource: `${kind.toLowerCase()}s`,
      kind,
      namespaced,
      format: policyReportFormat,
      channel: namespaced ? 'policy reports' : 'cluster policy reports',
    };
  });
}

export const policyReport: Source = {
  name: 'policyreport',
  title: 'Policy reports (Kyverno, Kubewarden and others)',
  homepage: 'https://github.com/kubernetes-sigs/wg-policy-prototypes',
  emits: producerSources,
  eventTypes: [
    { eventType: 'policy-violation', category: 'security' },
    { eventType: 'policy-violation', category: 'compliance' },
    { eventType: 'policy-error', category: 'operations' },
  ],
  severityWords: policySeverityWords,
  needsPods: true,
  intakes: groups.flatMap(intakes),
  policies: kyvernoPolicies,
  // Kyverno scans every hour, and writes a report only where it has results.
  graceSeconds: 90 * 60,
};
