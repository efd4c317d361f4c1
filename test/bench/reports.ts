/** Trivy VulnerabilityReports for load: invented, but of the size and shape of real ones. */

export interface ReportShape {
  readonly namespace: string;
  readonly index: number;
  /** Findings that pass the default thresholds (HIGH). */
  readonly kept: number;
  /** Findings below them (LOW). */
  readonly filtered: number;
  /** Raised for a rescan: the report is written anew, its findings are the same. */
  readonly scan: number;
}

const filler =
  'improper validation of lengths in the parser may lead to a buffer over-read and to the disclosure of memory contents';

export function vulnerabilityReport({ namespace, index, kept, filtered, scan }: ReportShape) {
  const name = `workload-${index}`;
  return {
    apiVersion: 'aquasecurity.github.io/v1alpha1',
    kind: 'VulnerabilityReport',
    metadata: {
      name: `deployment-${name}-app`,
      namespace,
      labels: {
        'trivy-operator.container.name': 'app',
        'trivy-operator.resource.kind': 'Deployment',
        'trivy-operator.resource.name': name,
        'trivy-operator.resource.namespace': namespace,
      },
    },
    report: {
      artifact: { repository: `example/${name}`, tag: '1.0.0' },
      registry: { server: 'registry.example' },
      os: { family: 'debian', name: '12' },
      scanner: { name: 'Trivy', vendor: 'Aqua Security', version: '0.70.0' },
      summary: { criticalCount: 0, highCount: kept, mediumCount: 0, lowCount: filtered, unknownCount: 0 },
      updateTimestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, scan)).toISOString(),
      vulnerabilities: Array.from({ length: kept + filtered }, (_, n) => vulnerability(index, n, n < kept)),
    },
  };
}

function vulnerability(report: number, n: number, isKept: boolean) {
  const id = `CVE-2025-${10_000 + ((report * 131 + n * 7) % 80_000)}-${n}`;
  return {
    fixedVersion: '2.4.1-r1',
    installedVersion: '2.4.0-r0',
    lastModifiedDate: '2025-11-07T03:39:00Z',
    publishedDate: '2025-01-05T19:15:00Z',
    links: [],
    primaryLink: `https://vulnerabilities.example/${id}`,
    resource: `library-${n % 40}`,
    score: isKept ? 8.1 : 3.1,
    severity: isKept ? 'HIGH' : 'LOW',
    target: '',
    title: `library-${n % 40}: ${filler}`,
    vulnerabilityID: id,
  };
}
