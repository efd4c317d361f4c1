/** What is read out of the bodies of audit events, and that nothing else of them comes out: Pods, rights, sessions. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { buildEvent } from '../../src/pipeline/event-builder.ts';
import { identify, OwnerResolver } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import type { Finding } from '../../src/sources/source.ts';
import type { Asked, Entry } from '../support/audit-events.ts';
import { auditBatch, auditEvent, findingsOf, readAudit } from '../support/audit-events.ts';
import { nameOf, readAt } from '../support/reports.ts';

const violations = 'pod-security.kubernetes.io/audit-violations';

function privileged(asked: Asked): Finding | undefined {
  const { more, ...rest } = asked;
  const event = auditEvent({
    verb: 'create',
    resource: 'pods',
    namespace: 'store',
    name: 'shop',
    code: 201,
    ...rest,
    more: more ?? {},
  });
  return findingsOf(event).find(({ eventType }) => eventType === 'privileged-pod-creation');
}

const privilegesOf = (asked: Asked): unknown => privileged(asked)?.describe().details['privileges'] ?? [];
const bySpec = (spec: Entry): unknown => privilegesOf({ more: { requestObject: { spec } } });
const byViolations = (text: string): unknown => privilegesOf({ more: { annotations: { [violations]: text } } });
const container = (securityContext: Entry): Entry => ({ name: 'web', securityContext });

suite('privileged Pods', () => {
  test('by what the admission says, of either standard', () => {
    const said: readonly (readonly [string, readonly string[]])[] = [
      [
        'would violate PodSecurity "baseline:latest": privileged (container "a" must not set securityContext.privileged=true)',
        ['privileged'],
      ],
      [
        'would violate PodSecurity "baseline:v1.36": host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)',
        ['host-ipc', 'host-network', 'host-pid'],
      ],
      [
        'would violate PodSecurity "baseline:latest": hostPath volumes (volumes "a", "b"), hostPort (container "a" uses hostPort 80)',
        ['host-path'],
      ],
      [
        'would violate PodSecurity "restricted:latest": restricted volume types (volume "a" uses restricted volume type "hostPath")',
        ['host-path'],
      ],
      [
        'would violate PodSecurity "restricted:latest": restricted volume types (volumes "a", "b" use restricted volume types "gitRepo", "hostPath")',
        ['host-path'],
      ],
      [
        'would violate PodSecurity "baseline:latest": non-default capabilities (containers "a", "b" must not include "NET_ADMIN", "SYS_ADMIN" in securityContext.capabilities.add)',
        ['capability-NET_ADMIN', 'capability-SYS_ADMIN'],
      ],
      [
        'would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]; container "a" must not include "CHOWN" in securityContext.capabilities.add), runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true), seccompProfile (pod must set it)',
        [],
      ],
      [
        'would violate PodSecurity "restricted:latest": hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)',
        ['host-process'],
      ],
    ];
    for (const [text, words] of said) assert.deepEqual(byViolations(text), words, text);
    // What it says goes before what the object says.
    const annotations = { [violations]: 'would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)' };
    assert.deepEqual(privilegesOf({ more: { annotations, requestObject: { spec: { hostNetwork: true } } } }), [
      'host-pid',
    ]);
    for (const hostile of ['"'.repeat(2 ** 18), 'must not include "A", '.repeat(2 ** 14)]) byViolations(hostile);
  });

  test('by the object: all kinds of containers, namespaces, files, capabilities', () => {
    assert.deepEqual(bySpec({ containers: [container({ privileged: true })] }), ['privileged']);
    assert.deepEqual(bySpec({ initContainers: [container({ privileged: true })] }), ['privileged']);
    assert.deepEqual(bySpec({ ephemeralContainers: [container({ privileged: true })] }), ['privileged']);
    assert.deepEqual(bySpec({ hostNetwork: true, hostPID: true, hostIPC: true }), [
      'host-ipc',
      'host-network',
      'host-pid',
    ]);
    assert.deepEqual(
      bySpec({
        volumes: [
          { name: 'a', emptyDir: {} },
          { name: 'b', hostPath: { path: '/' } },
        ],
      }),
      ['host-path'],
    );
    assert.deepEqual(bySpec({ securityContext: { windowsOptions: { hostProcess: true } } }), ['host-process']);
    const add = ['CHOWN', 'NET_BIND_SERVICE', 'sys_ptrace', 'CAP_BPF', 'ALL', '../../x', 7];
    assert.deepEqual(bySpec({ containers: [container({ capabilities: { add } })] }), [
      ...['capability-ALL', 'capability-BPF', 'capability-SYS_PTRACE', 'capability-other'],
    ]);
    assert.deepEqual(
      bySpec({ containers: [container({ privileged: false }), { name: 'x' }, null], hostNetwork: 'true' }),
      [],
    );
  });

  test('of workloads by their template, also a Job made by a CronJob', () => {
    const spec = { hostPID: true };
    const of = (resource: string, object: Entry) => privilegesOf({ resource, more: { requestObject: object } });
    assert.deepEqual(of('deployments.apps', { spec: { template: { spec } } }), ['host-pid']);
    assert.deepEqual(of('cronjobs.batch', { spec: { jobTemplate: { spec: { template: { spec } } } } }), ['host-pid']);
    assert.deepEqual(of('podtemplates', { template: { spec } }), ['host-pid']);
    assert.deepEqual(of('configmaps', { spec }), []);
  });

  test('is one for a workload, whoever wrote it: the Deployment, its Pods, the next rollout', () => {
    const spec = { hostPID: true };
    const pod = (replicaSet: string, hash: string): Asked => ({
      name: undefined as never,
      user: 'system:serviceaccount:kube-system:replicaset-controller',
      more: {
        requestObject: {
          metadata: {
            generateName: `${replicaSet}-`,
            labels: { 'pod-template-hash': hash },
            ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: replicaSet, controller: true }],
          },
          spec,
        },
      },
    });
    const deployment: Asked = {
      resource: 'deployments.apps',
      more: { requestObject: { spec: { template: { spec } } } },
    };
    const names = [pod('shop-5b7c9d6f84', '5b7c9d6f84'), pod('shop-7d9f8b6c54', '7d9f8b6c54'), deployment].map(
      (one) => {
        const found = privileged(one);
        assert.ok(found !== undefined);
        return nameOf(found);
      },
    );
    assert.equal(new Set(names).size, 1);
    // ReplicaSets are the controllers' business.
    const user = 'system:serviceaccount:kube-system:deployment-controller';
    assert.equal(privileged({ ...deployment, resource: 'replicasets.apps', user }), undefined);
  });

  test('a name that the server made up stands in its answer only', () => {
    const spec = { hostPID: true };
    const made = privileged({
      name: undefined as never,
      more: { requestObject: { spec }, responseObject: { metadata: { name: 'shop-x2v7q' }, spec } },
    });
    assert.deepEqual(made?.resource, { apiVersion: 'v1', kind: 'Pod', name: 'shop-x2v7q', namespace: 'store' });
    const unnamed = privileged({ name: undefined as never, more: { requestObject: { spec } } });
    assert.deepEqual(unnamed?.resource, { apiVersion: 'v1', kind: 'Namespace', name: 'store' });
  });

  test('what the log left out for its size is told as that', () => {
    for (const more of [
      { annotations: { 'audit.k8s.io/truncated': 'true' } },
      { requestObject: 'skipped-too-big-size-object' },
    ]) {
      assert.deepEqual(privilegesOf({ more }), ['not-recorded']);
    }
    assert.deepEqual(privilegesOf({}), []);
  });
});

suite('rights', () => {
  const rbac = 'rbac.authorization.k8s.io';
  const written = (object: Entry, resource = 'clusterroles'): Finding => {
    const event = auditEvent({
      verb: 'create',
      resource: `${resource}.${rbac}`,
      name: 'x',
      code: 201,
      more: { requestObject: object },
    });
    const [found] = findingsOf(event);
    assert.ok(found !== undefined);
    return found;
  };
  const grants = (object: Entry): unknown => [written(object).severity, written(object).describe().details['grants']];
  const rule = (verbs: readonly string[], resources: readonly string[] = ['roles']): Entry => ({
    rules: [{ verbs, resources }],
  });

  test('what gives more than it says', () => {
    assert.deepEqual(grants({ roleRef: { kind: 'ClusterRole', name: 'cluster-admin' } }), [
      'critical',
      ['cluster-admin'],
    ]);
    assert.deepEqual(
      grants({ roleRef: { name: 'view' }, subjects: [{ kind: 'Group', name: 'system:unauthenticated' }] }),
      ['critical', ['everyone']],
    );
    assert.deepEqual(grants(rule(['*'], ['*'])), ['critical', ['everything']]);
    assert.deepEqual(grants(rule(['get', 'escalate', 'bind', 'impersonate'])), [
      'critical',
      ['bind', 'escalate', 'impersonate'],
    ]);
    for (const plain of [
      rule(['*']),
      rule(['get'], ['*']),
      { rules: null },
      {},
      { roleRef: { name: 'view' }, subjects: [] },
    ]) {
      assert.deepEqual(grants(plain), ['high', []]);
    }
  });

  test('a binding names its role in the event and its subjects as seen first', () => {
    const subjects = [
      { kind: 'User', name: 'bob' },
      { kind: 'ServiceAccount', namespace: 'store', name: 'shop' },
    ];
    const { details, observedOn } = written(
      { roleRef: { kind: 'Role', name: 'edit' }, subjects },
      'rolebindings',
    ).describe();
    assert.equal(details['role'], 'Role/edit');
    assert.deepEqual(observedOn?.['subjects'], ['User/bob', 'ServiceAccount/store/shop']);
  });
});

suite('nothing else of a request reaches an event', () => {
  const secret = 'hunter2';
  /** Bodies of any shape that hold the secret in all of their texts. */
  const hiding = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(secret, `--password=${secret}`, Buffer.from(secret).toString('base64')),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(
        fc.constantFrom(
          'metadata',
          'spec',
          'data',
          'stringData',
          'containers',
          'env',
          'command',
          'securityContext',
          'rules',
          'verbs',
          'template',
          'status',
          'token',
          'message',
          'annotations',
        ),
        tie('value'),
        { maxKeys: 4 },
      ),
    ),
  })).value;
  const asked = fc.record({
    verb: fc.constantFrom('create', 'update', 'patch', 'delete', 'get'),
    resource: fc.constantFrom(
      'secrets',
      'pods',
      'pods/exec',
      'pods/ephemeralcontainers',
      'deployments.apps',
      'serviceaccounts/token',
      'clusterroles.rbac.authorization.k8s.io',
      'clusterrolebindings.rbac.authorization.k8s.io',
      'mutatingwebhookconfigurations.admissionregistration.k8s.io',
    ),
    code: fc.constantFrom(101, 200, 201, 400, 403),
  });

  test('whatever is in its bodies, its query, its answer', () => {
    let told = 0;
    const property = fc.property(asked, hiding, hiding, (request, requestObject, responseObject) => {
      const event = auditEvent({
        ...request,
        namespace: 'store',
        name: 'shop',
        more: {
          requestObject,
          responseObject,
          responseStatus: { code: request.code, message: secret, details: { causes: [{ message: secret }] } },
          requestURI: `/api/v1/x?command=${secret}&container=web&token=${secret}`,
          impersonatedUser: { username: 'bob', extra: { token: [secret] } },
          user: { username: 'alice', extra: { token: [secret] } },
        },
      });
      for (const { findings, origin, rejected } of readAudit(auditBatch([event]))) {
        assert.deepEqual(rejected, []);
        for (const finding of findings) {
          told += 1;
          const owners = new OwnerResolver(noPods);
          const parts = {
            finding,
            identity: identify(finding, owners),
            resource: finding.resource,
            reportKey: '',
            origin,
          };
          const text = JSON.stringify(buildEvent(parts, { namespace: 'zen-system', detectedAt: readAt }));
          assert.ok(!text.includes(secret) && !text.includes(Buffer.from(secret).toString('base64')), text);
          assert.ok(!JSON.stringify(finding.identity()).includes(secret));
        }
      }
    });
    fc.assert(property, { seed: 20_260_101, numRuns: 400 });
    assert.ok(told > 400, `only ${told} findings`);
  });
});
