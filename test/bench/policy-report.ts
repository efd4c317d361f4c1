/** Kyverno PolicyReports for load: one per resource, 18 results, 3 of them failing, as the pod security set gives. */
export function policyReport(namespace: string, index: number) {
  const name = `workload-${index}`;
  const scope = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    name,
    namespace,
    uid: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
  };
  return {
    apiVersion: 'wgpolicyk8s.io/v1alpha2',
    kind: 'PolicyReport',
    metadata: {
      name: scope.uid,
      namespace,
      labels: { 'app.kubernetes.io/managed-by': 'kyverno' },
    },
    scope,
    results: Array.from({ length: 18 }, (_, n) => ({
      category: 'Pod Security Standards (Baseline)',
      message: `validation error: the field spec.template.spec.containers[${n}].securityContext must not be set so. rule example-rule-${n} failed`,
      policy: `example-policy-${n % 9}`,
      rule: `autogen-example-rule-${n}`,
      result: n % 6 === 0 ? 'fail' : 'pass',
      scored: true,
      severity: 'medium',
      source: 'kyverno',
      timestamp: { nanos: 0, seconds: 1_767_225_600 },
    })),
    summary: { error: 0, fail: 3, pass: 15, skip: 0, warn: 0 },
  };
}
