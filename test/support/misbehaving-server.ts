/** An HTTP server that speaks just enough list and watch, and does to each request what a test's script says. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { KubeConfig, type User } from '@kubernetes/client-node';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly kind: 'list' | 'stream list' | 'watch' | 'other';
}

/** Answers one request. */
export type Step = (response: ServerResponse, request: SeenRequest) => void;

export interface ServerOptions {
  readonly port?: number;
  readonly tls?: { readonly cert: string; readonly key: string };
}

export class MisbehavingServer {
  readonly requests: SeenRequest[] = [];
  readonly sockets = new Set<Socket>();
  /** Sockets ever opened. */
  connections = 0;
  #steps: Step[] = [];
  #last: Step = (response) => void response.writeHead(500).end('the script is at its end');
  readonly #server: ReturnType<typeof createServer>;
  readonly #isTls: boolean;

  constructor({ tls }: ServerOptions = {}) {
    this.#isTls = tls !== undefined;
    this.#server = tls === undefined ? createServer() : createTlsServer(tls);
    this.#server.on('connection', (socket: Socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.sockets.delete(socket));
    });
    this.#server.on('request', (message, response) => {
      const { pathname, searchParams } = new URL(message.url ?? '', 'http://x');
      const kind = kindOf(pathname, searchParams);
      const { method = '', headers } = message;
      const request: SeenRequest = { method, path: pathname, query: searchParams, headers, kind };
      this.requests.push(request);
      response.on('error', () => {});
      (this.#steps.shift() ?? this.#last)(response, request);
    });
  }

  /** Each step answers one request; the last one all that follow, too. */
  play(...steps: readonly Step[]): this {
    this.#steps = steps.slice(0, -1);
    this.#last = steps.at(-1) ?? this.#last;
    return this;
  }

  get stepsLeft(): number {
    return this.#steps.length;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async listen(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    return this;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  kubeConfig(user: Partial<User> = {}, port = this.port): KubeConfig {
    return kubeConfigFor(`${this.#isTls ? 'https' : 'http'}://127.0.0.1:${port}`, user);
  }
}

/** A kubeconfig that trusts any server, also one without TLS. */
export function kubeConfigFor(server: string, user: Partial<User> = {}, caFile?: string): KubeConfig {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromOptions({
    clusters: [{ name: 'x', server, ...(caFile === undefined ? { skipTLSVerify: true } : { caFile }) }],
    users: [{ name: 'x', ...user }],
    contexts: [{ name: 'x', cluster: 'x', user: 'x' }],
    currentContext: 'x',
  });
  return kubeConfig;
}

function kindOf(path: string, query: URLSearchParams): SeenRequest['kind'] {
  if (query.has('sendInitialEvents')) return 'stream list';
  if (query.has('watch')) return 'watch';
  return path.endsWith('/widgets') ? 'list' : 'other';
}

/** An object of the test's collection, as JSON. */
export function widget(name: string, resourceVersion: string | number, more: object = {}): object {
  return { kind: 'Widget', metadata: { namespace: 'a', name, resourceVersion: String(resourceVersion) }, ...more };
}

export const added = (name: string, version: number) => line({ type: 'ADDED', object: widget(name, version) });
export const modified = (name: string, version: number) => line({ type: 'MODIFIED', object: widget(name, version) });
export const deleted = (name: string, version: number) => line({ type: 'DELETED', object: widget(name, version) });
export const bookmark = (version: number) =>
  line({ type: 'BOOKMARK', object: { kind: 'Widget', metadata: { resourceVersion: String(version) } } });
/** The bookmark that closes the initial events of a streaming list. */
export const listed = (version: number) =>
  line({
    type: 'BOOKMARK',
    object: {
      kind: 'Widget',
      metadata: { resourceVersion: String(version), annotations: { 'k8s.io/initial-events-end': 'true' } },
    },
  });
/** The collection as most tests find it: two objects, told by a streaming list. */
export const listOfTwo = [added('x', 1), added('y', 2), listed(5)];
export const errorEvent = (status: object) => line({ type: 'ERROR', object: { kind: 'Status', ...status } });

export function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** Sends the texts, then ends the answer cleanly. */
export const ends =
  (...texts: readonly string[]): Step =>
  (response) =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end(texts.join(''));

/** Sends the texts and goes on for ever without a further byte. */
export const stays =
  (...texts: readonly string[]): Step =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (texts.length > 0) response.write(texts.join(''));
  };

/** Sends the texts, then cuts the connection. */
export const cuts =
  (...texts: readonly string[]): Step =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write(texts.join(''), () => setImmediate(() => response.destroy()));
  };

/** Refuses with a Status. */
export const refuses =
  (code: number, status: object = {}, headers: Record<string, string> = {}): Step =>
  (response) =>
    void response.writeHead(code, headers).end(JSON.stringify({ kind: 'Status', code, ...status }));

/** Answers with any body. */
export const answers =
  (body: unknown, headers: Record<string, string> = {}): Step =>
  (response) =>
    void response.writeHead(200, headers).end(typeof body === 'string' ? body : JSON.stringify(body));

/** A page of a list. */
export const lists = (items: readonly object[], resourceVersion: number, next = ''): Step =>
  answers({ kind: 'WidgetList', metadata: { resourceVersion: String(resourceVersion), continue: next }, items });
