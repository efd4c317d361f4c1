/** Trivy ConfigAuditReports for load: 14 failed checks of a workload, 4 of them above the default threshold, as recorded by default. */
export function checkReport(namespace: string, index: number) {
  const name = `workload-${index}-5b7c9d6f84`;
  return {
    apiVersion: 'aquasecurity.github.io/v1alpha1',
    kind: 'ConfigAuditReport',
    metadata: {
      name: `replicaset-${name}`,
      namespace,
      labels: {
        'plugin-config-hash': '659b7b9c46',
        'resource-spec-hash': 'fc85b485f',
        'trivy-operator.resource.kind': 'ReplicaSet',
        'trivy-operator.resource.name': name,
        'trivy-operator.resource.namespace': namespace,
      },
      ownerReferences: [{ apiVersion: 'apps/v1', controller: true, kind: 'ReplicaSet', name, uid: `uid-${index}` }],
    },
    report: {
      checks: Array.from({ length: 14 }, (_, n) => ({
        category: 'Kubernetes Security Check',
        checkID: `AVD-KSV-${String(n + 1).padStart(4, '0')}`,
        description:
          'An invented description of what may happen when the setting is not there, in about as many words as they have.',
        messages: [`Container 'app' of ReplicaSet '${name}' should set 'securityContext.setting${n}' to true`],
        remediation: `Set 'containers[].securityContext.setting${n}' to 'true'.`,
        severity: n % 4 === 0 ? 'MEDIUM' : 'LOW',
        success: false,
        title: `Setting ${n} is not there`,
      })),
      scanner: { name: 'Trivy', vendor: 'Aqua Security', version: '0.70.0' },
      summary: { criticalCount: 0, highCount: 0, mediumCount: 4, lowCount: 10 },
      updateTimestamp: '2026-01-01T00:00:00Z',
    },
  };
}
