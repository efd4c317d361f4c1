/** The chart as it is rendered, without a cluster: rights, networks, and what its values say (R1 to R5). */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { leaderLeases } from '../../src/config/access.ts';
import { configuredSources } from '../../src/config/configured-sources.ts';
import { configSchema } from '../../src/config/schema.ts';
import { type AccessSettings, accessGrants } from '../../src/sources/rbac.ts';
import { sources } from '../../src/sources/registry.ts';
import { chartFolder, Helm, objectsIn, type Rendered } from '../support/helm.ts';
import { repositoryRoot } from '../support/repository.ts';

interface Rule {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** Each right as a line, so that two lists of rules compare whatever their order and grouping. */
function rights(rules: readonly Rule[]): string[] {
  const lines = rules.flatMap(({ verbs, apiGroups, resources, resourceNames = [] }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}.${group} ${resourceNames.join()}`)),
    ),
  );
  return [...new Set(lines)].toSorted();
}

suite('the chart, rendered', () => {
  let helm: Helm;

  before(async () => {
    helm = await Helm.on();
  });
  after(() => helm?.stop());

  const named = (objects: readonly Rendered[], kind: string, name?: string) => {
    const found = objects.filter((one) => one.kind === kind && (name === undefined || one.metadata.name === name));
    const [first] = found;
    assert.ok(first, `no ${kind} ${name ?? ''}`);
    return first;
  };
  const isOurRole = ({ kind, metadata }: Rendered) =>
    kind === 'Role' || (kind === 'ClusterRole' && !/-(sources|view|triage)$/.test(metadata.name));

  const base: AccessSettings = {
    sources,
    namespace: 'zen-system',
    placement: 'central',
    migrate: false,
    configMapNamespaces: ['zen-system'],
    leases: leaderLeases({ replicas: 3 }),
  };
  const without = (...names: string[]) => sources.filter(({ name }) => !names.includes(name));
  const off = (...names: string[]) => ({
    sources: Object.fromEntries(names.map((name) => [name, { enabled: false }])),
  });
  const cases: Record<string, { readonly values: object; readonly settings: AccessSettings }> = {
    'as it is': { values: {}, settings: base },
    shards: {
      values: { config: { leaderElection: { shards: 4 } } },
      settings: { ...base, leases: leaderLeases({ replicas: 5, shards: 4 }) },
    },
    'one source off': {
      values: { config: off('trivy') },
      settings: { ...base, sources: without('trivy') },
    },
    'every source off that needs Pods': {
      values: { config: off(...sources.filter(({ needsPods }) => needsPods).map(({ name }) => name)) },
      settings: { ...base, sources: sources.filter(({ needsPods }) => !needsPods) },
    },
    'events by resource': {
      values: { config: { events: { placement: 'resource' } } },
      settings: { ...base, placement: 'resource' },
    },
    'events brought home': { values: { config: { events: { migrate: true } } }, settings: { ...base, migrate: true } },
    'some namespaces only': {
      values: { config: { watch: { namespaces: ['bank', 'shop'] }, configMaps: { namespaces: ['scans'] } } },
      settings: { ...base, watchNamespaces: ['bank', 'shop'], configMapNamespaces: ['scans'] },
    },
    'one replica': { values: { replicaCount: 1 }, settings: { ...base, leases: [] } },
  };
  for (const [title, { values, settings }] of Object.entries(cases)) {
    test(`rights, ${title}: those that the program asks for, no more and no less`, async () => {
      const roles = (await helm.template(values)).filter(isOurRole);
      const rendered = roles.map(({ metadata, rules }) => [metadata.namespace ?? '', rights(rules)]);
      const asked = accessGrants(settings).map(({ namespace, rules }) => [namespace ?? '', rights(rules)]);
      assert.deepEqual(Object.fromEntries(rendered), Object.fromEntries(asked));
    });
  }

  test('a source that the configuration declares gets its rule, unless it is off', async () => {
    const text = readFileSync(join(repositoryRoot, 'examples/declarative/jobflow.yaml'), 'utf8');
    const [declared] = objectsIn(text);
    for (const enabled of [true, false]) {
      const config = { ...declared, sources: { jobflow: { enabled } } };
      const [role] = (await helm.template({ config })).filter(isOurRole);
      const all = await configuredSources(configSchema.parse(config), sources);
      const settings = { ...base, sources: all.filter(({ name }) => enabled || name !== 'jobflow') };
      assert.deepEqual(rights(role?.['rules']), rights(accessGrants(settings)[0]?.rules ?? []));
      assert.equal(
        rights(role?.['rules']).some((right) => right.includes('jobflows')),
        enabled,
      );
    }
  });

  test('alerts and dashboards are the files of the chart, as they are', async () => {
    const objects = await helm.template({ prometheusRule: { enabled: true }, dashboards: { enabled: true } });
    const [alerts] = objectsIn(readFileSync(join(chartFolder, 'files/alerts.yaml'), 'utf8'));
    assert.deepEqual(named(objects, 'PrometheusRule').spec.groups, alerts?.['groups']);
    const folder = join(chartFolder, 'files/dashboards');
    const files = readdirSync(folder).toSorted();
    assert.ok(files.length > 0);
    for (const file of files) {
      const map = named(objects, 'ConfigMap', `zen-watcher-dashboard-${file.replace('.json', '')}`);
      assert.deepEqual(JSON.parse(map.data[file]), JSON.parse(readFileSync(join(folder, file), 'utf8')));
    }
  });

  test('with namespaces named there is no ClusterRole', async () => {
    const objects = await helm.template({ config: { watch: { namespaces: ['shop'] } } });
    const kinds = new Set(objects.map(({ kind }) => kind));
    assert.ok(kinds.has('Role') && !kinds.has('ClusterRole') && !kinds.has('ClusterRoleBinding'));
  });

  test('two renders are equal to the byte, and everything of ours says whose it is', async () => {
    const [text, again] = [await helm.text(), await helm.text()];
    assert.equal(text, again);
    for (const { kind, metadata } of objectsIn(text)) {
      assert.equal(metadata.labels?.['app'], 'zen-watcher', `${kind} ${metadata.name}`);
      assert.ok(metadata.namespace === 'zen-system' || metadata.namespace === undefined, `${kind} ${metadata.name}`);
    }
  });

  test('the pod is what the restricted standard wants and has nothing to write on', async () => {
    const { spec } = named(await helm.template(), 'Deployment', 'zen-watcher');
    const pod = spec.template.spec;
    const [container] = pod.containers;
    assert.equal(pod.securityContext.runAsUser, 1001);
    assert.deepEqual(container.securityContext.capabilities, { drop: ['ALL'] });
    assert.equal(container.securityContext.readOnlyRootFilesystem, true);
    assert.deepEqual(container.resources.requests, { cpu: '100m', memory: '128Mi' });
    assert.deepEqual(container.resources.limits, { cpu: '200m', memory: '256Mi' });
    assert.deepEqual(Object.keys(pod.volumes[0]).toSorted(), ['configMap', 'name']);
    assert.ok(container.volumeMounts.every((mount: { readOnly: boolean }) => mount.readOnly));
    assert.ok(container.startupProbe && container.livenessProbe && container.readinessProbe);
    assert.deepEqual(spec.strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 });
  });

  test('one pod has no budget and no spread; two have both', async () => {
    const [one, two] = [await helm.template({ replicaCount: 1 }), await helm.template({ replicaCount: 2 })];
    assert.ok(!one.some(({ kind }) => kind === 'PodDisruptionBudget'));
    assert.equal(named(two, 'PodDisruptionBudget').spec.minAvailable, 1);
    const [constraint] = named(two, 'Deployment').spec.template.spec.topologySpreadConstraints;
    assert.equal(constraint.labelSelector.matchLabels.app, 'zen-watcher');
  });

  test('the incident commands find our pods: app=zen-watcher, and the Deployment by its name', async () => {
    const objects = await helm.template();
    const { spec } = named(objects, 'Deployment', 'zen-watcher');
    assert.equal(spec.template.metadata.labels.app, 'zen-watcher');
    assert.equal(named(objects, 'Service').spec.selector.app, 'zen-watcher');
  });

  test('network: in from monitoring, out to DNS and the API server, and what a mesh needs beside', async () => {
    const policy = async (more: object, kind = 'NetworkPolicy') =>
      named(await helm.template({ networkPolicy: { enabled: true, ...more } }), kind).spec;
    const plain = await policy({ apiServer: { cidrs: ['10.0.0.1/32'], ports: [443] } });
    assert.deepEqual(plain.policyTypes, ['Ingress', 'Egress']);
    assert.deepEqual(plain.ingress, [
      {
        from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
        ports: [{ port: 8080, protocol: 'TCP' }],
      },
    ]);
    assert.deepEqual(plain.egress[1], {
      to: [{ ipBlock: { cidr: '10.0.0.1/32' } }],
      ports: [{ port: 443, protocol: 'TCP' }],
    });
    assert.equal(plain.egress.length, 2);
    const ports = (rules: readonly { readonly ports?: readonly { readonly port: number }[] }[]) =>
      rules.flatMap((rule) => rule.ports?.map(({ port }) => port) ?? []);
    const meshes = { istio: [15012], 'istio-ambient': [15008], linkerd: [8080, 8086, 8090] };
    for (const [mesh, wanted] of Object.entries(meshes)) {
      const meshed = await policy({ mesh });
      assert.deepEqual(ports(meshed.egress).slice(ports(plain.egress).length + 1), wanted, mesh);
    }
    const cilium = await policy({ flavor: 'cilium' }, 'CiliumNetworkPolicy');
    assert.deepEqual(cilium.egress[1], { toEntities: ['kube-apiserver'] });
    const own = await policy({ egress: [{ ports: [{ port: 1 }] }], policyTypes: ['Egress'] });
    assert.deepEqual([own.egress, own.policyTypes], [[{ ports: [{ port: 1 }] }], ['Egress']]);
  });

  test('signatures: Kyverno or Sigstore where served or named, else only the images that the chart names', async () => {
    const verify = async (more: object, ...args: string[]) => {
      const objects = await helm.template({ image: { verifySignature: true }, ...more }, args);
      return objects.filter(({ metadata }) => metadata.name === 'zen-watcher-image');
    };
    const kinds = (objects: readonly Rendered[]) => objects.map(({ kind }) => kind);
    const served = await verify({}, '--api-versions', 'policies.kyverno.io/v1/ImageValidatingPolicy');
    assert.deepEqual(kinds(served), ['ImageValidatingPolicy']);
    assert.match(served[0]?.['spec'].attestors[0].cosign.keyless.identities[0].issuer, /^https:/);
    const key = '-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----';
    const keyed = await verify({
      image: { verifySignature: true, cosignPublicKey: key },
      imageVerification: { provider: 'sigstore' },
    });
    assert.deepEqual(kinds(keyed), ['ClusterImagePolicy']);
    assert.equal(keyed[0]?.['spec'].authorities[0].key.data.trim(), key);
    const none = await verify({});
    assert.deepEqual(kinds(none), ['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding']);
    const digest = `sha256:${'0'.repeat(64)}`;
    const pinned = await verify({ imageVerification: { digests: [digest] } });
    assert.equal(pinned[0]?.['spec'].variables[0].expression, `['zubezen/zen-watcher@${digest}']`);
  });

  test('values of older charts are honoured', async () => {
    const config = {
      ...{ watchNamespace: 'sec', behaviorMode: 'conservative', trivyNamespace: 'trivy-system', logLevel: 'debug' },
      ...{ falcoNamespace: 'falco', metricsPort: '9090' },
    };
    const objects = await helm.template({ global: { clusterID: 'prod', imagePullSecrets: [{ name: 'a' }] }, config });
    const [file] = objectsIn(named(objects, 'ConfigMap').data['config.yaml']);
    assert.deepEqual(file, {
      events: { namespace: 'sec', cluster: 'prod' },
      preset: 'conservative',
      log: { level: 'debug' },
      server: { metricsPort: 9090 },
      leaderElection: { enabled: true, replicas: 3 },
    });
    const pod = named(objects, 'Deployment').spec.template.spec;
    assert.deepEqual(pod.imagePullSecrets, [{ name: 'a' }]);
    assert.equal(pod.containers[0].ports[0].containerPort, 9090);
    const roles = objects.filter(({ kind }) => kind === 'Role').map(({ metadata }) => metadata.namespace);
    assert.deepEqual(roles, ['sec']);
  });

  test('a webhook is a route, its tokens from a Secret, a port of its own and its senders; none of it without', async () => {
    const none = await helm.template();
    assert.equal(named(none, 'Service').spec.ports.length, 1);
    const senders = [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'falco' } } }];
    const objects = await helm.template({
      webhooks: { tokens: { falco: 'falco-tokens' }, tlsSecret: 'zen-watcher-tls' },
      networkPolicy: { enabled: true, webhookSenders: senders },
    });
    const [file] = objectsIn(named(objects, 'ConfigMap').data['config.yaml']);
    const tls = '/etc/zen-watcher-webhooks/tls';
    assert.deepEqual(file?.['webhooks'], {
      routes: { falco: { tokenFiles: ['/etc/zen-watcher-webhooks/tokens/falco'] } },
      tls: { certFile: `${tls}/tls.crt`, keyFile: `${tls}/tls.key` },
    });
    configSchema.parse(file);
    const pod = named(objects, 'Deployment').spec.template.spec;
    assert.deepEqual(pod.volumes[1], {
      name: 'tokens-falco',
      secret: { secretName: 'falco-tokens', defaultMode: 0o440 },
    });
    assert.deepEqual(
      pod.containers[0].ports.map(({ name }: { name: string }) => name),
      ['http', 'http-webhook'],
    );
    assert.equal(named(objects, 'Service').spec.ports[1].appProtocol, 'https');
    const { ingress } = named(objects, 'NetworkPolicy').spec;
    assert.deepEqual(ingress[1], { from: senders, ports: [{ port: 8081, protocol: 'TCP' }] });
    const roles = objects.filter(({ kind }) => kind.endsWith('Role')).flatMap(({ rules }) => rules);
    assert.ok(!roles.some((rule: Rule) => rule.resources.includes('secrets')), 'the kubelet mounts Secrets, not we');
  });

  test('several pods elect a leader, one needs none; several without one are refused', async () => {
    const config = async (values: object) =>
      objectsIn(named(await helm.template(values), 'ConfigMap').data['config.yaml'])[0];
    assert.deepEqual((await config({}))?.['leaderElection'], { enabled: true, replicas: 3 });
    assert.equal((await config({ replicaCount: 1 }))?.['leaderElection'], undefined);
    const scaled = await config({ autoscaling: { enabled: true, maxReplicas: 5 } });
    assert.equal(scaled?.['leaderElection'].replicas, 6);
    const sharded = { replicaCount: 1, config: { leaderElection: { shards: 3 } } };
    assert.deepEqual((await config(sharded))?.['leaderElection'], { enabled: true, shards: 3, replicas: 4 });
    assert.equal(named(await helm.template(sharded), 'Deployment').spec.replicas, 3, 'a pod for each shard');
    assert.equal(named(await helm.template({ ...sharded, replicaCount: 5 }), 'Deployment').spec.replicas, 5);
    await assert.rejects(helm.text({ config: { leaderElection: { shards: 17 } } }), /shards/);
    await assert.rejects(helm.text({ config: { leaderElection: { enabled: false } } }), /there can be one pod only/);
  });

  test('a change of rules needs no restart, any other does', async () => {
    const checksum = async (config: object) =>
      named(await helm.template({ config }), 'Deployment').spec.template.metadata.annotations['checksum/config'];
    const plain = await checksum({});
    assert.equal(await checksum({ preset: 'conservative', thresholds: { default: 'high' } }), plain);
    assert.notEqual(await checksum({ budget: { events: 100 } }), plain);
  });

  test('a wrong value is refused with its place', async () => {
    const wrong = [
      [{ networkPolicy: { flavor: 'calico' } }, /networkPolicy\/flavor/],
      [{ replicaCount: 'two' }, /replicaCount/],
      [{ imagee: {} }, /imagee/],
      [{ config: { thresholds: { default: 'loud' } } }, /config\/thresholds/],
      [{ config: { sources: { trivy: { enabled: 'no' } } } }, /config\/sources\/trivy/],
      [{ podSecurityStandards: { enforce: 'strict' } }, /podSecurityStandards\/enforce/],
    ] as const;
    for (const [values, place] of wrong) await assert.rejects(helm.text(values), place);
  });
});
