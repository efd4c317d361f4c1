/**
 * Signals on the real server: Warning events of Kubernetes, written by a real controller and by hand as a kubelet does,
 * become events that count (E2, F3, F4, F6, T8).
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, suite, test } from 'node:test';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { apply } from '../cluster/kubectl.ts';
import { createdTwice, tallyOf } from '../support/audit-log.ts';
import { eventsPath } from '../support/crd.ts';
import type { DaemonSettings, TestDaemon } from '../support/daemon.ts';
import { assertBooksBalance, linesOf, logged, ready, received, scrape } from '../support/daemon.ts';
import type { Home } from '../support/stage.ts';
import { Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';

/** Long enough that nothing put off is written within a test. */
const never = 3_600_000;
const source = 'kubernetes-events';
const warnings = { sources: { [source]: { enabled: true } } };

/** What is read of an Event of Kubernetes. */
interface CountedEvent {
  readonly metadata: { readonly name: string };
  readonly reason: string;
  readonly count: number;
}

suite('daemon: signals', () => {
  let stage: Stage;
  let home: Home;
  let team: string;
  let daemon: TestDaemon | undefined;

  before(async () => {
    stage = await Stage.start({ controllerManager: true });
  });
  after(() => stage?.stop());
  beforeEach(async () => {
    home = await stage.home('events');
    team = await stage.namespace('team');
  });
  afterEach(async () => {
    // Whatever comes of it, the next test's daemon shall see its own Events only.
    await stage.rest.send('DELETE', kubernetesEvents());
    if (daemon !== undefined) await stage.end(daemon);
    daemon = undefined;
  });

  const kubernetesEvents = (name = '') => `/api/v1/namespaces/${team}/events${name === '' ? '' : `/${name}`}`;
  const writes = () => stage.audit.writes(home.namespace).filter(({ user }) => user === home.account.user);

  /** The audit log may be a moment behind the answers. */
  async function wrote(expected: Readonly<Record<string, number>>): Promise<void> {
    const sum = Object.values(expected).reduce((total, count) => total + count, 0);
    await until(`${sum} writes`, () => writes().length >= sum);
    assert.deepEqual(tallyOf(writes()), expected);
  }

  async function start(settings: DaemonSettings = {}): Promise<TestDaemon> {
    daemon = await stage.daemon(home, { ...settings, config: { ...warnings, ...settings.config } });
    await ready(daemon);
    return daemon;
  }

  /** Ends the daemon in order. */
  async function end(): Promise<void> {
    if (daemon !== undefined) await stage.end(daemon);
    daemon = undefined;
  }

  /** Our events about the namespace of this test. */
  const ours = async () =>
    (await stage.events(home.namespace)).filter(
      ({ spec }) => spec.source === source && spec.resource?.namespace === team,
    );

  function eventWhen(reason: string, what: string, is: (event: StoredEvent) => boolean): Promise<StoredEvent> {
    return until(`the event of ${reason} to be ${what}`, async () => {
      const event = (await ours()).find(({ spec }) => spec.details?.['reason'] === reason);
      return event !== undefined && is(event) ? event : undefined;
    });
  }
  const counts = (reason: string, count: number) =>
    eventWhen(reason, `counted ${count} times`, ({ status }) => status?.count === count);

  /** As a kubelet writes it: the same object again, with its new count. */
  async function happens(name: string, count: number, change: object = {}, at = new Date()): Promise<void> {
    const time = `${at.toISOString().slice(0, 19)}Z`;
    const { code, body } = await stage.rest.send('GET', kubernetesEvents(name));
    const firstTimestamp = code === 200 ? body['firstTimestamp'] : time;
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace: team },
      type: 'Warning',
      reason: 'BackOff',
      message: `Back-off restarting failed container web, attempt ${count}`,
      involvedObject: {
        apiVersion: 'v1',
        kind: 'Pod',
        namespace: team,
        name: 'web-7d9c8b6f5d-x2x4z',
        fieldPath: 'spec.containers{web}',
      },
      source: { component: 'kubelet', host: 'node-a' },
      count,
      firstTimestamp,
      lastTimestamp: time,
      ...change,
    };
    await stage.apply(kubernetesEvents(name), event);
  }

  /** Waits until the daemon has dealt with so many readings and occurrences; what is put off stays pending. */
  async function dealtWith(occurrences: number, pending: number): Promise<void> {
    await until(`${occurrences} received, ${pending} of them pending`, async () => {
      const now = await scrape(daemon as TestDaemon);
      return (
        now.received === occurrences && now.pending === pending && now.value('zen_watcher_books_discrepancy') === 0
      );
    });
  }

  test('a Warning that a controller writes again and again is one event with its count; an end in order and a restart keep it true', async (t) => {
    const app = { app: 'web' };
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: team },
      spec: {
        selector: { matchLabels: app },
        template: {
          metadata: { labels: app },
          // Admission refuses its Pods: there is no such account.
          spec: { serviceAccountName: 'nobody', containers: [{ name: 'web', image: 'registry.example.org/web' }] },
        },
      },
    };
    const refusals = async (): Promise<CountedEvent[]> => {
      const { items } = await stage.must(200, 'GET', kubernetesEvents());
      return (items as CountedEvent[]).filter(({ reason }) => reason === 'FailedCreate');
    };
    const total = async () => (await refusals()).reduce((sum, { count }) => sum + count, 0);

    await start({ timing: { signalStepsMs: [1000, never] } });
    await apply(stage.controlPlane, JSON.stringify(deployment));
    const first = await eventWhen('FailedCreate', 'there', () => true);
    assert.deepEqual(
      [
        first.spec.subject,
        first.spec.severity,
        first.spec.category,
        first.spec.eventType,
        first.spec.resource?.namespace,
      ],
      ['Deployment/web', 'medium', 'operations', 'cluster-warning', team],
    );
    assert.equal(first.metadata.labels?.['zen.kube-zen.io/resource-kind'], 'Deployment');
    const seen = await until('ten refusals', async () => {
      const now = await total();
      return now >= 10 ? now : undefined;
    });
    await until('a repeat to be written', () => tallyOf(writes())['patch status 200'] !== undefined);
    await end();
    const kept = await eventWhen('FailedCreate', 'counted', ({ status }) => (status?.count ?? 0) >= seen);
    assert.ok((kept.status?.count ?? 0) <= (await total()), 'counted twice');
    const { 'create 201': creates, 'patch status 200': patches = 0, ...others } = tallyOf(writes());
    t.diagnostic(`${kept.status?.count} refusals cost ${creates} create and ${patches} patches`);
    assert.deepEqual([creates, others], [1, {}]);
    // The first occurrences, the first repeat, the end.
    assert.ok(patches <= 3, `${patches} patches for ${kept.status?.count} occurrences`);

    // Nobody watches; then there are no more.
    await stage.must(200, 'DELETE', `/apis/apps/v1/namespaces/${team}/deployments/web`);
    await until('its ReplicaSets to be gone', async () => {
      const { items } = await stage.must(200, 'GET', `/apis/apps/v1/namespaces/${team}/replicasets`);
      return items.length === 0;
    });
    const truth = await total();
    await start();
    const again = await counts('FailedCreate', truth);
    assert.equal(again.metadata.uid, kept.metadata.uid);
    const before = writes().length;
    await end();
    const last = await start();
    await dealtWith(1, 0);
    assert.equal((await counts('FailedCreate', truth)).metadata.uid, kept.metadata.uid);
    assert.equal(writes().length, before, 'a restart wrote');
    assert.deepEqual(createdTwice(writes()), []);
    await assertBooksBalance(last);
  });

  test('repeats are put off, pending in the books, and no line of the log', async () => {
    const running = await start({ timing: { signalStepsMs: [never] } });
    await happens('a', 1);
    const made = await counts('BackOff', 1);
    assert.deepEqual(made.status, { phase: 'Active', count: 1 });
    await wrote({ 'create 201': 1 });
    for (const count of [2, 5]) await happens('a', count);
    const lastMs = Math.floor(Date.now() / 1000 + 2) * 1000;
    await happens('a', 9, {}, new Date(lastMs));
    await dealtWith(9, 8);
    await wrote({ 'create 201': 1 });
    await end();
    const { status } = await counts('BackOff', 9);
    assert.equal(status?.lastSeen, new Date(lastMs).toISOString());
    await wrote({ 'create 201': 1, 'patch status 200': 1 });
    assert.equal(linesOf(running, 'event created', { source }).length, 1);
    assert.equal(linesOf(running, 'event changed').length, 1, 'for debugging only');
    assert.equal(linesOf(running, 'event changed')[0]?.level, 'debug');
    assert.deepEqual(linesOf(running, 'zen-watcher stopped', { drained: true, left: 0 }).length, 1);
  });

  test('two Pods of a workload are one event; another container and another reason are others', async () => {
    const running = await start({ timing: { signalStepsMs: [200] } });
    const pod = (name: string, container: string) => ({
      involvedObject: {
        apiVersion: 'v1',
        kind: 'Pod',
        namespace: team,
        name,
        fieldPath: `spec.containers{${container}}`,
      },
    });
    await happens('a', 3, pod('web-7d9c8b6f5d-x2x4z', 'web'));
    await counts('BackOff', 3);
    await happens('b', 2, pod('web-7d9c8b6f5d-q5s7v', 'web'));
    await counts('BackOff', 5);
    await happens('c', 1, pod('web-7d9c8b6f5d-q5s7v', 'proxy'));
    await happens('d', 1, { ...pod('web-7d9c8b6f5d-q5s7v', 'web'), reason: 'Unhealthy' });
    const events = await until('three events', async () => {
      const found = await ours();
      return found.length === 3 ? found : undefined;
    });
    assert.deepEqual(events.map(({ spec, status }) => `${spec.subject} ${spec.summary} ${status?.count}`).sort(), [
      'Deployment/web BackOff of proxy 1',
      'Deployment/web BackOff of web 5',
      'Deployment/web Unhealthy of web 1',
    ]);
    await assertBooksBalance(running);
  });

  test('what is no Warning is not even read; what is told elsewhere, or about our own events, makes none', async () => {
    const running = await start();
    await happens('normal', 1, { type: 'Normal', reason: 'Pulled' });
    await happens('kyverno', 1, {
      reason: 'PolicyViolation',
      reportingComponent: 'kyverno-scan',
      reportingInstance: 'k',
    });
    const involvedObject = { apiVersion: 'zen.kube-zen.io/v1', kind: 'ZenAgentEvent', namespace: team, name: 'x' };
    await happens('own', 1, { involvedObject });
    await happens('nameless', 1, { reason: '' });
    await happens('last', 1);
    await counts('BackOff', 1);
    const now = await received(running, 2);
    assert.equal(now.value('zen_watcher_informer_objects', { resource: 'events.events.k8s.io' }), 4);
    assert.equal(now.value('zen_watcher_rejected_total', { source, reason: 'missing-field' }), 1);
    await logged(running, 'report rejected', { source, place: '.reason' });
    assert.equal((await ours()).length, 1);
    await wrote({ 'create 201': 1 });
    await assertBooksBalance(running);
  });

  test('by default what has a reason of its own is filtered', async () => {
    const running = await start({ thresholds: {} });
    await happens('a', 1, { reason: 'CouponsExpired' });
    await happens('b', 1);
    await counts('BackOff', 1);
    const now = await received(running, 2);
    assert.deepEqual([now.settled('filtered'), now.settled('written')], [1, 1]);
    await assertBooksBalance(running);
  });

  test('it is over when it was quiet; the end of the Event says nothing; what returns has its history', async () => {
    const settings = {
      config: { sources: { [source]: { enabled: true, quietSeconds: 4 } } },
      timing: { sweepMs: 200 },
    };
    const running = await start(settings);
    await happens('a', 3);
    const made = await counts('BackOff', 3);
    await stage.must(200, 'DELETE', kubernetesEvents('a'));
    const over = await eventWhen('BackOff', 'Resolved', ({ status }) => status?.phase === 'Resolved');
    assert.equal(over.status?.reason, 'expired');
    const quietMs =
      Date.parse(over.status?.resolvedAt ?? '') - Date.parse(made.status?.lastSeen ?? made.spec.detectedAt ?? '');
    assert.ok(quietMs >= 4000, `over after ${quietMs} ms: it was deleted, which is no proof`);
    await logged(running, 'event resolved', { event: made.metadata.name, reason: 'expired' });

    await happens('b', 2);
    const back = await counts('BackOff', 5);
    assert.deepEqual(
      [back.status?.phase, back.status?.reason, back.status?.resolvedAt],
      ['Active', undefined, undefined],
    );
    assert.equal(back.metadata.uid, made.metadata.uid);
    assert.equal(back.spec.detectedAt, made.spec.detectedAt);
    await logged(running, 'event reopened', { event: made.metadata.name });
    await assertBooksBalance(running);
  });

  test('an event deleted by hand returns with the next occurrence only', async () => {
    const running = await start({ timing: { signalStepsMs: [200] } });
    await happens('a', 3);
    const { metadata } = await counts('BackOff', 3);
    await stage.must(200, 'DELETE', `${eventsPath(home.namespace)}/${metadata.name}`);
    await until('it to be known as gone', async () => (await scrape(running)).value('zen_watcher_known_events') === 0);
    await happens('a', 3, { message: 'the same, in other words' });
    await received(running, 4);
    assert.deepEqual(await ours(), []);
    await happens('a', 4);
    await counts('BackOff', 1);
    await assertBooksBalance(running);
  });

  test('SIGTERM: what was put off is written by the process before it ends with 0', async () => {
    const process = await stage.daemonProcess(home, { config: warnings });
    daemon = process;
    await ready(process);
    await happens('a', 1);
    await counts('BackOff', 1);
    await happens('a', 40);
    await dealtWith(40, 39);
    daemon = undefined;
    assert.equal(await process.end('SIGTERM'), 0);
    await counts('BackOff', 40);
    await wrote({ 'create 201': 1, 'patch status 200': 1 });
  });

  test('SIGKILL: what was put off is counted by the next process, once', async () => {
    const process = await stage.daemonProcess(home, { config: warnings });
    daemon = process;
    await ready(process);
    await happens('a', 1);
    await counts('BackOff', 1);
    await happens('a', 40);
    await dealtWith(40, 39);
    daemon = undefined;
    assert.equal(await process.end('SIGKILL'), null);
    const running = await start();
    await counts('BackOff', 40);
    await wrote({ 'create 201': 1, 'patch status 200': 1 });
    await assertBooksBalance(running);
  });
});
