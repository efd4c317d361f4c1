/** Traps of policy reports that come twice: in two API groups, or by an adapter; and of reports about other namespaces. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { OwnerResolver } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import { channelsOf } from '../../src/sources/channels.ts';
import { policyReportFormat } from '../../src/sources/policy-report.ts';
import { sources } from '../../src/sources/registry.ts';
import type { Finding, RawDocument, ReadContext, Reading } from '../../src/sources/source.ts';
import { readAt } from '../support/reports.ts';
import { everythingAccepted, judgeOf } from '../support/rules.ts';
import { type Entry, keyHash, names, only, written } from '../support/traps.ts';

const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shop', namespace: 'store' };
const older = { apiVersion: 'wgpolicyk8s.io/v1alpha2', kind: 'PolicyReport', clusterKind: 'ClusterPolicyReport' };
const newer = { apiVersion: 'openreports.io/v1alpha1', kind: 'Report', clusterKind: 'ClusterReport' };
const groups = [older, newer];

function report(results: readonly Entry[], more: Entry = {}, { apiVersion, kind }: Entry = older): RawDocument {
  return { apiVersion, kind, metadata: { name: 'report', namespace: 'store' }, results, ...more };
}

function read(document: RawDocument, context: Partial<ReadContext> = {}): Reading {
  return only(policyReportFormat.read(document, { now: readAt, ...context }));
}

const violation: Entry = { policy: 'p', rule: 'r', result: 'fail', severity: 'high', source: 'kyverno' };

suite('one result through two API groups', () => {
  const bodies: Readonly<Record<string, Entry>> = {
    'with a scope': {
      metadata: { name: '22222222-0000-4000-8000-000000000001', namespace: 'store' },
      scope: deployment,
    },
    'about a namespace': { metadata: { name: 'cpol-p', namespace: 'store' } },
    'with an empty source': { source: '', scope: deployment },
  };
  for (const [body, more] of Object.entries(bodies)) {
    test(`${body} is the same finding under the same report key`, () => {
      const [first, second] = groups.map((group) => read(report([violation], more, group)));
      assert.ok(first && second);
      assert.deepEqual(names(second.findings), names(first.findings));
      assert.equal(keyHash(second), keyHash(first));
      if ('scope' in more) assert.deepEqual(written(second), written(first));
    });
  }

  test('cluster reports too', () => {
    const [first, second] = groups.map(({ apiVersion, clusterKind }) =>
      read(report([violation], { metadata: { name: 'x' }, scope: deployment }, { apiVersion, kind: clusterKind })),
    );
    assert.ok(first && second);
    assert.equal(keyHash(second), keyHash(first));
    assert.deepEqual(written(second), written(first));
  });

  test('the kinds of one scope are one channel: going over from one to the other loses nothing', () => {
    const channel = channelsOf(sources);
    assert.equal(channel('openreports.io|Report'), channel('wgpolicyk8s.io|PolicyReport'));
    assert.equal(channel('openreports.io|ClusterReport'), channel('wgpolicyk8s.io|ClusterPolicyReport'));
    assert.notEqual(channel('openreports.io|Report'), channel('openreports.io|ClusterReport'));
    assert.equal(channel('aquasecurity.github.io|ConfigAuditReport'), 'aquasecurity.github.io|ConfigAuditReport');
  });

  test('a kind of the one group in the other is no report', () => {
    assert.ok(!policyReportFormat.recognise({ apiVersion: older.apiVersion, kind: newer.kind }));
    assert.ok(!policyReportFormat.recognise({ apiVersion: newer.apiVersion, kind: older.kind }));
    assert.ok(!policyReportFormat.recognise({ apiVersion: 'openreports.iox/v1alpha1', kind: newer.kind }));
  });
});

suite('copies by adapters', () => {
  const copies = {
    'Trivy Vulnerability': 'trivy',
    'Trivy ConfigAudit': 'trivy',
    Falco: 'falco',
    'falco-agent': 'falco',
    'KubeArmor Policy Engine': 'kubearmor',
  };
  const others = ['kyverno', 'Trivy', 'TrivyScan', 'kube-bench', ''];
  const judged = (finding: Finding, settings = {}) =>
    judgeOf({ ...everythingAccepted, ...settings })(finding, new OwnerResolver(noPods));

  test('are filtered while the source that they copy is on, and stay part of a complete report', () => {
    for (const [source, tool] of Object.entries(copies)) {
      const reading = read(report([{ ...violation, source }], { scope: deployment }), {
        isOn: (name) => name === tool,
      });
      const finding = only(reading.findings);
      assert.equal(finding.copyOf, tool);
      const decidedBy = `a copy of what ${tool} reports`;
      assert.deepEqual(judged(finding), { kind: 'filtered', severity: 'high', decidedBy });
      const included = judged(finding, { filters: [{ action: 'include', rule: ['p/r'] }] });
      assert.equal(included.kind, 'accepted', 'whoever asks for copies gets them');
      assert.equal(reading.completeness, tool === 'trivy' ? 'complete' : 'partial');
    }
  });

  test('are findings while it is off', () => {
    for (const [source, tool] of Object.entries(copies)) {
      for (const context of [{ isOn: (name: string) => name !== tool }, {}]) {
        const { findings } = read(report([{ ...violation, source }], { scope: deployment }), context);
        assert.equal(judged(only(findings)).kind, 'accepted');
      }
    }
  });

  test('are what an adapter writes only: a tool that writes reports itself is none', () => {
    for (const source of others) {
      const finding = only(
        read(report([{ ...violation, source }], { scope: deployment }), { isOn: () => true }).findings,
      );
      assert.equal(finding.copyOf, undefined);
    }
  });
});

suite('reports of a namespace about another one', () => {
  const elsewhere = { ...deployment, namespace: 'billing' };
  const isTrusted = (producer: string) => producer === 'fleet-scanner';
  const fleet = { ...violation, source: 'fleet-scanner' };
  const found = (document: RawDocument) => {
    const { findings, rejected } = read(document, { isTrusted });
    return {
      namespaces: findings.map(({ resource }) => resource.namespace),
      rejected: rejected.map(({ reason }) => reason),
    };
  };

  test('are rejected, unless the producer of the result is trusted by name', () => {
    const resources = [elsewhere, deployment];
    assert.deepEqual(found(report([{ ...fleet, resources }])), { namespaces: ['billing', 'store'], rejected: [] });
    assert.deepEqual(found(report([{ ...violation, resources }])), {
      namespaces: ['store'],
      rejected: ['cross-namespace'],
    });
    assert.deepEqual(read(report([{ ...fleet, resources }])).rejected.length, 1);
  });

  test('by the scope, a Namespace or a Pod in the properties are treated alike', () => {
    const pod = { properties: { pod_name: 'till', namespace_name: 'billing' } };
    const resources = [{ kind: 'Namespace', name: 'billing' }];
    for (const [result, more, namespace] of [
      [{}, { scope: elsewhere }, 'billing'],
      [pod, {}, 'billing'],
      [{ resources }, {}, undefined],
    ] as const) {
      assert.deepEqual(found(report([{ ...fleet, ...result }], more)), { namespaces: [namespace], rejected: [] });
      assert.deepEqual(found(report([{ ...violation, ...result }], more)).rejected, ['cross-namespace']);
    }
  });

  test('one trusted producer in a report makes no other in it trusted', () => {
    const both = found(report([fleet, violation], { scope: elsewhere }));
    assert.deepEqual(both, { namespaces: ['billing'], rejected: ['cross-namespace'] });
  });

  test('keep keys of their own for each scope, so that none supersedes another', () => {
    const uid = (digit: number) => `22222222-0000-4000-8000-00000000000${digit}`;
    const key = (name: string, digit: number) =>
      keyHash(
        read(report([fleet], { scope: { ...elsewhere, name }, metadata: { name: uid(digit), namespace: 'store' } })),
      );
    assert.notEqual(key('till', 1), key('ledger', 2));
    assert.equal(key('till', 1), key('till', 3));
  });
});
