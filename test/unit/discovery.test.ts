/** Discovery from answers that are incomplete, stale or none. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Discovery, type ServedResources } from '../../src/kube/discovery.ts';
import { answers, MisbehavingServer, refuses, type Step } from '../support/misbehaving-server.ts';
import { waitFor } from '../support/recorder.ts';
import { clientOf } from '../support/reflecting.ts';

const resource = (name: string, verbs = ['get', 'list', 'watch']) => ({ resource: name, verbs });
const group = (name: string, ...versions: object[]) => ({ metadata: { name }, versions });
const groups = (...items: unknown[]) => ({ kind: 'APIGroupDiscoveryList', items });
const first = groups(
  group('a', { version: 'v2', resources: [resource('ones')] }, { version: 'v1', resources: [resource('ones')] }),
  group('b', { version: 'v1', resources: [resource('twos'), resource('reviews', ['create'])] }),
);

interface Told {
  readonly log: string[];
  readonly codes: number[];
  readonly server: MisbehavingServer;
  served: ServedResources;
}

async function discovering(steps: readonly Step[], run: (told: Told) => Promise<void>): Promise<void> {
  const server = await new MisbehavingServer().play(...steps).listen();
  const told: Told = { log: [], codes: [], server, served: new Map() };
  const client = clientOf(server.kubeConfig(), { onRequest: ({ code }) => told.codes.push(code) });
  const discovery = new Discovery(
    { client, intervalMs: 5, random: () => 0.5 },
    {
      changed(served) {
        told.served = served;
        told.log.push(`changed ${[...served].map(([key, { versions }]) => `${key}:${versions.join('+')}`).join(' ')}`);
      },
      failed: (message) => told.log.push(`failed ${message}`),
      recovered: () => told.log.push('recovered'),
    },
  );
  discovery.start();
  try {
    await run(told);
  } finally {
    discovery.stop();
    await client.close();
    await server.close();
  }
}

const firstTold = 'changed a/ones:v2+v1 b/twos:v1';

suite('discovery', () => {
  test('tells what can be listed, in the order of the server, and asks again with the ETag', () =>
    discovering([answers(first, { etag: '"1"' }), refuses(304)], async ({ log, server }) => {
      await waitFor('more requests', () => server.requests.length > 3);
      assert.deepEqual(log, [firstTold]);
      assert.deepEqual(
        server.requests.slice(0, 3).map(({ headers }) => headers['if-none-match']),
        [undefined, '"1"', '"1"'],
      );
    }));

  test('keeps what it knew of a group whose server is down', () =>
    discovering(
      [
        answers(first),
        answers(
          groups(group('a', { version: 'v2', freshness: 'Stale' }), group('b', { version: 'v1', resources: [] })),
        ),
        answers(groups(group('a', { version: 'v1', freshness: 'Stale', resources: [resource('ones')] }))),
        refuses(304),
      ],
      async ({ log }) => {
        await waitFor('three answers', () => log.length === 3);
        assert.deepEqual(log.slice(1), ['changed a/ones:v2', 'changed a/ones:v1']);
      },
    ));

  test('tells an outage when it begins and when it ends, and keeps what it knew', () =>
    discovering(
      [
        answers(first),
        refuses(500),
        refuses(500),
        answers('<html>'),
        answers({ kind: 'APIGroupList', groups: [] }),
        answers(first),
        refuses(503),
      ],
      async ({ log, served }) => {
        await waitFor('the second outage', () => log.length === 5);
        assert.match(log[1] ?? '', /^failed 500/);
        assert.deepEqual(log.slice(2, 4), [firstTold, 'recovered']);
        assert.match(log[4] ?? '', /^failed 503/);
        assert.ok(served);
      },
    ));

  test('reads over what is malformed', () =>
    discovering(
      [
        answers(
          groups(
            null,
            7,
            {},
            group('a', {}),
            { metadata: null, versions: [null, 3] },
            { metadata: { name: 'c' }, versions: 'v1' },
            group('d', { version: 'v1', resources: [null, 5, {}, { resource: 'x', verbs: 'list' }, resource('good')] }),
          ),
        ),
        refuses(304),
      ],
      async ({ log }) => {
        await waitFor('the answer', () => log.length === 1);
        assert.deepEqual(log, ['changed d/good:v1']);
      },
    ));
});
