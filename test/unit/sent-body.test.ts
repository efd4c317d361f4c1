/** Bodies of webhooks, sliced on their bytes (I4, Q2): the same as the parser finds, and nothing breaks it. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import type { BodyForm, SentBody } from '../../src/http/sent-body.ts';
import { documentsOf, formOf } from '../../src/http/sent-body.ts';

const seed = 20_261_127;
const runs = 400;

/**
 * Members of what is sent: those that the slicing looks for among them. Without backslashes in names: where one object has
 * such a member, JSON.parse of Node 26.10 takes `"\""` of the next one for it.
 */
const member = fc
  .oneof(fc.constantFrom('items', 'kind', 'apiVersion', '__proto__', '"', ']'), fc.string())
  .filter((name) => !name.includes('\\'));
const value = fc.letrec((tie) => ({
  any: fc.oneof({ maxDepth: 4 }, fc.jsonValue(), fc.array(tie('any'), { maxLength: 4 }), tie('object')),
  object: fc.dictionary(member, tie('any'), { maxKeys: 4 }),
})).object;
/** White space that JSON allows. */
const indent = fc.constantFrom(undefined, 1, '\t', '\r\n');

/** What a reader of the whole would find: the documents, null for what is none. */
function found(body: SentBody): unknown[] {
  if ('problem' in body) return [body.problem];
  return [...body.documents].map((sent) => ('document' in sent ? sent.document : null));
}

const isObject = (one: unknown) => typeof one === 'object' && one !== null && !Array.isArray(one);
/** As parsed: `__proto__` is a member of its own there. */
const parsed = (one: unknown) => JSON.parse(JSON.stringify(one));

suite('bodies of webhooks', () => {
  test('a list is its items, whatever is in them and between them', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(value, fc.jsonValue()), { minLength: 1, maxLength: 6 }), indent, (items, space) => {
        const text = JSON.stringify(items, undefined, space);
        const expected = (JSON.parse(text) as unknown[]).map((one) => (isObject(one) ? one : null));
        assert.deepEqual(found(documentsOf(Buffer.from(text), 'json')), expected);
      }),
      { seed, numRuns: runs },
    );
  });

  test('a list of Kubernetes is its items, wherever they stand in it; another object with items is itself', () => {
    const lists = fc.record({ items: fc.array(value, { maxLength: 5 }), before: value, after: value, space: indent });
    fc.assert(
      fc.property(lists, fc.constantFrom('EventList', 'List', 'Event'), ({ items, before, after, space }, kind) => {
        const list = { metadata: before, items, kind, apiVersion: 'v1', more: after };
        const text = JSON.stringify(list, undefined, space);
        const whole = JSON.parse(text) as { items: Record<string, unknown>[] };
        const typed = whole.items.map((item) =>
          item['kind'] === undefined ? { apiVersion: 'v1', kind: 'Event', ...item } : item,
        );
        assert.deepEqual(found(documentsOf(Buffer.from(text), 'json')), kind === 'EventList' ? typed : [whole]);
      }),
      { seed, numRuns: runs },
    );
  });

  test('lines and documents one after the other are each their own', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 2, maxLength: 6 }), (documents) => {
        const text = documents.map((one) => JSON.stringify(one)).join('\n');
        for (const form of ['ndjson', 'json'] as const) {
          assert.deepEqual(found(documentsOf(Buffer.from(text), form)), documents.map(parsed));
        }
      }),
      { seed, numRuns: runs },
    );
  });

  test('bytes of any kind, and JSON with bytes changed, lost or put in, are read or refused, and never throw', () => {
    const changes = fc.array(
      fc.record({
        at: fc.nat(),
        to: fc.oneof(fc.constantFrom(...Buffer.from('{}[]",:\\ \n')), fc.nat(255)),
        how: fc.nat(2),
      }),
      {
        maxLength: 4,
      },
    );
    const forms = fc.constantFrom<BodyForm>('json', 'ndjson', 'cloudevent', 'cloudevents');
    const broken = fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
      fc.tuple(fc.array(value, { maxLength: 4 }), changes).map(([items, some]) => {
        const bytes = [...Buffer.from(JSON.stringify({ items, kind: 'EventList', apiVersion: 'v1' }))];
        for (const { at, to, how } of some)
          bytes.splice(at % bytes.length, how === 2 ? 0 : 1, ...(how === 1 ? [] : [to]));
        return Buffer.from(bytes);
      }),
    );
    fc.assert(
      fc.property(broken, forms, (bytes, form) => {
        const body = documentsOf(bytes, form);
        if ('problem' in body) return;
        const all = [...body.documents];
        assert.equal(all.length, body.count);
        for (const sent of all) assert.ok('rejection' in sent || isObject(sent.document));
      }),
      { seed, numRuns: runs * 3 },
    );
  });

  test('content types', () => {
    const form = (type: string | undefined) => formOf({ 'content-type': type });
    assert.equal(form('application/json'), 'json');
    assert.equal(form('Application/JSON; Charset="UTF-8"'), 'json');
    assert.equal(form('application/vnd.tool.v1+json'), 'json');
    assert.equal(form('application/x-ndjson'), 'ndjson');
    assert.equal(form('application/cloudevents+json'), 'cloudevent');
    for (const other of [
      undefined,
      '',
      'text/plain',
      'application/jsonx',
      'application/json; charset=utf-16',
      'text/json',
    ])
      assert.equal(form(other), undefined, String(other));
  });
});
