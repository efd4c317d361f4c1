/** One test per trap of the API server's audit log, judged by the default rules. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { audit } from '../../src/sources/audit.ts';
import { controlPlaneUsers } from '../../src/sources/audit-default-exclusions.ts';
import { defaultAuditRules } from '../../src/sources/audit-default-rules.ts';
import type { Finding } from '../../src/sources/source.ts';
import { MalformedReport } from '../../src/sources/source.ts';
import type { Asked } from '../support/audit-events.ts';
import { auditBatch, auditEvent, auditFormats, findingsOf, readAudit, toldBy } from '../support/audit-events.ts';
import { eventsOf } from '../support/format-cases.ts';
import { nameOf, readAt } from '../support/reports.ts';

function only<T>(items: readonly T[]): T {
  const [item] = items;
  assert.ok(item !== undefined && items.length === 1, `expected one, found ${items.length}`);
  return item;
}

const finding = (asked: Asked): Finding => only(findingsOf(auditEvent(asked)));
const eventName = (asked: Asked): string => nameOf(finding(asked));
const subject = (asked: Asked): string => {
  const { kind, namespace, name } = finding(asked).resource;
  return [kind, namespace, name].filter((word) => word !== undefined).join('/');
};
const rbac = 'rbac.authorization.k8s.io';
const exec: Asked = {
  verb: 'create',
  resource: 'pods/exec',
  namespace: 'store',
  name: 'shop-5b7c9d6f84-x2v7q',
  code: 101,
};

suite('which audit events count', () => {
  test('the end of a request, once: its stages have one id', () => {
    assert.deepEqual(toldBy({ stage: 'RequestReceived', name: 'gone' }), []);
    assert.deepEqual(toldBy({ stage: 'ResponseStarted', name: 'gone' }), []);
    const { nature } = finding({ name: 'gone', id: 'a-1' });
    assert.ok(nature.kind === 'signal');
    assert.deepEqual([nature.occurrences, nature.occurrenceIds], [1, ['a-1']]);
    assert.equal(nature.at.toISOString(), '2025-10-01T08:00:00.250Z');
  });

  test('a session when it begins, and by either protocol it is the same one', () => {
    const started = eventName({ ...exec, stage: 'ResponseStarted' });
    assert.equal(eventName(exec), started);
    assert.equal(eventName({ ...exec, verb: 'get', stage: 'ResponseStarted' }), started);
    assert.equal(eventName({ ...exec, name: 'shop-7d9f8b6c54-b4n8w' }), started);
    assert.deepEqual(toldBy({ ...exec, stage: 'ResponseStarted', code: 200 }), []);
    for (const [sub, rule] of [
      ['attach', 'attach'],
      ['portforward', 'port-forward'],
    ]) {
      assert.deepEqual(toldBy({ ...exec, resource: `pods/${sub}`, stage: 'ResponseStarted' }), [rule]);
    }
    assert.deepEqual(toldBy({ verb: 'watch', resource: 'configmaps', stage: 'ResponseStarted' }), []);
  });

  test('what failed is not what succeeded', () => {
    for (const code of [404, 409, 500]) assert.deepEqual(toldBy({ name: 'gone', code }), []);
    assert.deepEqual(toldBy({ name: 'gone', code: 403 }), ['denied']);
    assert.deepEqual(toldBy({ name: 'gone', code: 401 }), ['unauthenticated']);
    assert.deepEqual(toldBy({ ...exec, code: 400 }), ['session-failed']);
    assert.deepEqual(toldBy({ ...exec, code: 403 }), ['sensitive-denied']);
    assert.notEqual(eventName({ ...exec, code: 400 }), eventName(exec));
    assert.deepEqual(toldBy({ stage: 'Panic', name: 'gone', code: 500 }), []);
  });

  test('a dry run changes nothing; one that is denied is still denied', () => {
    const more = { requestURI: '/api/v1/namespaces/gone?dryRun=All' };
    assert.deepEqual(toldBy({ name: 'gone', more }), []);
    assert.deepEqual(toldBy({ name: 'gone', code: 403, more }), ['denied']);
  });

  test('one event, without a type, with an old one, in a batch', () => {
    const event = auditEvent({ name: 'gone' });
    const forms = [
      event,
      { kind: 'Event', ...event },
      { kind: 'Event', apiVersion: 'audit.k8s.io/v1', ...event },
      { kind: 'Event', apiVersion: 'audit.k8s.io/v1beta1', ...event },
      auditBatch([event]),
    ];
    const seen = forms.map((form) => only(readAudit(form)));
    for (const { findings, reportKey } of seen) {
      assert.equal(nameOf(only(findings)), eventName({ name: 'gone' }));
      assert.deepEqual(reportKey, seen[0]?.reportKey);
    }
    // What Kubernetes calls an Event, and what is an event of nobody.
    for (const other of [
      { kind: 'Event', apiVersion: 'v1' },
      { kind: 'Event', apiVersion: 'events.k8s.io/v1', stage: '', auditID: '' },
      { stage: 'x' },
    ]) {
      assert.ok(auditFormats().every((format) => !format.recognise(other)));
    }
  });

  test('a bad item of a batch costs only itself', () => {
    const bad = [
      null,
      7,
      'x',
      [],
      {},
      { stage: 7 },
      { stage: 'ResponseComplete' },
      { ...auditEvent(), responseStatus: null },
    ];
    const reading = only(readAudit(auditBatch([...bad, auditEvent({ name: 'gone' })])));
    assert.equal(reading.findings.length, 1);
    assert.deepEqual(
      reading.rejected.map(({ place }) => place),
      [
        ...['.items[0]', '.items[1]', '.items[2]', '.items[3]', '.items[4].stage', '.items[5].stage'],
        ...['.items[6].verb', '.items[7].responseStatus.code'],
      ],
    );
    assert.equal(reading.completeness, 'partial');
    for (const none of [null, undefined, []]) assert.deepEqual(readAudit(auditBatch(none)), []);
    assert.throws(() => readAudit(auditBatch('x')), MalformedReport);
  });

  test('without an id it counts all the same', () => {
    const { nature } = finding({ name: 'gone', more: { auditID: undefined, stageTimestamp: '2099-01-01T00:00:00Z' } });
    assert.ok(nature.kind === 'signal' && nature.occurrenceIds === undefined);
    assert.equal(nature.at, readAt);
  });
});

suite('routine is none', () => {
  const risky: readonly Asked[] = [
    { verb: 'delete', resource: `rolebindings.${rbac}`, namespace: 'gone', name: 'x' },
    { verb: 'list', resource: 'secrets' },
    { verb: 'update', resource: `clusterroles.${rbac}`, name: 'admin' },
    { verb: 'create', resource: 'serviceaccounts/token', namespace: 'store', name: 'shop' },
    { verb: 'delete', resource: 'namespaces', name: 'gone' },
    { verb: 'get', resource: 'nodes', code: 403 },
  ];

  test('of the control plane, its controllers, kubelets and zen-watcher itself', () => {
    const users = [...controlPlaneUsers, 'system:node:node-1', 'system:serviceaccount:zen-system:zen-watcher'];
    for (const asked of risky) {
      assert.equal(toldBy({ ...asked, user: 'alice' }).length, 1);
      for (const user of users) assert.deepEqual(toldBy({ ...asked, user }), [], `${user} ${asked.resource}`);
      // Names that merely begin or end alike.
      for (const user of ['system:nodes:node-1', 'xsystem:node:a', 'system:serviceaccount:store:zen-watcher']) {
        assert.equal(toldBy({ ...asked, user }).length, 1, user);
      }
    }
  });

  test('leases, events, reviews and our own events, whoever it is', () => {
    const resources = [
      ...[
        'leases.coordination.k8s.io',
        'events',
        'events.events.k8s.io',
        'endpoints',
        'endpointslices.discovery.k8s.io',
      ],
      ...['tokenreviews.authentication.k8s.io', 'subjectaccessreviews.authorization.k8s.io'],
      ...['selfsubjectrulesreviews.authorization.k8s.io', 'zenagentevents.zen.kube-zen.io'],
    ];
    for (const resource of resources) {
      for (const verb of ['create', 'update', 'delete', 'get']) {
        for (const code of [200, 403]) assert.deepEqual(toldBy({ resource, verb, code }), [], resource);
      }
    }
  });

  test('probes and discovery without credentials; other paths are told', () => {
    const asked = (requestURI: string, code = 200): Asked => ({
      verb: 'get',
      user: 'system:anonymous',
      code,
      more: { requestURI, objectRef: undefined },
    });
    for (const path of ['/livez?verbose', '/readyz', '/healthz', '/version', '/version?timeout=32s', '/api', '/apis']) {
      assert.deepEqual(toldBy(asked(path)), [], path);
    }
    assert.deepEqual(toldBy(asked('/metrics')), ['anonymous-access']);
    assert.deepEqual(toldBy(asked('/admin.php', 403)), ['anonymous-denied']);
    assert.deepEqual(
      findingsOf(auditEvent(asked('/admin.php?a=1', 403)))[0]?.describe().observedOn?.['path'],
      '/admin.php',
    );
  });

  test('Secrets read by those who are there for it', () => {
    const read: Asked = { verb: 'get', resource: 'secrets', namespace: 'store', name: 'a' };
    assert.deepEqual(toldBy({ ...read, user: 'system:serviceaccount:kube-system:any' }), []);
    assert.deepEqual(toldBy({ ...read, user: 'system:serviceaccount:ops:reader' }), ['secret-read']);
    const settings = { secretReaders: ['system:serviceaccount:ops:*'] };
    assert.deepEqual(toldBy({ ...read, user: 'system:serviceaccount:ops:reader' }, settings), []);
    assert.deepEqual(toldBy({ ...read, verb: 'delete', user: 'system:serviceaccount:ops:reader' }, settings), [
      'secret-write',
    ]);
  });
});

suite('what is told, and of whom', () => {
  test('every default rule tells of something in the fixture, with its own words', async () => {
    const { default: many } = await import('../fixtures/audit-event/many.json', { with: { type: 'json' } });
    const told = new Map(findingsOf(many).map((one) => [one.rule, one]));
    const untold = defaultAuditRules.map(({ name }) => name).filter((name) => !told.has(name));
    assert.deepEqual(untold, [
      ...['tracing-policy-deletion', 'account-or-quota-deletion', 'privileged-pod-kube-system', 'admission-denied'],
    ]);
    for (const { name, eventType, severity } of defaultAuditRules) {
      const one = told.get(name);
      if (one !== undefined) assert.deepEqual([one.eventType, one.severity], [eventType, severity], name);
    }
  });

  test('the rest of them', () => {
    assert.deepEqual(toldBy({ resource: 'tracingpolicies.cilium.io', name: 'x' }), ['tracing-policy-deletion']);
    assert.deepEqual(toldBy({ resource: 'ciliumnetworkpolicies.cilium.io', name: 'x' }), ['network-policy-deletion']);
    assert.deepEqual(toldBy({ resource: 'serviceaccounts', name: 'x' }), ['account-or-quota-deletion']);
    assert.deepEqual(toldBy({ resource: 'validatingadmissionpolicies.admissionregistration.k8s.io', code: 403 }), [
      'admission-denied',
    ]);
  });

  test('reads of Secrets are one for a subject and namespace, whatever was read and how', () => {
    const read: Asked = { verb: 'get', resource: 'secrets', namespace: 'store', name: 'a' };
    assert.equal(eventName({ ...read, name: 'b' }), eventName(read));
    assert.equal(eventName({ ...read, verb: 'list', name: undefined as never }), eventName(read));
    assert.equal(subject(read), 'Namespace/store');
    assert.notEqual(eventName({ ...read, namespace: 'other' }), eventName(read));
    assert.notEqual(eventName({ ...read, user: 'bob' }), eventName(read));
    assert.equal(subject({ verb: 'list', resource: 'secrets' }), 'Cluster/cluster');
  });

  test('impersonation besides what was done; a service account is an object of the cluster', () => {
    const more = { impersonatedUser: { username: 'bob' } };
    assert.deepEqual(toldBy({ name: 'gone', more }), ['namespace-deletion', 'impersonation']);
    assert.deepEqual(toldBy({ verb: 'list', resource: 'pods', more }), ['impersonation']);
    assert.deepEqual(toldBy({ verb: 'list', resource: 'pods', code: 403, more }), ['impersonation', 'denied']);
    const asked: Asked = { verb: 'list', resource: 'pods', user: 'system:serviceaccount:ci:bot', more };
    assert.equal(subject(asked), 'ServiceAccount/ci/bot');
    const [deletion] = findingsOf(auditEvent({ name: 'gone', more }));
    assert.equal(deletion?.describe().details['impersonatedUser'], 'bob');
    assert.ok(deletion !== undefined && nameOf(deletion) !== eventName({ name: 'gone' }));
  });

  test('denied is one for what was tried, not for each name; anonymous is not told twice', () => {
    const denied: Asked = { verb: 'get', resource: 'secrets', namespace: 'store', name: 'a', code: 403 };
    assert.equal(eventName({ ...denied, name: 'b' }), eventName(denied));
    assert.notEqual(eventName({ ...denied, verb: 'delete' }), eventName(denied));
    assert.deepEqual(toldBy({ ...denied, user: 'system:anonymous' }), ['anonymous-denied']);
    const escalation: Asked = { verb: 'create', resource: `roles.${rbac}`, namespace: 'store', code: 403 };
    assert.equal(finding(escalation).severity, 'high');
    assert.equal(finding({ ...escalation, verb: 'get' }).severity, 'low');
    assert.notEqual(eventName(escalation), eventName({ ...escalation, verb: 'get' }));
  });

  test('one identity has one severity, one text and one set of details, whatever else differs', () => {
    const asked: Asked[] = ['get', 'list', 'create', 'update', 'patch', 'delete'].flatMap((verb) =>
      ['pods', 'pods/exec', 'secrets', `roles.${rbac}`, 'nodes', 'networkpolicies.networking.k8s.io'].flatMap(
        (resource) =>
          [101, 200, 400, 401, 403].flatMap((code) =>
            ['alice', 'system:anonymous'].map(
              (user): Asked => ({ verb, resource, code, user, namespace: 'store', name: 'x' }),
            ),
          ),
      ),
    );
    const seen = new Map<string, string>();
    for (const one of asked.flatMap((each) => findingsOf(auditEvent(each)))) {
      const { observedOn: _observed, ...text } = one.describe();
      const content = JSON.stringify([one.severity, one.rule, text]);
      const name = nameOf(one);
      assert.equal(seen.get(name) ?? content, content);
      seen.set(name, content);
    }
    assert.ok(seen.size > 50);
  });

  test('the kind of a plural; a namespace is in none; a collection is its namespace', () => {
    assert.equal(subject({ name: 'gone', namespace: 'gone' }), 'Namespace/gone');
    assert.equal(subject({ resource: `rolebindings.${rbac}`, namespace: 'store', name: 'x' }), 'RoleBinding/store/x');
    assert.equal(subject({ resource: 'clusterpolicies.kyverno.io', name: 'x' }), 'clusterpolicies/x');
    assert.equal(subject({ verb: 'deletecollection', resource: 'secrets', namespace: 'store' }), 'Namespace/store');
    assert.equal(finding({ resource: `roles.${rbac}`, namespace: 'a', name: 'x' }).resource.apiVersion, `${rbac}/v1`);
  });

  test('all its types are declared signals', () => {
    for (const { eventType } of defaultAuditRules) {
      assert.ok(audit.eventTypes.some((declared) => declared.eventType === eventType && declared.nature === 'signal'));
    }
    assert.deepEqual(audit.webhook, { path: '/audit/webhook', acknowledge: 'batch' });
  });

  test('what happens again changes nothing that is stored', () => {
    const again = {
      ...exec,
      id: 'b-2',
      verb: 'get',
      name: 'shop-7d9f8b6c54-b4n8w',
      more: { sourceIPs: ['192.0.2.9'], userAgent: 'x' },
    };
    assert.deepEqual(eventsOf(auditEvent(again)), eventsOf(auditEvent(exec)));
  });
});
