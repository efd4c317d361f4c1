/** Owners of what findings are about, and the identities that rest on them. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { identify, OwnerResolver, reportKeyHash } from '../../src/pipeline/identity.ts';
import { collapseOwner, noPods, type PodLookup } from '../../src/pipeline/owner.ts';
import type { Finding, IdentityPart, ResourceReference } from '../../src/sources/source.ts';
import { finding } from '../support/findings.ts';

const replicaSet = (name: string, hash?: string): ResourceReference => ({
  kind: 'ReplicaSet',
  name,
  namespace: 'shop',
  ...(hash === undefined ? {} : { podTemplateHash: hash }),
});
const pod = (name: string, hash?: string) => ({ ...replicaSet(name, hash), kind: 'Pod' });
const job = (name: string) => ({ ...replicaSet(name), kind: 'Job' });

function short({ kind, name }: ResourceReference): string {
  return `${kind}/${name}`;
}

/** Proven by the reference alone: the same with and without a cluster. */
const proven: readonly [ResourceReference, string, why?: string][] = [
  [replicaSet('web-5d59d67564', '5d59d67564'), 'Deployment/web'],
  [replicaSet('web-xyz', 'xyz'), 'Deployment/web', 'the label proves it whatever it looks like'],
  [replicaSet('web-5d59d67564'), 'Deployment/web', 'the pattern does'],
  [replicaSet('web-965685897'), 'Deployment/web', 'a hash of digits only'],
  [replicaSet('web-5d59d'), 'ReplicaSet/web-5d59d', 'too short'],
  [replicaSet('web-frontend'), 'ReplicaSet/web-frontend', 'a word'],
  [replicaSet('web-bcdghjkl'), 'ReplicaSet/web-bcdghjkl', 'letters that no template hash has'],
  [replicaSet('web-5d59d67564', 'other'), 'Deployment/web', 'a label that does not fit proves nothing'],
  [replicaSet('-5d59d67564', '5d59d67564'), 'ReplicaSet/-5d59d67564', 'no name would be left'],
  [pod('web-5d59d67564-x2v7q'), 'Deployment/web'],
  [pod('web-ui-5d59d67564-x2v7q'), 'Deployment/web-ui'],
  [pod('web-custom-x2v7q', 'custom'), 'Deployment/web', 'by label'],
  [job('backup-29456789'), 'CronJob/backup'],
  [job('backup-2945678'), 'Job/backup-2945678'],
  [job('migrate'), 'Job/migrate'],
  [{ kind: 'Deployment', name: 'web-5d59d67564', namespace: 'shop' }, 'Deployment/web-5d59d67564'],
  [{ kind: 'DaemonSet', name: 'agent', namespace: 'shop' }, 'DaemonSet/agent'],
  [{ kind: 'Pod', name: 'no-namespace' }, 'Pod/no-namespace'],
];

const pods: Readonly<Record<string, ReturnType<PodLookup>>> = {
  'db-0': { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db' },
  'agent-x2v7q': { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'agent' },
  'backup-29456789-x2v7q': { apiVersion: 'batch/v1', kind: 'Job', name: 'backup-29456789' },
  'long-name-cut': { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-odd', podTemplateHash: 'odd' },
  'kube-apiserver-node1': { apiVersion: 'v1', kind: 'Node', name: 'node1' },
  lonely: 'none',
  executor: { apiVersion: 'v1', kind: 'Pod', name: 'db-0' },
  egg: { apiVersion: 'v1', kind: 'Pod', name: 'hen' },
  hen: { apiVersion: 'v1', kind: 'Pod', name: 'egg' },
};
const lookUp: PodLookup = (_namespace, name) => pods[name] ?? 'unknown';

const lookedUp: readonly [name: string, owner: string, isProven?: boolean][] = [
  ['db-0', 'StatefulSet/db'],
  ['agent-x2v7q', 'DaemonSet/agent'],
  ['backup-29456789-x2v7q', 'CronJob/backup'],
  ['long-name-cut', 'Deployment/web'],
  ['kube-apiserver-node1', 'Pod/kube-apiserver-node1'],
  ['lonely', 'Pod/lonely'],
  ['executor', 'StatefulSet/db'],
  ['never-seen', 'Pod/never-seen', false],
];

suite('owners', () => {
  for (const [reference, owner, why] of proven) {
    test(`${short(reference)} is ${owner}'s${why === undefined ? '' : `: ${why}`}`, () => {
      for (const pods of [noPods, lookUp, () => 'none' as const]) {
        const { resource, isProven } = collapseOwner(reference, pods);
        assert.deepEqual([short(resource), isProven], [owner, true]);
        assert.equal(resource.namespace, reference.namespace);
      }
    });
  }

  for (const [name, owner, isProven = true] of lookedUp) {
    test(`Pod/${name} is ${owner}'s by the Pod list`, () => {
      const collapsed = collapseOwner(pod(name), lookUp);
      assert.deepEqual([short(collapsed.resource), collapsed.isProven], [owner, isProven]);
    });
  }

  test('a Pod that is not listed keeps its name until it is, in scan for ever', () => {
    assert.deepEqual(collapseOwner(pod('db-0'), noPods), { resource: pod('db-0'), isProven: false });
  });

  test('Pods that own each other in a circle come to an end', () => {
    assert.equal(collapseOwner(pod('hen'), lookUp).resource.kind, 'Pod');
  });

  test('no name makes it throw or give an empty owner', () => {
    const property = fc.property(fc.string(), fc.option(fc.string(), { nil: undefined }), (name, hash) => {
      for (const made of [replicaSet, pod]) {
        const { resource } = collapseOwner(made(name, hash), noPods);
        assert.ok(resource.name !== '' || name === '');
      }
    });
    fc.assert(property);
  });
});

function named(parts: readonly IdentityPart[], change: Partial<Finding> = {}): string {
  return identify({ ...finding('x'), identity: () => parts, ...change }, new OwnerResolver(lookUp)).fingerprint;
}

suite('identity', () => {
  test('a known finding has the fingerprint that it has always had', () => {
    // When this fails, every event on every cluster would get a new name: raise identityVersion only on purpose.
    const web = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', namespace: 'shop' };
    const known = { ...finding('x', { source: 'trivy' }), eventType: 'vulnerability' } as const;
    const parts = [{ ownerOf: web }, 'nginx', 'index.docker.io/library/nginx', 'CVE-2024-3094', 'liblzma5'];
    const { name, fingerprint } = identify({ ...known, identity: () => parts }, new OwnerResolver(noPods));
    assert.equal(fingerprint, 'ztjed24jzdb7xuj4pxyx2hpr7wkqfw3orwkhsfnkaluwijoq5rlq');
    assert.equal(name, `trivy-${fingerprint.slice(0, 26)}`);
  });

  test('an owner is the same with its API version and without, through each of its ReplicaSets and Pods', () => {
    const one = named([{ ownerOf: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', namespace: 'shop' } }]);
    const same: ResourceReference[] = [
      { kind: 'Deployment', name: 'web', namespace: 'shop' },
      { apiVersion: 'apps/v1beta1', kind: 'Deployment', name: 'web', namespace: 'shop' },
      { apiVersion: '', kind: 'Deployment', name: 'web', namespace: 'shop' },
      { apiVersion: 'apps/v1', ...replicaSet('web-5d59d67564') },
      replicaSet('web-odd', 'odd'),
      pod('web-965685897-x2v7q'),
      pod('long-name-cut'),
    ];
    for (const reference of same) assert.equal(named([{ ownerOf: reference }]), one, short(reference));
    const others: ResourceReference[] = [
      { kind: 'Deployment', name: 'web', namespace: 'other' },
      { kind: 'Deployment', name: 'web' },
      { kind: 'StatefulSet', name: 'web', namespace: 'shop' },
      { apiVersion: 'example.com/v1', kind: 'Deployment', name: 'web', namespace: 'shop' },
    ];
    for (const reference of others) assert.notEqual(named([{ ownerOf: reference }]), one, short(reference));
    assert.match(named([{ ownerOf: { kind: 'constructor', name: '__proto__' } }]), /^[a-z2-7]{52}$/);
  });

  test('parts are never joined: where one ends and the next begins is part of it', () => {
    const differing: IdentityPart[][] = [
      ['a', 'b'],
      ['ab'],
      ['a', '', 'b'],
      ['a","b'],
      ['a', 'b', ''],
      ['b', 'a'],
      ['["a","b"]'],
      ['\ud800', 'b'],
      ['\ufffd', 'b'],
      ['a\u0000', 'b'],
      ['a\\', 'b'],
    ];
    assert.equal(new Set(differing.map((parts) => named(parts))).size, differing.length);
    const property = fc.property(
      fc.array(fc.string({ unit: 'binary' })),
      fc.array(fc.string({ unit: 'binary' })),
      (a, b) => {
        assert.equal(named(a) === named(b), JSON.stringify(a) === JSON.stringify(b));
      },
    );
    fc.assert(property);
  });

  test('source and event type are part of it, severity and the rest are not', () => {
    const one = named(['a']);
    assert.notEqual(named(['a'], { source: 'other' }), one);
    assert.notEqual(named(['a'], { eventType: 'vulnerability' }), one);
    assert.equal(named(['a'], { severity: 'low', category: 'operations', rule: 'z', sourceSeverity: undefined }), one);
  });

  test('Pods that were needed and not found are told', () => {
    const owners = new OwnerResolver(lookUp);
    reportKeyHash(
      ['f', { ownerOf: pod('never-seen') }, { ownerOf: pod('lonely') }, { ownerOf: pod('web-965685897-x2v7q') }],
      owners,
    );
    assert.deepEqual([[...owners.unknownPods], owners.hasLookedUp], [['shop/never-seen'], false]);
    reportKeyHash([{ ownerOf: pod('db-0') }], owners);
    assert.equal(owners.hasLookedUp, true);
  });
});
