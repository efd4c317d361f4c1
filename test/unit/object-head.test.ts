/** Echoes of our own writes: told apart by the bytes of their lines, and never where the line could say more. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { objectHead } from '../../src/kube/object-head.ts';
import { EventIndex } from '../../src/pipeline/event-index.ts';
import { OwnEvents } from '../../src/pipeline/own-events.ts';
import { sampleEvent } from '../support/sample-event.ts';

const uid = '11111111-2222-3333-4444-555555555555';

/** As the API server writes it: members in alphabetical order. */
function lineOf(type: string, metadata: object, rest: object = { spec: { source: 'trivy' } }): Buffer {
  const object = { apiVersion: 'zen.kube-zen.io/v1', kind: 'ZenAgentEvent', metadata, ...rest };
  return Buffer.from(JSON.stringify({ type, object }));
}

const end = { name: 'trivy-a', namespace: 'zen', resourceVersion: '7', uid };

suite('the head of a line', () => {
  test('is read where the line is as the API server writes it', () => {
    const managedFields = [{ manager: 'zen-watcher', fieldsV1: { 'f:spec': { 'f:source': {} } } }];
    const metadata = { annotations: { a: 'b' }, labels: {}, managedFields, ...end };
    const head = { namespace: 'zen', name: 'trivy-a', resourceVersion: '7' };
    assert.deepEqual(objectHead(lineOf('ADDED', metadata)), head);
    assert.deepEqual(objectHead(lineOf('MODIFIED', metadata)), head);
  });

  test('is not read of deletions, bookmarks, errors, and lines that are otherwise', () => {
    const { uid: _uid, ...withoutUid } = end;
    for (const line of [
      lineOf('DELETED', end),
      lineOf('BOOKMARK', end),
      lineOf('ADDED', withoutUid),
      lineOf('ADDED', { ...end, resourceVersion: 'x7' }),
      lineOf('ADDED', { ...end, zzz: 1 }),
      lineOf('ADDED', end, {}),
      lineOf('ADDED', end, { spec: 'none' }),
      lineOf('ADDED', end, { anything: {}, spec: {} }),
      Buffer.from(`{"object":${JSON.stringify({ metadata: end, spec: {} })},"type":"ADDED"}`),
      Buffer.from('{"type":"ADDED","object":{'),
      Buffer.from(''),
    ]) {
      assert.equal(objectHead(line), undefined, line.toString());
    }
  });

  test('is the object’s own, whatever others put into annotations, labels and spec', () => {
    const text = JSON.stringify({ ...end, resourceVersion: '5' });
    const hostile = { a: `${text},"spec":{`, resourceVersion: '5', spec: '{', '"spec":{': `${text},` };
    const real = lineOf(
      'MODIFIED',
      { annotations: hostile, labels: hostile, ...end },
      { spec: { details: { metadata: { ...end, resourceVersion: '5' }, spec: {} } } },
    );
    assert.equal(objectHead(real)?.resourceVersion, '7');
  });
});

suite('own events that are known', () => {
  const { metadata, spec } = sampleEvent('object-head');
  const event = (resourceVersion: string, namespace = 'zen') => ({
    metadata: { ...metadata, namespace, uid, resourceVersion },
    spec,
    status: { phase: 'Active', count: 1 } as const,
  });

  test('only the version and place that the index has; shown, nothing older is waited for', () => {
    const index = new EventIndex();
    const own = new OwnEvents(index);
    const { name } = metadata;
    assert.equal(own.isKnown('zen', name, '5'), false);
    own.begin(name);
    own.answered(event('5'));
    assert.equal(own.isKnown('zen', name, '5'), true);
    for (const [namespace, version] of [
      ['zen', '4'],
      ['zen', '6'],
      ['other', '5'],
    ] as const) {
      assert.equal(own.isKnown(namespace, name, version), false);
    }
    assert.equal(own.gone('zen', name), 0, 'older than our write: the deletion of an earlier one');
    own.shown(name, '5');
    own.end(name);
    assert.notEqual(own.gone('zen', name), 0, 'after our write was shown');
    assert.equal(own.isKnown('zen', name, '5'), false);
  });

  test('a version that is not our last write leaves that one waited for', () => {
    const index = new EventIndex();
    const own = new OwnEvents(index);
    own.begin(metadata.name);
    own.answered(event('5'));
    own.answered(event('8'));
    own.end(metadata.name);
    own.shown(metadata.name, '5');
    assert.equal(own.gone('zen', metadata.name), 0);
  });
});
