/** Trivy Operator: docs/sources/trivy.md. */
import type { Format, ResourceIntake, Source } from './source.ts';
import { trivyCheckKinds, trivyCheckReport } from './trivy-check.ts';
import { trivyComplianceReport } from './trivy-compliance.ts';
import { trivyGroup, trivyVersion } from './trivy-report.ts';
import { trivySecretReport } from './trivy-secret.ts';
import { trivySeverityWords } from './trivy-severity.ts';
import { trivyVulnerabilityReport } from './trivy-vulnerability.ts';

function intake(kind: string, format: Format): ResourceIntake {
  return {
    via: 'resource',
    group: trivyGroup,
    versions: [trivyVersion],
    resource: `${kind.toLowerCase()}s`,
    kind,
    namespaced: !kind.startsWith('Cluster'),
    format,
  };
}

export const trivy: Source = {
  name: 'trivy',
  title: 'Trivy Operator',
  homepage: 'https://aquasecurity.github.io/trivy-operator/',
  emits: ['trivy'],
  eventTypes: [
    { eventType: 'vulnerability', category: 'security' },
    { eventType: 'misconfiguration', category: 'security' },
    { eventType: 'exposed-secret', category: 'security' },
    { eventType: 'rbac-risk', category: 'security' },
    { eventType: 'infra-misconfiguration', category: 'compliance' },
    { eventType: 'compliance-failure', category: 'compliance' },
  ],
  severityWords: trivySeverityWords,
  // Reports about Pods of other controllers than the built-in ones name the Pod.
  needsPods: true,
  intakes: [
    intake('VulnerabilityReport', trivyVulnerabilityReport),
    intake('ClusterVulnerabilityReport', trivyVulnerabilityReport),
    ...trivyCheckKinds.map((kind) => intake(kind, trivyCheckReport)),
    intake('ExposedSecretReport', trivySecretReport),
    intake('ClusterComplianceReport', trivyComplianceReport),
  ],
  // The operator deletes each report after 24 hours and scans again, ten at a time: hours pass in a large cluster.
  graceSeconds: 2 * 60 * 60,
};
