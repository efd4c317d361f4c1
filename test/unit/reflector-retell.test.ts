/** retell(): everything is told once more, from one new listing, whatever the reflector is doing at the moment. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Informer } from '../../src/kube/informer.ts';
import { systemClock } from '../../src/lib/clock.ts';
import {
  added,
  cuts,
  deleted,
  ends,
  listed,
  listOfTwo,
  lists,
  MisbehavingServer,
  modified,
  refuses,
  stays,
  widget,
} from '../support/misbehaving-server.ts';
import { Recorder, waitFor } from '../support/recorder.ts';
import { clientOf, type Reflecting, reflecting, widgets } from '../support/reflecting.ts';

/** But for the lists by name with which it asks, in its own time, when what was other than told came about. */
const kinds = ({ server }: Reflecting) =>
  server.requests
    .filter(({ query }) => !query.get('fieldSelector')?.startsWith('metadata.name='))
    .map(({ kind }) => kind);

suite('retell', () => {
  test('while a watch is open: the same versions again from one listing, what it lacks is gone, no change of state', () =>
    reflecting(
      [stays(...listOfTwo, modified('x', 6)), stays(added('x', 6), added('z', 7), listed(8), deleted('z', 9))],
      async (parts) => {
        await parts.recorder.logged('object a/x@6');
        parts.reflector.retell();
        await parts.recorder.logged('gone a/z');
        assert.deepEqual(parts.recorder.log, [
          ...['listing began', 'object a/x@1', 'object a/y@2', 'listing complete', 'live', 'object a/x@6'],
          ...['listing began', 'object a/x@6', 'object a/z@7', 'gone a/y', 'listing complete', 'gone a/z'],
        ]);
        assert.deepEqual(kinds(parts), ['stream list', 'stream list']);
        assert.deepEqual(parts.pauses, []);
      },
    ));

  test('relist(): a new listing tells only what the watch did not', () =>
    reflecting(
      [stays(...listOfTwo, modified('x', 6)), stays(added('x', 6), added('z', 7), listed(8), deleted('z', 9))],
      async (parts) => {
        await parts.recorder.logged('object a/x@6');
        parts.reflector.relist();
        await parts.recorder.logged('gone a/z');
        assert.deepEqual(parts.recorder.tales.slice(3), ['object a/z@7', 'gone a/y', 'gone a/z']);
        assert.deepEqual(kinds(parts), ['stream list', 'stream list']);
      },
    ));

  test('versions that are known are shown and not read, in a listing and in a watch; others are read', () => {
    const uid = '11111111-2222-3333-4444-555555555555';
    const known = (name: string, version: number, spec: string) =>
      `{"type":"ADDED","object":{"apiVersion":"test.example/v1","kind":"Widget","metadata":{"name":"${name}","namespace":"a",` +
      `"resourceVersion":"${version}","uid":"${uid}"},"spec":{${spec}}}}\n`;
    const shown: string[] = [];
    return reflecting(
      [stays(added('x', 1), known('y', 2, 'no JSON'), listed(5), known('z', 6, 'no JSON'), known('z', 7, '"size":1'))],
      async ({ recorder, server }) => {
        await recorder.logged('object a/z@7');
        assert.deepEqual(shown, ['y@2', 'z@6']);
        assert.deepEqual(recorder.tales, ['object a/x@1', 'object a/z@7']);
        assert.equal(
          recorder.log.some((word) => word.startsWith('malformed')),
          false,
        );
        assert.equal(server.requests.length, 1);
      },
      {
        prepare: (recorder) =>
          Object.assign(recorder, {
            isKnown: ({ name, resourceVersion }: { name: string; resourceVersion: string }) =>
              name === 'y' || (name === 'z' && resourceVersion === '6'),
            shown: ({ name, resourceVersion }: { name: string; resourceVersion: string }) =>
              shown.push(`${name}@${resourceVersion}`),
          }),
      },
    );
  });

  test('twice at once is once; the watch that follows tells nothing twice', () =>
    reflecting([stays(...listOfTwo), ends(...listOfTwo), stays(added('x', 1), modified('y', 6))], async (parts) => {
      await parts.recorder.logged('live');
      parts.reflector.retell();
      parts.reflector.retell();
      await parts.recorder.logged('object a/y@6');
      assert.deepEqual(kinds(parts), ['stream list', 'stream list', 'watch']);
      assert.deepEqual(parts.recorder.tales.slice(2), ['object a/x@1', 'object a/y@2', 'object a/y@6']);
    }));

  test('within a streaming list: it is begun anew, nothing is gone by the one that was left', () =>
    reflecting([stays(added('x', 1)), stays(...listOfTwo)], async (parts) => {
      await parts.recorder.logged('object a/x@1');
      parts.reflector.retell();
      await parts.recorder.logged('live');
      assert.deepEqual(parts.recorder.tales, ['object a/x@1', 'object a/x@1', 'object a/y@2']);
      assert.deepEqual(kinds(parts), ['stream list', 'stream list']);
    }));

  test('three times within streaming lists: streams are trusted all the same', () =>
    reflecting(
      [stays(added('x', 1)), stays(added('x', 1)), stays(added('x', 1)), stays(...listOfTwo)],
      async (parts) => {
        for (const times of [1, 2, 3]) {
          await parts.recorder.logged('object a/x@1', times);
          parts.reflector.retell();
        }
        await parts.recorder.logged('live');
        assert.deepEqual(kinds(parts), Array(4).fill('stream list'));
      },
    ));

  test('while a paged list waits for room: it is begun anew, by pages', () => {
    let makeRoom = () => {};
    const items = [widget('x', 1), widget('y', 2)];
    return reflecting(
      [refuses(422), lists(items, 5), lists(items, 6), stays()],
      async (parts) => {
        await waitFor('the list', () => parts.server.requests.length === 2);
        await parts.recorder.logged('listing began');
        parts.reflector.retell();
        makeRoom();
        parts.recorder.roomy = Promise.resolve();
        await parts.recorder.logged('live');
        await waitFor('the watch', () => parts.server.requests.length === 4);
        assert.deepEqual(kinds(parts), ['stream list', 'list', 'list', 'watch']);
        assert.equal(parts.server.requests[3]?.query.get('resourceVersion'), '6');
        assert.deepEqual(
          [...parts.recorder.picture],
          [
            ['a/x', '1'],
            ['a/y', '2'],
          ],
        );
      },
      {
        prepare(recorder) {
          recorder.roomy = new Promise((resolve) => {
            makeRoom = resolve;
          });
        },
      },
    );
  });

  test('while it waits to ask a server in trouble again: told once it can be', () => {
    let goOn = () => {};
    const held = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    return reflecting(
      [cuts(...listOfTwo), stays(...listOfTwo)],
      async (parts) => {
        await parts.recorder.logged('stale');
        parts.reflector.retell();
        goOn();
        await parts.recorder.logged('live', 2);
        assert.deepEqual(parts.recorder.tales, [...Array(2).fill(['object a/x@1', 'object a/y@2'])].flat());
        assert.deepEqual(kinds(parts), ['stream list', 'stream list']);
      },
      { reflector: { pause: () => held } },
    );
  });

  test('after stop() nothing is told', () =>
    reflecting([stays(...listOfTwo)], async (parts) => {
      await parts.recorder.logged('live');
      await parts.reflector.stop();
      parts.reflector.retell();
      assert.deepEqual(kinds(parts), ['stream list']);
    }));

  test('an informer that is not served tells all once it is served again', async () => {
    const server = await new MisbehavingServer().play(stays(...listOfTwo)).listen();
    const client = clientOf(server.kubeConfig());
    const recorder = new Recorder();
    const common = { shape: 'full', clock: systemClock, random: () => 0.5, namespaced: true } as const;
    const informer = new Informer({ client, ...common, ...widgets, versions: ['v1'] }, recorder);
    const served = new Map([
      [`${widgets.group}/${widgets.resource}`, { kind: 'Widget', namespaced: true, versions: ['v1'] }],
    ]);
    try {
      await informer.follow(served);
      await recorder.logged('live');
      await informer.follow(new Map());
      informer.retell();
      await informer.follow(served);
      await recorder.logged('live', 2);
      assert.deepEqual(recorder.tales, [...Array(2).fill(['object a/x@1', 'object a/y@2'])].flat());
    } finally {
      await informer.stop();
      await client.close();
      await server.close();
    }
  });
});
