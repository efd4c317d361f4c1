/** Each answer of the event store, from a real API server. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { fieldManager, mutedUntilAnnotation, type ZenAgentEvent } from '../../src/api/event.ts';
import type { Answer, StoredEvent } from '../../src/api/stored-event.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { KubeEventStore } from '../../src/kube/event-store.ts';
import { ensureEventCrd, eventsPath } from '../support/crd.ts';
import { makeNamespace, removeNamespace } from '../support/namespace.ts';
import { Rest } from '../support/rest.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { type UsedControlPlane, useControlPlane } from '../support/shared-control-plane.ts';
import { streamsLists } from '../support/streaming-lists.ts';
import { until } from '../support/until.ts';
import { clientFor } from '../support/watching.ts';

suite('the event store on a real server', () => {
  let used: UsedControlPlane;
  let rest: Rest;
  let client: KubeClient;
  let store: KubeEventStore;
  let namespace: string;

  before(async () => {
    used = await useControlPlane();
    await ensureEventCrd(used.controlPlane);
    rest = new Rest(used.controlPlane);
    client = clientFor(used.controlPlane);
    store = new KubeEventStore(client);
    namespace = await makeNamespace(used.controlPlane, 'event-store');
  });

  after(async () => {
    await removeNamespace(used.controlPlane, namespace);
    await client.close();
    await rest.close();
    await used.stop();
  });

  /** Creates an event of its own for a test. */
  async function created(seed: string, where = namespace): Promise<StoredEvent> {
    const answer = await store.create(where, JSON.stringify(sampleEvent(seed)));
    assert.equal(answer.kind, 'created');
    return (answer as Answer & { kind: 'created' }).event;
  }

  /** A whole event, as `replace` wants it. */
  const wanted = (seed: string, change: object = {}) => sampleEvent(seed, change) as ZenAgentEvent;

  function expectRetry(answer: Answer, cause: string, message: RegExp): void {
    assert.equal(answer.kind, 'retry');
    if (answer.kind !== 'retry') return;
    assert.equal(answer.cause, cause, answer.message);
    assert.match(answer.message, message);
  }

  test('created: with the defaults of status and our field manager', async () => {
    const event = await created('created');
    assert.deepEqual([event.status?.phase, event.status?.count], ['Active', 1]);
    assert.deepEqual(
      event.metadata.managedFields?.map(({ manager }) => manager),
      [fieldManager],
    );
    assert.deepEqual(await store.read(namespace, event.metadata.name), event);
  });

  test('created: its version is found without parsing, unless it is more than what was sent', async () => {
    const event = sampleEvent('untouched');
    const answer = await store.create(namespace, JSON.stringify(event));
    assert.equal(answer.kind, 'created');
    const { metadata } = (answer as Answer & { kind: 'created' }).event;
    const { name, resourceVersion } = metadata;
    assert.deepEqual('untouched' in answer && answer.untouched, { namespace, name, resourceVersion });
    const muted = sampleEvent('muted');
    const annotations = { [mutedUntilAnnotation]: '2099-01-01' };
    const other = await store.create(
      namespace,
      JSON.stringify({ ...muted, metadata: { ...muted.metadata, annotations } }),
    );
    assert.equal(other.kind, 'created');
    assert.ok(!('untouched' in other));
  });

  test('conflict: the name is taken', async () => {
    await created('taken');
    assert.deepEqual(await store.create(namespace, JSON.stringify(sampleEvent('taken'))), { kind: 'conflict' });
  });

  test('changed: replaced, patched, removed', async () => {
    const event = await created('changed');
    const replaced = await store.replace(event, wanted('changed', { severity: 'low' }));
    assert.ok(replaced.kind === 'changed' && replaced.event.spec.severity === 'low');
    const { name, resourceVersion } = replaced.event.metadata;
    const patched = await store.patchStatus(namespace, name, resourceVersion, { phase: 'Resolved', reason: 'fixed' });
    assert.ok(patched.kind === 'changed' && patched.event.status?.phase === 'Resolved');
    const cleared = await store.patchStatus(namespace, name, patched.event.metadata.resourceVersion, { reason: null });
    assert.ok(cleared.kind === 'changed' && cleared.event.status?.reason === undefined);
    assert.equal((await store.remove(cleared.event)).kind, 'changed');
    assert.equal(await store.read(namespace, name), undefined);
  });

  test('conflict: somebody changed it in the meantime', async () => {
    const event = await created('raced');
    const { name, resourceVersion } = event.metadata;
    await rest.send('PATCH', `${eventsPath(namespace)}/${name}`, { metadata: { labels: { a: 'b' } } }, 'merge');
    assert.deepEqual(await store.replace(event, wanted('raced')), { kind: 'conflict' });
    assert.deepEqual(await store.patchStatus(namespace, name, resourceVersion, { count: 2 }), { kind: 'conflict' });
    assert.deepEqual(await store.remove(event), { kind: 'conflict' });
  });

  test('conflict: it was deleted and made anew', async () => {
    const event = await created('remade');
    await store.remove(event);
    const again = await created('remade');
    const old = { ...again, metadata: { ...again.metadata, uid: event.metadata.uid } };
    assert.deepEqual(await store.remove(old), { kind: 'conflict' });
    assert.deepEqual(await store.replace(old, wanted('remade')), { kind: 'conflict' });
  });

  test('gone: there is no such event', async () => {
    const event = await created('gone');
    const { name, resourceVersion } = event.metadata;
    await store.remove(event);
    assert.deepEqual(await store.patchStatus(namespace, name, resourceVersion, { count: 2 }), { kind: 'gone' });
    // An older server calls a version of what is not there a conflict: whoever reads it then sees that it is gone.
    const older = { kind: (await streamsLists(rest)) ? 'gone' : 'conflict' };
    assert.deepEqual(await store.replace(event, wanted('gone')), older);
    assert.deepEqual(await store.remove(event), { kind: 'gone' });
    assert.equal(await store.read(namespace, name), undefined);
  });

  test('rejected: the CRD does not allow it', async () => {
    const bad = { ...sampleEvent('rejected'), spec: { ...sampleEvent('rejected').spec, severity: 'severe' } };
    const answer = await store.create(namespace, JSON.stringify(bad));
    assert.ok(answer.kind === 'rejected' && /spec\.severity: Unsupported value/.test(answer.message));
    const event = await created('rejected');
    assert.equal((await store.replace(event, bad as never)).kind, 'rejected');
    assert.equal((await store.create(namespace, '{"no json')).kind, 'rejected');
    const { name, resourceVersion } = event.metadata;
    assert.equal((await store.patchStatus(namespace, name, resourceVersion, { count: -1 })).kind, 'rejected');
  });

  test('forbidden: RBAC does not allow it', async () => {
    const restricted = clientFor(used.controlPlane, { token: used.controlPlane.restrictedToken });
    const other = new KubeEventStore(restricted);
    expectRetry(await other.create(namespace, JSON.stringify(sampleEvent('rbac'))), 'forbidden', /cannot create/);
    await assert.rejects(other.read(namespace, 'x'), { status: 403 });
    await restricted.close();
  });

  test('unauthorized: the token is not known', async () => {
    const unknown = clientFor(used.controlPlane, { token: 'nobody' });
    const answer = await new KubeEventStore(unknown).create(namespace, JSON.stringify(sampleEvent('unknown')));
    expectRetry(answer, 'unavailable', /401 Unauthorized/);
    await unknown.close();
  });

  test('quota: the namespace may hold no more events', async () => {
    const full = await makeNamespace(used.controlPlane, 'event-store-quota');
    const quotas = `/api/v1/namespaces/${full}/resourcequotas`;
    const counted = 'count/zenagentevents.zen.kube-zen.io';
    const hard = { [counted]: '1' };
    // The controller learns of a new CRD every 30 s, and of a quota that it could not count then only after minutes: a new one
    // it counts at once.
    const isCounted = async () => (await rest.send('GET', `${quotas}/q`)).body['status']?.used?.[counted] !== undefined;
    const tryOne = async () => {
      assert.equal((await rest.send('POST', quotas, { metadata: { name: 'q' }, spec: { hard } })).code, 201);
      const is = await until('it to be counted', isCounted, { limitSeconds: 3 }).catch(() => false);
      if (!is) await rest.send('DELETE', `${quotas}/q`);
      return is;
    };
    await until('a quota to be counted', tryOne, { limitSeconds: 150 });
    // The admission of the quota learns of it a moment later than its status, and answers "try again" until then.
    const first = JSON.stringify(sampleEvent('first'));
    await until('the first to be let in', async () => {
      const answer = await store.create(full, first);
      if (answer.kind !== 'created') throw new Error(JSON.stringify(answer));
      return true;
    });
    expectRetry(await store.create(full, JSON.stringify(sampleEvent('second'))), 'quota', /exceeded quota: q/);
    await removeNamespace(used.controlPlane, full);
  });

  test('namespace missing', async () => {
    const answer = await store.create('there-is-none', JSON.stringify(sampleEvent('missing')));
    expectRetry(answer, 'namespace-missing', /namespaces "there-is-none" not found/);
    assert.equal(await store.read('there-is-none', 'x'), undefined);
  });

  test('nowhere: the namespace is being deleted', async () => {
    const ending = await makeNamespace(used.controlPlane, 'event-store-end');
    const { metadata } = await created('keeps', ending);
    const path = `${eventsPath(ending)}/${metadata.name}`;
    // A finalizer keeps the event, and the event keeps the namespace.
    await rest.send('PATCH', path, { metadata: { finalizers: ['zen-test.example/hold'] } }, 'merge');
    await removeNamespace(used.controlPlane, ending);
    const answer = await store.create(ending, JSON.stringify(sampleEvent('late')));
    assert.ok(answer.kind === 'nowhere' && /is being terminated/.test(answer.message), JSON.stringify(answer));
    await rest.send('PATCH', path, { metadata: { finalizers: null } }, 'merge');
  });
});
