/** Objects that mean nothing here are skipped by their heads; when more is wanted, only a listing from then on counts. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Informer } from '../../src/kube/informer.ts';
import { glanceAtLine } from '../../src/kube/object-head.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { membersAt, plainTextAt } from '../../src/lib/json-slices.ts';
import {
  added,
  deleted,
  listed,
  lists,
  MisbehavingServer,
  modified,
  refuses,
  stays,
  widget,
} from '../support/misbehaving-server.ts';
import { Recorder, waitFor } from '../support/recorder.ts';
import { clientOf, reflecting, widgets } from '../support/reflecting.ts';
import { SeededRandom } from '../support/seeded-random.ts';

/** As the API server writes it but for its text, which is not to be read. */
const broken = (type: string, name: string, version: number) =>
  `{"type":"${type}","object":{"metadata":{"name":"${name}","namespace":"a","resourceVersion":"${version}"},"spec":{no JSON}}}\n`;

function wanting(names: ReadonlySet<string>) {
  return (recorder: Recorder) =>
    void Object.assign(recorder, { isWanted: ({ name }: { name: string }) => names.has(name) });
}

function informerOf(client: ReturnType<typeof clientOf>, recorder: Recorder): Informer {
  const { group, version, resource } = widgets;
  return new Informer(
    {
      ...{ client, group, resource, versions: [version], namespaced: true, shape: 'full' },
      ...{ clock: systemClock, random: () => 0.5 },
    },
    recorder,
  );
}

suite('what is not wanted', () => {
  test('is neither parsed nor told, by stream: coming, changing and going', () =>
    reflecting(
      [
        stays(
          ...[added('x', 1), broken('ADDED', 'y', 2), listed(5), broken('DELETED', 'y', 6)],
          ...[broken('ADDED', 'y', 7), broken('MODIFIED', 'y', 8), modified('x', 8), deleted('x', 9)],
        ),
      ],
      async ({ recorder, server, reflector }) => {
        await recorder.logged('gone a/x');
        assert.equal(reflector.size, 0, 'nothing is remembered of it');
        assert.deepEqual(recorder.tales, ['object a/x@1', 'object a/x@8', 'gone a/x']);
        assert.ok(!recorder.log.some((word) => word.startsWith('malformed')), String(recorder.log));
        assert.equal(server.requests.length, 1);
      },
      { prepare: wanting(new Set(['x'])) },
    ));

  test('is left out of pages, and what is there of it is not gone by that', () =>
    reflecting(
      [refuses(400), lists([widget('x', 1), widget('y', 2), widget('z', 3)], 5), stays(modified('z', 6))],
      async ({ recorder }) => {
        await recorder.logged('object a/z@6');
        assert.deepEqual(recorder.tales, ['object a/x@1', 'object a/z@3', 'object a/z@6']);
      },
      { prepare: wanting(new Set(['x', 'z'])) },
    ));

  test('once it is wanted it is told by a new listing; one under way before does not count, what was told is quiet', async () => {
    const server = await new MisbehavingServer()
      .play(
        // Not at its end when more is wanted: it was told without y.
        stays(added('x', 1), added('y', 2)),
        stays(added('x', 1), added('y', 2), listed(5)),
      )
      .listen();
    const client = clientOf(server.kubeConfig());
    const recorder = new Recorder();
    const names = new Set(['x']);
    wanting(names)(recorder);
    const informer = informerOf(client, recorder);
    try {
      await informer.follow(undefined);
      await recorder.logged('object a/x@1');
      names.add('y');
      const isListed = informer.widen(false);
      assert.equal(informer.isSynced, false);
      await isListed;
      assert.equal(informer.isSynced, true);
      assert.deepEqual(recorder.tales, ['object a/x@1', 'object a/y@2']);
      assert.equal(recorder.count('listing complete'), 1);
      // And less again.
      names.delete('x');
      assert.deepEqual(
        informer.narrow((key) => key === 'a/x'),
        ['a/x'],
      );
      assert.deepEqual([informer.has('a', 'x'), informer.size], [false, 1]);
      await waitFor('the second listing', () => server.requests.length === 2);
    } finally {
      await informer.stop();
      await client.close();
      await server.close();
    }
  });
});

suite('what is not wanted any more while it waits to be told', () => {
  test('is not told, and is when it is wanted again', async () => {
    const page = lists([widget('x', 1), widget('y', 2)], 5);
    const server = await new MisbehavingServer()
      .play(refuses(400), page, stays(), refuses(400), page, stays())
      .listen();
    const client = clientOf(server.kubeConfig());
    const recorder = new Recorder();
    const names = new Set(['x', 'y']);
    wanting(names)(recorder);
    const full = Promise.withResolvers<void>();
    const isStillWanted = ({ metadata }: { metadata: { name: string } }) => names.has(metadata.name);
    Object.assign(recorder, { isStillWanted, room: () => full.promise });
    const informer = informerOf(client, recorder);
    try {
      await informer.follow(undefined);
      await waitFor('the page', () => server.requests.length === 2);
      names.delete('y');
      informer.narrow((key) => key === 'a/y');
      full.resolve();
      await recorder.logged('listing complete');
      assert.deepEqual(recorder.tales, ['object a/x@1']);
      names.add('y');
      await informer.widen(false);
      assert.deepEqual(recorder.tales, ['object a/x@1', 'object a/y@2']);
    } finally {
      await informer.stop();
      await client.close();
      await server.close();
    }
  });
});

suite('a listing for more', () => {
  test('shows what was not wanted before, which the watch had not left out', () => {
    const names = new Set(['x']);
    return reflecting(
      [stays(added('x', 1), added('y', 2), listed(5)), stays(added('x', 1), added('y', 2), listed(6))],
      async ({ recorder, reflector, server }) => {
        await recorder.logged('listing complete');
        names.add('y');
        reflector.widen();
        await recorder.logged('listing complete', 2);
        assert.deepEqual(recorder.tales, ['object a/x@1', 'object a/y@2']);
        await reflector.stop();
        assert.equal(server.requests.length, 2, 'nobody was asked how it had been');
        assert.ok(!recorder.log.some((word) => word.startsWith('corrected')), String(recorder.log));
      },
      { prepare: wanting(names) },
    );
  });
});

suite('a glance at JSON', () => {
  test('finds members where parsing finds them, whatever stands before and in them', () => {
    const random = new SeededRandom(7);
    const texts = ['', 'a', '"', '\\', '{"name":"no"}', 'ü', '\u2028', ']}', 'x'.repeat(300)];
    const value = (depth: number): unknown => {
      const kind = random.between(0, depth > 3 ? 3 : 5);
      if (kind < 2) return random.pick(texts);
      if (kind === 2) return random.pick([0, -1.5e9, true, null]);
      if (kind === 3) return random.pick([[], {}]);
      if (kind === 4) return Array.from({ length: random.between(0, 3) }, () => value(depth + 1));
      return Object.fromEntries(
        Array.from({ length: random.between(0, 4) }, () => [random.pick(texts), value(depth + 1)]),
      );
    };
    for (let round = 0; round < 2_000; round += 1) {
      const head = { namespace: random.pick(['shop', 'a-b']), name: 'w.1', resourceVersion: String(round + 1) };
      const members = [...Object.entries({ ...head, [random.pick(texts)]: value(0), labels: value(0) })];
      const metadata = Object.fromEntries(members.sort(() => random.between(-1, 1)));
      const object = { apiVersion: 'v1', data: value(0), metadata, spec: value(0) };
      const type = random.pick(['ADDED', 'MODIFIED', 'DELETED'] as const);
      const line = Buffer.from(JSON.stringify({ type, object }, undefined, random.pick([0, 0, 1])));
      const glanced = glanceAtLine(line);
      assert.deepEqual([glanced?.type, glanced?.head], [type, head], line.toString());
      const cut = line.subarray(0, random.between(0, line.length - 1));
      assert.doesNotThrow(() => glanceAtLine(cut));
    }
  });

  test('gives up where it would have to parse', () => {
    const at = (text: string, ...names: string[]) => membersAt(Buffer.from(text), 0, names);
    assert.deepEqual(at('{"a":1}', 'b'), [-1]);
    assert.equal(at('{"a":1', 'b'), undefined);
    assert.equal(at('{"a" 1}', 'a'), undefined);
    assert.equal(at('[1]', 'a'), undefined);
    assert.equal(at('', 'a'), undefined);
    assert.deepEqual(at('{"a":1,"a":2}', 'a'), [5]);
    for (const text of ['"a\\u0062"', '"ü"', '7', '"a', '']) {
      assert.equal(plainTextAt(Buffer.from(text), 0), undefined, text);
    }
    for (const type of ['BOOKMARK', 'ERROR']) {
      const metadata = { name: 'a', namespace: 'b', resourceVersion: '1' };
      assert.equal(glanceAtLine(Buffer.from(JSON.stringify({ type, object: { metadata } }))), undefined);
    }
    const cluster = { type: 'ADDED', object: { metadata: { name: 'a', resourceVersion: '1' } } };
    assert.equal(glanceAtLine(Buffer.from(JSON.stringify(cluster))), undefined, 'of no namespace');
  });
});
