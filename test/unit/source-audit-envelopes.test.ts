/** The envelopes in which managed clouds and forwarders carry audit events, from their makers' documentation. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { isAuditEnvelope, unwrapAudit } from '../../src/sources/audit-unwrap.ts';
import type { Entry } from '../support/audit-events.ts';
import { auditBatch, auditEvent, findingsOf, readAudit, toldBy } from '../support/audit-events.ts';
import { nameOf } from '../support/reports.ts';

const event: Entry = { kind: 'Event', apiVersion: 'audit.k8s.io/v1', ...auditEvent({ name: 'gone' }) };
const line = JSON.stringify(event);
const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
const packed = (value: unknown): string => gzipSync(JSON.stringify(value)).toString('base64');
const cloudWatch = (logStream: string, ...messages: readonly unknown[]): Entry => ({
  messageType: 'DATA_MESSAGE',
  owner: '000000000000',
  logGroup: '/aws/eks/invented/cluster',
  logStream,
  logEvents: messages.map((message, index) => ({ id: `${index}`, timestamp: 1759305600250, message })),
});
const eks = 'kube-apiserver-audit-0123456789abcdef';
const azure = (category: string, log: unknown): Entry => ({ records: [{ category, properties: { log } }] });
const google = (more: Entry = {}, payload: Entry = {}): Entry => ({
  insertId: 'invented-1',
  timestamp: '2025-10-01T08:00:00.250Z',
  protoPayload: {
    serviceName: 'k8s.io',
    methodName: 'io.k8s.core.v1.namespaces.delete',
    resourceName: 'core/v1/namespaces/gone',
    authenticationInfo: { principalEmail: 'alice' },
    ...payload,
  },
  ...more,
});

suite('envelopes', () => {
  const envelopes: Readonly<Record<string, Entry>> = {
    'CloudWatch Logs': cloudWatch(eks, line),
    'CloudWatch Logs, to a function': { awslogs: { data: packed(cloudWatch(eks, line)) } },
    Firehose: { requestId: '1', timestamp: 1, records: [{ data: packed(cloudWatch(eks, line)) }] },
    'Firehose by Vector': { message: JSON.stringify(cloudWatch(eks, line)), source_type: 'aws_kinesis_firehose' },
    'Azure Event Hub': azure('kube-audit', `${line}\n`),
    'Azure Event Hub, changes only': azure('kube-audit-admin', line),
    'Azure by Vector': { message: JSON.stringify(azure('kube-audit', line)) },
    'Fluent Bit': { date: 1759305600.25, log: line },
    Vector: { message: line, source_type: 'file' },
    'Google Cloud': google(),
    'Google Cloud by Pub/Sub': { message: { data: base64(google()), messageId: '1' }, subscription: 's' },
    'Google Cloud by Vector': { message: JSON.stringify(google()), source_type: 'gcp_pubsub' },
  };

  for (const [name, envelope] of Object.entries(envelopes)) {
    test(`${name} carries the event that it is without`, () => {
      assert.ok(isAuditEnvelope(envelope));
      const [finding, ...more] = findingsOf(envelope);
      assert.ok(finding !== undefined && more.length === 0);
      const [bare] = findingsOf(event);
      assert.equal(nameOf(finding), bare && nameOf(bare));
      assert.deepEqual(readAudit(envelope)[0]?.reportKey, readAudit(event)[0]?.reportKey);
    });
  }

  test('documents that merely look alike are none', () => {
    const others: readonly Entry[] = [
      {},
      { records: [] },
      { records: [{ category: 'kube-audit' }] },
      { message: 'audit.k8s.io/v1' },
      { message: '{"not": "an audit event"}' },
      { message: { data: base64(event) } },
      { log: 7 },
      { protoPayload: { serviceName: 'compute.googleapis.com' } },
      { messageType: 'DATA_MESSAGE' },
      { awslogs: {} },
    ];
    for (const other of others) assert.ok(!isAuditEnvelope(other), JSON.stringify(other));
  });

  test('other logs that come along are left out without a word', () => {
    const others: readonly Entry[] = [
      cloudWatch('authenticator-0123', 'time="2025-10-01T08:00:00Z" level=info', '{"level":"info"}'),
      { ...cloudWatch('', 'Checking health of destination'), messageType: 'CONTROL_MESSAGE' },
      {
        records: [
          { category: 'guard', properties: { log: 'level=info' } },
          { category: 'kube-scheduler', properties: { log: '{}' } },
        ],
      },
      { message: { data: base64({ insertId: '1', textPayload: 'x' }) }, subscription: 's' },
    ];
    for (const other of others) {
      assert.deepEqual(readAudit(other), []);
      const { events, rejected } = unwrapAudit(other);
      assert.deepEqual([events, rejected], [[], []]);
    }
    // A stream of another name may be one of audit events all the same.
    assert.equal(findingsOf(cloudWatch('my-own-stream', 'x', line)).length, 1);
  });

  test('what should be an audit event and is none is told with its place', () => {
    const places = (envelope: unknown) =>
      unwrapAudit(envelope).rejected.map(({ reason, place }) => `${reason} ${place}`);
    assert.deepEqual(places(cloudWatch(eks, '{', line, null)), [
      'malformed .logEvents[0].message',
      'malformed .logEvents[2].message',
    ]);
    assert.deepEqual(places(azure('kube-audit', undefined)), ['malformed .records[0].properties.log']);
    assert.deepEqual(places({ log: `${line}x` }), ['malformed .log']);
    assert.deepEqual(places({ awslogs: { data: Buffer.from([0x1f, 0x8b, 1]).toString('base64') } }), [
      'too-large .awslogs.data',
    ]);
    assert.deepEqual(places({ items: 7, kind: 'EventList', apiVersion: 'audit.k8s.io/v1' }), ['malformed .items']);
    const [reading] = readAudit(cloudWatch(eks, '{', line));
    assert.deepEqual([reading?.findings.length, reading?.rejected.length], [1, 1]);
  });

  test('a batch, a list and an event in an envelope', () => {
    const batch = auditBatch([event, event]);
    for (const value of [
      batch,
      [event, event],
      [[event], event],
      cloudWatch(eks, line, line),
      { log: JSON.stringify(batch) },
    ]) {
      assert.equal(unwrapAudit(value).events.length, 2);
    }
  });

  test('depth and size are bounded, whatever is packed into what', () => {
    const limits = { bytes: 2 ** 16, containers: 1_000, members: 10_000, depth: 6 };
    const refused = (value: unknown) => unwrapAudit(value, limits).rejected.map(({ reason }) => reason);
    const wrap = (value: unknown, times: number): unknown =>
      times === 0 ? value : wrap({ message: { data: base64(value) }, subscription: 's' }, times - 1);
    assert.deepEqual(refused(wrap(event, 6)), []);
    assert.deepEqual(refused(wrap(event, 7)), ['too-large']);
    assert.deepEqual(refused([[[[[[[[event]]]]]]]]), ['too-large']);
    assert.deepEqual(
      refused({ log: `${' '.repeat(8)}{"apiVersion":"audit.k8s.io/v1","x":"${'x'.repeat(2 ** 16)}"}` }),
      ['too-large'],
    );
    // A bomb: a few kilobytes that become megabytes.
    const bomb = gzipSync(Buffer.alloc(2 ** 24, 0x20)).toString('base64');
    assert.deepEqual(refused({ awslogs: { data: bomb } }), ['too-large']);
    assert.deepEqual(refused({ log: `{"apiVersion":"audit.k8s.io/v1","a":${'['.repeat(100)}${']'.repeat(100)}}` }), [
      'too-large',
    ]);
    assert.deepEqual(refused({ log: `{"apiVersion":"audit.k8s.io/v1","a":[${'{},'.repeat(2_000)}{}]}` }), [
      'too-large',
    ]);
  });
});

suite("Google's form", () => {
  const told = (resourceName: string, methodName: string, payload: Entry = {}) =>
    findingsOf(google({}, { resourceName, methodName, ...payload }));

  test('the object by its name, of namespaces, of the cluster, with subresources', () => {
    const [role] = told(
      'rbac.authorization.k8s.io/v1/namespaces/store/roles/r',
      'io.k8s.authorization.rbac.v1.roles.delete',
    );
    assert.deepEqual(role?.resource, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      name: 'r',
      namespace: 'store',
    });
    const [exec] = told('core/v1/namespaces/store/pods/ledger-0/exec', 'io.k8s.core.v1.pods.exec.create');
    assert.deepEqual([exec?.rule, exec?.resource.name], ['exec', 'ledger-0']);
    assert.deepEqual(told('core/v1/namespaces/store/finalize', 'io.k8s.core.v1.namespaces.finalize.update'), []);
    const [webhook] = told(
      'admissionregistration.k8s.io/v1/validatingwebhookconfigurations/guard',
      'io.k8s.admissionregistration.v1.validatingwebhookconfigurations.patch',
    );
    assert.equal(webhook?.rule, 'admission-write');
  });

  test('codes of gRPC are those of HTTP', () => {
    const rule = (code: number | undefined) =>
      told('core/v1/namespaces/store/secrets/a', 'io.k8s.core.v1.secrets.get', { status: { code } })[0]?.rule;
    assert.deepEqual([undefined, 0, 7, 16, 5, 13].map(rule), [
      ...['secret-read', 'secret-read', 'sensitive-denied', 'unauthenticated'],
      ...[undefined, undefined],
    ]);
  });

  test('the audit id, where the operation has it, is that of the event', () => {
    const [finding] = findingsOf(google({ operation: { id: 'a-1' } }));
    assert.ok(finding?.nature.kind === 'signal');
    assert.deepEqual(finding.nature.occurrenceIds, ['a-1']);
  });

  test('an entry without a method is told as incomplete', () => {
    const [reading] = readAudit(google({}, { methodName: undefined }));
    assert.deepEqual(
      reading?.rejected.map(({ place }) => place),
      ['.protoPayload.verb'],
    );
  });
});

test('an event by two roads is one', () => {
  assert.deepEqual(toldBy({ name: 'gone' }), ['namespace-deletion']);
  const ids = [event, cloudWatch(eks, line)].map((document) => {
    const [finding] = findingsOf(document);
    return finding?.nature.kind === 'signal' ? finding.nature.occurrenceIds : undefined;
  });
  assert.deepEqual(ids[0], ids[1]);
});
