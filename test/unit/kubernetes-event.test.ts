/** One test per trap of Kubernetes Events. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { EventFold } from '../../src/cli/event-fold.ts';
import { buildEvent, contentHash } from '../../src/pipeline/event-builder.ts';
import { identify, OwnerResolver } from '../../src/pipeline/identity.ts';
import { noPods } from '../../src/pipeline/owner.ts';
import { kubernetesEvent } from '../../src/sources/kubernetes-event.ts';
import { reasonOf, reasons } from '../../src/sources/kubernetes-event-reasons.ts';
import { kubernetesEvents } from '../../src/sources/kubernetes-events.ts';
import { recognise } from '../../src/sources/recognise.ts';
import type { Finding, RawDocument, SignalNature } from '../../src/sources/source.ts';
import { MalformedReport } from '../../src/sources/source.ts';
import { nameOf, readAt } from '../support/reports.ts';
import { repositoryRoot } from '../support/repository.ts';

const pod = { apiVersion: 'v1', kind: 'Pod', namespace: 'store', name: 'web-7d9c8b6f5d-x2x4z' };

/** As core v1 has it. */
function core(change: object = {}): RawDocument {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'web.1', namespace: 'store', creationTimestamp: '2025-11-02T08:00:00Z' },
    type: 'Warning',
    reason: 'BackOff',
    message: 'Back-off 5m0s restarting failed container',
    involvedObject: { ...pod, fieldPath: 'spec.containers{web}' },
    source: { component: 'kubelet', host: 'node-a' },
    firstTimestamp: '2025-11-02T08:00:00Z',
    lastTimestamp: '2025-11-02T08:10:00Z',
    count: 9,
    ...change,
  };
}

/** The same as events.k8s.io/v1 has it. */
function modern(change: object = {}): RawDocument {
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: 'web.1', namespace: 'store', creationTimestamp: '2025-11-02T08:00:00Z' },
    type: 'Warning',
    reason: 'BackOff',
    note: 'Back-off 5m0s restarting failed container',
    regarding: { ...pod, fieldPath: 'spec.containers{web}' },
    deprecatedSource: { component: 'kubelet', host: 'node-a' },
    deprecatedFirstTimestamp: '2025-11-02T08:00:00Z',
    deprecatedLastTimestamp: '2025-11-02T08:10:00Z',
    deprecatedCount: 9,
    eventTime: null,
    ...change,
  };
}

function findingOf(document: RawDocument): Finding {
  const [finding, ...more] = kubernetesEvent.read(document, { now: readAt }).flatMap(({ findings }) => findings);
  assert.ok(finding !== undefined && more.length === 0);
  return finding;
}

function natureOf(document: RawDocument): SignalNature {
  const { nature } = findingOf(document);
  assert.ok(nature.kind === 'signal');
  return nature;
}

/** First and last time in words. */
function timesOf(change: object): (string | undefined)[] {
  const { firstAt, at } = natureOf(core(change));
  return [firstAt?.toISOString(), at.toISOString()];
}

function refusalOf(document: RawDocument) {
  try {
    kubernetesEvent.read(document, { now: readAt });
  } catch (error) {
    assert.ok(error instanceof MalformedReport);
    const { reason, place } = error.rejection;
    return `${reason} ${place}`;
  }
  return assert.fail('it was read');
}

function eventOf(finding: Finding) {
  const owners = new OwnerResolver(noPods);
  const parts = { finding, identity: identify(finding, owners), resource: owners.resolve(finding.resource) };
  const origin = { apiVersion: 'v1', kind: 'Event', name: 'web.1', namespace: 'store' };
  return buildEvent({ ...parts, reportKey: 'k', origin }, { namespace: 'zen-system', detectedAt: readAt });
}

suite('traps of Kubernetes Events', () => {
  test('the two views of one Event are one finding, with one content, count and times', () => {
    const [a, b] = [findingOf(core()), findingOf(modern())];
    assert.equal(recognise(core()), recognise(modern()));
    assert.equal(nameOf(a), nameOf(b));
    assert.equal(contentHash(eventOf(a)), contentHash(eventOf(b)));
    assert.deepEqual(a.describe().observedOn, b.describe().observedOn);
    assert.deepEqual(a.nature, b.nature);
  });

  test('Pods of a rollout are one workload; the container is told apart, whatever kind it is', () => {
    const of = (name: string, fieldPath?: string) =>
      nameOf(findingOf(core({ involvedObject: { ...pod, name, fieldPath } })));
    assert.equal(of('web-7d9c8b6f5d-x2x4z'), of('web-6c5d4b7f9-q5s7v'));
    const paths = ['spec.containers{web}', 'spec.initContainers{setup}', 'spec.ephemeralContainers{debug}', undefined];
    assert.equal(new Set(paths.map((path) => of(pod.name, path))).size, 4);
    assert.equal(
      findingOf(core({ involvedObject: { ...pod, fieldPath: 'spec.containers{a}{b}' } }))
        .identity()
        .at(-1),
      '',
    );
  });

  test('messages differ per attempt: neither identity nor content, and masked', () => {
    const secret = `ghp_${'0123456789abcdefghijABCDEFGHIJ456789'}`;
    const [a, b] = [findingOf(core()), findingOf(core({ message: `attempt 7 with ${secret}\u202e` }))];
    assert.equal(nameOf(a), nameOf(b));
    assert.equal(contentHash(eventOf(a)), contentHash(eventOf(b)));
    const text = JSON.stringify(eventOf(b));
    assert.ok(text.includes('attempt 7'));
    assert.ok(!text.includes(secret) && !text.includes('\u202e'));
  });

  test('times: any of them may be null, absurd, or missing', () => {
    const none = { firstTimestamp: null, lastTimestamp: null };
    assert.deepEqual(timesOf({}), ['2025-11-02T08:00:00.000Z', '2025-11-02T08:10:00.000Z']);
    const series = { count: 3, lastObservedTime: '2025-11-02T09:40:44.264058Z' };
    assert.deepEqual(timesOf({ ...none, eventTime: '2025-11-02T09:25:44.224298Z', series }), [
      '2025-11-02T09:25:44.224Z',
      '2025-11-02T09:40:44.264Z',
    ]);
    // Nothing but its creation is left.
    const created = ['2025-11-02T08:00:00.000Z', '2025-11-02T08:00:00.000Z'];
    assert.deepEqual(timesOf(none), created);
    assert.deepEqual(
      timesOf({ firstTimestamp: '1970-01-01T00:00:00Z', lastTimestamp: '2482-03-20T23:11:25Z' }),
      created,
    );
    assert.deepEqual(timesOf({ ...none, eventTime: 'yesterday', series: { lastObservedTime: 7 } }), created);
    // A first time after the last one.
    const [first, last] = timesOf({ firstTimestamp: '2025-11-02T08:30:00Z' });
    assert.ok(first !== undefined && last !== undefined && first <= last);
    const bare = natureOf(core({ ...none, metadata: { name: 'x', namespace: 'store' } }));
    assert.deepEqual([bare.firstAt, bare.at], [readAt, readAt]);
  });

  test('counts: of the series, else of the object, else 1; none is guessed from what is no count', () => {
    const count = (change: object) => natureOf(core(change)).occurrences;
    assert.equal(count({}), 9);
    assert.equal(count({ series: { count: 1464 } }), 1464);
    assert.equal(count({ count: undefined }), 1);
    assert.equal(count({ count: null, series: null }), 1);
    assert.equal(count({ count: 0 }), 1, 'the API writes 0 where it has none');
    assert.equal(count({ count: 2 ** 31 - 1 }), 2 ** 31 - 1);
    for (const bad of [-1, 1.5, 2 ** 31, '9', [9], {}, true]) {
      assert.equal(refusalOf(core({ count: bad })), 'malformed .count');
      assert.equal(refusalOf(core({ series: { count: bad } })), 'malformed .series.count');
    }
    assert.equal(refusalOf(modern({ deprecatedCount: -180456314 })), 'malformed .deprecatedCount');
  });

  test('an Event speaks for its own namespace, and for what has none in default', () => {
    const about = (namespace: string, involvedObject: object) =>
      core({ metadata: { name: 'x', namespace }, involvedObject });
    assert.equal(
      refusalOf(about('store', { ...pod, namespace: 'treasury' })),
      'cross-namespace .involvedObject.namespace',
    );
    assert.equal(refusalOf(about('default', pod)), 'cross-namespace .involvedObject.namespace');
    const node = { kind: 'Node', name: 'node-a' };
    assert.equal(refusalOf(about('store', node)), 'cross-namespace .involvedObject.namespace');
    for (const namespace of ['default', 'kube-system']) {
      assert.deepEqual(findingOf(about(namespace, node)).resource, node);
    }
  });

  test('what names nothing, or has no reason, is refused', () => {
    assert.equal(refusalOf(core({ involvedObject: undefined })), 'missing-field .involvedObject.kind');
    assert.equal(refusalOf(core({ involvedObject: { kind: 'Pod' } })), 'missing-field .involvedObject.name');
    assert.equal(refusalOf(core({ reason: '' })), 'missing-field .reason');
    assert.equal(refusalOf(core({ reason: 'x'.repeat(129) })), 'malformed .reason');
  });

  test('Kyverno says its violations in reports as well; others do not; what is said about our own events is none', () => {
    const read = (change: object) => kubernetesEvent.read(core(change), { now: readAt }).length;
    const violation = { reason: 'PolicyViolation' };
    for (const component of ['kyverno-scan', 'kyverno-admission']) {
      assert.equal(read({ ...violation, reportingComponent: component }), 0);
      assert.equal(read({ ...violation, source: { component } }), 0);
    }
    assert.equal(read({ ...violation, reportingComponent: 'other' }), 1);
    assert.equal(read({ reportingComponent: 'kyverno-scan' }), 1);
    assert.equal(read({ involvedObject: { ...pod, apiVersion: 'zen.kube-zen.io/v1', kind: 'ZenAgentEvent' } }), 0);
    for (const type of ['Normal', 'warning', '37', undefined, 7]) assert.equal(read({ type }), 0);
  });

  test('scan adds up what several Events count, and counts an Event that is in two files once', () => {
    const fold = new EventFold({ namespace: 'zen-system' });
    const add = (document: RawDocument) => {
      for (const reading of kubernetesEvent.read(document, { now: readAt }))
        fold.add(reading, readAt, 'kubernetes-events');
    };
    add(core());
    add(core({ count: 12, lastTimestamp: '2025-11-02T08:20:00Z' }));
    add(core());
    add(core({ metadata: { name: 'web.2', namespace: 'store' }, count: 30 }));
    const [event, ...others] = fold.sorted();
    assert.equal(others.length, 0);
    assert.equal(event?.status?.count, 42);
    assert.equal(event?.status?.firstSeen, '2025-11-02T08:00:00.000Z');
    assert.equal(event?.status?.lastSeen, '2025-11-02T08:20:00.000Z');
  });

  test('a reason that nobody knows is info, in its exact spelling', () => {
    assert.deepEqual(reasonOf('BackOff').severity, 'low');
    for (const word of ['backoff', 'CouponsExpired', 'constructor', '__proto__']) {
      assert.equal(reasonOf(word).severity, 'info');
    }
  });

  test('the table of the documentation is the table of the code', () => {
    const page = readFileSync(join(repositoryRoot, 'docs/sources/kubernetes-events.md'), 'utf8');
    const rows = [...page.matchAll(/^\| `(\w+)` \| (\w+) \| (.+) \|$/gm)].map(([, reason, severity, meaning]) => {
      return [reason, { severity, meaning }];
    });
    assert.deepEqual(new Map(rows as []), reasons);
    assert.deepEqual(Object.keys(kubernetesEvents.severityWords).length, reasons.size);
  });
});
