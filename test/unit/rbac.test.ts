/** Rights from data (R3): by source, by place, and never more than that. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { suite, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { runRbac } from '../../src/cli/rbac.ts';
import { leaderLeases } from '../../src/config/access.ts';
import { type AccessSettings, accessGrants } from '../../src/sources/rbac.ts';
import { sources } from '../../src/sources/registry.ts';

const settings: AccessSettings = {
  sources,
  namespace: 'zen-system',
  placement: 'central',
  migrate: false,
  configMapNamespaces: [],
  leases: [],
};
const places = (more: Partial<AccessSettings>) =>
  accessGrants({ ...settings, ...more }).map(({ namespace }) => namespace ?? '*');
const resources = (more: Partial<AccessSettings>, place?: string) =>
  accessGrants({ ...settings, ...more })
    .filter(({ namespace }) => namespace === place)
    .flatMap(({ rules }) => rules.flatMap((rule) => rule.resources));

suite('rights', () => {
  test('nothing is written but events and the Leases, nothing secret is read, and every rule has a reason', () => {
    const grants = accessGrants({
      ...settings,
      configMapNamespaces: ['reports'],
      leases: leaderLeases({ replicas: 2 }),
    });
    for (const { rules } of grants) {
      for (const rule of rules) {
        assert.ok(rule.why.length > 20, JSON.stringify(rule));
        const isOurs = ['zen.kube-zen.io', 'coordination.k8s.io'].includes(rule.apiGroups[0] ?? '');
        const writes = rule.verbs.filter((verb) => !['get', 'list', 'watch'].includes(verb));
        if (!isOurs) assert.deepEqual(writes, [], rule.resources.join());
        for (const word of ['secrets', 'pods/log', 'replicasets', 'jobs']) assert.ok(!rule.resources.includes(word));
        assert.ok(!rule.apiGroups.includes('*') && !rule.verbs.includes('*'));
        if (rule.resources.includes('leases')) assert.deepEqual(rule.resourceNames, leaderLeases({ replicas: 2 }));
      }
    }
  });

  test('a source that is off takes its rules with it, and Pods go with the last source that needs them', () => {
    const only = (...names: string[]) => sources.filter(({ name }) => names.includes(name));
    assert.ok(resources({}).includes('vulnerabilityreports'));
    assert.ok(!resources({ sources: only('policyreport') }).includes('vulnerabilityreports'));
    assert.ok(resources({ sources: only('trivy') }).includes('pods'));
    assert.deepEqual(resources({ sources: only('kube-bench') }), ['namespaces']);
  });

  test('a wildcard stands only for the kinds of a group that users make, while its source is on', () => {
    const [first] = sources;
    assert.ok(first);
    const [intake] = first.intakes;
    assert.ok(intake);
    const users = {
      ...first,
      policies: [],
      intakes: [{ via: 'group', group: 'made.example', versions: ['v1'], namespaced: false, format: intake.format }],
    } as const;
    const rules = accessGrants({ ...settings, sources: [users] }).flatMap((grant) => grant.rules);
    assert.deepEqual(
      rules.filter((rule) => rule.resources.includes('*')).map(({ apiGroups, verbs }) => ({ apiGroups, verbs })),
      [{ apiGroups: ['made.example'], verbs: ['list', 'watch'] }],
    );
    const named = accessGrants(settings).flatMap(({ rules: own }) => own.flatMap((rule) => rule.resources));
    const hasGroup = sources.some(({ intakes }) => intakes.some(({ via }) => via === 'group'));
    assert.equal(named.includes('*'), hasGroup);
  });

  test('events are granted where they are written', () => {
    assert.deepEqual(places({}), ['*', 'zen-system']);
    assert.deepEqual(places({ placement: 'resource' }), ['*']);
    assert.ok(resources({ migrate: true }).includes('zenagentevents'));
    assert.ok(!resources({}).includes('zenagentevents'));
    assert.deepEqual(resources({ configMapNamespaces: ['a', 'a'] }, 'a'), ['configmaps']);
  });

  test('with namespaces named, nothing is granted in the whole cluster and nothing cluster-scoped is read', () => {
    const watchNamespaces = ['shop', 'bank'];
    assert.deepEqual(places({ watchNamespaces }), ['bank', 'shop', 'zen-system']);
    assert.deepEqual(places({ watchNamespaces, placement: 'resource' }), ['bank', 'shop', 'zen-system']);
    const inShop = resources({ watchNamespaces }, 'shop');
    assert.ok(inShop.includes('vulnerabilityreports') && inShop.includes('pods'));
    assert.deepEqual(
      inShop.filter((name) => name.startsWith('cluster') || name === 'namespaces'),
      [],
    );
  });

  test('the command prints roles with their bindings, and tables', async () => {
    const print = async (output: 'table' | 'yaml' | 'markdown') => {
      let text = '';
      const stdout = new Writable({
        write(chunk, _encoding, done) {
          text += String(chunk);
          done();
        },
      });
      await runRbac({ output, serviceAccount: 'zw', namespace: 'here' }, { stdout, environment: {} });
      return text;
    };
    const objects = parseAllDocuments(await print('yaml')).map((document) => document.toJS());
    assert.deepEqual(
      objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? '*'}`),
      ['ClusterRole *', 'ClusterRoleBinding *', 'Role here', 'RoleBinding here'],
    );
    assert.deepEqual(objects[1].subjects, [{ kind: 'ServiceAccount', name: 'zw', namespace: 'here' }]);
    assert.match(await print('table'), /^NAMESPACE +GROUP +RESOURCES +VERBS +WHY\n\* +core +namespaces/);
    assert.match(await print('markdown'), /\| \\\* \| core \| namespaces \| list, watch \|/);
  });
});
