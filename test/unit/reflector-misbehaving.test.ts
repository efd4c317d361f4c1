/** The reflector against servers, and connections, that break every rule of the watch protocol. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  added,
  bookmark,
  cuts,
  deleted,
  ends,
  errorEvent,
  line,
  listed,
  listOfTwo,
  modified,
  refuses,
  type Step,
  stays,
} from '../support/misbehaving-server.ts';
import { waitFor } from '../support/recorder.ts';
import { type Reflecting, type ReflectingOptions, reflecting } from '../support/reflecting.ts';

const kinds = ({ server }: Reflecting) => server.requests.map(({ kind }) => kind);
const places = ({ server }: Reflecting) => server.requests.map(({ query }) => query.get('resourceVersion'));

/** Plays a watch that begins with a list of x@1 and y@2, complete at 5, and waits until the steps have told z@9. */
function untilTold(steps: readonly Step[], check: (parts: Reflecting) => void, options?: ReflectingOptions) {
  return reflecting(
    steps,
    async (parts) => {
      await parts.recorder.logged('object a/z@9');
      await parts.recorder.logged('live');
      check(parts);
    },
    options,
  );
}

suite('a watch that breaks', () => {
  test('mid-line: the part is no event, the watch goes on from the last whole one', () =>
    untilTold([cuts(...listOfTwo, modified('x', 6), added('half', 7).slice(0, 20)), stays(added('z', 9))], (parts) => {
      assert.deepEqual(places(parts), [null, '6']);
      assert.deepEqual(parts.recorder.tales, ['object a/x@1', 'object a/y@2', 'object a/x@6', 'object a/z@9']);
    }));

  test('by a clean end in the middle of a line: the same', () =>
    untilTold([ends(...listOfTwo, added('half', 7).trimEnd()), stays(added('z', 9))], (parts) => {
      assert.deepEqual(places(parts), [null, '5']);
      assert.equal(parts.recorder.count('object a/half@7'), 0);
    }));

  test('by a clean end: no listing, nothing told again, no change of state', () =>
    untilTold([ends(...listOfTwo), ends(added('x', 1), bookmark(7)), stays(added('z', 9))], (parts) => {
      assert.deepEqual(kinds(parts), ['stream list', 'watch', 'watch']);
      assert.deepEqual(places(parts), [null, '5', '7']);
      assert.deepEqual(parts.recorder.log, [
        'listing began',
        'object a/x@1',
        'object a/y@2',
        'listing complete',
        'live',
        'object a/z@9',
      ]);
    }));

  test('by silence, once: watched again, no change of state', () =>
    untilTold(
      [stays(...listOfTwo), stays(added('z', 9))],
      ({ recorder }) => assert.deepEqual(recorder.log.slice(4), ['live', 'object a/z@9']),
      { timing: { inactivityMs: 400 } },
    ));

  test('by silence, again and again, where bookmarks were sent: stale until the next byte, then live', () =>
    untilTold(
      [stays(...listOfTwo), stays(), stays(), stays(added('z', 9))],
      ({ recorder }) => assert.deepEqual(recorder.log.slice(4), ['live', 'stale', 'object a/z@9', 'live']),
      { timing: { inactivityMs: 400 } },
    ));

  test('by silence of a server without bookmarks: watched again, no change of state', () =>
    untilTold(
      [
        refuses(422),
        (response) => void response.end(JSON.stringify({ metadata: { resourceVersion: '5' }, items: [] })),
        stays(),
        stays(),
        stays(added('z', 9)),
      ],
      (parts) => {
        assert.deepEqual(kinds(parts), ['stream list', 'list', 'watch', 'watch', 'watch']);
        assert.deepEqual(parts.recorder.log, ['listing began', 'listing complete', 'live', 'object a/z@9']);
      },
      { timing: { inactivityMs: 400 } },
    ));

  test('by a connection that is cut: stale, and live once it is back', () =>
    untilTold([cuts(...listOfTwo), stays(added('z', 9))], ({ recorder }) =>
      assert.deepEqual(recorder.log.slice(4), ['live', 'stale', 'live', 'object a/z@9']),
    ));
});

suite('a watch that is refused', () => {
  const gone = { reason: 'Expired', message: 'too old resource version' };
  test('with 410: listed anew, at once; what is lacking is gone, what is unchanged is not told', () =>
    untilTold([ends(...listOfTwo), refuses(410, gone), stays(added('y', 2), added('z', 9), listed(9))], (parts) => {
      assert.deepEqual(kinds(parts), ['stream list', 'watch', 'stream list']);
      assert.deepEqual(parts.recorder.tales.slice(2), ['object a/z@9', 'gone a/x']);
      assert.equal(parts.recorder.count('stale'), 0);
      assert.equal(parts.pauses.length, 1, 'the pause after the short watch only');
    }));

  test('with 410 as an ERROR event: the same', () =>
    untilTold([stays(...listOfTwo, errorEvent({ code: 410, ...gone })), stays(added('z', 9), listed(9))], (parts) => {
      assert.deepEqual(parts.recorder.tales.slice(2), ['object a/z@9', 'gone a/x', 'gone a/y']);
      assert.equal(parts.pauses.length, 0);
    }));

  test('with 410 after every listing: not in a tight loop', () =>
    reflecting([ends(...listOfTwo, errorEvent({ code: 410 }))], async ({ recorder, pauses }) => {
      await recorder.logged('listing complete', 8);
      assert.ok(pauses.length >= 6, `${pauses.length} pauses`);
      assert.deepEqual(pauses.slice(0, 4), [750, 1500, 3000, 6000], 'growing');
      assert.ok(recorder.count('stale') > 0, 'and visible');
    }));

  test('with 429: not before Retry-After has passed', () =>
    untilTold([ends(...listOfTwo), refuses(429, {}, { 'retry-after': '77' }), stays(added('z', 9))], (parts) => {
      assert.deepEqual(kinds(parts), ['stream list', 'watch', 'watch']);
      assert.ok(parts.pauses.includes(77_000), String(parts.pauses));
    }));

  test('with 500s: tried again from where it was, each time later', () =>
    untilTold([ends(...listOfTwo), ...Array(5).fill(refuses(500)), stays(added('z', 9))], (parts) => {
      assert.deepEqual(places(parts).slice(1), Array(6).fill('5'));
      assert.deepEqual(parts.pauses.slice(1), [375, 750, 1500, 3000, 6000]);
      assert.deepEqual(parts.recorder.log.slice(4, 7), ['live', 'stale', 'live']);
    }));

  test('with 403 and 429 after it was away for long: asked again soon, as it starts; when it is away again, not anew', () => {
    const away: Step = (response) => void response.destroy();
    const steps = [...Array(6).fill(away), refuses(403), refuses(429), away, refuses(429), stays(added('z', 9))];
    return untilTold([ends(...listOfTwo), ...steps], (parts) =>
      assert.deepEqual(parts.pauses.slice(1), [375, 750, 1500, 3000, 6000, 12_000, 375, 750, 1500, 3000]),
    );
  });

  test('with 400, a resourceVersion that it does not understand: listed anew', () =>
    untilTold([ends(...listOfTwo), refuses(400), stays(added('z', 9), listed(9))], (parts) =>
      assert.deepEqual(kinds(parts), ['stream list', 'watch', 'stream list']),
    ));

  test('with 403: forbidden, until it is allowed', () =>
    untilTold([ends(...listOfTwo), refuses(403), refuses(403), stays(added('z', 9))], ({ recorder }) =>
      assert.deepEqual(recorder.log.slice(4), ['live', 'forbidden', 'live', 'object a/z@9']),
    ));

  test('with 404: absent, and listed anew once it is back', () =>
    untilTold([ends(...listOfTwo), refuses(404), refuses(404), stays(added('z', 9), listed(9))], ({ recorder }) =>
      assert.deepEqual(recorder.log.slice(4), [
        'live',
        'absent',
        'listing began',
        'object a/z@9',
        'gone a/x',
        'gone a/y',
        'listing complete',
        'live',
      ]),
    ));
});

suite('events that are none', () => {
  const bad: readonly [what: string, text: string][] = [
    ['a line that is not JSON', 'ping\n'],
    ['JSON that is no event', line({ hello: 'world' })],
    ['JSON that is no object', '[]\n'],
    ['an unknown type', line({ type: 'RENAMED', object: { metadata: { name: 'q', resourceVersion: '8' } } })],
    ['an object without a name', line({ type: 'ADDED', object: { metadata: { resourceVersion: '8' } } })],
    ['an object without a version', line({ type: 'ADDED', object: { metadata: { name: 'q' } } })],
    ['a name that is no text', line({ type: 'ADDED', object: { metadata: { name: 7, resourceVersion: '8' } } })],
    ['no object', line({ type: 'ADDED', object: null })],
    ['a bookmark without a version', line({ type: 'BOOKMARK', object: {} })],
    ['metadata that is null', line({ type: 'DELETED', object: { metadata: null } })],
  ];
  for (const [what, text] of bad) {
    test(`${what}: told as malformed, resumed, listed anew when it does not help`, () =>
      untilTold(
        [
          ends(...listOfTwo),
          ...Array(3).fill(ends(modified('x', 5), text, added('never', 8))),
          stays(added('z', 9), listed(9)),
        ],
        (parts) => {
          assert.equal(parts.recorder.count('malformed'), 3);
          assert.equal(parts.recorder.count('object a/never@8'), 0, 'nothing behind it is believed');
        },
      ));
  }

  test('ERROR without a code, again and again: listed anew', () =>
    untilTold(
      [
        ends(...listOfTwo),
        ...Array(3).fill(ends(errorEvent({ message: 'unable to decode' }))),
        stays(added('z', 9), listed(9)),
      ],
      (parts) => {
        assert.deepEqual(kinds(parts).slice(1), ['watch', 'watch', 'watch', 'stream list']);
        assert.match(JSON.stringify(parts.recorder.state), /live/);
      },
    ));

  test('ERROR 429 again and again: waited for, not listed anew', () =>
    untilTold(
      [
        ends(...listOfTwo),
        ...Array(4).fill(ends(errorEvent({ code: 429, details: { retryAfterSeconds: 66 } }))),
        stays(added('z', 9)),
      ],
      (parts) => {
        assert.deepEqual(places(parts).slice(1), Array(5).fill('5'));
        assert.equal(parts.pauses.filter((pause) => pause === 66_000).length, 4);
      },
    ));
});

suite('events out of the ordinary', () => {
  test('ADDED again, MODIFIED and DELETED of what is unknown', () =>
    untilTold(
      [
        stays(
          ...listOfTwo,
          added('x', 1),
          modified('new', 6),
          deleted('unknown', 7),
          deleted('x', 8),
          added('x', 8),
          added('z', 9),
        ),
      ],
      ({ recorder }) =>
        assert.deepEqual(recorder.tales.slice(2), ['object a/new@6', 'gone a/x', 'object a/x@8', 'object a/z@9']),
    ));

  test('versions are compared for equality only: a lower one, or one that is no number, is news', () =>
    untilTold(
      [
        ends(
          ...listOfTwo,
          modified('y', 1),
          line({ type: 'MODIFIED', object: { metadata: { namespace: 'a', name: 'y', resourceVersion: 'abc/1' } } }),
        ),
        stays(added('z', 9)),
      ],
      (parts) => {
        assert.deepEqual(parts.recorder.tales.slice(2), ['object a/y@1', 'object a/y@abc/1', 'object a/z@9']);
        assert.deepEqual(places(parts), [null, 'abc/1']);
      },
    ));

  test('a handler that throws: told as malformed, the rest goes on, the object is told again when next seen', () =>
    untilTold(
      [ends(...listOfTwo), ends(added('x', 1)), stays(added('z', 9), deleted('x', 10))],
      ({ recorder }) => {
        assert.deepEqual(recorder.malformedMessages, ['a/x was not taken in: no']);
        assert.deepEqual(recorder.tales.slice(0, 3), ['object a/y@2', 'object a/x@1', 'object a/z@9']);
      },
      {
        prepare(recorder) {
          recorder.onObject = () => {
            recorder.onObject = () => {};
            throw new Error('no');
          };
        },
      },
    ));

  test('a handler that blocks for longer than a watch may be silent: what has arrived meanwhile counts', () =>
    untilTold(
      [
        (response) => {
          response.writeHead(200);
          response.write(listOfTwo.join(''));
          const timer = setInterval(() => response.write(bookmark(6)), 20);
          response.on('close', () => clearInterval(timer));
          setTimeout(() => response.write(added('z', 9)), 300);
        },
      ],
      (parts) => assert.deepEqual(kinds(parts), ['stream list']),
      {
        timing: { inactivityMs: 150 },
        prepare(recorder) {
          recorder.onObject = () => {
            for (const until = Date.now() + 200; Date.now() < until; );
          };
        },
      },
    ));
});

suite('a server that is no help', () => {
  test('ends every watch cleanly and at once: asked again ever later, never in a tight loop', () =>
    reflecting([ends(...listOfTwo), ends(bookmark(6))], async ({ server, pauses }) => {
      await waitFor('ten watches', () => server.requests.length > 10);
      assert.deepEqual(pauses.slice(0, 6), [375, 750, 1500, 3000, 3750, 3750]);
      assert.ok(pauses.length >= server.requests.length - 1);
    }));

  test('ends every watch after an event: asked again soon, never in a tight loop', () =>
    reflecting([ends(...listOfTwo), ends(modified('x', 7))], async ({ server, pauses }) => {
      await waitFor('ten watches', () => server.requests.length > 10);
      assert.deepEqual(new Set(pauses), new Set([375]));
      assert.ok(pauses.length >= server.requests.length - 1);
    }));
});
