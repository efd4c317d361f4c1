/**
 * The webhook port: routes by what is configured, TLS, limits of connections and times, an end in order. What a request
 * goes through is in webhook-handler.ts. Fastify routes and answers; it parses no body, since bounds come before parsing.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { FastifyInstance, FastifyReply } from 'fastify';
import fastify from 'fastify';
import type { Clock } from '../lib/clock.ts';
import type { Receive } from '../sources/delivery.ts';
import { BytesInFlight } from './bytes-in-flight.ts';
import type { TlsFiles } from './serving-certificate.ts';
import { ServingCertificate, serverOptions } from './serving-certificate.ts';
import type { TokenState } from './tokens.ts';
import { Tokens } from './tokens.ts';
import { type Outcome, WebhookHandler } from './webhook-handler.ts';
import type { Answer, Handled, WebhookRoute, WebhookStatus } from './webhook-route.ts';

export interface WebhookServerParts {
  readonly port: number;
  readonly host: string;
  readonly tls?: TlsFiles | undefined;
  readonly routes: readonly WebhookRoute[];
  readonly maxConnections: number;
  readonly maxBodyBytes: number;
  readonly maxBytesInFlight: number;
  readonly clock: Clock;
  readonly receive: Receive;
  readonly observer: WebhookObserver;
  readonly timing?: Partial<WebhookTiming> | undefined;
}

/** Told as things happen, for logs and metrics. */
export interface WebhookObserver {
  handled(request: Handled): void;
  /** A connection was closed because there are too many. */
  connectionRefused(): void;
  /** `files`: what was read, files or folders of them. */
  tokensChanged(source: string, state: TokenState, files: readonly string[]): void;
  certificateChanged(problem: string | undefined): void;
  failed(error: unknown): void;
}

/** Milliseconds. */
export interface WebhookTiming {
  /** Until the headers are there, counted from the connection or the end of the request before. */
  readonly headersMs: number;
  /** For a whole body. */
  readonly bodyMs: number;
  /** For an idle connection that was let in before. */
  readonly keepAliveMs: number;
  /** Between two looks at tokens and certificates. */
  readonly filesMs: number;
}

const defaultTiming: WebhookTiming = { headersMs: 10_000, bodyMs: 20_000, keepAliveMs: 60_000, filesMs: 5_000 };

/** A listening server. */
export interface WebhookServer {
  readonly port: number;
  readonly bytesInFlight: number;
  readonly requestsInFlight: number;
  /** Serves a request that came to another port; false where its path is none of ours. */
  serve(request: IncomingMessage, response: ServerResponse): boolean;
  /** From now on everything is answered 503; what is being handled goes on. */
  stopAccepting(): void;
  /** Waits for what is being handled, then ends every connection. */
  close(): Promise<void>;
}

/** Listens; throws when the port is taken. */
export async function startWebhookServer(parts: WebhookServerParts): Promise<WebhookServer> {
  const timing = { ...defaultTiming, ...parts.timing };
  const bytesInFlight = new BytesInFlight(parts.maxBytesInFlight);
  let isStopping = false;
  const app = makeApp(parts, timing);
  const tokens: Tokens[] = [];
  const handlers = parts.routes.map((route) => {
    const { source, tokenFiles } = route;
    const routeTokens =
      tokenFiles.length === 0
        ? undefined
        : new Tokens(tokenFiles, (state) => parts.observer.tokensChanged(source, state, tokenFiles));
    if (routeTokens !== undefined) tokens.push(routeTokens);
    const handler = new WebhookHandler({
      ...parts,
      route,
      tokens: routeTokens,
      bytesInFlight,
      bodyTimeoutMs: timing.bodyMs,
      isStopping: () => isStopping,
    });
    for (const path of route.paths) addRoute(app, path, handler, parts);
    return handler;
  });
  const certificate =
    parts.tls === undefined
      ? undefined
      : new ServingCertificate(parts.tls, (problem) => parts.observer.certificateChanged(problem));
  for (const one of tokens) one.start(timing.filesMs);
  // A server with TLS has this, one without has no certificate.
  certificate?.start(app.server as never, timing.filesMs);
  app.server.maxConnections = parts.maxConnections;
  app.server.on('drop', () => parts.observer.connectionRefused());
  await app.listen({ port: parts.port, host: parts.host });
  return {
    port: (app.server.address() as AddressInfo).port,
    get bytesInFlight() {
      return bytesInFlight.total;
    },
    get requestsInFlight() {
      return handlers.reduce((sum, { requests }) => sum + requests, 0);
    },
    serve(request, response) {
      const isOurs = parts.routes.some(({ paths }) => paths.some((path) => isUnder(path, request.url ?? '')));
      if (isOurs) app.routing(request, response);
      return isOurs;
    },
    stopAccepting() {
      isStopping = true;
    },
    async close() {
      isStopping = true;
      for (const one of tokens) one.stop();
      certificate?.stop();
      await app.close();
    },
  };
}

function makeApp({ tls, observer }: WebhookServerParts, timing: WebhookTiming): FastifyInstance {
  const server = {
    headersTimeout: timing.headersMs,
    connectionsCheckingInterval: Math.min(1_000, timing.headersMs),
    maxHeaderSize: 16 * 1024,
  };
  const app = fastify({
    ...(tls === undefined ? { http: server } : { https: { ...server, ...serverOptions(tls) } }),
    // Nothing is logged by it: a path may hold a token.
    logger: false,
    requestTimeout: timing.headersMs + timing.bodyMs + 5_000,
    keepAliveTimeout: timing.keepAliveMs,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 4096, ignoreTrailingSlash: true },
    clientErrorHandler(error, socket) {
      observer.handled({ endpoint: undefined, status: answerBroken(error, socket), bytes: 0, seconds: 0 });
    },
    frameworkErrors(_error, _request, reply) {
      observer.handled({ endpoint: undefined, status: 400, bytes: 0, seconds: 0 });
      void send(reply as unknown as FastifyReply, { status: 400, body: { error: 'the path is not valid' } }, false);
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  app.setNotFoundHandler((_request, reply) => {
    observer.handled({ endpoint: undefined, status: 404, bytes: 0, seconds: 0 });
    const error = 'there is no such webhook; one without a credential in the configuration (webhooks.routes) is absent';
    return send(reply, { status: 404, body: { error } }, false);
  });
  app.setErrorHandler((error, _request, reply) => {
    observer.failed(error);
    return send(reply, { status: 500, body: { error: 'something went wrong' } }, false);
  });
  return app;
}

function addRoute(
  app: FastifyInstance,
  path: string,
  handler: WebhookHandler,
  { clock, observer }: WebhookServerParts,
) {
  for (const url of [path, `${path}/:token`]) {
    app.all<{ Params: { token?: string } }>(url, async (request, reply) => {
      const startedMs = clock.monotonicMs();
      const { answer, bytes, isClean } =
        request.method === 'POST' ? await handler.handle(request.raw, request.params.token) : onlyPost;
      const seconds = (clock.monotonicMs() - startedMs) / 1000;
      const { status, reason } = answer;
      observer.handled({ endpoint: path, status, bytes, seconds, sender: addressOf(request.raw), reason });
      return send(reply, answer, isClean);
    });
  }
}

/** Without the prefix of an IPv4 address that came to a socket of IPv6. */
function addressOf({ socket }: IncomingMessage): string | undefined {
  return socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '');
}

const onlyPost: Outcome = {
  answer: { status: 405, headers: { allow: 'POST' }, body: { error: 'only POST' } },
  bytes: 0,
  isClean: false,
};

function send(reply: FastifyReply, { status, headers = {}, body }: Answer, isClean: boolean): FastifyReply {
  // Whoever is not let in, or is told to stop, gets no second request on this connection.
  const isLast = !isClean || status === 401 || status === 503;
  return reply
    .code(status)
    .headers({ ...headers, 'cache-control': 'no-store', ...(isLast ? { connection: 'close' } : {}) })
    .send(body);
}

/** What was no request at all, or did not come to its end in time. */
function answerBroken(error: NodeJS.ErrnoException, socket: Socket): WebhookStatus {
  const statuses: Readonly<Record<string, WebhookStatus>> = {
    ERR_HTTP_REQUEST_TIMEOUT: 408,
    HPE_HEADER_OVERFLOW: 431,
    ECONNRESET: 499,
  };
  const status = statuses[error.code ?? ''] ?? 400;
  if (socket.writable && status !== 499)
    socket.write(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  socket.destroy();
  return status;
}

function isUnder(path: string, url: string): boolean {
  return url === path || url.startsWith(`${path}/`) || url.startsWith(`${path}?`);
}
