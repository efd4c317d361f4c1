/** PolicyReport and ClusterPolicyReport of the Kubernetes policy working group: docs/sources/policy-report.md. */
import { kyvernoPolicies } from './kyverno-policies.ts';
import { policySeverityWords, readPolicyReport } from './policy-report-body.ts';
import { producerSources } from './policy-report-producer.ts';
import type { Format, ResourceIntake, Source } from './source.ts';

const group = 'wgpolicyk8s.io';
const kinds = ['PolicyReport', 'ClusterPolicyReport'];

export const wgPolicyReport: Format = {
  name: 'policy-report',
  recognise({ apiVersion, kind }) {
    return typeof apiVersion === 'string' && apiVersion.startsWith(`${group}/`) && kinds.some((word) => word === kind);
  },
  read: readPolicyReport,
};

function intake(kind: string): ResourceIntake {
  return {
    via: 'resource',
    group,
    versions: ['v1alpha2', 'v1beta1', 'v1alpha1'],
    resource: `${kind.toLowerCase()}s`,
    kind,
    namespaced: !kind.startsWith('Cluster'),
    format: wgPolicyReport,
  };
}

export const policyReport: Source = {
  name: 'policyreport',
  title: 'PolicyReport (Kyverno, Kubewarden and others)',
  homepage: 'https://github.com/kubernetes-sigs/wg-policy-prototypes',
  emits: producerSources,
  eventTypes: [
    { eventType: 'policy-violation', category: 'security' },
    { eventType: 'policy-violation', category: 'compliance' },
    { eventType: 'policy-error', category: 'operations' },
  ],
  severityWords: policySeverityWords,
  needsPods: true,
  intakes: kinds.map(intake),
  policies: kyvernoPolicies,
  // Kyverno scans every hour, and writes a report only where it has results.
  graceSeconds: 90 * 60,
};
