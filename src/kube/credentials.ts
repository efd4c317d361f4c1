/**
 * Headers and TLS material from the client library's KubeConfig (in-cluster tokens, exec plugins, client certificates),
 * asked for anew every few seconds, so that rotated tokens, certificates and CAs are picked up.
 */
import { readFile } from 'node:fs/promises';
import type { RequestOptions as HttpsOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/error-message.ts';
import { Deadline, orAborted } from './abort.ts';
import { KubeError } from './kube-error.ts';

/** What a request needs to be let in. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  /** For the connection: ca, cert, key, servername and the like. */
  readonly tls: Readonly<Record<string, unknown>>;
}

const maximumAgeMs = 10_000;
/** After a failure, or a token that was refused, the sources of credentials are not asked more often than this. */
const retryMs = 1_000;
/** How long a request waits for fresh credentials while there are older ones that may still do. */
const patienceMs = 5_000;

export class CredentialSource {
  readonly #clock: Clock;
  #kubeConfig: KubeConfig;
  #latest: Credentials | undefined;
  #nextAtMs = Number.NEGATIVE_INFINITY;
  #isRefused = false;
  #refreshing: Promise<Credentials> | undefined;

  constructor(kubeConfig: KubeConfig, clock: Clock) {
    this.#kubeConfig = kubeConfig;
    this.#clock = clock;
  }

  /** The credentials of now, where they need not be asked for anew. */
  get fresh(): Credentials | undefined {
    return this.#clock.monotonicMs() < this.#nextAtMs ? this.#latest : undefined;
  }

  /**
   * The credentials of now. When they cannot be had (a file in the middle of its rotation, an exec plugin that fails or
   * hangs), the ones before go on being used: the server is the judge of them. Throws KubeError when there are none.
   */
  async current(signal: AbortSignal): Promise<Credentials> {
    const { fresh } = this;
    if (fresh !== undefined) return fresh;
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    if (this.#latest === undefined) return orAborted(this.#refreshing, signal);
    const patience = new Deadline(patienceMs, signal, 'no new credentials');
    try {
      return await orAborted(this.#refreshing, patience.signal);
    } catch (error) {
      if (signal.aborted) throw error;
      return this.#latest;
    } finally {
      patience.release();
    }
  }

  /** The server answered 401 to these: they may have been rotated a moment ago. */
  refused(credentials: Credentials): void {
    if (credentials !== this.#latest || this.#isRefused) return;
    this.#isRefused = true;
    this.#nextAtMs = Math.min(this.#nextAtMs, this.#clock.monotonicMs() + retryMs);
  }

  async #refresh(): Promise<Credentials> {
    try {
      if (this.#isRefused) this.#kubeConfig = withoutCaches(this.#kubeConfig);
      const credentials = await read(this.#kubeConfig);
      this.#latest = credentials;
      this.#isRefused = false;
      this.#nextAtMs = this.#clock.monotonicMs() + maximumAgeMs;
      return credentials;
    } catch (error) {
      this.#nextAtMs = this.#clock.monotonicMs() + retryMs;
      const message = `credentials: ${messageOf(error).trim()}`;
      throw new KubeError({ status: 0, reason: 'Credentials', message, cause: error });
    }
  }
}

/** The library keeps the answer of an exec plugin until it says that it expires, if ever: a copy has not asked it yet. */
function withoutCaches(kubeConfig: KubeConfig): KubeConfig {
  const { clusters, users, contexts, currentContext } = kubeConfig;
  const copy = new KubeConfig();
  copy.loadFromOptions({ clusters, users, contexts, currentContext });
  return copy;
}

async function read(kubeConfig: KubeConfig): Promise<Credentials> {
  const options: HttpsOptions = { headers: {} };
  await kubeConfig.applyToHTTPSOptions(options);
  const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
  const material = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername };
  const tls = Object.fromEntries(Object.entries(material).filter(([, value]) => value !== undefined));
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value).trim();
  if (options.auth) headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  const token = await tokenFromFile(kubeConfig);
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
  return { headers, tls };
}

/** The library reads a token file once a minute; a token that was refused must be replaced sooner. */
async function tokenFromFile(kubeConfig: KubeConfig): Promise<string | undefined> {
  const file: unknown = kubeConfig.getCurrentUser()?.authProvider?.config?.tokenFile;
  if (typeof file !== 'string') return undefined;
  const token = (await readFile(file, 'utf8')).trim();
  if (token === '') throw new Error(`${file} is empty`);
  return token;
}
