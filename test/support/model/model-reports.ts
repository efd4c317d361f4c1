/** What a subject's tool writes, as an object of the API: from what the model says of it. */
import type { Said, Severity, Subject } from './cluster-model.ts';
import { findingsOf } from './cluster-model.ts';

/** Entries beside the findings that must change nothing. */
export type Noise = 'none' | 'doubled' | 'foreign';

/** An object and where it lives. */
export interface Placed {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Pod-template hashes of the two ReplicaSets of each Deployment. */
const hashes = ['5d59d67564', '7c9b5bf674'] as const;
const uids = ['22222222-0000-4000-8000-00000000000', '33333333-0000-4000-8000-00000000000'] as const;

/** Where the report of a slot lives. */
export function reportPath({ tool, namespace, workload }: Subject, slot: number): string {
  return tool === 'trivy'
    ? `${collectionPath(tool, namespace)}/replicaset-${workload}-${hashes[slot]}-app`
    : `${collectionPath(tool, namespace)}/${uids[slot]}${workload.length}`;
}

/** Where a tool's reports of a namespace live. */
export function collectionPath(tool: Subject['tool'], namespace: string): string {
  return tool === 'trivy'
    ? `/apis/aquasecurity.github.io/v1alpha1/namespaces/${namespace}/vulnerabilityreports`
    : `/apis/wgpolicyk8s.io/v1alpha2/namespaces/${namespace}/policyreports`;
}

/** A report that says this. */
export function reportSaying(subject: Subject, slot: number, said: Said, noise: Noise = 'none'): Placed {
  const path = reportPath(subject, slot);
  const metadata = { name: path.slice(path.lastIndexOf('/') + 1), namespace: subject.namespace };
  const body = subject.tool === 'trivy' ? vulnerabilityReport : policyReport;
  return { path, body: body(subject, slot, said, noise, metadata) };
}

function entries<Entry>({ tool }: Subject, { severities }: Said, entry: (parts: Parts) => Entry): Entry[] {
  return [...severities].map(([finding, severity]) => entry({ severity, ...findingsOf[tool][finding] }));
}
type Parts = Readonly<Record<string, string>> & { readonly severity: Severity };

function vulnerabilityReport({ workload }: Subject, slot: number, said: Said, noise: Noise, metadata: object) {
  const replicaSet = `${workload}-${hashes[slot]}`;
  const subject = { tool: 'trivy', namespace: '', workload } as const;
  const listed = entries(subject, said, ({ vulnerabilityID, package: resource, severity }) => ({
    vulnerabilityID,
    resource,
    installedVersion: '1.0.0',
    fixedVersion: '1.0.1',
    severity: severity === 'info' ? 'NONE' : severity.toUpperCase(),
    title: `${resource}: lets others in`,
    score: 7.5,
  }));
  // The same library once more: one event, which has the higher severity.
  const [double] = listed.filter(({ severity }) => severity !== 'UNKNOWN');
  if (noise === 'doubled' && double !== undefined) listed.push({ ...double, severity: 'NONE' });
  return {
    apiVersion: 'aquasecurity.github.io/v1alpha1',
    kind: 'VulnerabilityReport',
    metadata: {
      ...metadata,
      labels: {
        'trivy-operator.container.name': 'app',
        'trivy-operator.resource.kind': 'ReplicaSet',
        'trivy-operator.resource.name': replicaSet,
      },
    },
    report: {
      artifact: { repository: `library/${workload}`, tag: `1.${slot}` },
      registry: { server: 'index.docker.io' },
      updateTimestamp: new Date(said.at * 1000).toISOString(),
      vulnerabilities: withShape(said, listed),
    },
  };
}

function policyReport({ namespace, workload }: Subject, slot: number, said: Said, noise: Noise, metadata: object) {
  const subject = { tool: 'kyverno', namespace, workload } as const;
  const timestamp = { seconds: said.at, nanos: 0 };
  const common = { source: 'kyverno', scored: true, timestamp };
  const listed: unknown[] = entries(subject, said, (parts) => ({
    ...common,
    ...parts,
    result: 'fail',
    message: `report ${said.at} of ${workload} says so`,
  }));
  listed.push({ ...common, policy: 'disallow-privileged', rule: 'check-containers', result: 'pass' });
  if (noise === 'doubled') listed.push(...listed.slice(0, 1));
  // Nobody may accuse another namespace: refused, and the report is complete all the same.
  if (noise === 'foreign') {
    const resources = [{ apiVersion: 'apps/v1', kind: 'Deployment', name: workload, namespace: 'elsewhere' }];
    listed.push({
      ...common,
      policy: 'disallow-latest-tag',
      rule: 'accuse',
      result: 'fail',
      severity: 'high',
      resources,
    });
  }
  // The engine reports on the Deployment and on its ReplicaSet: to us they are one.
  const scope =
    slot === 0 ? { kind: 'Deployment', name: workload } : { kind: 'ReplicaSet', name: `${workload}-${hashes[slot]}` };
  return {
    apiVersion: 'wgpolicyk8s.io/v1alpha2',
    kind: 'PolicyReport',
    metadata: { ...metadata, labels: { 'app.kubernetes.io/managed-by': 'kyverno' } },
    scope: { apiVersion: 'apps/v1', namespace, ...scope },
    results: withShape(said, listed),
  };
}

/** Partial: with an entry that nobody can read. Malformed: no list at all. */
function withShape({ shape }: Said, listed: readonly unknown[]): unknown {
  if (shape === 'malformed') return 'none';
  return shape === 'partial' ? [...listed, 'what is this'] : listed;
}
