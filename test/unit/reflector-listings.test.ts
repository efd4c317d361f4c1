/** The reflector's listings, by stream and by pages, from servers that break them off or know only one of the two. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Reflector } from '../../src/kube/reflector.ts';
import { systemClock } from '../../src/lib/clock.ts';
import {
  added,
  answers,
  bookmark,
  cuts,
  deleted,
  ends,
  line,
  listed,
  listOfTwo,
  lists,
  MisbehavingServer,
  modified,
  refuses,
  type Step,
  stays,
  widget,
} from '../support/misbehaving-server.ts';
import { Recorder, waitFor } from '../support/recorder.ts';
import { clientOf, type Reflecting, reflecting, widgets } from '../support/reflecting.ts';

const kinds = ({ server }: Reflecting) => server.requests.map(({ kind }) => kind);
const items = [widget('x', 1), widget('y', 2)];
const expired = { code: 410, reason: 'Expired' };

suite('a streaming list', () => {
  for (const code of [400, 422]) {
    test(`refused with ${code}: listed by pages at once, and no stream tried again`, () =>
      reflecting(
        [refuses(code), lists(items, 5), ends(bookmark(6)), refuses(410), lists([], 7), stays()],
        async (parts) => {
          await parts.recorder.logged('listing complete', 2);
          await waitFor('the last watch', () => parts.server.requests.length === 6);
          assert.deepEqual(kinds(parts), ['stream list', 'list', 'watch', 'watch', 'list', 'watch']);
          assert.equal(parts.recorder.count('stale'), 0);
          assert.deepEqual(parts.recorder.tales, ['object a/x@1', 'object a/y@2', 'gone a/x', 'gone a/y']);
        },
      ));
  }

  test('cut before its end: nothing is dropped, listed again', () =>
    reflecting(
      [ends(...listOfTwo), refuses(410), cuts(added('y', 2)), stays(...listOfTwo, deleted('x', 6))],
      async (parts) => {
        await parts.recorder.logged('gone a/x');
        assert.deepEqual(parts.recorder.log, [
          'listing began',
          'object a/x@1',
          'object a/y@2',
          'listing complete',
          'live',
          'listing began',
          'stale',
          'listing began',
          'listing complete',
          'live',
          'gone a/x',
        ]);
      },
    ));

  test('ended cleanly before its end, three times: listed by pages; the next listing tries a stream again', () =>
    reflecting(
      [...Array(3).fill(ends(added('x', 1))), lists(items, 5), refuses(410), cuts(), lists([], 6), stays()],
      async (parts) => {
        await parts.recorder.logged('listing complete', 2);
        await waitFor('the last watch', () => parts.server.requests.length === 8);
        const stream = 'stream list';
        assert.deepEqual(kinds(parts), [stream, stream, stream, 'list', 'watch', stream, 'list', 'watch']);
        assert.deepEqual(parts.recorder.tales, ['object a/x@1', 'object a/y@2', 'gone a/x', 'gone a/y']);
      },
    ));

  test('never closed by its bookmark (the parameter is ignored): listed by pages', () =>
    reflecting(
      [...Array(3).fill(stays(added('x', 1), bookmark(4))), lists([widget('y', 2)], 5), stays(added('z', 9))],
      async (parts) => {
        await parts.recorder.logged('object a/z@9');
        assert.deepEqual(parts.recorder.tales, ['object a/x@1', 'object a/y@2', 'gone a/x', 'object a/z@9']);
      },
      { timing: { listInactivityMs: 50 } },
    ));

  test('with a line that is too long: listed by pages', () =>
    reflecting(
      [...Array(3).fill(stays(added('x'.repeat(2_000), 1))), lists(items, 5), stays()],
      async ({ recorder }) => {
        await recorder.logged('listing complete');
        assert.equal(recorder.malformedMessages[0], 'a line is longer than 1000 bytes');
        assert.equal(recorder.count('malformed'), 3);
      },
      { reflector: { maximumLineBytes: 1_000 } },
    ));

  test('with a deletion in it', () =>
    reflecting(
      [stays(added('x', 1), added('y', 2), deleted('x', 3), modified('y', 4), listed(5))],
      async ({ recorder }) => {
        await recorder.logged('listing complete');
        assert.deepEqual(recorder.tales, ['object a/x@1', 'object a/y@2', 'gone a/x', 'object a/y@4']);
      },
    ));

  test('of nothing', () =>
    reflecting([stays(listed(5))], async ({ recorder }) => {
      await recorder.logged('live');
      assert.deepEqual(recorder.log, ['listing began', 'listing complete', 'live']);
    }));

  test('in pieces of one byte', () =>
    reflecting(
      [
        (response) => {
          response.writeHead(200);
          const bytes = Buffer.from(added('ß€𝄞', 1) + listed(2));
          const next = (at: number): void => {
            if (at < bytes.length) response.write(bytes.subarray(at, at + 1), () => setImmediate(() => next(at + 1)));
          };
          next(0);
        },
      ],
      async ({ recorder }) => {
        await recorder.logged('live');
        assert.deepEqual(recorder.tales, ['object a/ß€𝄞@1']);
      },
    ));
});

/** Streaming lists are refused, then these steps follow. */
const paged = (...steps: readonly Step[]) => [refuses(422), ...steps];

suite('a paged list', () => {
  test('asks for page after page and watches from the last one', () =>
    reflecting(paged(lists([items[0] ?? {}], 5, 'more'), lists([items[1] ?? {}], 6), stays()), async (parts) => {
      await waitFor('the watch', () => parts.server.requests.length === 4);
      const { requests } = parts.server;
      assert.deepEqual(
        requests.map(({ query }) => [query.get('continue'), query.get('resourceVersion')]),
        [
          [null, null],
          [null, null],
          ['more', null],
          [null, '6'],
        ],
      );
    }));

  test('with a 410 on its continue token: from the start, nothing gone, nothing told twice', () =>
    reflecting(
      [
        ...paged(lists(items, 5), refuses(410), lists([items[1] ?? {}], 6, 'more'), refuses(410, expired)),
        lists(items, 7),
        stays(),
      ],
      async (parts) => {
        await parts.recorder.logged('listing complete', 2);
        assert.deepEqual(parts.recorder.tales, ['object a/x@1', 'object a/y@2']);
      },
    ));

  test('cut in the middle: nothing gone', () =>
    reflecting(
      [
        ...paged(lists(items, 5), refuses(410), cuts('{"metadata":{"resourceVersion":"6"},"items":[')),
        lists(items, 7),
        stays(),
      ],
      async (parts) => {
        await parts.recorder.logged('listing complete', 2);
        assert.deepEqual(parts.recorder.tales, ['object a/x@1', 'object a/y@2']);
      },
    ));

  test('whose items lack names or versions: the others are told, nothing is called gone', () =>
    reflecting(
      paged(
        lists(items, 5),
        refuses(410),
        lists([widget('z', 9), { metadata: {} }, { metadata: { name: 'x' } }], 6),
        stays(),
      ),
      async ({ recorder }) => {
        await recorder.logged('listing complete', 2);
        assert.deepEqual(recorder.tales.slice(2), ['object a/z@9']);
        assert.deepEqual(recorder.malformedMessages, ['2 items of a listing have no name or version']);
      },
    ));

  const noLists: readonly [what: string, body: unknown][] = [
    ['nothing', ''],
    ['HTML', '<html>'],
    ['a list without items', { metadata: { resourceVersion: '6' } }],
    ['a list without a version', { items: [] }],
    ['a list with an empty version', { metadata: { resourceVersion: '' }, items: [] }],
    ['a Status', { kind: 'Status', status: 'Success', metadata: {} }],
  ];
  for (const [what, body] of noLists) {
    test(`that is ${what}: nothing is gone, asked again`, () =>
      reflecting(
        paged(lists(items, 5), refuses(410), answers(body), lists(items, 7), stays()),
        async ({ recorder }) => {
          await recorder.logged('listing complete', 2);
          assert.deepEqual(recorder.tales, ['object a/x@1', 'object a/y@2']);
          assert.equal(recorder.count('malformed'), 1);
        },
      ));
  }

  test('whose items are null is an empty one', () =>
    reflecting(
      paged(lists(items, 5), refuses(410), answers({ metadata: { resourceVersion: '6' }, items: null }), stays()),
      async ({ recorder }) => {
        await recorder.logged('listing complete', 2);
        assert.deepEqual(recorder.tales.slice(2), ['gone a/x', 'gone a/y']);
      },
    ));

  test('that goes round in circles: given up', () =>
    reflecting(paged(lists(items, 5, 'a'), lists([], 5, 'a'), lists(items, 6), stays()), async ({ recorder }) => {
      await recorder.logged('listing complete');
      assert.deepEqual(recorder.malformedMessages, ['the listing goes round in circles']);
    }));

  test('waits for room before what is new, not for what is known', () => {
    const gate = Promise.withResolvers<void>();
    return reflecting(
      paged(lists(items, 5), refuses(410), lists([...items, widget('z', 9)], 6), stays()),
      async ({ recorder, server }) => {
        await waitFor('the second list', () => server.stepsLeft === 0);
        await recorder.logged('waits for room');
        assert.equal(recorder.count('object a/z@9'), 0);
        gate.resolve();
        await recorder.logged('object a/z@9');
      },
      {
        prepare(recorder) {
          recorder.room = () => {
            if (recorder.picture.size < 2) return Promise.resolve();
            recorder.log.push('waits for room');
            return gate.promise;
          };
        },
      },
    );
  });

  test('can be stopped while it waits for room', () =>
    reflecting(
      paged(lists(items, 5), stays()),
      async ({ recorder, server, reflector }) => {
        await waitFor('the list', () => server.requests.length === 2);
        await reflector.stop();
        assert.deepEqual(recorder.log, ['listing began']);
      },
      {
        prepare(recorder) {
          recorder.roomy = new Promise(() => {});
        },
      },
    ));

  test('adapts its pages to the size of the objects; a page that is too long is asked for in smaller ones', () => {
    const large = { data: 'x'.repeat(1_000_000) };
    const limits = ({ server }: Reflecting) =>
      server.requests.filter(({ kind }) => kind === 'list').map(({ query }) => Number(query.get('limit')));
    const page =
      (size: number): Step =>
      (response, request) => {
        const count = Math.min(size, Number(request.query.get('limit')));
        const more = { metadata: { resourceVersion: '5', continue: `c${Math.random()}` } };
        response.end(
          JSON.stringify({ ...more, items: Array.from({ length: count }, (_, i) => widget(`o${i}`, 5, large)) }),
        );
      };
    return reflecting(paged(page(50), page(50), page(50), lists([], 5), stays()), async (parts) => {
      await parts.recorder.logged('listing complete');
      assert.deepEqual(limits(parts), [50, 12, 4, 4]);
    });
  });
});

suite('a server', () => {
  test('that is not there at first: listed as soon as it is', async () => {
    const place = await new MisbehavingServer().listen();
    const { port } = place;
    await place.close();
    const server = new MisbehavingServer().play(stays(...listOfTwo));
    const recorder = new Recorder();
    const client = clientOf(server.kubeConfig({}, port));
    const timing = { backoffFirstMs: 5, backoffMaximumMs: 20 };
    const collection = widgets;
    const reflector = new Reflector(
      { client, collection, shape: 'full', clock: systemClock, random: Math.random, timing },
      recorder,
    );
    reflector.start();
    await recorder.logged('stale');
    await server.listen(port);
    await recorder.logged('live');
    assert.deepEqual(recorder.log.slice(0, 2), ['stale', 'listing began']);
    await reflector.stop();
    await client.close();
    await server.close();
  });

  test('that takes the connection and never answers: given up after the limit', () =>
    reflecting(
      [() => {}, stays(...listOfTwo)],
      async ({ recorder }) => {
        await recorder.logged('live');
        assert.deepEqual(recorder.log.slice(0, 2), ['stale', 'listing began']);
      },
      { client: { timeoutMs: 50 } },
    ));

  test('that begins a refusal and never ends it: given up after the limit', () =>
    reflecting(
      [(response) => void response.writeHead(500).write('{'), stays(...listOfTwo)],
      async ({ recorder }) => {
        await recorder.logged('live');
      },
      { client: { timeoutMs: 50 } },
    ));

  test('asked for metadata only', () =>
    reflecting(
      paged(lists(items, 5), stays()),
      async ({ server }) => {
        await waitFor('the watch', () => server.requests.length === 3);
        const as = server.requests.map(({ headers }) => /as=(\w+)/.exec(headers.accept ?? '')?.[1]);
        assert.deepEqual(as, ['PartialObjectMetadata', 'PartialObjectMetadataList', 'PartialObjectMetadata']);
      },
      { reflector: { shape: 'metadata', labelSelector: 'a=b', fieldSelector: 'c=d' } },
    ));

  test('is told nothing more of once the reflector is stopped', () =>
    reflecting([stays(...listOfTwo, line({}))], async ({ recorder, reflector, server }) => {
      await recorder.logged('live');
      await reflector.stop();
      const { length } = recorder.log;
      await waitFor('the end of the connection', () => server.sockets.size === 0);
      assert.equal(recorder.log.length, length);
    }));
});
