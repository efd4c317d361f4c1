/** Tools whose own objects tell what is wrong, on a real server: Gatekeeper, cert-manager, Sealed Secrets, Kubescape. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, suite, test } from 'node:test';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { recognise } from '../../src/sources/recognise.ts';
import type { RawDocument } from '../../src/sources/source.ts';
import type { StoredObject } from '../support/aggregated-api.ts';
import { AggregatedApi } from '../support/aggregated-api.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { logged, ready } from '../support/daemon.ts';
import { nameOf, openFixtures, reportsIn } from '../support/reports.ts';
import { scanFile } from '../support/scanned.ts';
import { definitionsIn, type Home, Stage, standInFolder } from '../support/stage.ts';
import { until } from '../support/until.ts';

const timing = { discoveryMs: 300, sweepMs: 200, relistMs: 1_000 };
const settings = { timing };

let stage: Stage;
let home: Home;
let daemon: TestDaemon;
let store: string;

before(async () => {
  stage = await Stage.start({ crds: 'events' });
  await stage.define(...definitionsIn(join(standInFolder, 'named')));
  store = await stage.namespace('store');
});
after(() => stage?.stop());
beforeEach(async () => {
  home = await stage.home('events');
});
afterEach(() => stage.endBalanced(daemon));

async function start(): Promise<void> {
  daemon = await stage.daemon(home, settings);
  await ready(daemon);
}

/** The names of the events that a document is to become. */
function namesOf(document: RawDocument, now = new Date()): string[] {
  const readings = recognise(document)?.read(document, { now }) ?? [];
  return [...new Set(readings.flatMap(({ findings }) => findings).map(nameOf))];
}

function nameIn(document: RawDocument, now?: Date): string {
  const [name = ''] = namesOf(document, now);
  return name;
}

const phaseOf = ({ status }: StoredEvent) => [status?.phase, status?.reason].filter(Boolean).join(' ');

/** Waits until the events of the home are these, by name and phase. */
async function eventsBecome(expected: Readonly<Record<string, string>>): Promise<void> {
  let last: Record<string, string> = {};
  const wanted = JSON.stringify(Object.entries(expected).sort());
  try {
    await until('the events', async () => {
      const events = await stage.events(home.namespace);
      last = Object.fromEntries(events.map((event) => [event.metadata.name, phaseOf(event)]));
      return JSON.stringify(Object.entries(last).sort()) === wanted;
    });
  } catch (error) {
    throw new Error(`found ${JSON.stringify(last)}, wanted ${wanted}`, { cause: error });
  }
}

suite('Gatekeeper on a real server', () => {
  const constraintsPath = '/apis/constraints.gatekeeper.sh/v1beta1';
  const violation = (name: string) => {
    const object = { group: 'apps', version: 'v1', kind: 'Deployment', namespace: store, name };
    return { ...object, message: 'no memory limit', enforcementAction: 'deny' };
  };
  const constraint = (
    name: string,
    violations: readonly unknown[],
    status: Readonly<Record<string, unknown>> = {},
  ) => ({
    apiVersion: 'constraints.gatekeeper.sh/v1beta1',
    kind: 'AcmeLimits',
    metadata: { name },
    status: { auditTimestamp: new Date().toISOString(), totalViolations: violations.length, violations, ...status },
  });
  const put = (object: ReturnType<typeof constraint>) =>
    stage.apply(`${constraintsPath}/acmelimits/${object.metadata.name}`, object);
  /** What a ConstraintTemplate makes Gatekeeper make. */
  const kind = (word: string) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${word.toLowerCase()}.constraints.gatekeeper.sh` },
    spec: {
      group: 'constraints.gatekeeper.sh',
      scope: 'Cluster',
      names: { kind: word, listKind: `${word}List`, plural: word.toLowerCase(), singular: word.toLowerCase() },
      versions: [
        {
          name: 'v1beta1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  });
  const shop = () => nameIn(constraint('limits', [violation('shop')]));
  const ledger = () => nameIn(constraint('limits', [violation('ledger')]));

  test('constraints of a kind that appears are read; fixed, cut off, deleted and gone with their kind are told apart', async () => {
    await start();
    await stage.define(kind('AcmeLimits'), kind('AcmeLabels'));
    const both = [violation('shop'), violation('ledger')];
    await put(constraint('limits', both));
    await eventsBecome({ [shop()]: 'Active', [ledger()]: 'Active' });

    await put(constraint('limits', [violation('shop')]));
    await eventsBecome({ [shop()]: 'Active', [ledger()]: 'Resolved fixed' });

    // The list is cut: what it leaves out is not fixed, and an event says so.
    await put(constraint('limits', both));
    await eventsBecome({ [shop()]: 'Active', [ledger()]: 'Active' });
    const cut = constraint('limits', [violation('ledger')], { totalViolations: 30 });
    const [, notice = ''] = namesOf(cut);
    await put(cut);
    await eventsBecome({ [shop()]: 'Active', [ledger()]: 'Active', [notice]: 'Active' });

    const writes = stage.audit.writes(home.namespace).length;
    const minuteLater = new Date(Date.now() + 60_000).toISOString();
    await put({ ...cut, status: { ...cut.status, auditTimestamp: minuteLater } });
    await stage.must(200, 'DELETE', `${constraintsPath}/acmelimits/limits`);
    const over = { [shop()]: 'Resolved policy-deleted', [ledger()]: 'Resolved policy-deleted' };
    await eventsBecome({ ...over, [notice]: 'Resolved policy-deleted' });
    assert.equal(stage.audit.writes(home.namespace).length - writes, 3, 'the time of the audit wrote something');

    // The kind goes with its template, while the daemon is down.
    await put(constraint('other', [violation('shop')]));
    const other = nameIn(constraint('other', [violation('shop')]));
    await eventsBecome({ ...over, [notice]: 'Resolved policy-deleted', [other]: 'Active' });
    await stage.endBalanced(daemon);
    await stage.undefine('acmelimits.constraints.gatekeeper.sh');
    await start();
    await eventsBecome({ ...over, [notice]: 'Resolved policy-deleted', [other]: 'Resolved policy-deleted' });
  });
});

suite('cert-manager and Sealed Secrets on a real server', () => {
  const put = (document: { readonly metadata: { readonly name: string } }, path: string) =>
    stage.apply(`${path}/${document.metadata.name}`, document);

  test('a certificate expires by the clock alone, is renewed, and ends with its object', async () => {
    await start();
    const path = `/apis/cert-manager.io/v1/namespaces/${store}/certificates`;
    const certificate = (notAfter: Date) => ({
      apiVersion: 'cert-manager.io/v1',
      kind: 'Certificate',
      metadata: { name: 'shop-tls', namespace: store },
      spec: { secretName: 'shop-tls' },
      status: {
        conditions: [{ type: 'Ready', status: 'True', reason: 'Ready', lastTransitionTime: null }],
        notAfter: notAfter.toISOString(),
      },
    });
    const soon = new Date(Date.now() + 1_500);
    await put(certificate(soon), path);
    const expired = nameIn(certificate(soon), soon);
    const event = await stage.eventWhen(home.namespace, expired, 'there', () => true);
    assert.ok(new Date(event.spec.detectedAt ?? 0) >= soon, 'before it expired');
    await put(certificate(new Date(Date.now() + 3_600_000)), path);
    await eventsBecome({ [expired]: 'Resolved fixed' });
    await put(certificate(soon), path);
    await eventsBecome({ [expired]: 'Active' });
    await stage.must(200, 'DELETE', `${path}/shop-tls`);
    await eventsBecome({ [expired]: 'Resolved resource-deleted' });
  });

  test('what could not be unsealed is an event until it was, or until it is deleted while nobody watches', async () => {
    const path = `/apis/bitnami.com/v1alpha1/namespaces/${store}/sealedsecrets`;
    const sealed = (status: string) => ({
      apiVersion: 'bitnami.com/v1alpha1',
      kind: 'SealedSecret',
      metadata: { name: 'token', namespace: store },
      spec: { encryptedData: { token: 'AgBy8hCi' } },
      status: { conditions: [{ type: 'Synced', status, message: 'no key could decrypt secret (token)' }] },
    });
    await put(sealed('False'), path);
    await start();
    const name = nameIn(sealed('False'));
    await eventsBecome({ [name]: 'Active' });
    await put(sealed('True'), path);
    await eventsBecome({ [name]: 'Resolved fixed' });
    await put(sealed('False'), path);
    await eventsBecome({ [name]: 'Active' });
    await stage.endBalanced(daemon);
    await stage.must(200, 'DELETE', `${path}/token`);
    await start();
    await eventsBecome({ [name]: 'Resolved resource-deleted' });
  });
});

suite('Kubescape behind the aggregation layer', () => {
  let api: AggregatedApi;
  before(async () => {
    api = await AggregatedApi.start(stage);
  });
  after(() => api?.stop());

  const apiVersion = 'spdx.softwarecomposition.kubescape.io/v1beta1';
  const image = { 'kubescape.io/image-id': 'registry.example.org/acme/shop@sha256:01' };
  const manifest = (name: string, labels: Readonly<Record<string, string>>, ids: readonly string[]): StoredObject => ({
    apiVersion,
    kind: 'VulnerabilityManifest',
    metadata: { name, namespace: 'kubescape', labels, annotations: image },
    spec: {
      metadata: { tool: { name: 'grype' } },
      payload: { matches: ids.map((id) => ({ vulnerability: { id, severity: 'High' }, artifact: { name: 'lib' } })) },
    },
  });
  const whole = manifest('whole', { 'kubescape.io/context': 'non-filtered' }, ['CVE-2025-1', 'CVE-2025-2']);
  const loaded = (ids: readonly string[]) => {
    const workload = { kind: 'deployment', name: 'shop', namespace: store, 'container-name': 'web' };
    const labels = Object.entries(workload).map(([word, value]) => [`kubescape.io/workload-${word}`, value]);
    return manifest('loaded', { 'kubescape.io/context': 'filtered', ...Object.fromEntries(labels) }, ids);
  };

  test('each object is read by itself; nothing is lost or resolved while the API is away', async () => {
    api.put(whole);
    api.put(loaded(['CVE-2025-1']));
    await start();
    const one = nameIn(loaded(['CVE-2025-1']));
    const two = nameIn(loaded(['CVE-2025-2']));
    await eventsBecome({ [one]: 'Active' });
    assert.ok(!api.requests.includes('GET whole'), 'the whole image was read though its loaded part is known');

    api.setAway(true);
    const resource = 'vulnerabilitymanifests.spdx.softwarecomposition.kubescape.io';
    await logged(daemon, 'cannot be watched at the moment: trying again', { resource });
    // No watch will ever tell of it: the listing that comes from time to time does.
    api.put(loaded(['CVE-2025-2']));
    await eventsBecome({ [one]: 'Active' });
    api.setAway(false);
    await eventsBecome({ [one]: 'Resolved fixed', [two]: 'Active' });

    api.remove(loaded([]));
    const [first = '', second = ''] = namesOf(whole);
    await stage.eventWhen(home.namespace, first, 'there', () => true);
    await stage.eventWhen(home.namespace, second, 'there', () => true);
    api.put(loaded(['CVE-2025-2']));
    const folded = { [first]: 'Resolved folded', [second]: 'Resolved folded' };
    await eventsBecome({ [one]: 'Resolved fixed', [two]: 'Active', ...folded });
    for (const object of [whole, loaded([])]) api.remove(object);
  });

  const skip = openFixtures() === undefined ? 'the folder of real reports is not here' : false;
  test('a real manifest gives the events that scan gives', { skip }, async () => {
    const file = join(openFixtures() ?? '', 'kubescape/vulnerabilitymanifest-large.yaml');
    const [real] = (await reportsIn(file)) as unknown as StoredObject[];
    assert.ok(real);
    const name = String(real.metadata.namespace);
    await stage.apply(`/api/v1/namespaces/${name}`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    api.put(real);
    await start();
    const scanned = (await scanFile(file)).map(({ metadata }) => metadata.name);
    assert.ok(scanned.length > 50);
    await eventsBecome(Object.fromEntries(scanned.map((one) => [one, 'Active'])));
    api.remove(real);
  });
});
