/** The webhook port with real sockets (I3, I4, Q2): who is let in, what is refused, and that nothing of it stays in memory. */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { Agent, request } from 'undici';
import type { Handled, WebhookRoute } from '../../src/http/webhook-route.ts';
import type { WebhookServer, WebhookServerParts } from '../../src/http/webhook-server.ts';
import { startWebhookServer } from '../../src/http/webhook-server.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { Delivery, Receipt, SentDocument } from '../../src/sources/delivery.ts';
import { CertificateAuthority } from '../support/certificates.ts';
import { until } from '../support/until.ts';

const token = 'correct-horse-battery-staple';
const mebibyte = 2 ** 20;

interface Taken extends Omit<Delivery, 'documents'> {
  readonly documents: readonly SentDocument[];
}

interface Scene {
  readonly server: WebhookServer;
  readonly url: string;
  readonly taken: Taken[];
  readonly handled: Handled[];
  readonly told: string[];
  folder: string;
  refusedConnections: number;
  receipt: Partial<Receipt>;
  /** What passes before a receipt is given. */
  hold(): Promise<void>;
  post(
    path: string,
    body: string | Buffer,
    headers?: Record<string, string>,
  ): Promise<{ code: number; text: string; headers: Record<string, unknown> }>;
}

const route: WebhookRoute = {
  source: 'tool',
  paths: ['/tool/webhook', '/webhook/tool'],
  formats: [],
  acknowledge: 'report',
  open: false,
  tokenFiles: [],
  clientNames: [],
  maxInFlight: 4,
};

type Options = Partial<Omit<WebhookServerParts, 'routes'>> & { readonly routes?: readonly Partial<WebhookRoute>[] };

async function scene(
  t: TestContext,
  { routes, ...options }: Options = {},
  files: Record<string, string> = {},
): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'zen-webhooks-'));
  for (const [name, text] of Object.entries({ token, ...files })) writeFileSync(join(folder, name), text);
  const inFolder = (name: string) => join(folder, name);
  const agent = new Agent({ connect: { rejectUnauthorized: false }, allowH2: false });
  const made = {
    taken: [],
    handled: [],
    told: [],
    folder,
    refusedConnections: 0,
    receipt: {},
    hold: () => Promise.resolve(),
    async post(path: string, body: string | Buffer, headers: Record<string, string> = {}) {
      const answer = await request(`${made.url}${path}`, {
        dispatcher: agent,
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', ...headers },
      });
      return { code: answer.statusCode, text: await answer.body.text(), headers: answer.headers };
    },
  } as unknown as Mutable<Scene>;
  const { tls } = options;
  made.server = await startWebhookServer({
    port: 0,
    host: '127.0.0.1',
    routes: (routes ?? [{ tokenFiles: ['token'] }]).map((one) => ({
      ...route,
      ...one,
      tokenFiles: (one.tokenFiles ?? []).map(inFolder),
    })),
    maxConnections: 50,
    maxBodyBytes: 10 * mebibyte,
    maxBytesInFlight: 24 * mebibyte,
    clock: systemClock,
    async receive(delivery) {
      const documents = [...delivery.documents];
      made.taken.push({ ...delivery, documents });
      await made.hold();
      delivery.released?.();
      return {
        kind: 'settled',
        documents: documents.length,
        rejected: 0,
        rejections: [],
        unusable: 0,
        ...made.receipt,
      };
    },
    observer: {
      handled: (one) => made.handled.push(one),
      connectionRefused() {
        made.refusedConnections += 1;
      },
      tokensChanged: (source, state) => made.told.push(`${source} ${state.tokens} ${state.problems.join()}`),
      certificateChanged: (problem) => made.told.push(`certificate ${problem ?? 'ok'}`),
      failed: (error) => made.told.push(`failed ${String(error)}`),
    },
    ...options,
    ...(tls === undefined
      ? {}
      : {
          tls: {
            ...tls,
            certFile: inFolder(tls.certFile),
            keyFile: inFolder(tls.keyFile),
            clientCaFile: inFolder('ca'),
          },
        }),
  });
  made.url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${made.server.port}`;
  t.after(async () => {
    await agent.destroy();
    await made.server.close();
    rmSync(folder, { recursive: true });
  });
  return made;
}
type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

const bearer = { authorization: `Bearer ${token}` };

/** Sends bytes as they are; resolves with everything that comes back once the connection ends. */
function raw(server: WebhookServer, text: string | Buffer): { socket: Socket; answer: Promise<string> } {
  const socket = connect(server.port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.on('error', () => {});
  socket.write(text);
  return { socket, answer: new Promise((resolve) => socket.on('close', () => resolve(answer))) };
}

function deep(levels: number): string {
  return `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
}

suite('webhook server: who is let in', () => {
  test('a token, in the header or the path; none, a wrong one and one of another route are 401 and told nothing', async (t) => {
    const routes = [
      { tokenFiles: ['token'] },
      { source: 'other', paths: ['/webhook/other'], tokenFiles: ['other'] },
      { source: 'free', paths: ['/webhook/free'], open: true },
    ];
    const { post, taken, handled, server } = await scene(t, { routes }, { other: 'another-token-of-someone-else\n' });
    const codes = async (path: string, headers = {}) => (await post(path, '{"a":1}', headers)).code;
    assert.equal(await codes('/webhook/tool', bearer), 200);
    assert.equal(await codes('/tool/webhook', { authorization: `bEARER  ${token}` }), 200);
    assert.equal(await codes(`/tool/webhook/${token}`), 200);
    assert.equal(await codes('/webhook/free'), 200);
    assert.equal(taken.length, 4);
    for (const headers of [
      {},
      { authorization: 'Bearer wrong-token-wrong-token-wrong' },
      { authorization: 'Bearer another-token-of-someone-else' },
      { authorization: `Basic ${token}` },
      { authorization: 'Bearer ' },
      { authorization: `Bearer ${'x'.repeat(8000)}` },
    ]) {
      const { code, text, headers: answered } = await post('/webhook/tool', '{"a":1}', headers);
      assert.equal(code, 401, JSON.stringify(headers));
      assert.deepEqual(JSON.parse(text), { error: 'a valid bearer token is needed' });
      assert.equal(answered['www-authenticate'], 'Bearer');
      assert.equal(answered['connection'], 'close');
    }
    assert.equal(await codes('/tool/webhook/wrong-token-wrong-token-wrong'), 401);
    assert.equal(taken.length, 4, 'a stranger was let in');
    const refusals = handled.filter(({ status }) => status === 401);
    const [none, wrong] = ['no bearer token was sent', 'the token is none of the configured ones'];
    assert.deepEqual(
      refusals.map(({ reason }) => reason),
      [none, wrong, wrong, none, none, wrong, wrong],
    );
    assert.deepEqual([...new Set(refusals.map(({ sender }) => sender))], ['127.0.0.1']);
    // Not even a wrong token gets into a metric.
    assert.deepEqual([...new Set(handled.map(({ endpoint }) => endpoint))].sort(), [
      '/tool/webhook',
      '/webhook/free',
      '/webhook/tool',
    ]);
    assert.equal((await post('/webhook/nobody', '{}')).code, 404);
    assert.equal((await post('/webhook/tool/a/b', '{}')).code, 404);
    assert.equal(handled.at(-1)?.endpoint, undefined);
    const { statusCode, headers } = await request(`http://127.0.0.1:${server.port}/webhook/tool`);
    assert.deepEqual([statusCode, headers['allow']], [405, 'POST']);
  });

  test('tokens rotate: several are valid at once, the old one ends when its file does; weak ones are refused', async (t) => {
    const options = { routes: [{ tokenFiles: ['tokens', 'absent'] }], timing: { filesMs: 20 } };
    const { post, told, folder } = await scene(t, options, { tokens: `\n${token}\nshort\nzwölf zwölf zwölf\n` });
    const code = async (one: string) => (await post('/webhook/tool', '{}', { authorization: `Bearer ${one}` })).code;
    assert.match(
      told[0] ?? '',
      /^tool 1 .*line 3: is shorter than 16 characters.*line 4: a token is of visible ASCII.*absent: ENOENT/s,
    );
    assert.equal(await code(token), 200);
    assert.equal(await code('short'), 401);
    const newer = 'the-token-that-comes-after-it';
    const rotate = (text: string) => {
      // As a mounted Secret: a link is swapped.
      writeFileSync(join(folder, 'data'), text);
      rmSync(join(folder, 'link'), { force: true });
      symlinkSync('data', join(folder, 'link'));
      renameSync(join(folder, 'link'), join(folder, 'tokens'));
    };
    rotate(`${token}\n${newer}\n`);
    await until('both', async () => (await code(newer)) === 200);
    assert.equal(await code(token), 200);
    rotate(`${newer}\n`);
    await until('the new one alone', async () => (await code(token)) === 401);
    assert.equal(await code(newer), 200);
    rmSync(join(folder, 'tokens'));
    await until('none', async () => (await code(newer)) === 401);
  });

  test('a folder of tokens is a mounted Secret: its files, not what the mount hides', async (t) => {
    const { post, folder } = await scene(
      t,
      { routes: [{ tokenFiles: ['.'] }] },
      { '..data': 'hidden-hidden-hidden-hidden' },
    );
    assert.ok(folder);
    assert.equal((await post('/webhook/tool', '{}', bearer)).code, 200);
    assert.equal(
      (await post('/webhook/tool', '{}', { authorization: 'Bearer hidden-hidden-hidden-hidden' })).code,
      401,
    );
  });

  test('client certificates: by name, never expired ones or those of another CA; the certificate of the port is replaced while it runs', async (t) => {
    const ca = new CertificateAuthority();
    const stranger = new CertificateAuthority('Other CA');
    const serving = ca.issue({ commonName: 'first', alternativeNames: ['DNS:localhost'] });
    const routes = [{ clientNames: ['CN=falco', 'URI:spiffe://cluster.example/ns/falco/sa/falco'] }];
    const options: Options = { routes, tls: { certFile: 'cert', keyFile: 'key' }, timing: { filesMs: 20 } };
    const { server, folder, told, taken } = await scene(t, options, {
      ca: ca.cert,
      cert: serving.cert,
      key: serving.key,
    });
    const send = (
      client: { cert?: string; key?: string },
      more: { maxVersion?: 'TLSv1.1'; minVersion?: 'TLSv1.1'; ciphers?: string } = {},
    ) =>
      new Promise<string>((resolve) => {
        const socket = connectTls({ port: server.port, rejectUnauthorized: false, ...client, ...more });
        let answer = '';
        let name: unknown = '';
        socket.on('secureConnect', () => {
          name = socket.getPeerCertificate().subject.CN;
        });
        socket.setEncoding('utf8').on('data', (chunk: string) => {
          answer += chunk;
        });
        socket.on('error', (error) => resolve(error.message));
        socket.on('close', () => resolve(`${answer.slice(9, 12)} ${name} ${answer.split('\r\n\r\n')[1] ?? ''}`));
        const body = '{"a":1}';
        socket.write(
          `POST /webhook/tool HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
        );
      });
    assert.match(await send(ca.issue({ commonName: 'falco' })), /^200/);
    const byUri = { commonName: 'x', alternativeNames: ['DNS:x', 'URI:spiffe://cluster.example/ns/falco/sa/falco'] };
    assert.match(await send(ca.issue(byUri)), /^200/);
    assert.match(await send(ca.issue({ commonName: 'someone' })), /^401 .*of nobody who may send here/);
    const sneaky = { commonName: 'x', alternativeNames: ['DNS:x, URI:spiffe://cluster.example/ns/falco/sa/falco'] };
    assert.match(await send(ca.issue(sneaky)), /^401/);
    assert.match(await send({}), /^401 .*a client certificate is needed/);
    const expired = { commonName: 'falco', notAfter: new Date(Date.now() - 1000) };
    assert.match(await send(ca.issue(expired)), /^401 .*CERT_HAS_EXPIRED/);
    assert.match(await send(stranger.issue({ commonName: 'falco' })), /^401 .*not accepted/);
    assert.equal(taken.length, 2);
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    assert.match(await send(ca.issue({ commonName: 'falco' }), old), /alert protocol version/);
    // Half of a rotation leaves the last good one in use.
    const next = ca.issue({ commonName: 'second' });
    writeFileSync(join(folder, 'cert'), next.cert);
    await until('a problem', () => told.find((line) => /^certificate .*key/.test(line)));
    assert.match(await send(ca.issue({ commonName: 'falco' })), /^200 first/);
    writeFileSync(join(folder, 'key'), next.key);
    await until('the new certificate', async () => /^200 second/.test(await send(ca.issue({ commonName: 'falco' }))));
  });

  test('a port whose certificate is not there yet serves nobody, and serves as soon as it is', async (t) => {
    const ca = new CertificateAuthority();
    const options: Options = { tls: { certFile: 'cert', keyFile: 'key' }, timing: { filesMs: 20 } };
    const { post, folder, told } = await scene(t, options, { ca: ca.cert });
    await assert.rejects(post('/webhook/tool', '{}', bearer));
    assert.match(told.join('\n'), /certificate .*ENOENT/);
    const { cert, key } = ca.issue({ commonName: 'late' });
    writeFileSync(join(folder, 'key'), key);
    writeFileSync(join(folder, 'cert'), cert);
    await until(
      'an answer',
      async () => (await post('/webhook/tool', '{}', bearer).catch(() => undefined))?.code === 200,
    );
  });
});

suite('webhook server: what is sent', () => {
  test('JSON, lists, NDJSON, lists of Kubernetes, gzip: one document after the other', async (t) => {
    const { post, taken } = await scene(t);
    const sent = async (body: string | Buffer, headers = {}) => {
      const { code, text } = await post('/webhook/tool', body, { ...bearer, ...headers });
      assert.equal(code, 200, text);
      return taken.at(-1)?.documents.map((one) => ('document' in one ? one.document : one.rejection.place));
    };
    assert.deepEqual(await sent('{"a":1}'), [{ a: 1 }]);
    assert.deepEqual(await sent('\ufeff {"a":1}\n'), [{ a: 1 }]);
    assert.deepEqual(await sent('{"items":[{"a":1}]}'), [{ items: [{ a: 1 }] }], 'no list of Kubernetes');
    assert.deepEqual(await sent('[{"a":1},{"b":[2]}, 3 ]'), [{ a: 1 }, { b: [2] }, '[2]']);
    assert.deepEqual(await sent('[]'), []);
    assert.deepEqual(await sent('{"a":1}\n{"b":2}'), [{ a: 1 }, { b: 2 }]);
    const ndjson = { 'content-type': 'application/x-ndjson; charset=utf-8' };
    assert.deepEqual(await sent('{"a":"}"}\r\n\n{"b":\n{"c":"\\"{"}\n', ndjson), [{ a: '}' }, 'line 2', { c: '"{' }]);
    const list =
      '{"metadata":{"items":[7]},"items":[{"a":1},{"kind":"Own"},{"b":}],"kind":"EventList","apiVersion":"v1"}';
    const type = { apiVersion: 'v1', kind: 'Event' };
    assert.deepEqual(await sent(list), [{ ...type, a: 1 }, { kind: 'Own' }, '.items[2]']);
    assert.deepEqual(await sent(gzipSync('{"a":1}'), { 'content-encoding': 'gzip' }), [{ a: 1 }]);
    assert.deepEqual(await sent('{"version":"2.1.0"}', { 'content-type': 'application/sarif+json' }), [
      { version: '2.1.0' },
    ]);
  });

  test('CloudEvents, structured, in batches and binary, carry documents under their ids', async (t) => {
    const { post, taken } = await scene(t);
    const envelope = { specversion: '1.0', source: '/falco', type: 'alert', id: '7' };
    const id = JSON.stringify(['/falco', '7']);
    const sent = async (body: unknown, headers: Record<string, string>) => {
      const { code } = await post('/webhook/tool', JSON.stringify(body), { ...bearer, ...headers });
      return [code, ...(taken.at(-1)?.documents ?? [])];
    };
    const structured = { 'content-type': 'application/cloudevents+json; charset=UTF-8' };
    const carried = { document: { a: 1 }, place: '.data', id };
    assert.deepEqual(await sent({ ...envelope, data: { a: 1 } }, structured), [200, carried]);
    const base64 = { ...envelope, data_base64: Buffer.from('{"a":1}').toString('base64') };
    assert.deepEqual(await sent(base64, structured), [200, { ...carried, place: '.data_base64' }]);
    const batch = { 'content-type': 'application/cloudevents-batch+json' };
    const [code, first, second] = await sent([{ ...envelope, data: { a: 1 } }, { data: {} }], batch);
    assert.deepEqual([code, first], [200, { ...carried, place: '[0].data' }]);
    assert.match(JSON.stringify(second), /specversion, source and id/);
    const binary = { 'ce-specversion': '1.0', 'ce-source': '/falco', 'ce-id': '7', 'ce-type': 'alert' };
    assert.deepEqual(await sent({ a: 1 }, binary), [200, { document: { a: 1 }, place: '', id }]);
  });

  test('what is not read is 415 or 400, with the reason and nothing of the body', async (t) => {
    const { post, taken } = await scene(t);
    const answer = async (body: string | Buffer, headers = {}) => {
      const { code, text } = await post('/webhook/tool', body, { ...bearer, ...headers });
      assert.doesNotMatch(text, /hunter2/);
      return `${code} ${JSON.parse(text).error}`;
    };
    assert.match(
      await answer('a=hunter2', { 'content-type': 'application/x-www-form-urlencoded' }),
      /^415 content-type/,
    );
    assert.match(await answer('{}', { 'content-type': 'application/json; charset=utf-16' }), /^415/);
    assert.match(await answer('{}', { 'content-encoding': 'br' }), /^415 content-encoding/);
    assert.match(await answer('{"password":"hunter2"', {}), /^400 the body is not valid JSON/);
    assert.match(await answer('hunter2'), /^400 the body is not valid JSON/);
    assert.match(await answer('"hunter2"'), /^400 the body is no object/);
    assert.match(await answer(''), /^400 the body is empty/);
    assert.match(await answer('hunter2', { 'content-encoding': 'gzip' }), /^400 the body is not gzip/);
    assert.match(await answer(gzipSync('{"a":1}').subarray(0, 15), { 'content-encoding': 'gzip' }), /^400/);
    assert.ok(
      taken.every(({ documents }) => documents.every((one) => 'rejection' in one)),
      'something was taken',
    );
  });

  test('__proto__ and constructor are members like others', async (t) => {
    const { post, taken } = await scene(t);
    const body =
      '{"items":[{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}],"kind":"EventList","apiVersion":"v1"}';
    assert.equal((await post('/webhook/tool', body, bearer)).code, 200);
    const [sent] = taken[0]?.documents ?? [];
    assert.ok(sent !== undefined && 'document' in sent);
    assert.equal(Object.getPrototypeOf(sent.document), Object.prototype);
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
    assert.equal(sent.document['polluted'], undefined);
  });

  test('answers fit the sender', async (t) => {
    const routes = (['on-write', 'batch', 'report'] as const).map((acknowledge) => ({
      source: acknowledge,
      paths: [`/webhook/${acknowledge}`],
      acknowledge,
      open: true,
    }));
    const made = await scene(t, { routes });
    const answers = async (receipt: Partial<Receipt>) => {
      made.receipt = receipt;
      const codes = [];
      for (const { acknowledge } of routes) {
        const { code, headers } = await made.post(`/webhook/${acknowledge}`, '{}');
        codes.push(headers['retry-after'] === undefined ? code : `${code} after ${headers['retry-after']}`);
      }
      return codes;
    };
    assert.deepEqual(await answers({ kind: 'settled' }), [200, 200, 200]);
    assert.deepEqual(await answers({ kind: 'pending' }), [202, '503 after 1', 202]);
    assert.deepEqual(await answers({ kind: 'busy', reason: 'x' }), ['503 after 5', '503 after 1', '503 after 5']);
    // All of it is bad: kube-apiserver would only send it again.
    assert.deepEqual(await answers({ documents: 1, unusable: 1, rejected: 1 }), [400, 200, 400]);
  });
});

suite('webhook server: bounds', () => {
  test('11 MiB, packed or not, announced or not: 413, and the sender sees it', async (t) => {
    const { post, server, taken } = await scene(t);
    const large = Buffer.alloc(11 * mebibyte, 0x20);
    assert.equal((await post('/webhook/tool', large, bearer)).code, 413);
    const bomb = gzipSync(Buffer.alloc(100 * mebibyte, 0x20));
    assert.ok(bomb.length < mebibyte);
    const before = process.memoryUsage().rss;
    assert.equal((await post('/webhook/tool', bomb, { ...bearer, 'content-encoding': 'gzip' })).code, 413);
    const grown = (process.memoryUsage().rss - before) / mebibyte;
    assert.ok(grown < 60, `${grown} MiB more for a bomb of 100 MiB`);
    const chunk = `${(mebibyte).toString(16)}\r\n${' '.repeat(mebibyte)}\r\n`;
    const head = `POST /webhook/tool HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer ${token}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n`;
    const { answer } = raw(server, `${head + chunk.repeat(11)}0\r\n\r\n`);
    assert.match(await answer, /^HTTP\/1\.1 413/);
    assert.equal(taken.length, 0);
    assert.equal(server.bytesInFlight, 0);
  });

  test('too many objects, members or levels: 413 before anything is parsed', async (t) => {
    const { post, taken } = await scene(t);
    const code = async (body: string) => (await post('/webhook/tool', body, bearer)).code;
    assert.equal(await code(deep(64)), 200);
    assert.equal(await code(deep(65)), 413);
    assert.equal(await code('['.repeat(5_000_000)), 413);
    assert.equal(await code(`[${'{},'.repeat(250_000)}{}]`), 413);
    assert.equal(await code(`{${'"a":1,'.repeat(600_000)}"b":1}`), 413);
    assert.equal(taken.length, 1);
  });

  test('a byte a second is cut with 408, headers that do not end too; neither stays', async (t) => {
    const { server, handled } = await scene(t, { timing: { headersMs: 200, bodyMs: 200 } });
    const head = `POST /webhook/tool HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer ${token}\r\ncontent-length: 1000\r\n\r\n`;
    const slow = raw(server, head);
    const drip = setInterval(() => slow.socket.write('{'), 50);
    t.after(() => clearInterval(drip));
    assert.match(await slow.answer, /^HTTP\/1\.1 408/);
    const silent = raw(server, 'POST /webhook/tool HTTP/1.1\r\nx-a: ');
    assert.match(await silent.answer, /^HTTP\/1\.1 408/);
    assert.equal(await raw(server, '').answer.then((text) => text.slice(0, 12)), 'HTTP/1.1 408');
    assert.match(await raw(server, 'NONSENSE\r\n\r\n').answer, /^HTTP\/1\.1 400/);
    assert.match(await raw(server, `GET / HTTP/1.1\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`).answer, /^HTTP\/1\.1 431/);
    const gone = raw(server, `${head}{`);
    await until('the request', () => server.requestsInFlight > 0);
    gone.socket.destroy();
    await until('all counted', () => handled.some(({ status }) => status === 499));
    assert.equal(server.requestsInFlight, 0);
    assert.equal(server.bytesInFlight, 0);
    assert.ok(handled.some(({ status, endpoint }) => status === 408 && endpoint === '/webhook/tool'));
  });

  test('a crowd of connections is closed beyond the limit; who is let in goes on', async (t) => {
    const made = await scene(t, { maxConnections: 20, timing: { headersMs: 500 } });
    const crowd = Array.from({ length: 300 }, () => connect(made.server.port, '127.0.0.1').on('error', () => {}));
    t.after(() => crowd.forEach((socket) => void socket.destroy()));
    await until('refusals', () => made.refusedConnections > 50);
    // Those that say nothing are cut, and there is room again.
    await until(
      'room',
      async () => (await made.post('/webhook/tool', '{}', bearer).catch(() => undefined))?.code === 200,
    );
  });

  test('too many requests of a source, or bytes of all: 429, 503 for kube-apiserver; another source still gets in', async (t) => {
    const routes = [
      { source: 'one', paths: ['/webhook/one'], open: true, maxInFlight: 2 },
      { source: 'two', paths: ['/webhook/two'], open: true, acknowledge: 'batch' as const },
    ];
    const made = await scene(t, { routes, maxBytesInFlight: 3 * mebibyte, maxBodyBytes: 2 * mebibyte });
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    made.hold = () => held;
    const mega = `{"a":"${'x'.repeat(mebibyte)}"}`;
    const first = made.post('/webhook/one', mega);
    await until('the first', () => made.taken.length === 1);
    assert.ok(made.server.bytesInFlight > mebibyte);
    assert.equal((await made.post('/webhook/one', mega)).code, 429, 'two thirds of it are the most of one source');
    const second = made.post('/webhook/one', '{}');
    await until('the second', () => made.taken.length === 2);
    const third = await made.post('/webhook/one', '{}');
    assert.deepEqual([third.code, third.headers['retry-after']], [429, '1']);
    const other = made.post('/webhook/two', '{}');
    await until('the other source', () => made.taken.length === 3);
    const more = `{"a":"${'x'.repeat(1.6 * mebibyte)}"}`;
    assert.equal((await made.post('/webhook/two', more)).code, 503);
    release();
    assert.deepEqual(
      (await Promise.all([first, second, other])).map(({ code }) => code),
      [200, 200, 200],
    );
    assert.equal(made.server.bytesInFlight, 0);
  });

  test('at its end: what is handled is answered, what comes is told to come again', async (t) => {
    const made = await scene(t);
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    made.hold = () => held;
    const first = made.post('/webhook/tool', '{}', bearer);
    await until('the first', () => made.taken.length === 1);
    made.server.stopAccepting();
    const refused = await made.post('/webhook/tool', '{}', bearer);
    assert.deepEqual([refused.code, refused.headers['connection']], [503, 'close']);
    const closing = made.server.close();
    release();
    assert.equal((await first).code, 200);
    await closing;
    await assert.rejects(made.post('/webhook/tool', '{}', bearer));
  });
});
