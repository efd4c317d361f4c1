/** What tests of traps share: small reports, and what comes of them in terms of what would be written. */
import assert from 'node:assert/strict';
import { buildEvent, contentHash } from '../../src/pipeline/event-builder.ts';
import { OwnerResolver, reportKeyHash } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import type { Finding, RawDocument, Reading } from '../../src/sources/source.ts';
import { nameOf, readAt } from './reports.ts';

/** Part of a report. */
export type Entry = Readonly<Record<string, unknown>>;

/** The only item. */
export function only<T>(items: readonly T[]): T {
  const [item] = items;
  assert.ok(item !== undefined && items.length === 1, `expected one, found ${items.length}`);
  return item;
}

/** Everything that decides whether anything is written. */
export function written({ findings, origin, reportKey }: Reading): Map<string, number> {
  const owners = new OwnerResolver(noPods);
  const key = reportKeyHash(reportKey, owners);
  return new Map(
    findings.map((finding) => {
      const parts = { finding, identity: { name: nameOf(finding), fingerprint: '' }, reportKey: key, origin };
      const event = buildEvent(
        { ...parts, resource: owners.resolve(finding.resource) },
        { namespace: 'zen-system', detectedAt: readAt },
      );
      return [nameOf(finding), contentHash(event)];
    }),
  );
}

/** The names of the findings' events, each once. */
export function names(findings: readonly Finding[]): string[] {
  return [...new Set(findings.map(nameOf))];
}

/** The report key as the core compares it. */
export function keyHash({ reportKey }: Reading): string {
  return reportKeyHash(reportKey, new OwnerResolver(noPods));
}

const replicaSetLabels = (replicaSet: string): Entry => ({
  'trivy-operator.resource.kind': 'ReplicaSet',
  'trivy-operator.resource.name': replicaSet,
  'trivy-operator.resource.namespace': 'store',
});

/** A report of Trivy Operator about a ReplicaSet in the namespace store. `container`: '' where it is not about one. */
export function trivyReportOf(kind: string, replicaSet: string, report: Entry, container = ''): RawDocument {
  return {
    apiVersion: 'aquasecurity.github.io/v1alpha1',
    kind,
    metadata: {
      name: ['replicaset', replicaSet, container].filter(Boolean).join('-'),
      namespace: 'store',
      uid: replicaSet,
      resourceVersion: '7',
      creationTimestamp: '2025-10-01T08:00:00Z',
      labels: {
        ...replicaSetLabels(replicaSet),
        ...(container === '' ? {} : { 'trivy-operator.container.name': container }),
      },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: replicaSet, uid: replicaSet }],
    },
    report: { updateTimestamp: '2025-10-01T08:00:00Z', ...report },
  };
}
