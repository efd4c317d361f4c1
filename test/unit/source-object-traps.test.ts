/** One test per trap of the tools whose own objects say what is wrong: Gatekeeper, cert-manager, Sealed Secrets, Kubescape's operator. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { buildEvent } from '../../src/pipeline/event-builder.ts';
import { recognise } from '../../src/sources/recognise.ts';
import type { Finding, RawDocument, Reading } from '../../src/sources/source.ts';
import { caseFile, eventsOf } from '../support/format-cases.ts';
import { nameOf, readAt, reportsIn } from '../support/reports.ts';
import type { Entry } from '../support/traps.ts';
import { keyHash, names, only, written } from '../support/traps.ts';

function read(document: RawDocument, now = readAt): Reading {
  const format = recognise(document);
  assert.ok(format !== undefined, 'no format recognises the document');
  return only(format.read(document, { now }));
}

function findings(document: RawDocument, now = readAt): readonly Finding[] {
  return read(document, now).findings;
}

function verdicts(document: RawDocument, now = readAt): string[] {
  return findings(document, now).map(({ rule }) => rule);
}

/** What would be written of it, as text. */
function stored(document: RawDocument): string {
  const { origin } = read(document);
  const events = findings(document).map((finding) => {
    const parts = { finding, identity: { name: nameOf(finding), fingerprint: '' }, resource: finding.resource };
    return buildEvent({ ...parts, reportKey: '', origin }, { namespace: 'zen-system', detectedAt: readAt });
  });
  return JSON.stringify(events);
}

suite('Gatekeeper', () => {
  const pod = (name: string, message: string, more: Entry = {}): Entry => ({
    group: '',
    version: 'v1',
    kind: 'Pod',
    namespace: 'store',
    name,
    message,
    enforcementAction: 'deny',
    ...more,
  });
  const audited = { auditTimestamp: '2025-10-01T08:00:00Z' };
  const constraint = (violations: unknown, status: Entry = audited, metadata: Entry = {}, spec: Entry = {}) => ({
    apiVersion: 'constraints.gatekeeper.sh/v1beta1',
    kind: 'AcmeLimits',
    metadata: { name: 'limits', ...metadata },
    spec,
    status: { ...status, violations },
  });
  const one = pod('shop-5b7c9d6f84-x2v7q', 'no limit');
  const severity = (...args: Parameters<typeof constraint>) => only(findings(constraint(...args))).severity;

  test('the time of the audit moves every minute and writes nothing', () => {
    const later = constraint([one], { auditTimestamp: '2025-10-01T08:01:00Z' });
    assert.deepEqual(written(read(later)), written(read(constraint([one]))));
    assert.equal(keyHash(read(later)), keyHash(read(constraint([one]))));
  });

  test('a message that counts days, or names an image by its digest, is the same finding and writes nothing', () => {
    const digest = (character: string) => `image acme/shop@sha256:${character.repeat(64)} is old`;
    for (const [before, after] of [
      ['oldest layer is 819 days old', 'oldest layer is 820 days old'],
      [digest('a'), digest('b')],
    ] as const) {
      const first = constraint([pod('shop-0', before)]);
      assert.deepEqual(written(read(constraint([pod('shop-0', after)]))), written(read(first)));
    }
  });

  test('a message that names its object is the same finding after a rollout', () => {
    const named = (name: string) => constraint([pod(name, `pod <${name}> has no limit`)]);
    assert.deepEqual(names(findings(named('shop-5b7c9d6f84-x2v7q'))), names(findings(named('shop-7d9f8b6c54-b4n8w'))));
  });

  test('two containers of one object are two findings, two Pods of one Deployment are one', () => {
    const two = [one, pod('shop-5b7c9d6f84-x2v7q', 'no request')];
    assert.equal(names(findings(constraint(two))).length, 2);
    assert.equal(names(findings(constraint([one, pod('shop-5b7c9d6f84-z9k4m', 'no limit')]))).length, 1);
  });

  test('old violations without group and version are the findings of new ones', () => {
    const { group: _group, ...grouped } = pod('shop', 'x', { kind: 'Deployment', version: 'v1', group: 'apps' });
    const { version: _version, ...bare } = grouped;
    const full = constraint([{ ...grouped, group: 'apps' }]);
    assert.deepEqual(names(findings(constraint([bare]))), names(findings(full)));
    assert.deepEqual(names(findings(constraint([grouped]))), names(findings(full)));
    const namespaces = constraint([{ kind: 'Namespace', name: 'store', message: 'x' }]);
    assert.equal(only(findings(namespaces)).resource.namespace, undefined);
  });

  test('severity: by the action, of several the most serious, where the constraint does not say', () => {
    const actions = ['deny', 'warn', 'dryrun', 'odd'].map((enforcementAction) =>
      severity([{ ...one, enforcementAction }]),
    );
    assert.deepEqual(actions, ['medium', 'low', 'info', 'unknown']);
    const { enforcementAction: _action, ...silent } = one;
    assert.equal(severity([silent]), 'medium');
    assert.equal(severity([silent], audited, {}, { enforcementAction: 'dryrun' }), 'info');
    const scoped = { ...one, enforcementAction: 'scoped', enforcementActions: ['dryrun', 'warn'] };
    assert.equal(severity([scoped]), 'low');
  });

  test('severity: a label of the constraint goes first, then an annotation; an unknown word is unknown', () => {
    assert.equal(severity([one], audited, { labels: { severity: 'Critical' } }), 'critical');
    assert.equal(severity([one], audited, { annotations: { severity: 'error' } }), 'high');
    const both = { labels: { severity: 'info' }, annotations: { severity: 'high' } };
    assert.equal(severity([one], audited, both), 'info');
    assert.equal(severity([one], audited, { labels: { severity: 'P1' } }), 'unknown');
  });

  test('before the first audit no violations mean nothing', () => {
    const { status: _status, ...unseen } = constraint([]);
    assert.equal(read(unseen).completeness, 'not-yet');
    assert.equal(read({ ...unseen, status: null }).completeness, 'not-yet');
    assert.equal(read(constraint(undefined, { byPod: [{ operations: ['audit'] }] })).completeness, 'not-yet');
    const webhook = { ...audited, byPod: [{ operations: ['webhook'] }] };
    assert.equal(read(constraint(undefined, webhook)).completeness, 'not-yet');
    assert.equal(read(constraint([one], webhook)).completeness, 'partial');
    const old = { ...audited, byPod: [{ id: 'gatekeeper', enforced: true }] };
    assert.equal(read(constraint(undefined, old)).completeness, 'complete');
  });

  test('a list that was cut resolves nothing, and a finding of its own says so without its numbers', () => {
    const cut = read(constraint([one], { ...audited, totalViolations: 57 }));
    assert.equal(cut.completeness, 'partial');
    const notice = cut.findings.find(({ eventType }) => eventType === 'policy-error');
    assert.deepEqual([notice?.severity, notice?.category, notice?.resource.kind], ['low', 'operations', 'AcmeLimits']);
    const more = read(constraint([one], { ...audited, totalViolations: 58 }));
    assert.deepEqual(written(more), written(cut));
    assert.equal(read(constraint([one], { ...audited, totalViolations: 1 })).completeness, 'complete');
    const twenty = Array.from({ length: 20 }, (_, at) => pod(`db-${at}`, 'no limit'));
    assert.equal(read(constraint(twenty)).completeness, 'partial');
    assert.equal(read(constraint(twenty, { ...audited, totalViolations: 20 })).completeness, 'complete');
  });

  test('a line of the audit is the finding of the status, and no evidence against others', async () => {
    const [line = {}] = await reportsIn(caseFile('gatekeeper-audit-log', 'one'));
    const [object = {}] = await reportsIn(caseFile('gatekeeper-constraint', 'one'));
    assert.deepEqual(names(findings(line)), names(findings(object)));
    assert.equal(read(line).completeness, 'partial');
    assert.equal(recognise({ ...line, event_type: 'violation', process: 'admission' }), undefined);
  });
});

suite('cert-manager', () => {
  const condition = (type: string, status: string, reason: string, more: Entry = {}) => ({
    type,
    status,
    reason,
    ...more,
  });
  const certificate = (status: Entry | undefined, metadata: Entry = {}): RawDocument => ({
    apiVersion: 'cert-manager.io/v1',
    kind: 'Certificate',
    metadata: { name: 'shop-tls', namespace: 'store', generation: 1, ...metadata },
    spec: { secretName: 'shop-tls', issuerRef: { name: 'in-house' } },
    status,
  });
  const ready = condition('Ready', 'True', 'Ready');
  const failed = condition('Ready', 'False', 'IncorrectIssuer');
  const missing = condition('Ready', 'False', 'DoesNotExist');
  const issuing = condition('Issuing', 'True', 'DoesNotExist');
  const valid = { conditions: [ready], renewalTime: '2026-01-20T00:00:00Z', notAfter: '2026-02-20T00:00:00Z' };
  const at = (text: string) => new Date(text);

  test('time alone makes a certificate overdue, then expired, and each moment is announced', () => {
    const moments = [
      ['2026-01-20T00:59:59Z', [], '2026-01-20T01:00:00.000Z'],
      ['2026-01-20T01:00:00Z', ['overdue'], '2026-02-20T00:00:00.000Z'],
      ['2026-02-19T23:59:59Z', ['overdue'], '2026-02-20T00:00:00.000Z'],
      ['2026-02-20T00:00:00Z', ['expired', 'overdue'], undefined],
    ] as const;
    for (const [now, expected, next] of moments) {
      assert.deepEqual(verdicts(certificate(valid), at(now)), expected);
      assert.equal(read(certificate(valid), at(now)).lookAgainAt?.toISOString(), next);
    }
  });

  test('a renewed certificate is complete and without findings', () => {
    const renewed = { ...valid, renewalTime: '2026-04-20T00:00:00Z', notAfter: '2026-05-20T00:00:00Z' };
    const reading = read(certificate(renewed), at('2026-03-01T00:00:00Z'));
    assert.deepEqual([reading.completeness, reading.findings], ['complete', []]);
  });

  test('an expired certificate that says so is not also not ready; one with another fault is', () => {
    const after = at('2026-03-01T00:00:00Z');
    const expired = { ...valid, conditions: [condition('Ready', 'False', 'Expired')] };
    assert.deepEqual(verdicts(certificate(expired), after), ['expired', 'overdue']);
    assert.deepEqual(verdicts(certificate({ ...valid, conditions: [failed] }), after), [
      'expired',
      'overdue',
      'not-ready',
    ]);
    // Its clock is ahead of ours.
    assert.deepEqual(verdicts(certificate(expired)), ['not-ready']);
  });

  test('being issued is no failure, and says nothing about what was found before', () => {
    for (const conditions of [[missing, issuing], [missing], [failed, issuing]]) {
      const reading = read(certificate({ conditions }));
      assert.deepEqual([reading.findings, reading.completeness], [[], 'partial']);
    }
    assert.deepEqual(verdicts(certificate({ conditions: [failed] })), ['not-ready']);
    const failing = condition('Issuing', 'False', 'Failed');
    assert.deepEqual(verdicts(certificate({ conditions: [missing, failing] })), ['not-ready']);
  });

  test('after a failed attempt the next one is no progress', () => {
    const again = { conditions: [missing, issuing], failedIssuanceAttempts: 1 };
    assert.deepEqual(verdicts(certificate(again)), ['not-ready']);
    const more = { ...again, failedIssuanceAttempts: 7, lastFailureTime: '2025-12-31T00:00:00Z' };
    assert.deepEqual(written(read(certificate(more))), written(read(certificate(again))));
  });

  test('a condition of an older spec is no failure of the new one', () => {
    const old = { conditions: [{ ...failed, observedGeneration: 1 }] };
    assert.deepEqual(read(certificate(old, { generation: 2 })).findings, []);
    assert.equal(findings(certificate(old)).length, 1);
  });

  test('nothing follows before somebody looked; what is over is over all the same', () => {
    assert.equal(read(certificate(undefined)).completeness, 'not-yet');
    assert.equal(read(certificate({ conditions: [] })).completeness, 'not-yet');
    const unseen = read(certificate({ notAfter: '2025-01-01T00:00:00Z' }));
    assert.deepEqual([unseen.completeness, unseen.findings.length], ['partial', 1]);
    assert.equal(read(certificate({ conditions: [condition('Ready', 'Unknown', 'x')] })).completeness, 'partial');
  });

  test('a validation that did not fail is no finding, and a transition may have no time', () => {
    const conditions = [condition('ValidateFailed', 'False', 'OrderValidated'), { ...ready, lastTransitionTime: null }];
    const reading = read(certificate({ conditions }));
    assert.deepEqual([reading.completeness, reading.findings, reading.reportedAt], ['complete', [], undefined]);
  });
});

suite('Sealed Secrets', () => {
  const sealed = (status: Entry | undefined, generation = 2): RawDocument => ({
    apiVersion: 'bitnami.com/v1alpha1',
    kind: 'SealedSecret',
    metadata: { name: 'token', namespace: 'store', generation },
    spec: { encryptedData: { token: 'AgBy8hCi' } },
    status,
  });
  const synced = (status: string, message = '') => ({ conditions: [{ type: 'Synced', status, message }] });
  const causeOf = (message: string) => only(findings(sealed(synced('False', message)))).describe().details;

  test('a failure counts once the controller has looked at the newest spec, or does not say at what', () => {
    const failed = synced('False', 'no key could decrypt secret (token)');
    const at = (observedGeneration?: number) => read(sealed({ ...failed, observedGeneration }));
    assert.deepEqual([at(1).completeness, at(1).findings], ['not-yet', []]);
    for (const seen of [2, 3, undefined]) assert.equal(at(seen).findings.length, 1);
  });

  test('success over an older spec repairs nothing yet', () => {
    const of = (observedGeneration: number) => read(sealed({ ...synced('True'), observedGeneration })).completeness;
    assert.deepEqual([of(1), of(2)], ['not-yet', 'complete']);
    assert.equal(read(sealed(undefined)).completeness, 'not-yet');
    assert.equal(read(sealed(synced('Unknown'))).completeness, 'not-yet');
  });

  test('names of keys are kept, and no other word of a message', () => {
    assert.deepEqual(causeOf('no key could decrypt secret (b.key, a)'), { cause: 'no-key', keys: ['a', 'b.key'] });
    assert.deepEqual(causeOf('Resource "t" already exists and is not managed by SealedSecret'), {
      cause: 'not-managed',
      keys: [],
    });
    assert.deepEqual(causeOf('no key could decrypt secret (<script>hunter2)').keys, []);
    const template = sealed(synced('False', 'template: config:1: salt=hunter2'));
    assert.ok(!stored(template).includes('hunter2') && !stored(template).includes('AgBy8hCi'));
  });
});

suite('Kubescape operator', () => {
  const manifest = (labels: Entry, matches: unknown, annotations: Entry = {}, tool = 'grype'): RawDocument => ({
    apiVersion: 'spdx.softwarecomposition.kubescape.io/v1beta1',
    kind: 'VulnerabilityManifest',
    metadata: { name: 'any', namespace: 'kubescape', labels, annotations },
    spec: { metadata: { tool: { name: tool } }, payload: { matches } },
  });
  const match = { vulnerability: { id: 'CVE-2025-1', severity: 'High' }, artifact: { name: 'lib', version: '1' } };
  const workload = (kind: string, name: string, more: Entry = {}) => ({
    'kubescape.io/context': 'filtered',
    'kubescape.io/workload-kind': kind,
    'kubescape.io/workload-name': name,
    'kubescape.io/workload-namespace': 'store',
    ...more,
  });
  const image = (tag: string) => ({ 'kubescape.io/image-tag': tag });

  test('what a list shows is empty, and no clean scan', () => {
    assert.equal(read(manifest({}, null, {}, '')).completeness, 'not-yet');
    assert.equal(read(manifest({}, null)).completeness, 'complete');
    assert.equal(read(scan(null)).completeness, 'not-yet');
    assert.equal(read(scan({})).completeness, 'not-yet');
  });

  test('a scan that did not come to its end resolves nothing', () => {
    const of = (annotations: Entry, matches: unknown = []) => read(manifest({}, matches, annotations)).completeness;
    const status = (word: string) => ({ 'kubescape.io/status': word });
    assert.deepEqual(
      ['', 'ready', 'Completed'].map((word) => of(status(word))),
      ['complete', 'complete', 'complete'],
    );
    for (const word of ['incomplete', 'too-large', 'unauthorize', 'anything']) {
      assert.equal(of(status(word)), 'not-yet');
      assert.equal(of(status(word), [match]), 'partial');
    }
    assert.equal(of({ 'kubescape.io/completion': 'partial' }), 'partial');
  });

  test('kinds in small letters, and a workload that only its id names, are the same workload', () => {
    const id = { 'kubescape.io/wlid': 'wlid://cluster-x/namespace-store/deployment-my-shop' };
    const named = [
      manifest(workload('Deployment', 'my-shop'), [match]),
      manifest(
        workload('deployment', 'my-shop', {
          'kubescape.io/workload-api-group': 'apps',
          'kubescape.io/workload-api-version': 'v1',
        }),
        [match],
      ),
      manifest({ 'kubescape.io/context': 'filtered' }, [match], id),
      manifest(workload('replicaset', 'my-shop-5b7c9d6f84'), [match]),
    ];
    assert.equal(new Set(named.flatMap((document) => names(findings(document)))).size, 1);
    assert.equal(new Set(named.map((document) => keyHash(read(document)))).size, 1);
  });

  test('containers of one workload are told apart, images by their repository', () => {
    const container = (word: string) =>
      manifest(workload('Deployment', 'shop', { 'kubescape.io/workload-container-name': word }), [match]);
    assert.notDeepEqual(names(findings(container('a'))), names(findings(container('b'))));
    const [first, next, other] = ['acme/shop:1', 'acme/shop:2', 'acme/wiki:1'].map((tag) =>
      manifest({}, [match], image(tag)),
    );
    assert.deepEqual(eventsOf(next ?? {}), eventsOf(first ?? {}));
    assert.notDeepEqual(names(findings(other ?? {})), names(findings(first ?? {})));
    assert.equal(only(findings(first ?? {})).resource.kind, 'Image');
  });

  const scan = (controls: unknown): RawDocument => ({
    apiVersion: 'spdx.softwarecomposition.kubescape.io/v1beta1',
    kind: 'WorkloadConfigurationScan',
    metadata: { name: 'deployment-shop', namespace: 'store', labels: workload('Deployment', 'shop') },
    spec: { controls },
  });
  const control = (severity: Entry, status = 'failed') => ({ controlID: 'C-0001', severity, status: { status } });
  const severityOf = (severity: Entry) => only(findings(scan({ 'C-0001': control(severity) }))).severity;

  test('a factor goes before a word, and 0 is none', () => {
    assert.equal(severityOf({ severity: 'Low', scoreFactor: 9 }), 'critical');
    assert.equal(severityOf({ severity: 'High', scoreFactor: 0 }), 'high');
    assert.equal(severityOf({ scoreFactor: 0 }), 'unknown');
  });

  test('a control is the finding of the command line', () => {
    const cli = {
      summaryDetails: { controls: { 'C-0001': { scoreFactor: 6 } } },
      resources: [],
      results: [
        {
          resourceID: 'apps/v1/store/Deployment/shop',
          controls: [{ controlID: 'C-0001', status: { status: 'failed' } }],
        },
      ],
    };
    const operator = scan({
      'C-0001': control({ scoreFactor: 6 }),
      'C-0002': control({}, 'passed'),
      'C-0003': control({}, 'skipped'),
    });
    assert.deepEqual(names(findings(operator)), names(findings(cli)));
  });

  test('a runtime alert is the same in a body and in a logged line, whatever process it was', () => {
    const process = (pid: number) => ({ processTree: { pid, path: '/bin/echo', cmdline: `echo hunter2 ${pid}` } });
    const details = {
      containerName: 'web',
      workloadKind: 'Deployment',
      workloadName: 'shop',
      workloadNamespace: 'store',
    };
    const alert = { alertName: 'Unexpected process', severity: 10, timestamp: '2025-10-01T08:00:00Z' };
    const line = {
      BaseRuntimeMetadata: alert,
      RuleID: 'R0001',
      RuntimeK8sDetails: details,
      RuntimeProcessDetails: process(1),
    };
    const body = {
      kind: 'RuntimeAlerts',
      apiVersion: 'kubescape.io/v1',
      spec: { alerts: [{ ...alert, ruleID: 'R0001', ...details, ...process(2) }] },
    };
    assert.deepEqual(names(findings(line)), names(findings(body)));
    assert.equal(only(findings(line)).severity, 'critical');
    assert.equal(read(body).completeness, 'partial');
    for (const document of [line, body]) assert.ok(!stored(document).includes('hunter2'));
    const steps = [8, 5, 1, 0, 7].map((severity) => {
      return only(findings({ ...line, BaseRuntimeMetadata: { ...alert, severity } })).severity;
    });
    assert.deepEqual(steps, ['high', 'medium', 'low', 'unknown', 'medium']);
  });
});
