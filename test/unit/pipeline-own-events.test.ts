/** Own events: two witnesses, of which one lags. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { ZenAgentEvent } from '../../src/api/event.ts';
import { apiVersion, kind } from '../../src/api/event.ts';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { contentHash } from '../../src/pipeline/event-builder.ts';
import { EventIndex } from '../../src/pipeline/event-index.ts';
import { isEditedByOthers, isOwn, OwnEvents } from '../../src/pipeline/own-events.ts';
import { intentFor } from '../../src/pipeline/present-intent.ts';
import { Shards } from '../../src/pipeline/shards.ts';
import { sampleEvent } from '../support/sample-event.ts';

const sample = sampleEvent('own-events');
const { name } = sample.metadata;

function event(resourceVersion: string, change: Partial<StoredEvent['spec']> = {}): StoredEvent {
  const metadata = { ...sample.metadata, namespace: 'zen', uid: 'u', resourceVersion };
  return { metadata, spec: { ...sample.spec, ...change }, status: { phase: 'Active', count: 1 } };
}

function start() {
  const index = new EventIndex();
  const own = new OwnEvents(index);
  const known = () => {
    const row = index.find(name);
    return index.isOnServer(row) ? index.resourceVersion(row) : undefined;
  };
  return { index, own, known };
}

/** All that the index knows of the only event. */
function rowOf(index: EventIndex, of: string) {
  const row = index.find(of);
  return {
    isActive: index.isActive(row),
    isEdited: index.isEdited(row),
    isPod: index.isPod(row),
    isSignal: index.isSignal(row),
    severity: index.severity(row),
    stale: index.stale(row),
    sinceMs: index.sinceMs(row),
    hash: index.storedHash(row),
    count: index.count(row),
    version: index.resourceVersion(row),
    namespace: index.namespace(row),
    resourceNamespace: index.resourceNamespace(row),
    resourceHash: index.resourceHash(row),
    shard: index.shard(row),
    policy: index.policy(row),
    reportKind: index.reportKind(row),
    reportKey: index.reportKey(row),
  };
}

suite('an event that was just created', () => {
  const variants: readonly Partial<StoredEvent['spec']>[] = [
    {},
    { resource: { apiVersion: 'v1', kind: 'Pod', name: 'web', namespace: 'shop' }, severity: 'critical' },
    { resource: { kind: 'Node', name: 'node-1' }, details: { policy: 'disallow-latest' } },
    { resource: { kind: 'Namespace', name: 'shop' }, details: { policy: 7 } },
    { origin: { apiVersion: 'wgpolicyk8s.io/v1alpha2', kind: 'PolicyReport', name: 'r', namespace: 'shop' } },
    { detectedAt: '2026-02-03T04:05:06.789Z' },
  ];
  for (const [at, change] of variants.entries()) {
    test(`is known as well by its version and its intent as by all that it says: ${at}`, () => {
      const made = { ...sample, apiVersion, kind, spec: { ...sample.spec, ...change } } as ZenAgentEvent;
      const shards = new Shards(5);
      const owed = { shard: shards.of(made.spec.resource ?? {}), partition: 'p', occurrences: 1, readAtMs: 0 };
      const intent = intentFor({ event: made, contentHash: contentHash(made) }, owed);
      const metadata = { ...made.metadata, namespace: 'zen', uid: 'u', resourceVersion: '9' };
      const stored: StoredEvent = { metadata, spec: made.spec, status: { phase: 'Active', count: 1 } };
      const rows = [metadata, undefined].map((untouched) => {
        const index = new EventIndex();
        const own = new OwnEvents(index, (source) => source === 'falco', undefined, undefined, shards);
        index.setReportKey(index.obtain(metadata.name, 'zen'), 'abcdefghijklm');
        own.begin(metadata.name);
        own.created({ kind: 'created', event: stored, untouched }, intent);
        own.end(metadata.name);
        assert.equal(own.observe(stored), undefined, 'the echo is no news');
        return rowOf(index, metadata.name);
      });
      assert.equal(rows[0]?.version, '9');
      assert.deepEqual(rows[0], rows[1]);
    });
  }
});

suite('own events', () => {
  test('the answer before the watch: the echo is no news, what comes after it is', () => {
    const { own, known } = start();
    own.begin(name);
    own.answered(event('5'));
    own.end(name);
    assert.equal(own.observe(event('5')), undefined);
    assert.ok(own.observe(event('6')));
    assert.equal(known(), '6');
  });

  test('the watch before the answer: the answer is no news, nor what the watch showed on top', () => {
    const { own, known } = start();
    own.begin(name);
    assert.ok(own.observe(event('5')));
    assert.ok(own.observe(event('6')));
    own.answered(event('5'));
    own.end(name);
    assert.equal(known(), '6');
    assert.ok(own.observe(event('7')), 'nothing is waited for');
  });

  test('several writes: what the watch shows before the last of them is old', () => {
    const { own, known } = start();
    own.begin(name);
    own.answered(event('5'));
    own.answered(event('8'));
    own.end(name);
    for (const version of ['5', '6', '8']) assert.equal(own.observe(event(version)), undefined);
    assert.equal(known(), '8');
    assert.equal(own.observe(event('9'))?.row !== undefined, true);
  });

  test('a deletion older than our write is old, a newer one is not', () => {
    const { own, known } = start();
    own.observe(event('3'));
    own.begin(name);
    own.answered(event('5'));
    own.end(name);
    assert.equal(own.gone('zen', name), 0);
    assert.equal(known(), '5');
    own.observe(event('5'));
    assert.notEqual(own.gone('zen', name), 0);
    assert.equal(known(), undefined);
  });

  test('a read answered with what the watch has passed meanwhile is old', () => {
    for (const [before, after] of [
      ['7', '8'],
      ['odd-7', 'odd-8'],
    ] as const) {
      const { own, known } = start();
      own.observe(event(before));
      own.begin(name);
      own.observe(event(after));
      own.answered(event(before));
      own.end(name);
      assert.equal(known(), after);
      assert.ok(own.observe(event('9')));
    }
  });

  test('a listing that is newer than our write is believed, an older one is not', () => {
    const { own, known } = start();
    own.listingBegan();
    own.begin(name);
    own.answered(event('10'));
    own.end(name);
    assert.equal(own.observe(event('9')), undefined);
    assert.equal(known(), '10');
    assert.ok(own.observe(event('12'))); // touched by a consumer before it was listed; 10 is never shown
    assert.deepEqual(own.listingComplete('12'), []);
    assert.equal(known(), '12');
    assert.notEqual(own.gone('zen', name), 0);
  });

  test('an event that the watch never showed and the listing lacks is gone', () => {
    const { own, known } = start();
    own.begin(name);
    own.answered(event('10'));
    own.end(name);
    own.listingBegan();
    own.listingBegan(); // the first one broke off
    assert.equal(own.listingComplete().length, 1);
    assert.equal(known(), undefined);
  });

  test('what is written while a listing runs is gone only if the listing is newer and lacks it', () => {
    for (const [listed, isGone] of [
      ['20', true],
      ['9', false],
      [undefined, false],
    ] as const) {
      const { own, known } = start();
      own.listingBegan();
      own.begin(name);
      own.answered(event('10'));
      own.end(name);
      assert.equal(own.listingComplete(listed).length, isGone ? 1 : 0);
      assert.equal(known(), isGone ? undefined : '10');
    }
  });

  test('an answer that comes after a newer listing without the event is of no use', () => {
    const { own, known } = start();
    own.listingBegan();
    own.begin(name);
    own.listingComplete('20');
    own.answered(event('10'));
    own.end(name);
    assert.equal(known(), undefined);
  });

  test('a read that finds nothing leaves what the watch shows meanwhile to the watch', () => {
    const { own, known } = start();
    own.observe(event('5'));
    own.begin(name);
    own.missing(name);
    own.end(name);
    assert.equal(known(), undefined);
    own.begin(name);
    own.observe(event('7'));
    own.missing(name);
    own.end(name);
    assert.equal(known(), '7');
  });

  test('foreign events are counted and left alone', () => {
    const { own, index } = start();
    const { fingerprint: _, ...old } = sample.spec;
    const foreign = { ...event('1'), spec: old } as StoredEvent;
    assert.equal(own.observe(foreign), undefined);
    assert.equal(own.observe({ ...event('1'), metadata: { ...event('1').metadata, name: 'mine' } }), undefined);
    assert.deepEqual([own.foreignCount, index.size], [2, 0]);
    own.gone('zen', 'mine');
    assert.equal(own.foreignCount, 1);
    assert.equal(isOwn({ ...event('1'), spec: undefined } as unknown as StoredEvent), false);
  });

  test('tell another manager of the spec from one of the status', () => {
    const managed = (manager: string, field: string) => {
      const managedFields = [{ manager, fieldsV1: { [field]: {} } }];
      return { ...event('1'), metadata: { ...event('1').metadata, managedFields } };
    };
    assert.equal(isEditedByOthers(managed('zen-watcher', 'f:spec')), false);
    assert.equal(isEditedByOthers(managed('kubectl', 'f:spec')), true);
    assert.equal(isEditedByOthers(managed('consumer', 'f:status')), false);
  });

  test('survive an event made by hand that is nested 9,000 deep', () => {
    const deep = JSON.parse(`${'['.repeat(9000)}${']'.repeat(9000)}`) as unknown;
    const { own } = start();
    assert.ok(own.observe(event('5', { details: { deep } })));
    assert.notEqual(contentHash(event('5', { details: { deep } })), contentHash(event('5')));
  });
});
