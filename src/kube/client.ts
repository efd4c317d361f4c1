/**
 * Requests to the API server over two connection pools of our own: one for requests, bounded; one for watches, which hold
 * a connection each and must never wait for one. Credentials and TLS come from the client library's KubeConfig (in-cluster
 * tokens, exec plugins, client certificates, proxies) and are asked for anew every few seconds, so that rotated tokens,
 * certificates and CAs are picked up; the pools are rebuilt when TLS material changes.
 */
import type { RequestOptions as HttpsOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Dispatcher } from 'undici';
import { Agent, ProxyAgent } from 'undici';
import type { Clock } from '../lib/clock.ts';
import { KubeError } from './kube-error.ts';

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
}

export interface KubeResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface KubeStream {
  readonly status: number;
  readonly headers: KubeResponse['headers'];
  readonly body: Dispatcher.ResponseData['body'];
}

interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly fingerprint: string;
  readonly connect: Record<string, unknown>;
}

const credentialsMaxAgeMs = 10_000;
const retiredPoolGraceMs = 60_000;

export class KubeClient {
  readonly #kubeConfig: KubeConfig;
  readonly #options: KubeClientOptions;
  readonly #server: URL;
  #credentials: Credentials | undefined;
  #credentialsAtMs = 0;
  #refreshing: Promise<Credentials> | undefined;
  #requests: Dispatcher | undefined;
  #watches: Dispatcher | undefined;

  constructor(kubeConfig: KubeConfig, options: KubeClientOptions) {
    const cluster = kubeConfig.getCurrentCluster();
    if (cluster === null) throw new Error('the kubeconfig has no current cluster');
    this.#kubeConfig = kubeConfig;
    this.#options = options;
    this.#server = new URL(cluster.server);
  }

  /** Sends one request and reads its whole answer. Throws KubeError for every status of 400 and more, and when none comes. */
  async request(request: KubeRequest): Promise<KubeResponse> {
    const credentials = await this.#currentCredentials(request);
    const pool = this.#requests as Dispatcher;
    const timeout = AbortSignal.timeout(this.#options.timeoutMs);
    try {
      const answer = await pool.request({
        ...this.#target(request, credentials),
        signal: request.signal === undefined ? timeout : AbortSignal.any([request.signal, timeout]),
      });
      const body = Buffer.from(await answer.body.arrayBuffer());
      this.#count(request, answer.statusCode);
      if (answer.statusCode >= 400) throw this.#refused(answer.statusCode, answer.headers, body);
      return { status: answer.statusCode, headers: answer.headers, body };
    } catch (error) {
      throw this.#failed(request, error);
    }
  }

  /** Opens a stream (a watch). The caller reads or cancels its body. Throws like request(). */
  async stream(request: KubeRequest): Promise<KubeStream> {
    const credentials = await this.#currentCredentials(request);
    const pool = this.#watches as Dispatcher;
    try {
      const answer = await pool.request({
        ...this.#target(request, credentials),
        ...(request.signal === undefined ? {} : { signal: request.signal }),
        headersTimeout: this.#options.timeoutMs,
        // Whether a watch still lives is the reflector's to judge, from bookmarks and its own clock.
        bodyTimeout: 0,
      });
      this.#count(request, answer.statusCode);
      if (answer.statusCode >= 400) {
        const body = Buffer.from(await answer.body.arrayBuffer());
        throw this.#refused(answer.statusCode, answer.headers, body);
      }
      return { status: answer.statusCode, headers: answer.headers, body: answer.body };
    } catch (error) {
      throw this.#failed(request, error);
    }
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await Promise.all([this.#requests?.destroy(), this.#watches?.destroy()]);
  }

  #target(request: KubeRequest, credentials: Credentials) {
    const base = this.#server.pathname.replace(/\/$/, '');
    return {
      origin: this.#server.origin,
      path: base + request.path,
      method: request.method,
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

  #refused(status: number, headers: KubeResponse['headers'], body: Buffer): KubeError {
    // A token that is refused may have been rotated a moment ago.
    if (status === 401) this.#credentialsAtMs = Number.NEGATIVE_INFINITY;
    return KubeError.fromAnswer(status, headers, body);
  }

  #failed(request: KubeRequest, error: unknown): unknown {
    if (error instanceof KubeError || request.signal?.aborted) return error;
    this.#count(request, 0);
    return KubeError.fromFailure(error);
  }

  async #currentCredentials(request: KubeRequest): Promise<Credentials> {
    const age = this.#options.clock.monotonicMs() - this.#credentialsAtMs;
    if (this.#credentials !== undefined && age < credentialsMaxAgeMs) return this.#credentials;
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    try {
      return await this.#refreshing;
    } catch (error) {
      this.#count(request, 0);
      throw new KubeError({ status: 0, reason: 'Credentials', message: `credentials: ${messageOf(error)}`, cause: error });
    }
  }

  async #refresh(): Promise<Credentials> {
    const options: HttpsOptions = { headers: {} };
    await this.#kubeConfig.applyToHTTPSOptions(options);
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
    const tls = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername };
    const connect = Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value);
    if (options.auth) headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
    const credentials = { headers, connect, fingerprint: JSON.stringify(connect) };
    if (credentials.fingerprint !== this.#credentials?.fingerprint) this.#rebuildPools(connect);
    this.#credentials = credentials;
    this.#credentialsAtMs = this.#options.clock.monotonicMs();
    return credentials;
  }

  /** New pools for new TLS material; the old ones end when their requests have, or after a minute. */
  #rebuildPools(connect: Record<string, unknown>): void {
    for (const retired of [this.#requests, this.#watches]) {
      if (retired === undefined) continue;
      setTimeout(() => void retired.destroy(), retiredPoolGraceMs).unref();
    }
    this.#requests = this.#pool(connect, this.#options.connections);
    this.#watches = this.#pool(connect, null);
  }

  #pool(tls: Record<string, unknown>, connections: number | null): Dispatcher {
    const cluster = this.#kubeConfig.getCurrentCluster();
    const dispatch = this.#kubeConfig.createDispatcherOptions(cluster, tls);
    const common = { allowH2: false, pipelining: 1, connections };
    if (dispatch.type === 'proxy') {
      return new ProxyAgent({ ...common, uri: dispatch.uri, requestTls: dispatch.requestTls as Record<string, unknown> });
    }
    if (dispatch.type === 'socks') throw new Error('a SOCKS proxy in the kubeconfig is not supported; use an HTTP proxy');
    return new Agent({ ...common, connect: { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000, timeout: 10_000 } });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
