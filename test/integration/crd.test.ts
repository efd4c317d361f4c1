/** What the CRD makes of good events, on the real server (E1, E2). */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { kubectl } from '../cluster/kubectl.ts';
import { crdFolder, ensureEventCrd, eventsPath } from '../support/crd.ts';
import { makeNamespace, removeNamespace } from '../support/namespace.ts';
import { Rest } from '../support/rest.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { type UsedControlPlane, useControlPlane } from '../support/shared-control-plane.ts';

suite('CRD: events on the server', () => {
  let used: UsedControlPlane;
  let rest: Rest;
  let namespace: string;
  let events: string;

  before(async () => {
    used = await useControlPlane();
    await ensureEventCrd(used.controlPlane);
    rest = new Rest(used.controlPlane);
    namespace = await makeNamespace(used.controlPlane, 'crd');
    events = eventsPath(namespace);
  });
  after(async () => {
    await rest?.close();
    if (namespace) await removeNamespace(used.controlPlane, namespace);
    await used?.stop();
  });

  /** Creates an event in one request, as the daemon does, and gives its path. */
  async function create(seed: string, change: Parameters<typeof sampleEvent>[1] = {}): Promise<string> {
    const event = sampleEvent(seed, change);
    const { code, warnings, message } = await rest.send('POST', events, event);
    assert.equal(code, 201, message);
    assert.deepEqual(warnings, []);
    return `${events}/${event.metadata.name}`;
  }

  test('is applied without a word of warning, however often', async () => {
    const args = ['apply', '--server-side', '--force-conflicts', '-f', crdFolder];
    const { code, stderr } = await kubectl(used.controlPlane, args);
    assert.equal(stderr, '');
    assert.equal(code, 0);
  });

  test('one create gives an Active event with count 1; a status sent along is dropped', async () => {
    const event = sampleEvent('one write');
    const status = { phase: 'Resolved', reason: 'fixed', count: 7, synced: true };
    const { code, message, body } = await rest.send('POST', events, { ...event, status });
    assert.equal(code, 201, message);
    assert.deepEqual(body['status'], { phase: 'Active', count: 1 });
    const read = await rest.send('GET', `${events}/${event.metadata.name}`);
    assert.deepEqual(read.body['status'], { phase: 'Active', count: 1 });
    assert.deepEqual(read.body['spec'], event.spec);
    const list = await rest.send('GET', events);
    assert.deepEqual(list.body['items'][0].status, { phase: 'Active', count: 1 });
  });

  test("a consumer's PUT of its own status fields leaves the event Active", async () => {
    const path = await create('consumer put');
    const { body: before } = await rest.send('GET', path);
    const status = { synced: true, saasEventId: 'saas-1', lastSyncAttempt: '2026-01-02T03:04:06Z' };
    const put = await rest.send('PUT', `${path}/status`, { ...before, status });
    assert.equal(put.code, 200, put.message);
    assert.deepEqual(put.body['status'], { ...status, phase: 'Active', count: 1 });
    assert.deepEqual((await rest.send('GET', path)).body['status'], { ...status, phase: 'Active', count: 1 });
  });

  test('a PUT that leaves our fields out makes a Resolved event Active again: what the daemon has to mend', async () => {
    const path = await create('consumer put on resolved');
    const ours = { phase: 'Resolved', reason: 'fixed', count: 3, lastSeen: '2026-01-02T03:10:00Z' };
    const { body: before } = await rest.send('PATCH', `${path}/status`, { status: ours }, 'merge');
    assert.deepEqual(before['status'], ours);
    const put = await rest.send('PUT', `${path}/status`, { ...before, status: { synced: true } });
    assert.deepEqual(put.body['status'], { synced: true, phase: 'Active', count: 1 });
  });

  test("a consumer's merge patch changes its own status fields only", async () => {
    const path = await create('consumer patch');
    const ours = { count: 3, lastSeen: '2026-01-02T03:10:00Z' };
    assert.equal((await rest.send('PATCH', `${path}/status`, { status: ours }, 'merge')).code, 200);
    const theirs = { synced: false, syncError: `HTTP 502: ${'x'.repeat(2000)}` };
    const patched = await rest.send('PATCH', `${path}/status`, { status: theirs }, 'merge');
    assert.equal(patched.code, 200, patched.message);
    assert.deepEqual(patched.body['status'], { phase: 'Active', ...ours, ...theirs });
  });

  test('a whole life: resolved with a condition, then active again', async () => {
    const path = await create('life');
    const condition = {
      type: 'Fresh',
      status: 'False',
      reason: 'ReportMissing',
      lastTransitionTime: '2026-01-02T03:10:00Z',
    };
    const resolved = {
      phase: 'Resolved',
      reason: 'fixed',
      resolvedAt: '2026-01-02T03:10:00Z',
      conditions: [condition],
    };
    const first = await rest.send('PATCH', `${path}/status`, { status: resolved }, 'merge');
    assert.deepEqual(first.body['status'], { ...resolved, count: 1 });
    const active = { phase: 'Active', reason: null, resolvedAt: null };
    const second = await rest.send('PATCH', `${path}/status`, { status: active }, 'merge');
    assert.deepEqual(second.body['status'], { phase: 'Active', count: 1, conditions: [condition] });
  });

  test('each selectable field selects', async () => {
    const own = await makeNamespace(used.controlPlane, 'crd-fields');
    try {
      const paths: string[] = [];
      for (const change of [
        { severity: 'high', eventType: 'vulnerability', source: 'trivy' },
        { severity: 'low', eventType: 'policy-violation', source: 'kyverno' },
      ] as const) {
        const event = sampleEvent(`select ${change.severity}`, change);
        assert.equal((await rest.send('POST', eventsPath(own), event)).code, 201);
        paths.push(event.metadata.name);
      }
      const [high, low] = paths;
      const resolved = { status: { phase: 'Resolved', reason: 'fixed' } };
      assert.equal((await rest.send('PATCH', `${eventsPath(own)}/${low}/status`, resolved, 'merge')).code, 200);
      const cases: [selector: string, name: string | undefined][] = [
        ['spec.severity=high', high],
        ['spec.source=kyverno', low],
        ['spec.eventType=policy-violation', low],
        ['status.phase=Active', high],
        ['status.phase=Resolved', low],
      ];
      for (const [selector, name] of cases) {
        const { body } = await rest.send('GET', `${eventsPath(own)}?fieldSelector=${encodeURIComponent(selector)}`);
        const names = body['items'].map((item: { metadata: { name: string } }) => item.metadata.name);
        assert.deepEqual(names, [name], selector);
      }
    } finally {
      await removeNamespace(used.controlPlane, own);
    }
  });

  test('details hold any nesting', async () => {
    const details = { deep: { list: [1, 'two', { three: [null, true] }], empty: {} }, number: 1.5 };
    const path = await create('details', { details });
    assert.deepEqual((await rest.send('GET', path)).body['spec'].details, { ...details });
  });

  test('resource, origin and details have one owner each, as a whole', async () => {
    const event = sampleEvent('owners');
    const path = `${events}/${event.metadata.name}`;
    const first = await rest.send('PATCH', `${path}?fieldManager=first`, event, 'apply');
    assert.equal(first.code, 201, first.message);
    const fields = first.body.metadata.managedFields?.find(({ manager }) => manager === 'first')?.fieldsV1;
    const ownedSpec = (fields as { 'f:spec': Record<string, unknown> })['f:spec'];
    for (const field of ['f:resource', 'f:origin', 'f:details', 'f:references']) assert.deepEqual(ownedSpec[field], {});

    const { apiVersion, kind, metadata } = event;
    for (const part of [
      { resource: { namespace: 'other' } },
      { origin: { name: 'other' } },
      { details: { added: 1 } },
    ]) {
      const change = { apiVersion, kind, metadata: { name: metadata.name }, spec: part };
      const refused = await rest.send('PATCH', `${path}?fieldManager=second`, change, 'apply');
      // The change alone lacks required fields; what counts is that the server names the whole field as the conflict.
      assert.equal(refused.code, 409, refused.message);
      assert.match(refused.message, new RegExp(`conflict with "first".*\\.spec\\.${Object.keys(part)[0]}$`, 's'));
      const forced = await rest.send('PATCH', `${path}?fieldManager=second&force=true`, change, 'apply');
      assert.equal(forced.code, 200, forced.message);
      const [[field, value] = ['', {}]] = Object.entries(part);
      assert.deepEqual(forced.body['spec'][field], value);
    }
  });

  test('managedFields of a typical event stay small', async (t) => {
    const event = sampleEvent('size');
    const { code, message, body } = await rest.send('POST', `${events}?fieldManager=zen-watcher`, event);
    assert.equal(code, 201, message);
    const stored = JSON.stringify(body).length;
    const managed = JSON.stringify(body.metadata.managedFields).length;
    t.diagnostic(`a typical event takes ${stored} bytes, ${managed} of them managedFields`);
    assert.ok(managed < 1100, `${managed} bytes of managedFields`);
    assert.ok(stored < 3 * 1024, `${stored} bytes`);
  });
});
