/** Requests to the API server, and streams from it: credentials, connections, limits, and every failure as a KubeError. */
import type { KubeConfig } from '@kubernetes/client-node';
import type { Dispatcher } from 'undici';
import type { Clock } from '../lib/clock.ts';
import { Deadline } from './abort.ts';
import { Connections } from './connections.ts';
import type { Credentials } from './credentials.ts';
import { CredentialSource } from './credentials.ts';
import { KubeError } from './kube-error.ts';
import type { WholeAnswer } from './whole-answer.ts';
import { wholeAnswer } from './whole-answer.ts';

export interface KubeClientOptions {
  readonly clock: Clock;
  /** Connections of the request pool. */
  readonly connections: number;
  /** Milliseconds for one request until its whole answer is there. */
  readonly timeoutMs: number;
  readonly userAgent: string;
  /** Told after each request: for the metric of API requests. Code 0 is "no answer". */
  onRequest?(request: { readonly verb: string; readonly resource: string; readonly code: number }): void;
}

/** One request. */
export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query. */
  readonly path: string;
  /** Verb and resource for the metric: `list`, `vulnerabilityreports`. */
  readonly verb: string;
  readonly resource: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** A longer answer is given up with the reason TooLong. */
  readonly maximumBytes?: number;
}

/** An answer that goes on. */
export interface KubeStream {
  readonly status: number;
  readonly headers: WholeAnswer['headers'];
  readonly body: Dispatcher.ResponseData['body'];
}

const defaultMaximumBytes = 64 * 1024 * 1024;

export class KubeClient {
  readonly #options: KubeClientOptions;
  readonly #origin: string;
  readonly #base: string;
  readonly #credentials: CredentialSource;
  readonly #connections: Connections;

  constructor(kubeConfig: KubeConfig, options: KubeClientOptions) {
    const cluster = kubeConfig.getCurrentCluster();
    if (cluster === null) throw new Error('the kubeconfig has no current cluster');
    this.#options = options;
    const server = new URL(cluster.server);
    this.#origin = server.origin;
    this.#base = server.pathname.replace(/\/$/, '');
    this.#credentials = new CredentialSource(kubeConfig, options.clock);
    this.#connections = new Connections(kubeConfig, options.connections);
  }

  /** Sends one request and reads its whole answer. Throws KubeError for every status of 400 and more, and when none comes. */
  async request(request: KubeRequest): Promise<WholeAnswer> {
    const { timeoutMs, clock } = this.#options;
    const startedMs = clock.monotonicMs();
    try {
      const credentials = this.#credentials.fresh ?? (await this.#freshCredentials(request.signal));
      const pool = this.#connections.with(credentials.tls).requests;
      const answer = await wholeAnswer(pool, this.#target(request, credentials), {
        milliseconds: timeoutMs,
        spentMs: clock.monotonicMs() - startedMs,
        maximumBytes: request.maximumBytes ?? defaultMaximumBytes,
        signal: request.signal,
      });
      if (answer.status === 401) this.#credentials.refused(credentials);
      if (answer.status >= 400) throw KubeError.fromAnswer(answer.status, answer.headers, answer.body);
      this.#count(request, answer.status);
      return answer;
    } catch (error) {
      throw this.#failed(request, error);
    }
  }

  /** Opens a stream (a watch). The caller reads or destroys its body. Throws like request(). */
  async stream(request: KubeRequest): Promise<KubeStream> {
    const deadline = new Deadline(this.#options.timeoutMs, request.signal, 'no answer');
    try {
      const answer = await this.#open(request, deadline.signal);
      if (answer.statusCode >= 400) {
        const body = await readAll(answer, defaultMaximumBytes);
        throw KubeError.fromAnswer(answer.statusCode, answer.headers, body);
      }
      this.#count(request, answer.statusCode);
      this.#destroyWith(request.signal, answer.body);
      return { status: answer.statusCode, headers: answer.headers, body: answer.body };
    } catch (error) {
      throw this.#failed(request, error);
    } finally {
      deadline.release();
    }
  }

  /** Ends all connections. */
  close(): Promise<void> {
    return this.#connections.close();
  }

  async #freshCredentials(signal: AbortSignal | undefined): Promise<Credentials> {
    const deadline = new Deadline(this.#options.timeoutMs, signal, 'no whole answer');
    try {
      return await this.#credentials.current(deadline.signal);
    } finally {
      deadline.release();
    }
  }

  async #open(request: KubeRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const credentials = await this.#credentials.current(signal);
    const pool = this.#connections.with(credentials.tls).watches;
    const answer = await pool.request({ ...this.#target(request, credentials), signal });
    if (answer.statusCode === 401) this.#credentials.refused(credentials);
    return answer;
  }

  #target(request: KubeRequest, credentials: Credentials) {
    return {
      origin: this.#origin,
      path: this.#base + request.path,
      method: request.method,
      // The deadline is for the whole answer; whether a watch still lives is its reader's to judge.
      headersTimeout: 0,
      bodyTimeout: 0,
      headers: {
        ...credentials.headers,
        accept: request.accept ?? 'application/json',
        'user-agent': this.#options.userAgent,
        ...(request.body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json' }),
        ...request.headers,
      },
      ...(request.body === undefined ? {} : { body: request.body }),
    };
  }

  #count(request: KubeRequest, code: number): void {
    this.#options.onRequest?.({ verb: request.verb, resource: request.resource, code });
  }

  #failed(request: KubeRequest, error: unknown): unknown {
    if (request.signal?.aborted) return error;
    const failure = error instanceof KubeError ? error : KubeError.fromFailure(error);
    this.#count(request, failure.status);
    return failure;
  }

  #destroyWith(signal: AbortSignal | undefined, body: Dispatcher.ResponseData['body']): void {
    body.on('error', () => {}); // Its reader is told; without one it must not end the process.
    if (signal === undefined) return;
    const destroy = () => {
      body.destroy(signal.reason);
    };
    if (signal.aborted) destroy();
    else signal.addEventListener('abort', destroy);
    body.once('close', () => signal.removeEventListener('abort', destroy));
  }
}

/** Reads a body to its end. Leaving the loop early destroys it, and with it the connection. */
async function readAll({ body, headers }: Dispatcher.ResponseData, maximumBytes: number): Promise<Buffer> {
  // A length that is given is kept by the parser; reading it in one piece costs half of reading it in turns.
  if (Number(headers['content-length']) <= maximumBytes) return Buffer.from(await body.arrayBuffer());
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maximumBytes) {
      throw new KubeError({ status: 0, reason: 'TooLong', message: `the answer is longer than ${maximumBytes} bytes` });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}
