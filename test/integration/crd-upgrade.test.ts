/**
 * Our CRD over the one of an older version, with events of that version in the store (E4: the schema still accepts their
 * updates). It works on a control plane of its own, since the CRD is one for the whole cluster.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { apiVersion, group, kind, listKind, plural } from '../../src/api/event.ts';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { kubectl, kubectlOutput } from '../cluster/kubectl.ts';
import { crdFolder, eventsPath, waitForEventCrd } from '../support/crd.ts';
import { Rest } from '../support/rest.ts';
import { sampleEvent } from '../support/sample-event.ts';

const text = { type: 'string' };
/** As the CRD of the older version was: nothing bounded, no words, no rules. */
const olderCrd = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    names: { kind, listKind, plural, singular: 'zenagentevent', shortNames: ['zae', 'zaevent'] },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                required: ['source', 'category', 'severity', 'eventType'],
                properties: {
                  source: text,
                  category: text,
                  severity: text,
                  eventType: text,
                  resource: {
                    type: 'object',
                    properties: { apiVersion: text, kind: text, name: text, namespace: text },
                  },
                  details: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                  detectedAt: { type: 'string', format: 'date-time' },
                },
              },
              status: {
                type: 'object',
                properties: {
                  synced: { type: 'boolean' },
                  lastSyncAttempt: { type: 'string', format: 'date-time' },
                  syncError: text,
                  saasEventId: text,
                },
              },
            },
          },
        },
      },
    ],
  },
};

const events = eventsPath('default');

/** An event of the older version: a generated name, no fingerprint, upper-case severity. */
const olderEvent = {
  apiVersion,
  kind,
  metadata: { generateName: 'trivy-vuln-', labels: { source: 'trivy', severity: 'HIGH', category: 'security' } },
  spec: {
    source: 'trivy',
    category: 'security',
    severity: 'HIGH',
    eventType: 'vulnerability',
    resource: { kind: 'Pod', name: 'nginx-7d9f', namespace: 'default' },
    details: { vulnerabilityID: 'CVE-2020-1', nested: { any: ['thing'] } },
    detectedAt: '2025-01-02T03:04:05Z',
  },
};

/** As much as the older schema let through: no word, pattern or bound of ours holds. */
const wildEvent = {
  ...olderEvent,
  metadata: { generateName: 'wild-' },
  spec: {
    ...olderEvent.spec,
    source: 'Kube_Bench',
    category: 'CIS',
    eventType: 'CIS 1.2.3 failed',
    resource: { kind: 'K'.repeat(100), name: 'n'.repeat(300) },
    details: Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`key${index}`, index])),
  },
};

suite('CRD: upgrade from an older version', () => {
  let controlPlane: ControlPlane;
  let rest: Rest;
  const stored: { older: string; wild: string } = { older: '', wild: '' };

  before(async () => {
    controlPlane = await startControlPlane({ controllerManager: false });
    rest = new Rest(controlPlane);
    await kubectlOutput(controlPlane, ['apply', '-f', '-'], { input: JSON.stringify(olderCrd) });
    await waitForEventCrd(controlPlane);
    stored.older = await create(olderEvent);
    stored.wild = await create(wildEvent);
    const synced = await rest.send(
      'PATCH',
      `${stored.wild}/status`,
      { status: { syncError: 'e'.repeat(9000) } },
      'merge',
    );
    assert.equal(synced.code, 200, synced.message);

    // In the way that people upgrade.
    const { code, stderr } = await kubectl(controlPlane, ['apply', '-f', crdFolder]);
    assert.equal(stderr, '');
    assert.equal(code, 0);
    await waitUntilRefused();
  });
  after(async () => {
    await rest?.close();
    await controlPlane?.stop();
  });

  async function create(event: unknown): Promise<string> {
    const { code, message, body } = await rest.send('POST', events, event);
    assert.equal(code, 201, message);
    return `${events}/${body.metadata.name}`;
  }

  /** The new schema is in force a moment after the CRD is stored. */
  async function waitUntilRefused(): Promise<void> {
    for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
      const { code } = await rest.send('POST', `${events}?dryRun=All`, wildEvent);
      if (code === 422) return;
      await sleep(100);
    }
    throw new Error('the new schema did not come into force');
  }

  for (const which of ['older', 'wild'] as const) {
    suite(which === 'older' ? 'an ordinary event' : 'an event that breaks every rule of ours', () => {
      test('is still there, as it was', async () => {
        const { code, body } = await rest.send('GET', stored[which]);
        assert.equal(code, 200);
        assert.deepEqual(body['spec'], which === 'older' ? olderEvent.spec : wildEvent.spec);
      });

      test('takes labels and annotations', async () => {
        const metadata = { labels: { reviewed: 'yes' }, annotations: { note: 'seen' } };
        const { code, message, body } = await rest.send('PATCH', stored[which], { metadata }, 'merge');
        assert.equal(code, 200, message);
        assert.equal(body.metadata.labels?.['reviewed'], 'yes');
      });

      test("takes a consumer's status, by merge patch and by PUT", async () => {
        const status = { synced: true, saasEventId: 'saas-7', lastSyncAttempt: '2026-01-02T03:04:05Z' };
        const patched = await rest.send('PATCH', `${stored[which]}/status`, { status }, 'merge');
        assert.equal(patched.code, 200, patched.message);
        const put = await rest.send('PUT', `${stored[which]}/status`, { ...patched.body, status });
        assert.equal(put.code, 200, put.message);
        assert.deepEqual(put.body['status'], { ...status, phase: 'Active', count: 1 });
      });

      test('takes a PUT of the whole object as it was read', async () => {
        const { body } = await rest.send('GET', stored[which]);
        const { code, message } = await rest.send('PUT', stored[which], body);
        assert.equal(code, 200, message);
      });

      test('takes no new value that is wrong', async () => {
        const { code, message } = await rest.send('PATCH', stored[which], { spec: { severity: 'LOW' } }, 'merge');
        assert.equal(code, 422);
        assert.match(message, /spec\.severity: Unsupported value: "LOW"/);
      });
    });
  }

  test('a new event of the older kind is refused for its severity alone', async () => {
    const { code, message } = await rest.send('POST', events, olderEvent);
    assert.equal(code, 422);
    assert.match(message, /spec\.severity: Unsupported value: "HIGH"/);
    assert.equal(message.match(/spec\./g)?.length, 1, message);
  });

  test('old and new events are listed together', async () => {
    const event = sampleEvent('beside the older ones');
    assert.equal((await rest.send('POST', events, event)).code, 201);
    const table = await kubectlOutput(controlPlane, ['get', 'zenevents', '-n', 'default']);
    assert.match(table, /^trivy-vuln-\S+ +HIGH +trivy /m);
    assert.match(table, new RegExp(`^${event.metadata.name} +critical +trivy `, 'm'));
    const { body } = await rest.send('GET', `${events}?fieldSelector=spec.severity%3DHIGH`);
    assert.equal(body['items'].length, 2);
  });

  test('an old event can be deleted', async () => {
    assert.equal((await rest.send('DELETE', stored.wild)).code, 200);
  });
});
