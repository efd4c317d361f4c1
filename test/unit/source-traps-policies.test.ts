/** One test per trap of the policy reports. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { OwnerResolver, reportKeyHash } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import { policyReportFormat } from '../../src/sources/policy-report.ts';
import type { RawDocument, Reading } from '../../src/sources/source.ts';
import { MalformedReport } from '../../src/sources/source.ts';
import { readAt } from '../support/reports.ts';
import { type Entry, names, only, written } from '../support/traps.ts';

function policyReport(results: readonly unknown[], more: Entry = {}): RawDocument {
  return {
    apiVersion: 'wgpolicyk8s.io/v1alpha2',
    kind: 'PolicyReport',
    metadata: { name: 'report', namespace: 'store', labels: { 'app.kubernetes.io/managed-by': 'kyverno' } },
    results,
    ...more,
  };
}

const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shop', namespace: 'store' };
const violation: Entry = { policy: 'p', rule: 'r', result: 'fail', severity: 'high', source: 'kyverno' };

function readPolicies(document: RawDocument): Reading {
  return only(policyReportFormat.read(document, { now: readAt }));
}

suite('policy reports', () => {
  test('pass and skip are no findings; fail and warn are; error is one of another kind', () => {
    const results = ['pass', 'skip', 'fail', 'warn', 'error', 'Fail', 'ERROR'].map((result, at) => ({
      ...violation,
      result,
      policy: `p${at}`,
    }));
    const { findings } = readPolicies(policyReport(results, { scope: deployment }));
    assert.deepEqual(
      findings.map(({ rule, eventType, category }) => [rule, eventType, category]),
      [
        ['p2/r', 'policy-violation', 'security'],
        ['p3/r', 'policy-violation', 'security'],
        ['p4/r', 'policy-error', 'operations'],
        ['p5/r', 'policy-violation', 'security'],
        ['p6/r', 'policy-error', 'operations'],
      ],
    );
  });

  test('a missing result with a severity failed; without one there is nothing to report', () => {
    const { result: _, ...open } = violation;
    const { severity: __, ...bare } = open;
    const reading = readPolicies(policyReport([open, bare], { scope: deployment }));
    assert.equal(reading.findings.length, 1);
    assert.deepEqual(reading.rejected, []);
    assert.equal(reading.completeness, 'complete');
  });

  test('v1alpha1 says status and data', () => {
    const result = { policy: 'p', status: 'fail', source: 'x', data: { index: '1.1', severity: 'low' } };
    const finding = only(readPolicies({ ...policyReport([result]), apiVersion: 'wgpolicyk8s.io/v1alpha1' }).findings);
    assert.equal(finding.severity, 'low');
    assert.equal(finding.describe().details['index'], '1.1');
  });

  test('severity: the result, then its properties, then unknown; never by default', () => {
    const severityOf = (change: Entry) => {
      const result = { policy: 'p', result: 'fail', source: 'x', ...change };
      return only(readPolicies(policyReport([result], { scope: deployment })).findings).severity;
    };
    assert.equal(severityOf({ severity: 'Critical' }), 'critical');
    assert.equal(severityOf({ severity: 'high', properties: { severity: 'low' } }), 'high');
    assert.equal(severityOf({ properties: { severity: 'LOW' } }), 'low');
    assert.equal(severityOf({ severity: 'moderate' }), 'medium');
    assert.equal(severityOf({}), 'unknown');
    assert.equal(severityOf({ severity: 'spicy' }), 'unknown');
    assert.equal(severityOf({ severity: 3 }), 'unknown');
    assert.equal(severityOf({ severity: 'constructor' }), 'unknown');
  });

  test('the resource: of the result, the scope, the owner, a Pod in the properties, the report', () => {
    const scope = { ...deployment, name: 'scoped' };
    const owned = { name: 'report', namespace: 'store', ownerReferences: [{ ...deployment, name: 'owner' }] };
    const result = { policy: 'p', result: 'fail', properties: { pod_name: 'pod', namespace_name: 'store' } };
    const resources = [{ kind: 'Deployment', name: 'own' }];
    const named = (results: readonly Entry[], more: Entry) =>
      only(readPolicies(policyReport(results, more)).findings).resource.name;
    assert.equal(named([{ ...result, resources }], { scope, metadata: owned }), 'own');
    assert.equal(named([result], { scope, metadata: owned }), 'scoped');
    assert.equal(named([{ ...result, resources: [] }], { metadata: owned }), 'owner');
    assert.equal(named([{ ...result, resources: [{ name: 'kindless' }] }], { metadata: owned }), 'owner');
    assert.equal(named([result], {}), 'pod');
    assert.equal(named([{ policy: 'p', result: 'fail' }], {}), 'report');
  });

  test('several resources of one result are one finding each', () => {
    const resources = ['a', 'b', 'c'].map((name) => ({ ...deployment, name }));
    const { findings } = readPolicies(policyReport([{ ...violation, resources }]));
    assert.deepEqual(
      findings.map(({ resource }) => resource.name),
      ['a', 'b', 'c'],
    );
    assert.equal(names(findings).length, 3);
  });

  test('a missing namespace is that of the report', () => {
    const resources = [{ kind: 'Deployment', name: 'shop' }];
    const finding = only(readPolicies(policyReport([{ ...violation, resources }])).findings);
    assert.equal(finding.resource.namespace, 'store');
    assert.deepEqual(names([finding]), names(readPolicies(policyReport([violation], { scope: deployment })).findings));
  });

  test('a namespaced report must not speak for another namespace; for its own it stays complete', () => {
    const resources = [{ ...deployment, namespace: 'billing' }, deployment];
    const reading = readPolicies(policyReport([{ ...violation, resources }]));
    assert.equal(only(reading.findings).resource.namespace, 'store');
    assert.deepEqual(
      [only(reading.rejected).reason, only(reading.rejected).place],
      ['cross-namespace', '.results[0].resources[0]'],
    );
    assert.equal(reading.completeness, 'complete');
    const pod = { properties: { pod_name: 'x', namespace_name: 'billing' }, policy: 'p', result: 'fail', source: 'x' };
    assert.equal(only(readPolicies(policyReport([pod])).rejected).reason, 'cross-namespace');
    const other = { kind: 'Namespace', name: 'billing' };
    assert.equal(
      only(readPolicies(policyReport([{ ...violation, resources: [other] }])).rejected).reason,
      'cross-namespace',
    );
  });

  test('a cluster report speaks for every namespace', () => {
    const resources = [deployment, { kind: 'Namespace', name: 'billing' }];
    const document = {
      ...policyReport([{ ...violation, resources }]),
      kind: 'ClusterPolicyReport',
      metadata: { name: 'x' },
    };
    const reading = readPolicies(document);
    assert.deepEqual(reading.rejected, []);
    assert.deepEqual(
      reading.findings.map(({ resource }) => resource.namespace),
      ['store', undefined],
    );
  });

  test('Pod, ReplicaSet and Deployment with their generated rules are one finding', () => {
    const at = (rule: string, kind: string, name: string) => ({ ...violation, rule, resources: [{ kind, name }] });
    const { findings } = readPolicies(
      policyReport([
        at('r', 'Pod', 'shop-5b7c9d6f84-x2v7q'),
        at('autogen-r', 'ReplicaSet', 'shop-5b7c9d6f84'),
        at('autogen-r', 'Deployment', 'shop'),
      ]),
    );
    assert.equal(findings.length, 3);
    assert.equal(names(findings).length, 1);
    assert.equal(new Set(findings.map((finding) => JSON.stringify(finding.describe().details))).size, 1);
  });

  test('autogen- belongs to the rule where the producer is not Kyverno', () => {
    const result = { ...violation, rule: 'autogen-r', source: 'other' };
    assert.equal(only(readPolicies(policyReport([result], { scope: deployment })).findings).rule, 'p/autogen-r');
  });

  test('the same policy name in several kinds of policy are several findings', () => {
    const producers = {
      kyverno: 'kyverno',
      KyvernoValidatingPolicy: 'kyverno',
      KyvernoImageValidatingPolicy: 'kyverno',
      ValidatingAdmissionPolicy: 'validatingadmissionpolicy',
      kubewarden: 'kubewarden',
      'Polaris Scan': 'policyreport',
    };
    const results = Object.keys(producers).map((source) => ({ policy: 'same', result: 'fail', source }));
    const { findings } = readPolicies(policyReport(results, { scope: deployment }));
    assert.equal(names(findings).length, results.length);
    assert.deepEqual(
      findings.map((finding) => [finding.describe().details['producer'], finding.source]),
      Object.entries(producers),
    );
  });

  test('a rule that repeats the name of a CEL policy, or is missing, is the same', () => {
    const result = { policy: 'same', result: 'fail', source: 'KyvernoValidatingPolicy' };
    const named = (change: Entry) =>
      names(readPolicies(policyReport([{ ...result, ...change }], { scope: deployment })).findings);
    assert.deepEqual(named({ rule: 'same' }), named({}));
  });

  test('the producer: of the result, then of the report', () => {
    const producer = (document: RawDocument) => only(readPolicies(document).findings).describe().details['producer'];
    const result = { policy: 'p', result: 'fail' };
    assert.equal(producer(policyReport([{ ...result, source: 'a' }], { source: 'b' })), 'a');
    assert.equal(producer(policyReport([result], { source: 'b' })), 'b');
    assert.equal(producer(policyReport([{ ...result, source: '' }], { source: '' })), 'kyverno');
  });

  test('a scan an hour later changes nothing, in any order of the results', () => {
    const results = (seconds: number, hash: string) => [
      { ...violation, timestamp: { seconds, nanos: 0 }, message: `failed on shop-${hash}` },
      { ...violation, policy: 'q', timestamp: { seconds, nanos: 0 }, message: `1 of ${seconds} containers` },
    ];
    const scope = (hash: string) => ({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      name: `shop-${hash}`,
      namespace: 'store',
    });
    const first = readPolicies(policyReport(results(1_759_305_600, '5b7c9d6f84'), { scope: scope('5b7c9d6f84') }));
    const second = readPolicies(
      policyReport(results(1_759_309_200, '7d9f8b6c54').toReversed(), { scope: scope('7d9f8b6c54') }),
    );
    assert.deepEqual(new Map([...written(second)].sort()), new Map([...written(first)].sort()));
    assert.deepEqual(second.reportedAt, new Date(1_759_309_200_000));
  });

  test('nonsense in timestamps', () => {
    const reportedAt = (timestamp: unknown) =>
      readPolicies(
        policyReport([{ ...violation, timestamp }], {
          scope: deployment,
          metadata: { name: 'r', namespace: 'store', creationTimestamp: '2025-10-01T08:00:00Z' },
        }),
      ).reportedAt?.toISOString();
    const created = '2025-10-01T08:00:00.000Z';
    assert.equal(reportedAt({ seconds: 37, nanos: 86_240_437 }), created);
    assert.equal(reportedAt({ seconds: 0, nanos: 0 }), created);
    assert.equal(reportedAt({ seconds: 99_999_999_999, nanos: 0 }), created);
    assert.equal(reportedAt('now'), created);
    assert.equal(reportedAt({ seconds: 1_759_309_200, nanos: 1_759_309_200 }), '2025-10-01T09:00:00.000Z');
    assert.equal(reportedAt({ seconds: 1_759_309_200, nanos: -879_126_275 }), '2025-10-01T09:00:00.000Z');
  });

  test('an id of the result that hashes the uid of a ReplicaSet is not part of the identity', () => {
    const report = (hash: string) =>
      policyReport(
        [
          {
            policy: 'CVE-2099-0001',
            result: 'fail',
            source: 'Trivy Vulnerability',
            properties: { resource: 'libexample', 'artifact.repository': 'acme/shop', resultID: hash },
          },
        ],
        { scope: { kind: 'ReplicaSet', name: `shop-${hash}`, namespace: 'store' } },
      );
    const [before, after] = ['5b7c9d6f84', '7d9f8b6c54'].map((hash) => readPolicies(report(hash)));
    assert.ok(before && after);
    assert.deepEqual(names(after.findings), names(before.findings));
  });

  test('masked text tells results apart only where nothing else does', () => {
    const text = (message: string, more: Entry = {}) => ({
      policy: 'p',
      result: 'fail',
      source: 'x',
      message,
      ...more,
    });
    const count = (...results: readonly Entry[]) => names(readPolicies(policyReport(results)).findings).length;
    assert.equal(count(text('alpha is 12 days old'), text('beta is 40 days old'), text('beta is 41 days old')), 2);
    assert.equal(
      count(text('a', { resources: [deployment] }), text('b', { resources: [{ ...deployment, name: 'x' }] })),
      2,
    );
    assert.equal(count(text('a', { properties: { index: '1' } }), text('b', { properties: { index: '1' } })), 1);
    assert.equal(count(text('a', { source: 'Falco' }), text('b', { source: 'Falco' })), 1);
    assert.equal(count(text('a', { source: 'kyverno' }), text('b', { source: 'kyverno' })), 1);
    const alone = names(readPolicies(policyReport([text('12 days')])).findings);
    assert.deepEqual(names(readPolicies(policyReport([text('a week')])).findings), alone);
    const withPassed = policyReport([text('alpha is 12 days old'), text('beta is fine', { result: 'pass' })]);
    const both = policyReport([text('alpha is 13 days old'), text('beta is old')]);
    assert.ok(names(readPolicies(both).findings).includes(names(readPolicies(withPassed).findings)[0] ?? ''));
  });

  test('reports of event logs are never complete', () => {
    for (const source of ['Falco', 'KubeArmor Policy Engine', 'falco-agent']) {
      assert.equal(readPolicies(policyReport([{ ...violation, source }])).completeness, 'partial');
      assert.equal(readPolicies(policyReport([], { source })).completeness, 'partial');
    }
  });

  test('compliance where the category names a benchmark', () => {
    const categoryOf = (category: string) =>
      only(readPolicies(policyReport([{ ...violation, category }], { scope: deployment })).findings).category;
    for (const word of ['CIS Kubernetes Benchmark', 'PCI-DSS', 'nist 800-53', 'NSA', 'SOC2', 'ISO 27001']) {
      assert.equal(categoryOf(word), 'compliance', word);
    }
    for (const word of ['Pod Security Standards (Baseline)', 'Decisions', 'Best Practices', 'Insaniscis']) {
      assert.equal(categoryOf(word), 'security', word);
    }
  });

  test('report keys: the resource where there is one, else the stable part of the name', () => {
    const key = (more: Entry) => readPolicies(policyReport([], more)).reportKey;
    const uid = '22222222-0000-4000-8000-000000000001';
    const named = (name: string, more: Entry = {}) => ({ name, namespace: 'store', ...more });
    // Kyverno and Kubewarden: named by uid, re-created under another one.
    assert.deepEqual(
      key({ metadata: named(uid), scope: { ...deployment, uid } }),
      key({ metadata: named(uid.replace('1', '2')), scope: deployment }),
    );
    // One report per policy: they must not supersede each other.
    assert.notDeepEqual(key({ metadata: named('cpol-a') }), key({ metadata: named('cpol-b') }));
    // An adapter's report of a ReplicaSet, before and after a rollout.
    const owned = (name: string) => ({
      metadata: named(`trivy-vuln-polr-${name}`, { ownerReferences: [{ kind: 'ReplicaSet', name }] }),
    });
    const hash = (more: Entry) => reportKeyHash(key(more), new OwnerResolver(noPods));
    assert.equal(hash(owned('shop-5b7c9d6f84')), hash(owned('shop-7d9f8b6c54')));
    assert.notEqual(hash(owned('shop-5b7c9d6f84')), hash(owned('other-5b7c9d6f84')));
    // The same name in two namespaces.
    assert.notDeepEqual(key({ metadata: named('x') }), key({ metadata: { name: 'x', namespace: 'billing' } }));
  });

  test('the same report through both API groups is the same finding', () => {
    const result = { policy: 'p', result: 'fail', source: 'x' };
    const wg = readPolicies(policyReport([result]));
    const open = readPolicies({ ...policyReport([result]), apiVersion: 'openreports.io/v1alpha1', kind: 'Report' });
    assert.deepEqual(names(open.findings), names(wg.findings));
    assert.deepEqual(open.reportKey, wg.reportKey);
  });

  test('results that are no list are malformed, missing ones are none', () => {
    for (const results of [{}, 'none', 3, false]) {
      assert.throws(() => readPolicies({ ...policyReport([]), results }), MalformedReport);
    }
    for (const results of [undefined, null, []]) {
      assert.deepEqual(readPolicies({ ...policyReport([]), results }).findings, []);
    }
  });
});
