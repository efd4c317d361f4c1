/** Events as the daemon writes them, for tests of the CRD and of whoever reads events. */
import { apiVersion, type EventSpec, kind, labelPrefix } from '../../src/api/event.ts';
import { fingerprintCharactersInName } from '../../src/api/words.ts';
import { sha256Base32 } from '../../src/lib/hash.ts';

export interface SampleEvent {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels: Record<string, string> };
  spec: EventSpec;
}

/** A typical vulnerability. The seed decides fingerprint and name; `change` is laid over the spec afterwards. */
export function sampleEvent(seed: string, change: Partial<EventSpec> = {}): SampleEvent {
  const fingerprint = sha256Base32(JSON.stringify(['trivy', '1', seed]));
  const spec: EventSpec = {
    source: 'trivy',
    category: 'security',
    severity: 'critical',
    eventType: 'vulnerability',
    title:
      'CVE-2024-3094 in liblzma5 5.6.0-0.2 (fixed in 5.6.1+really5.4.5-1), image library/nginx:1.25, container nginx',
    summary: 'CVE-2024-3094 liblzma5 5.6.0-0.2',
    subject: 'Deployment/web-frontend',
    resource: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web-frontend', namespace: 'shop' },
    origin: {
      apiVersion: 'aquasecurity.github.io/v1alpha1',
      kind: 'VulnerabilityReport',
      name: 'replicaset-web-frontend-5d59d67564-nginx',
      namespace: 'shop',
    },
    details: {
      vulnerabilityID: 'CVE-2024-3094',
      package: 'liblzma5',
      installedVersion: '5.6.0-0.2',
      fixedVersion: '5.6.1+really5.4.5-1',
      container: 'nginx',
      image: 'index.docker.io/library/nginx',
      target: 'library/nginx (debian trixie/sid)',
      class: 'os-pkgs',
      observedOn: {
        tag: '1.25',
        digest: `sha256:${'0123456789abcdef'.repeat(4)}`,
        replicaSet: 'web-frontend-5d59d67564',
      },
    },
    detectedAt: '2026-01-02T03:04:05Z',
    fingerprint,
    sourceSeverity: 'CRITICAL',
    score: 10,
    remediation: 'Upgrade liblzma5 to 5.6.1+really5.4.5-1.',
    references: ['https://avd.aquasec.com/nvd/cve-2024-3094'],
    cluster: 'production-eu-1',
    ...change,
  };
  const name = `${spec.source}-${(spec.fingerprint ?? fingerprint).slice(0, fingerprintCharactersInName)}`;
  return { apiVersion, kind, metadata: { name, labels: labels(spec) }, spec };
}

function labels(spec: EventSpec): Record<string, string> {
  return {
    source: spec.source,
    severity: spec.severity,
    category: spec.category,
    [`${labelPrefix}source`]: spec.source,
    [`${labelPrefix}severity`]: spec.severity,
    [`${labelPrefix}category`]: spec.category,
    [`${labelPrefix}event-type`]: spec.eventType,
    [`${labelPrefix}resource-kind`]: spec.resource?.kind ?? '',
    [`${labelPrefix}resource-namespace`]: spec.resource?.namespace ?? '',
  };
}
