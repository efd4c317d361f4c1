/** The client: limits in time and size, connections, credentials that rotate. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { Deadline } from '../../src/kube/abort.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { Connections } from '../../src/kube/connections.ts';
import { loadKubeConfig } from '../../src/kube/kube-config.ts';
import type { KubeError } from '../../src/kube/kube-error.ts';
import { answers, MisbehavingServer, refuses, type Step, stays } from '../support/misbehaving-server.ts';
import { waitFor } from '../support/recorder.ts';
import { clientOf, SetClock } from '../support/reflecting.ts';

const folder = mkdtempSync(join(tmpdir(), 'zen-client-'));
after(() => rmSync(folder, { recursive: true }));
const get = { method: 'GET', path: '/x', verb: 'get', resource: 'x' } as const;
const ok = answers({});

async function withServer(steps: readonly Step[], run: (server: MisbehavingServer) => Promise<void>): Promise<void> {
  const server = await new MisbehavingServer().play(...steps).listen();
  await run(server).finally(() => server.close());
}

async function failureOf(promise: Promise<unknown>): Promise<KubeError> {
  return promise.then(
    () => assert.fail('it did not fail'),
    (error: KubeError) => error,
  );
}

const tokens = (server: MisbehavingServer) => server.requests.map(({ headers }) => headers.authorization);

suite('requests', () => {
  test('end after the limit when an answer never ends, and leave their connection to the next', () =>
    withServer([stays('{'), stays('{'), ok], async (server) => {
      const codes: number[] = [];
      const client = clientOf(server.kubeConfig(), {
        connections: 1,
        timeoutMs: 400,
        onRequest: ({ code }) => codes.push(code),
      });
      for (const _ of [1, 2]) {
        const { status, reason, message } = await failureOf(client.request(get));
        assert.deepEqual([status, reason, message], [0, 'NoAnswer', 'no whole answer within 0.4 s']);
      }
      await client.request(get);
      assert.deepEqual(codes, [0, 0, 200]);
      await client.close();
    }));

  test('end at once when their caller does not want them any more; nobody counts them', () =>
    withServer([() => {}], async (server) => {
      const codes: number[] = [];
      const client = clientOf(server.kubeConfig(), { onRequest: ({ code }) => codes.push(code) });
      const controller = new AbortController();
      const failure = failureOf(client.request({ ...get, signal: controller.signal }));
      await waitFor('the request', () => server.requests.length === 1);
      controller.abort(new Error('enough'));
      assert.equal((await failure).message, 'enough');
      assert.deepEqual(codes, []);
      await client.close();
    }));

  test('give up an answer that is too long', () =>
    withServer([answers('x'.repeat(1000))], async (server) => {
      const client = clientOf(server.kubeConfig());
      assert.equal((await failureOf(client.request({ ...get, maximumBytes: 999 }))).reason, 'TooLong');
      assert.equal((await client.request({ ...get, maximumBytes: 1000 })).body.length, 1000);
      await client.close();
    }));

  test('carry the words of a refusal', () =>
    withServer(
      [
        refuses(403, {
          reason: 'Forbidden',
          message: 'no',
          details: { kind: 'x', name: 'y', causes: [{ reason: 'Z' }], retryAfterSeconds: 3 },
        }),
        refuses(503, {}, { 'retry-after': '9000' }),
        (response) => void response.writeHead(502).end('<html>Bad gateway'),
        refuses(429, {}, { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }),
      ],
      async (server) => {
        const client = clientOf(server.kubeConfig());
        const first = await failureOf(client.request(get));
        assert.deepEqual(
          [first.status, first.reason, first.message, first.causes, first.target, first.retryAfterMs],
          [403, 'Forbidden', '403 no', ['Z'], { kind: 'x', name: 'y' }, 3000],
        );
        assert.equal((await failureOf(client.request(get))).retryAfterMs, 300_000, 'five minutes at the most');
        assert.equal((await failureOf(client.request(get))).message, '502 <html>Bad gateway');
        assert.equal((await failureOf(client.request(get))).retryAfterMs, undefined);
        await client.close();
      },
    ));

  test('share a few connections; a watch never waits for one', () =>
    withServer([stays()], async (server) => {
      const client = clientOf(server.kubeConfig(), { connections: 3 });
      const watches = await Promise.all([1, 2, 3, 4, 5].map(() => client.stream(get)));
      server.play(ok);
      await Promise.all(Array.from({ length: 50 }, () => client.request(get)));
      assert.ok(server.connections <= 5 + 3, `${server.connections} connections`);
      assert.equal(server.sockets.size, server.connections);
      for (const { body } of watches) body.destroy();
      await client.close();
      await waitFor('the end of all connections', () => server.sockets.size === 0);
    }));

  test('end after the limit, a watch does not: it goes on as long as it is read', () =>
    withServer([stays('{}\n')], async (server) => {
      const client = clientOf(server.kubeConfig(), { timeoutMs: 400 });
      const { body } = await client.stream(get);
      const failure = await failureOf(client.request(get));
      assert.equal(failure.message, 'no whole answer within 0.4 s');
      assert.equal(body.destroyed, false);
      assert.equal(body.errored, null);
      body.destroy();
      await client.close();
    }));

  test('fail after close()', () =>
    withServer([ok], async (server) => {
      const client = clientOf(server.kubeConfig());
      await client.request(get);
      await client.close();
      assert.equal((await failureOf(client.request(get))).reason, 'NoAnswer');
      assert.equal((await failureOf(client.stream(get))).reason, 'NoAnswer');
    }));
});

suite('limits in time', () => {
  test('leave no listener on the outer signal and no timer', () => {
    const outer = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = outer.signal;
    outer.signal.addEventListener = function add(...args: unknown[]) {
      listeners += 1;
      return addEventListener.apply(this, args as never);
    };
    outer.signal.removeEventListener = function remove(...args: unknown[]) {
      listeners -= 1;
      return removeEventListener.apply(this, args as never);
    };
    for (let i = 0; i < 100; i += 1) new Deadline(1_000_000, outer.signal, 'x').release();
    assert.equal(listeners, 0);
    const deadline = new Deadline(1_000_000, outer.signal, 'x');
    outer.abort(new Error('outer'));
    assert.deepEqual([deadline.signal.aborted, deadline.isExpired], [true, false]);
    assert.equal(new Deadline(1_000_000, outer.signal, 'x').signal.aborted, true);
  });
});

suite('credentials', () => {
  const tokenFile = join(folder, 'token');
  const inCluster = { authProvider: { name: 'tokenFile', config: { tokenFile } } };

  async function rotating(
    run: (server: MisbehavingServer, client: KubeClient, clock: SetClock) => Promise<void>,
    user: object = inCluster,
  ) {
    await withServer([ok], async (server) => {
      const clock = new SetClock();
      writeFileSync(tokenFile, 'one\n');
      const client = clientOf(server.kubeConfig(user), { clock });
      await run(server, client, clock).finally(() => client.close());
    });
  }

  test('from a token file, as in a cluster: read anew every ten seconds', () =>
    rotating(async (server, client, clock) => {
      await client.request(get);
      writeFileSync(tokenFile, 'two\n');
      await client.request(get);
      clock.nowMs += 10_001;
      await client.request(get);
      assert.deepEqual(tokens(server), ['Bearer one', 'Bearer one', 'Bearer two']);
    }));

  test('from a token file: read anew a second after a 401', () =>
    rotating(async (server, client, clock) => {
      server.play(refuses(401), refuses(401), ok);
      await failureOf(client.request(get));
      writeFileSync(tokenFile, 'two');
      await failureOf(client.request(get));
      clock.nowMs += 1_001;
      await client.request(get);
      assert.deepEqual(tokens(server), ['Bearer one', 'Bearer one', 'Bearer two']);
    }));

  test('from a token file that is away or empty for a while: the token before it goes on', () =>
    rotating(async (server, client, clock) => {
      await client.request(get);
      rmSync(tokenFile);
      clock.nowMs += 60_001;
      await client.request(get);
      writeFileSync(tokenFile, '');
      clock.nowMs += 1_001;
      await client.request(get);
      writeFileSync(tokenFile, 'three');
      clock.nowMs += 1_001;
      await client.request(get);
      assert.deepEqual(tokens(server), ['Bearer one', 'Bearer one', 'Bearer one', 'Bearer three']);
    }));

  test('that cannot be had at all: a failure with words', () =>
    rotating(async (_server, client) => {
      rmSync(tokenFile);
      const { reason, message } = await failureOf(client.request(get));
      assert.equal(reason, 'Credentials');
      assert.match(message, /^credentials: ENOENT/);
    }));

  test('from an exec plugin: asked again when they expire, and after a 401', async () => {
    const script = join(folder, 'plugin.sh');
    const count = join(folder, 'count');
    writeFileSync(count, '');
    const credential = (expiry: string) =>
      `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t'$n'"${expiry}}}`;
    const write = (expiry: string) => {
      writeFileSync(script, `#!/bin/sh\necho x >> ${count}\nn=$(wc -l < ${count})\necho '${credential(expiry)}'\n`);
      chmodSync(script, 0o700);
    };
    write(',"expirationTimestamp":"2020-01-01T00:00:00Z"');
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: script, interactiveMode: 'Never' };
    await rotating(
      async (server, client, clock) => {
        await client.request(get);
        await client.request(get);
        write('');
        clock.nowMs += 10_001;
        await client.request(get);
        clock.nowMs += 10_001;
        await client.request(get);
        server.play(refuses(401), ok);
        await failureOf(client.request(get));
        clock.nowMs += 1_001;
        await client.request(get);
        assert.deepEqual(
          tokens(server).map((token) => token?.replace(/ +/g, ' ')),
          ['Bearer t1', 'Bearer t1', 'Bearer t2', 'Bearer t2', 'Bearer t2', 'Bearer t3'],
        );
      },
      { exec },
    );
  });

  test('from an exec plugin that fails: its words', () =>
    rotating(
      async (_server, client) => {
        assert.match((await failureOf(client.request(get))).message, /^credentials: no luck/);
      },
      { exec: { command: '/bin/sh', args: ['-c', 'echo no luck >&2; exit 1'] } },
    ));

  test('from an exec plugin that hangs: the request still ends', () =>
    withServer([ok], async (server) => {
      const client = clientOf(server.kubeConfig({ exec: { command: '/bin/sleep', args: ['3'] } }), { timeoutMs: 400 });
      assert.match((await failureOf(client.request(get))).message, /within 0.4 s/);
      await client.close();
    }));

  test('user and password', () =>
    rotating(
      async (server, client) => {
        await client.request(get);
        assert.deepEqual(tokens(server), [`Basic ${Buffer.from('me:secret').toString('base64')}`]);
      },
      { username: 'me', password: 'secret' },
    ));
});

suite('connections', () => {
  test('are made anew for another CA or certificate; a watch on the old ones goes on', () =>
    withServer([stays('a')], async (server) => {
      const connections = new Connections(server.kubeConfig(), 2);
      const first = connections.with({ ca: 'one' });
      assert.equal(connections.with({ ca: 'one' }), first);
      const target = { origin: `http://127.0.0.1:${server.port}`, path: '/', method: 'GET' } as const;
      const watch = await first.watches.request(target);
      const second = connections.with({ ca: 'two' });
      assert.notEqual(second.watches, first.watches);
      await assert.rejects(first.watches.request(target), 'nothing new on the old ones');
      const [chunk] = await watch.body.take(1).toArray();
      assert.equal(String(chunk), 'a');
      watch.body.on('error', () => {});
      await connections.close();
      await waitFor('the end of all connections', () => server.sockets.size === 0);
      assert.throws(() => connections.with({ ca: 'two' }));
    }));
});

suite('the kubeconfig', () => {
  const write = (name: string, user: object, context = name) => {
    const file = join(folder, name);
    const cluster = { name, cluster: { server: 'https://127.0.0.1:1' } };
    const contexts = [{ name: context, context: { cluster: name, user: name } }];
    writeFileSync(
      file,
      JSON.stringify({ clusters: [cluster], users: [{ name, user }], contexts, 'current-context': context }),
    );
    return file;
  };
  const headersOf = async (config: ReturnType<typeof loadKubeConfig>) => {
    const user = config.getCurrentUser();
    return user?.authProvider?.config?.tokenFile ?? user?.token;
  };

  test('of a file; tokenFile is relative to it and wins over token', async () => {
    const file = write('one', { tokenFile: 'token-of-one', token: 'fixed' });
    const config = loadKubeConfig({ file, environment: {} });
    assert.equal(await headersOf(config), join(folder, 'token-of-one'));
    assert.equal(config.getCurrentUser()?.token, undefined);
  });

  test('of $KUBECONFIG: several files, the first current context counts', async () => {
    const files = [join(folder, 'not-there'), write('two', { token: 'second' }), write('three', { token: 'third' })];
    const environment = { KUBECONFIG: files.join(':') };
    assert.equal(await headersOf(loadKubeConfig({ environment })), 'second');
    assert.equal(await headersOf(loadKubeConfig({ environment, context: 'three' })), 'third');
    assert.throws(() => loadKubeConfig({ environment, context: 'four' }), /no context four/);
  });

  test('of nowhere: words for the user', () => {
    assert.throws(() => loadKubeConfig({ environment: { HOME: folder } }), /use --kubeconfig or \$KUBECONFIG/);
  });
});
