/** What webhooks are sent, through the pipeline over a model of the server (I4, F6): all or nothing, and the promise of the answer. */
import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import type { Patience } from '../../src/pipeline/receiver.ts';
import { Receiver } from '../../src/pipeline/receiver.ts';
import { sentKind } from '../../src/pipeline/sent-reports.ts';
import type { Delivery, Receipt, SentDocument } from '../../src/sources/delivery.ts';
import type { Acknowledgement, Format, RawDocument, Rejection } from '../../src/sources/source.ts';
import { MalformedReport } from '../../src/sources/source.ts';
import { finding, reading, signal, start, tool } from '../support/findings.ts';
import { World, type WorldOptions } from '../support/pipeline-world.ts';

const origin = { apiVersion: '', kind: 'Report', name: 'happened' };
/** Long enough for a test that goes right, short enough for one that waits in vain. */
const short: Patience = { roomMs: 60, podsMs: 40, writeMs: 80 };
const long: Patience = { roomMs: 5_000, podsMs: 40, writeMs: 5_000 };

/** `{happened: id, occurrence, pod}` is a signal, `{found: [ids], of}` a state. */
const format: Format = {
  name: 'happened',
  recognise: (document) => 'happened' in document || 'found' in document,
  read(document, { now }) {
    const { happened, occurrence, pod, found, of, times = 1 } = document as Partial<Record<string, never>>;
    if (happened === '') throw new MalformedReport({ reason: 'missing-field', place: '.happened', message: 'nothing' });
    if (found !== undefined) {
      const findings = (found as string[]).map((id) => finding(id));
      return [reading('x', findings, { reportKey: ['found', of ?? 'all'], origin, reportedAt: now })];
    }
    const resource = pod === undefined ? undefined : { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: pod };
    const ids = occurrence === undefined ? {} : { occurrenceIds: [String(occurrence)] };
    const one = signal(
      happened ?? '',
      { occurrences: times, at: now, ...ids },
      resource ? { resource, byOwner: true } : {},
    );
    return [reading('x', [one], { reportKey: ['happened', ''], completeness: 'partial', origin })];
  },
};

interface Scene {
  readonly world: World;
  readonly rejections: Rejection[];
  isReady: boolean;
  receive(documents: readonly SentDocument[], acknowledge?: Acknowledgement): Promise<Receipt>;
}

function scene(t: TestContext, options: WorldOptions & { readonly patience?: Patience } = {}): Scene {
  const world = new World(options);
  t.after(() => world.life.writer.stop());
  const { index, queue, books, reconciler, settlements } = world.life;
  const rejections: Rejection[] = [];
  const patience = options.patience ?? long;
  const receiver = new Receiver({
    index,
    queue,
    books,
    reconciler,
    settlements,
    clock: { now: () => new Date(start.getTime() + 1), monotonicMs: () => performance.now() },
    isReady: () => made.isReady,
    context: () => ({}),
    rejected: (_source, _sender, rejection) => rejections.push(rejection),
    patience: { 'on-write': patience, batch: { ...patience, roomMs: 0 }, report: patience },
  });
  const made: Scene = {
    world,
    rejections,
    isReady: true,
    receive: (documents, acknowledge = 'report') => receiver.receive(deliveryOf(documents, acknowledge)),
  };
  return made;
}

function deliveryOf(documents: readonly SentDocument[], acknowledge: Acknowledgement): Delivery {
  return { source: tool, formats: [format], acknowledge, count: documents.length, documents };
}
const sent = (document: RawDocument, id?: string): SentDocument => ({ document, place: '', id });
const happened = (id: string, more: RawDocument = {}) => sent({ happened: id, ...more });
const many = (count: number) => Array.from({ length: count }, (_, number) => happened(`s${number}`));

suite('receiver', () => {
  test('a request is settled when its events are on the server, and not before', async (t) => {
    const { world, receive } = scene(t);
    let answer = () => {};
    world.server.latency = () => new Promise((resolve) => (answer = resolve));
    let receipt: Receipt | undefined;
    const receiving = receive([happened('a')]).then((one) => (receipt = one));
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(receipt, undefined, 'answered before the server did');
    answer();
    assert.deepEqual(await receiving, { kind: 'settled', documents: 1, rejected: 0, rejections: [], unusable: 0 });
    assert.deepEqual(world.state, ['a']);
  });

  test('repeats of an event that is there wait for nothing; the count is written later', async (t) => {
    const { world, receive } = scene(t);
    await receive([happened('a')], 'on-write');
    for (let repeat = 0; repeat < 500; repeat += 1) {
      assert.equal((await receive([happened('a')], 'on-write')).kind, 'settled');
    }
    assert.equal(world.server.changes.length, 1);
    assert.equal(world.life.books.balance().pending, 500);
    await world.life.writer.drain(5_000);
    assert.equal([...world.server.events.values()][0]?.status?.count, 501);
    assert.equal(world.server.changes.length, 2);
  });

  test('what was sent again while its event is on the way waits for it too', async (t) => {
    const { world, receive } = scene(t);
    let answer = () => {};
    world.server.latency = () => new Promise((resolve) => (answer = resolve));
    const kinds: string[] = [];
    const first = receive([happened('a', { occurrence: 1 })]).then(({ kind }) => kinds.push(kind));
    const again = receive([happened('a', { occurrence: 1 })]).then(({ kind }) => kinds.push(kind));
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(kinds, []);
    answer();
    await Promise.all([first, again]);
    assert.deepEqual(kinds, ['settled', 'settled']);
    await world.life.writer.drain(1_000);
    assert.equal([...world.server.events.values()][0]?.status?.count, 1, 'counted twice');
  });

  test('a server that does not answer: pending in time, and written when it does again', async (t) => {
    const { world, receive } = scene(t, { patience: short });
    world.server.fault = () => ({ kind: 'retry', cause: 'unavailable', message: 'down' });
    assert.equal((await receive([happened('a'), sent({ found: ['b'] })])).kind, 'pending');
    assert.equal(world.life.settlements.size, 0, 'waits for ever');
    world.server.fault = () => 'none';
    await world.rest();
    assert.deepEqual(world.state, ['a', 'b']);
  });

  test('a batch waits for a new event only', async (t) => {
    const { world, receive } = scene(t, { patience: short });
    await receive([happened('a')], 'batch');
    world.server.fault = () => ({ kind: 'retry', cause: 'unavailable', message: 'down' });
    assert.equal((await receive([happened('a'), happened('a')], 'batch')).kind, 'settled');
    assert.equal((await receive([happened('a'), happened('b')], 'batch')).kind, 'pending');
    world.server.fault = () => 'none';
    await world.rest().catch(() => {});
  });

  test('what the server refuses for good is settled', async (t) => {
    const { world, receive } = scene(t);
    world.server.fault = (verb) => (verb === 'create' ? { kind: 'rejected', message: 'no' } : 'none');
    assert.equal((await receive([sent({ found: ['a'] })])).kind, 'settled');
    assert.equal(world.life.books.balance().rejected['refused-by-server'], 1);
  });

  test('a full queue: busy, and nothing is noted or received; the same again counts once', async (t) => {
    const { world, receive } = scene(t, { queueItems: 4, patience: short });
    await world.life.writer.stop();
    assert.equal((await receive(many(4))).kind, 'pending');
    const before = JSON.stringify(world.life.books.balance());
    const again = [happened('new', { occurrence: 7 }), happened('s0', { occurrence: 8 })];
    for (const acknowledge of ['batch', 'report', 'on-write'] as const) {
      const receipt = await receive(again, acknowledge);
      assert.deepEqual([receipt.kind, receipt.reason, receipt.documents], ['busy', 'the queue is full', 0]);
    }
    assert.equal(JSON.stringify(world.life.books.balance()), before);
    assert.equal(world.life.index.find('tool-new'), 0);
    world.life.writer.start();
    await world.rest();
    assert.equal((await receive(again)).kind, 'settled');
    await world.life.writer.drain(1_000);
    const counts = [...world.server.events.values()].map(({ spec, status }) => [spec.details?.['id'], status?.count]);
    assert.deepEqual(counts.slice(-1), [['new', 1]]);
    assert.deepEqual(counts[0], ['s0', 2]);
  });

  test('room that comes in time is waited for, but not for kube-apiserver', async (t) => {
    const { world, receive } = scene(t, { queueItems: 4 });
    await world.life.writer.stop();
    const filling = receive(many(4));
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal((await receive([happened('x')], 'batch')).kind, 'busy');
    const waiting = receive([happened('x')], 'on-write');
    world.life.writer.start();
    assert.equal((await filling).kind, 'settled');
    assert.equal((await waiting).kind, 'settled');
    assert.equal(world.server.events.size, 5);
  });

  test('a request that is larger than what is left of the queue is taken whole while half of it is free', async (t) => {
    const { world, receive } = scene(t, { queueItems: 10 });
    assert.equal((await receive(many(40))).kind, 'settled');
    assert.equal(world.server.events.size, 40);
    await world.rest();
  });

  test('more than a thousand documents are taken in in parts, none twice', async (t) => {
    const { world, receive } = scene(t);
    const receipt = await receive(many(2_500));
    assert.deepEqual([receipt.kind, receipt.documents], ['settled', 2_500]);
    assert.equal(world.server.events.size, 2_500);
    assert.equal(world.life.books.balance().accounts.written, 2_500);
  });

  test('before own events and Pods are listed: busy for kube-apiserver, waited for by others', async (t) => {
    const made = scene(t);
    made.isReady = false;
    assert.equal((await made.receive([happened('a')], 'batch')).kind, 'busy');
    const waiting = made.receive([happened('a')]);
    made.isReady = true;
    assert.equal((await waiting).kind, 'settled');
  });

  test('a Pod that is late is waited for; one that never comes costs its owner, not the signal', async (t) => {
    const made = scene(t, { patience: { ...long, podsMs: 400 } });
    const { world } = made;
    world.lookUpPod = () => 'unknown';
    const receiving = made.receive([happened('late', { pod: 'db-0' }), happened('other')]);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual(world.state, ['other']);
    world.lookUpPod = () => ({ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db' });
    assert.equal((await receiving).kind, 'settled');
    world.lookUpPod = () => 'unknown';
    assert.equal((await made.receive([happened('never', { pod: 'gone-1' })])).kind, 'settled');
    const subjects = [...world.server.events.values()].map(
      ({ spec }) => `${spec.resource?.kind}/${spec.resource?.name}`,
    );
    assert.deepEqual(subjects, ['Deployment/web', 'StatefulSet/db', 'Pod/gone-1']);
    assert.equal(world.life.reconciler.wantedPods, 0);
  });

  test('bad documents are counted and cost only themselves', async (t) => {
    const { world, receive, rejections } = scene(t);
    const rejection: Rejection = { reason: 'malformed', place: '.items[0]', message: 'is not valid JSON' };
    const receipt = await receive([{ rejection }, happened(''), sent({ unknown: 1 }), happened('a')]);
    assert.deepEqual([receipt.kind, receipt.documents, receipt.rejected, receipt.unusable], ['settled', 4, 3, 3]);
    assert.deepEqual(
      rejections.map(({ message }) => message),
      ['is not valid JSON', 'nothing', 'is nothing that tool reports'],
    );
    assert.deepEqual(world.state, ['a']);
    const { received, rejected } = world.life.books.balance();
    assert.deepEqual([received, rejected.malformed, rejected['missing-field']], [4, 2, 1]);
  });

  test('a delivery that its sender repeats counts once by its id, also with several signals', async (t) => {
    const { world, receive } = scene(t);
    const delivery = [sent({ happened: 'a' }, 'ce 1'), sent({ happened: 'a' }, 'ce 2')];
    await receive(delivery);
    await receive(delivery);
    await world.life.writer.drain(1_000);
    assert.equal([...world.server.events.values()][0]?.status?.count, 2);
    assert.equal(world.life.books.balance().accounts.unchanged, 2);
  });

  test('a newer report of the same key resolves what it does not hold; another key does not', async (t) => {
    const { world, receive } = scene(t);
    await receive([sent({ found: ['a', 'b'], of: 'one' })]);
    await receive([sent({ found: ['c'], of: 'two' })]);
    assert.equal((await receive([sent({ found: ['b'], of: 'one' })])).kind, 'settled');
    assert.deepEqual(world.state, ['(a fixed)', 'b', 'c']);
    assert.equal((await receive([sent({ found: [], of: 'one' })])).kind, 'settled');
    assert.deepEqual(world.state, ['(a fixed)', '(b fixed)', 'c']);
  });

  test('an event of a sent report stays fresh while the process lives; after a restart it has its grace, and is never taken for fixed', async (t) => {
    const { world, receive } = scene(t);
    world.kindStates.set(sentKind, { kind: 'sent' });
    await receive([sent({ found: ['a'], of: 'one' })]);
    await world.rest();
    await world.later(world.graceMs * 3);
    const conditions = () => [...world.server.events.values()][0]?.status?.conditions?.map(({ reason }) => reason);
    assert.equal(conditions(), undefined);
    await world.restart([]);
    await world.later(0);
    await world.later(world.graceMs + 1);
    assert.deepEqual(world.state, ['a']);
    assert.deepEqual(conditions(), ['SourceSilent']);
  });
});
