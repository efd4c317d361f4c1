/** One test per trap of Trivy Operator's vulnerability reports, and of what all its reports have in common. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { RawDocument, Reading } from '../../src/sources/source.ts';
import { trivyVulnerabilityReport } from '../../src/sources/trivy-vulnerability.ts';
import { readAt } from '../support/reports.ts';
import { type Entry, names, only, trivyReportOf, written } from '../support/traps.ts';

const vulnerability: Entry = {
  vulnerabilityID: 'CVE-2099-0001',
  resource: 'libexample',
  installedVersion: '1.0',
  fixedVersion: '1.1',
  severity: 'HIGH',
  title: 'libexample: invented',
};

function trivyReport(replicaSet: string, vulnerabilities: readonly unknown[], artifact: Entry = {}): RawDocument {
  const report = {
    artifact: { repository: 'acme/shop', tag: '1', ...artifact },
    registry: { server: 'registry.example.org' },
    vulnerabilities,
  };
  return trivyReportOf('VulnerabilityReport', replicaSet, report, 'web');
}

function readTrivy(document: RawDocument): Reading {
  return only(trivyVulnerabilityReport.read(document, { now: readAt }));
}

suite('Trivy Operator', () => {
  test('a rollout changes nothing: another ReplicaSet, tag and digest, a new report', () => {
    const before = readTrivy(trivyReport('shop-5b7c9d6f84', [vulnerability], { tag: '1', digest: 'sha256:a' }));
    const after = readTrivy(trivyReport('shop-7d9f8b6c54', [vulnerability], { tag: '2', digest: 'sha256:b' }));
    assert.deepEqual(written(after), written(before));
    assert.notDeepEqual(only(after.findings).describe().observedOn, only(before.findings).describe().observedOn);
  });

  test('a new severity or version is the same finding with new content', () => {
    const before = readTrivy(trivyReport('shop-5b7c9d6f84', [vulnerability]));
    for (const change of [
      { severity: 'CRITICAL' },
      { installedVersion: '1.0.5' },
      { fixedVersion: '' },
      { score: 9 },
    ]) {
      const after = readTrivy(trivyReport('shop-5b7c9d6f84', [{ ...vulnerability, ...change }]));
      assert.deepEqual(names(after.findings), names(before.findings));
      assert.notDeepEqual(written(after), written(before));
    }
  });

  test('a touched lastModifiedDate, target or link list of the database is no change', () => {
    const before = readTrivy(trivyReport('shop-5b7c9d6f84', [vulnerability]));
    const touched = { ...vulnerability, lastModifiedDate: '2025-12-31T00:00:00Z', target: 'shop:2 (debian 12.9)' };
    assert.deepEqual(written(readTrivy(trivyReport('shop-5b7c9d6f84', [touched]))), written(before));
  });

  test('container, image, package and path tell findings apart', () => {
    const paths = ['a/package.json', 'b/package.json'].map((packagePath) => ({ ...vulnerability, packagePath }));
    const other = { ...vulnerability, resource: 'libother' };
    assert.equal(names(readTrivy(trivyReport('shop-5b7c9d6f84', [...paths, other])).findings).length, 3);
    const image = readTrivy(trivyReport('shop-5b7c9d6f84', [vulnerability], { repository: 'acme/other' }));
    const same = readTrivy(trivyReport('shop-5b7c9d6f84', [vulnerability]));
    assert.notDeepEqual(names(image.findings), names(same.findings));
  });

  test('one library in two versions without a path is one finding that lists both, in any order', () => {
    const two = [
      vulnerability,
      { ...vulnerability, installedVersion: '0.9', fixedVersion: '0.10', severity: 'CRITICAL' },
    ];
    const forth = readTrivy(trivyReport('shop-5b7c9d6f84', two));
    const back = readTrivy(trivyReport('shop-5b7c9d6f84', two.toReversed()));
    assert.equal(names(forth.findings).length, 1);
    assert.deepEqual(
      forth.findings.map((finding) => finding.severity),
      ['critical', 'high'],
    );
    assert.deepEqual(
      back.findings.map((finding) => finding.severity),
      ['critical', 'high'],
    );
    for (const finding of [...forth.findings, ...back.findings]) {
      assert.equal(finding.describe().details['installedVersion'], '0.9, 1.0');
    }
  });

  test('the name of the resource: label, annotation where the label holds a hash, owner, the report itself', () => {
    const named = (metadata: Entry) =>
      readTrivy({
        ...trivyReport('x', [vulnerability]),
        metadata: { name: 'role-79f88497', namespace: 'store', ...metadata },
      }).findings[0]?.resource;
    const labels = { 'trivy-operator.resource.kind': 'Role', 'trivy-operator.resource.name-hash': '79f88497' };
    const owner = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', name: 'system:lead' };
    const annotations = { 'trivy-operator.resource.name': 'system:lead' };
    const expected = { kind: 'Role', name: 'system:lead', namespace: 'store' };
    const withVersion = { apiVersion: owner.apiVersion, ...expected };
    assert.deepEqual(named({ labels, annotations }), expected);
    assert.deepEqual(named({ labels, annotations, ownerReferences: [owner] }), withVersion);
    assert.deepEqual(named({ labels, ownerReferences: [owner] }), withVersion);
    assert.deepEqual(named({ ownerReferences: [{ ...owner, name: 'other' }], labels, annotations }), expected);
    assert.deepEqual(named({}), {
      apiVersion: 'aquasecurity.github.io/v1alpha1',
      kind: 'VulnerabilityReport',
      name: 'role-79f88497',
      namespace: 'store',
    });
  });

  test('a report speaks for its own namespace whatever its labels say', () => {
    const document = trivyReport('shop-5b7c9d6f84', [vulnerability]);
    const metadata = { ...(document['metadata'] as Entry), namespace: 'tenant' };
    assert.equal(only(readTrivy({ ...document, metadata }).findings).resource.namespace, 'tenant');
  });

  test('the cluster is one subject across upgrades of Kubernetes', () => {
    const cluster = (hash: string, tag: string): RawDocument => ({
      apiVersion: 'aquasecurity.github.io/v1alpha1',
      kind: 'ClusterVulnerabilityReport',
      metadata: {
        name: `clustersbomreport-${hash}-k8s-cluster`,
        labels: {
          'trivy-operator.container.name': 'k8s-cluster',
          'trivy-operator.resource.kind': 'ClusterSbomReport',
          'trivy-operator.resource.name': hash,
          'trivy-operator.resource.namespace': '',
        },
      },
      report: {
        artifact: { repository: 'kubernetes', tag },
        registry: { server: 'k8s.io' },
        vulnerabilities: [vulnerability],
      },
    });
    const [before, after] = [cluster('aaaa', '1.32.0'), cluster('bbbb', '1.33.0')].map(readTrivy);
    assert.ok(before && after);
    assert.deepEqual(names(after.findings), names(before.findings));
    assert.deepEqual(after.reportKey, before.reportKey);
    assert.equal(before.partition, '');
    assert.equal(before.findings[0]?.resource.namespace, undefined);
  });

  test('times that cannot be are not believed', () => {
    for (const updateTimestamp of ['2031-01-01T00:00:00Z', '1970-01-01T00:00:37Z', 'yesterday', 7, null]) {
      const document = trivyReport('shop-5b7c9d6f84', []);
      const report = { ...(document['report'] as Entry), updateTimestamp };
      assert.deepEqual(readTrivy({ ...document, report }).reportedAt, new Date('2025-10-01T08:00:00Z'));
    }
  });

  test('an entry without an id makes the report partial and says where', () => {
    const reading = readTrivy(
      trivyReport('shop-5b7c9d6f84', [{ ...vulnerability, vulnerabilityID: '' }, vulnerability]),
    );
    assert.equal(reading.completeness, 'partial');
    assert.deepEqual(only(reading.rejected), {
      reason: 'missing-field',
      place: '.report.vulnerabilities[0].vulnerabilityID',
      message: 'expected an id, found an empty text',
    });
    assert.equal(reading.findings.length, 1);
  });

  test('inherited and hostile members are not read', () => {
    const document = trivyReport('shop-5b7c9d6f84', [
      JSON.parse(
        '{"vulnerabilityID":"CVE-2099-0001","resource":{"toString":1},"severity":"constructor","title":{"valueOf":null}}',
      ),
      JSON.parse('{"__proto__":{"vulnerabilityID":"CVE-2099-0002"}}'),
    ]);
    const reading = readTrivy(document);
    assert.equal(only(reading.findings).severity, 'unknown');
    assert.equal(only(reading.findings).describe().title, 'CVE-2099-0001');
    assert.equal(reading.rejected.length, 1);
  });
});
