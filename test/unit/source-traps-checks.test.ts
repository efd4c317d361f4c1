/** One test per trap of Trivy Operator's reports of checks, secrets and compliance. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { buildEvent } from '../../src/pipeline/event-builder.ts';
import { OwnerResolver } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import type { RawDocument, Reading } from '../../src/sources/source.ts';
import { trivyCheckReport } from '../../src/sources/trivy-check.ts';
import { trivyComplianceReport } from '../../src/sources/trivy-compliance.ts';
import { trivySecretReport } from '../../src/sources/trivy-secret.ts';
import { readAt } from '../support/reports.ts';
import { judgeOf } from '../support/rules.ts';
import { type Entry, keyHash, names, only, trivyReportOf, written } from '../support/traps.ts';

const check: Entry = {
  category: 'Kubernetes Security Check',
  checkID: 'KSV-0014',
  title: 'Root file system is not read-only',
  description: 'Invented.',
  messages: ["Container 'web' of ReplicaSet 'shop-5b7c9d6f84' should set it"],
  severity: 'MEDIUM',
  success: false,
};
const [blue, green] = ['shop-5b7c9d6f84', 'shop-7d9f8b6c54'] as const;

function audit(checks: readonly unknown[], replicaSet: string = blue, kind = 'ConfigAuditReport'): Reading {
  return only(trivyCheckReport.read(trivyReportOf(kind, replicaSet, { checks }), { now: readAt }));
}

suite('checks of Trivy Operator', () => {
  test('a rollout changes nothing, though the messages name the ReplicaSet', () => {
    const after = audit(
      [{ ...check, messages: ["Container 'web' of ReplicaSet 'shop-7d9f8b6c54' should set it"] }],
      green,
    );
    assert.deepEqual(written(after), written(audit([check])));
    assert.equal(keyHash(after), keyHash(audit([check])));
    assert.equal(only(after.findings).describe().observedOn?.['object'], 'ReplicaSet/shop-7d9f8b6c54');
  });

  test('what passed is no finding, whatever else it lacks', () => {
    const reading = audit([{ ...check, success: true }, { success: true }]);
    assert.deepEqual([reading.findings, reading.rejected, reading.completeness], [[], [], 'complete']);
  });

  test('without an id the title is the check; without both it is rejected', () => {
    const { checkID: _, ...unnamed } = check;
    const reading = audit([unnamed, { ...unnamed, title: 'Another' }, { ...unnamed, title: '' }]);
    assert.deepEqual(
      reading.findings.map(({ rule }) => rule),
      ['Root file system is not read-only', 'Another'],
    );
    assert.equal(names(reading.findings).length, 2);
    assert.equal(only(reading.rejected).place, '.report.checks[2].checkID');
    assert.equal(reading.completeness, 'partial');
  });

  test('the spellings of an id in different versions are one check', () => {
    const spelled = (checkID: string) => written(audit([{ ...check, checkID }]));
    for (const checkID of ['KSV014', 'AVD-KSV-0014', 'ksv-0014'])
      assert.deepEqual(spelled(checkID), spelled('KSV-0014'));
    assert.notDeepEqual(spelled('KSV-0140'), spelled('KSV-0014'));
    assert.notDeepEqual(spelled('KCV-0014'), spelled('KSV-0014'));
    assert.notDeepEqual(spelled('HOUSE-14'), spelled('HOUSE-0014'));
  });

  test('the kind decides what it is: configuration, RBAC or the cluster itself', () => {
    const verdict = (kind: string, severity: string) =>
      judgeOf()(found(kind, severity), new OwnerResolver(noPods)).kind;
    const found = (kind: string, severity: string) => only(audit([{ ...check, severity }], blue, kind).findings);
    for (const scope of ['', 'Cluster']) {
      const kinds = [`${scope}ConfigAuditReport`, `${scope}RbacAssessmentReport`, `${scope}InfraAssessmentReport`];
      assert.deepEqual(
        kinds.map((kind) => [found(kind, 'MEDIUM').eventType, found(kind, 'MEDIUM').category]),
        [
          ['misconfiguration', 'security'],
          ['rbac-risk', 'security'],
          ['infra-misconfiguration', 'compliance'],
        ],
      );
      for (const kind of kinds) {
        assert.deepEqual([verdict(kind, 'MEDIUM'), verdict(kind, 'LOW')], ['accepted', 'filtered']);
      }
    }
  });

  test('two kinds of reports about one object do not supersede each other', () => {
    const [config, infra] = [audit([check]), audit([check], blue, 'InfraAssessmentReport')];
    assert.notEqual(keyHash(config), keyHash(infra));
    assert.notDeepEqual(names(config.findings), names(infra.findings));
  });

  test('several entries of one check are one finding with all messages, in any order, as severe as the worst', () => {
    const two = [
      { ...check, messages: ['b', 'a'], scope: { type: 'Container', value: 'web' } },
      {
        ...check,
        messages: ['a', ''],
        scope: { type: 'Container', value: 'helper' },
        severity: 'HIGH',
        title: 'Other',
      },
    ];
    const [forth, back] = [audit(two), audit(two.toReversed())];
    assert.equal(names(forth.findings).length, 1);
    assert.deepEqual(
      forth.findings.map(({ severity }) => severity),
      ['high', 'medium'],
    );
    for (const finding of [...forth.findings, ...back.findings]) {
      const { title, observedOn } = finding.describe();
      assert.equal(title, 'KSV-0014: Other');
      assert.deepEqual(observedOn?.['messages'], ['a', 'b']);
      assert.equal(observedOn?.['scope'], 'Container/helper, Container/web');
    }
  });

  test('the report of a superseded ReplicaSet, about to be deleted, speaks under the same key', () => {
    const report = trivyReportOf('ConfigAuditReport', green, { checks: [check] });
    const annotations = { 'trivy-operator.aquasecurity.github.io/report-ttl': '0s' };
    const metadata = { ...(report['metadata'] as Entry), annotations };
    const historical = only(trivyCheckReport.read({ ...report, metadata }, { now: readAt }));
    assert.equal(keyHash(historical), keyHash(audit([])));
    assert.deepEqual(names(historical.findings), names(audit([check]).findings));
  });

  test('a check that does not say whether it passed is rejected, and nothing is resolved by its report', () => {
    for (const success of [undefined, null, 'false', 0]) {
      const reading = audit([check, { ...check, checkID: 'KSV-0001', success }]);
      assert.equal(reading.findings.length, 1);
      assert.equal(only(reading.rejected).place, '.report.checks[1].success');
      assert.equal(reading.completeness, 'partial');
    }
  });

  test('a container label, which some versions set, changes nothing', () => {
    const labelled = trivyReportOf('ConfigAuditReport', blue, { checks: [check] }, 'web');
    const reading = only(trivyCheckReport.read(labelled, { now: readAt }));
    assert.equal(keyHash(reading), keyHash(audit([check])));
    assert.deepEqual(written(reading), written(audit([check])));
  });
});

const secret: Entry = {
  category: 'Acme',
  match: 'key = "****************"',
  ruleID: 'acme-key',
  severity: 'CRITICAL',
  target: 'srv/keys.ini',
  title: 'Acme Key',
};

function exposed(secrets: readonly unknown[], container = 'web', tag = '1'): Reading {
  const report = { artifact: { repository: 'acme/shop', tag }, registry: { server: 'registry.example.org' }, secrets };
  return only(trivySecretReport.read(trivyReportOf('ExposedSecretReport', blue, report, container), { now: readAt }));
}

suite('secrets of Trivy Operator', () => {
  test('two keys of one rule in one file are two findings, told apart by the masked line', () => {
    const { findings } = exposed([secret, { ...secret, match: 'other = "********"' }, secret]);
    assert.equal(names(findings).length, 2);
  });

  test('rule, file and container tell findings apart; tag, title and severity do not', () => {
    const same = names(exposed([secret]).findings);
    for (const change of [{ ruleID: 'x' }, { target: 'y' }]) {
      assert.notDeepEqual(names(exposed([{ ...secret, ...change }]).findings), same);
    }
    assert.notDeepEqual(names(exposed([secret], 'helper').findings), same);
    assert.deepEqual(names(exposed([{ ...secret, severity: 'LOW', title: 'Other' }], 'web', '2').findings), same);
    assert.deepEqual(written(exposed([secret], 'web', '2')), written(exposed([secret])));
  });

  test('a line that the tool did not mask reaches neither the event nor the identity', () => {
    const unmasked = (match: string) => only(exposed([{ ...secret, match }]).findings);
    const finding = unmasked('door 4711-invented\nsecond');
    const parts = { finding, identity: { name: 'x', fingerprint: 'x' }, reportKey: 'x', resource: finding.resource };
    const origin = { apiVersion: '', kind: '', name: '' };
    const event = buildEvent({ ...parts, origin }, { namespace: 'x', detectedAt: readAt });
    for (const text of [JSON.stringify(event), JSON.stringify(finding.identity())]) {
      assert.doesNotMatch(text, /door|4711|invented|second/);
    }
    assert.deepEqual(names([unmasked('gate 0815-invented\nsecret')]), names([finding]));
  });

  test('the same secret listed twice is one finding, as severe as the worse, in any order', () => {
    const two = [
      { ...secret, severity: 'LOW', title: 'B' },
      { ...secret, title: 'A' },
    ];
    const [forth, back] = [exposed(two), exposed(two.toReversed())];
    assert.equal(forth.findings[0]?.severity, 'critical');
    assert.deepEqual(written(back), written(forth));
  });
});

interface Control extends Entry {
  readonly id?: unknown;
}

function compliance(status: unknown, spec: Entry = {}, name = 'house-1.0'): Reading {
  const document: RawDocument = {
    apiVersion: 'aquasecurity.github.io/v1alpha1',
    kind: 'ClusterComplianceReport',
    metadata: { name, creationTimestamp: '2025-10-01T08:00:00Z' },
    spec: { compliance: { title: 'House Rules', ...spec } },
    ...(status === undefined ? {} : { status }),
  };
  return only(trivyComplianceReport.read(document, { now: readAt }));
}

const detail = (...results: readonly Control[]) => ({ detailReport: { results } });
const summary = (...controlCheck: readonly Control[]) => ({ summaryReport: { controlCheck } });
const failed = (checkID: string, more: Entry = {}): Entry => ({ checkID, severity: 'LOW', success: false, ...more });
const passed: Entry = { checkID: '', severity: '', success: true };

suite('compliance of Trivy Operator', () => {
  test('without a status, or with an empty one, nothing was looked at', () => {
    for (const status of [
      undefined,
      null,
      {},
      { detailReport: null },
      detail(),
      summary(),
      { summary: { failCount: 3 } },
    ]) {
      const reading = compliance(status);
      assert.deepEqual([reading.completeness, reading.findings], ['not-yet', []]);
    }
  });

  test('a control that fails many times is one finding, in full and as a summary the same', () => {
    const control = { id: '1.1', name: 'No root', severity: 'HIGH' };
    const full = compliance(detail({ ...control, checks: [failed('AVD-KSV-0012'), failed('AVD-KSV-0020')] }));
    const short = compliance(summary({ ...control, totalFail: 2 }));
    assert.equal(only(full.findings).severity, 'high');
    assert.deepEqual(names(short.findings), names(full.findings));
    assert.deepEqual(short.reportKey, full.reportKey);
  });

  test('the same control of two benchmarks is two findings', () => {
    const control = { id: '1.1', severity: 'HIGH', totalFail: 1 };
    const [house, yard] = [compliance(summary(control)), compliance(summary(control), {}, 'yard-2.0')];
    assert.notDeepEqual(names(yard.findings), names(house.findings));
  });

  test('what passed, was not checked, or failed by default without a check is no finding', () => {
    const controls = [
      { id: '1', severity: 'HIGH', checks: [passed] },
      { id: '2', severity: 'HIGH', checks: null },
      { id: '3', severity: 'HIGH', status: 'FAIL', checks: [passed] },
    ];
    const numbers = [{ id: '1', totalFail: 0 }, { id: '2' }, { id: '3', totalFail: null }];
    for (const reading of [compliance(detail(...controls)), compliance(summary(...numbers))]) {
      assert.deepEqual([reading.findings, reading.rejected, reading.completeness], [[], [], 'complete']);
    }
  });

  test('severity: of the control, else of the specification, else of the worst check that fails', () => {
    const severityOf = (control: Entry, controls: readonly Entry[] = []) =>
      only(compliance(detail({ id: '1', ...control }), { controls }).findings).severity;
    const checks = [
      failed('a', { severity: '' }),
      failed('b', { severity: 'MEDIUM' }),
      failed('c', { severity: 'HIGH' }),
    ];
    const specified = [
      { id: '2', severity: 'LOW' },
      { id: '1', severity: 'CRITICAL' },
    ];
    assert.equal(severityOf({ severity: 'LOW', checks }, specified), 'low');
    assert.equal(severityOf({ severity: '', checks }, specified), 'critical');
    assert.equal(severityOf({ checks }), 'high');
    assert.equal(severityOf({ checks: [failed('a', { severity: '' })] }), 'unknown');
  });

  test('other objects that fail are no change, another check that fails is', () => {
    const control = (...checks: readonly Entry[]) =>
      compliance(detail({ id: '1', name: 'n', severity: 'HIGH', checks }));
    const before = written(control(failed('AVD-KSV-0012', { target: 'store/replicaset-shop-5b7c9d6f84' })));
    const targets = [failed('KSV012', { target: 'a' }), failed('KSV-0012', { target: 'b' })];
    assert.deepEqual(written(control(...targets)), before);
    assert.notDeepEqual(written(control(failed('AVD-KSV-0013'))), before);
  });

  test('a check that cannot be read makes the report partial and takes nothing from the others', () => {
    const reading = compliance(detail({ id: '1', severity: 'HIGH', checks: [{ checkID: 'x' }, failed('KSV012')] }));
    assert.equal(reading.findings.length, 1);
    assert.equal(only(reading.rejected).place, '.status.detailReport.results[0].checks[0]');
    assert.equal(reading.completeness, 'partial');
  });

  test('a time without leading zeros, as it occurs, is not believed', () => {
    const at = (updateTimestamp: unknown) => compliance({ ...summary({ id: '1' }), updateTimestamp }).reportedAt;
    assert.deepEqual(at('2021-1-1T10:10:10Z'), new Date('2025-10-01T08:00:00Z'));
    assert.deepEqual(at('2025-11-01T10:10:10Z'), new Date('2025-11-01T10:10:10Z'));
  });
});
