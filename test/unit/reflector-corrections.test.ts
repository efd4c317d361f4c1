/** What a listing corrects, and why: left out by a watch that was up, or come about while nothing was watched (I5). */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  added,
  answers,
  cuts,
  listed,
  listOfTwo,
  lists,
  modified,
  refuses,
  stays,
  widget,
} from '../support/misbehaving-server.ts';
import { waitFor } from '../support/recorder.ts';
import { type Reflecting, reflecting } from '../support/reflecting.ts';

const corrected = ({ recorder }: Reflecting, count: number) =>
  waitFor('corrections', () => recorder.corrections.length >= count);

suite('corrections of a listing', () => {
  test('there are none by the first listing, also where it broke off, and none by one that shows nothing new', () =>
    reflecting([cuts(added('x', 1)), stays(...listOfTwo), stays(...listOfTwo)], async (parts) => {
      await parts.recorder.logged('live');
      parts.reflector.retell();
      await parts.recorder.logged('listing complete', 2);
      assert.deepEqual(parts.recorder.corrections, []);
      assert.equal(parts.server.requests.length, 3, 'nobody was asked');
    }));

  test('the server is asked how each was where the watch stood: what was so then was missed, the rest came later', () =>
    reflecting(
      [
        stays(...listOfTwo, modified('x', 6)),
        stays(added('x', 7), added('new', 4), added('later', 8), listed(9)),
        // x, new, later, y, as they were at 6.
        ...[[widget('x', 6)], [widget('new', 4)], [], []].map((items) => lists(items, 6)),
      ],
      async (parts) => {
        await parts.recorder.logged('object a/x@6');
        parts.reflector.relist();
        await corrected(parts, 2);
        assert.deepEqual(parts.recorder.corrections, ['missed a/new', 'missed a/y']);
        const asked = parts.server.requests.slice(2).map(({ query }) => Object.fromEntries(query));
        assert.deepEqual(
          asked,
          ['x', 'new', 'later', 'y'].map((name) => ({
            fieldSelector: `metadata.name=${name}`,
            resourceVersion: '6',
            resourceVersionMatch: 'Exact',
          })),
        );
      },
    ));

  test('versions that were forgotten for a retelling are still compared', () =>
    reflecting(
      [stays(...listOfTwo), stays(added('x', 3), added('y', 2), listed(6)), lists([widget('x', 3)], 5)],
      async (parts) => {
        await parts.recorder.logged('live');
        parts.reflector.retell();
        await corrected(parts, 1);
        assert.deepEqual(parts.recorder.corrections, ['missed a/x']);
      },
    ));

  test('what the server cannot say any more is unproven, and so is what is beyond the twenty that are asked about', () => {
    const many = Array.from({ length: 22 }, (_, index) => added(`w${index}`, 10 + index));
    return reflecting(
      [stays(...listOfTwo), stays(...listOfTwo.slice(0, 2), ...many, listed(40)), refuses(410, { reason: 'Expired' })],
      async (parts) => {
        await parts.recorder.logged('live');
        parts.reflector.relist();
        await corrected(parts, 22);
        assert.ok(parts.recorder.corrections.every((one) => one.startsWith('unproven a/w')));
        assert.equal(parts.server.requests.length, 22);
      },
    );
  });

  test('after an outage, a listing that broke off, or a 410 they are called unwatched, and nobody is asked', () =>
    reflecting([stays(...listOfTwo), cuts(added('x', 3)), stays(added('x', 4), listed(6))], async (parts) => {
      await parts.recorder.logged('live');
      parts.reflector.relist();
      await corrected(parts, 2);
      assert.deepEqual(parts.recorder.corrections, ['unwatched a/x', 'unwatched a/y']);
      assert.equal(parts.server.requests.length, 3);
    }));

  test('an aggregated API is not asked: its watch is known to be weak', () =>
    reflecting(
      [stays(...listOfTwo), stays(added('x', 3), listed(6)), answers('')],
      async (parts) => {
        await parts.recorder.logged('live');
        parts.reflector.relist();
        await corrected(parts, 2);
        assert.deepEqual(parts.recorder.corrections, ['aggregated a/x', 'aggregated a/y']);
        assert.equal(parts.server.requests.length, 2);
      },
      { reflector: { isAggregated: true } },
    ));
});
