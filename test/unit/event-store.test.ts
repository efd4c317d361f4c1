/** What the event store makes of answers that a healthy API server seldom gives. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Answer } from '../../src/api/stored-event.ts';
import { KubeEventStore } from '../../src/kube/event-store.ts';
import { answers, MisbehavingServer, refuses, type Step } from '../support/misbehaving-server.ts';
import { clientOf } from '../support/reflecting.ts';

const event = { kind: 'zenagentevents', name: 'x' };

async function asking<Result>(step: Step, ask: (store: KubeEventStore) => Promise<Result>): Promise<Result> {
  const server = await new MisbehavingServer().play(step).listen();
  const client = clientOf(server.kubeConfig(), { timeoutMs: 200 });
  return ask(new KubeEventStore(client)).finally(async () => {
    await client.close();
    await server.close();
  });
}

const create = (step: Step) => asking(step, (store) => store.create('a', '{}'));

/** The kind, and the cause where there is one. */
const summary = (answer: Answer) => ('cause' in answer ? `${answer.kind} ${answer.cause}` : answer.kind);

const cases: readonly [what: string, step: Step, expected: string][] = [
  ['401', refuses(401), 'retry unavailable'],
  ['429', refuses(429), 'retry throttled'],
  ['500', refuses(500, { message: 'etcdserver: request timed out' }), 'retry unavailable'],
  ['503', refuses(503), 'retry unavailable'],
  ['a proxy in trouble', (response) => void response.writeHead(502).end('<html>'), 'retry unavailable'],
  ['400', refuses(400), 'rejected'],
  ['413', refuses(413), 'rejected'],
  ['422', refuses(422), 'rejected'],
  ['403 by RBAC', refuses(403, { reason: 'Forbidden', message: 'cannot create' }), 'retry forbidden'],
  ['409 about the event', refuses(409, { reason: 'AlreadyExists', details: event }), 'conflict'],
  [
    '409 about the quota, which many write to at once',
    refuses(409, { reason: 'Conflict', details: { kind: 'resourcequotas', name: 'q' } }),
    'retry conflict',
  ],
  ['404 about the namespace', refuses(404, { details: { kind: 'namespaces', name: 'a' } }), 'retry namespace-missing'],
  [
    '404 about the path',
    (response) => void response.writeHead(404).end('404 page not found'),
    'retry namespace-missing',
  ],
  ['404 about the event', refuses(404, { details: event }), 'gone'],
  ['success in words that are no object', answers('done'), 'retry unavailable'],
  ['no answer', () => {}, 'retry unavailable'],
  ['a connection that is cut', (response) => void response.destroy(), 'retry unavailable'],
];

suite('the event store', () => {
  for (const [what, step, expected] of cases) {
    test(`${what}: ${expected}`, async () => assert.equal(summary(await create(step)), expected));
  }

  test('hands on how long the server asks to wait', async () => {
    const answer = await create(refuses(429, {}, { 'retry-after': '7' }));
    assert.equal('afterMs' in answer && answer.afterMs, 7_000);
  });

  test('reads nothing only where the server says that there is no such event', async () => {
    assert.equal(await asking(refuses(404, { details: event }), (store) => store.read('a', 'x')), undefined);
    const missing: Step = (response) => void response.writeHead(404).end('404 page not found');
    await assert.rejects(
      asking(missing, (store) => store.read('a', 'x')),
      { status: 404 },
    );
    await assert.rejects(
      asking(refuses(500), (store) => store.read('a', 'x')),
      { status: 500 },
    );
    await assert.rejects(
      asking(answers('x'), (store) => store.read('a', 'x')),
      { reason: 'Malformed' },
    );
  });
});
