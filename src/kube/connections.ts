/**
 * Two connection pools of our own: one for requests, bounded; one for watches, which hold a connection each and must
 * never wait for one. Both are rebuilt when TLS material changes.
 */
import { createHash } from 'node:crypto';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Dispatcher } from 'undici';
import { Agent, ProxyAgent } from 'undici';

type Tls = Readonly<Record<string, unknown>>;

/** The pools of one set of TLS material. */
export interface Pools {
  readonly requests: Dispatcher;
  readonly watches: Dispatcher;
}

export class Connections {
  readonly #kubeConfig: KubeConfig;
  readonly #requestConnections: number;
  /** The material as it was last given: the same object until credentials are read anew. */
  #tls: Tls | undefined;
  #fingerprint = '';
  #pools: Pools | undefined;
  /** Pools of older TLS material whose last answers are still coming. */
  readonly #retired = new Set<Dispatcher>();
  #isClosed = false;

  constructor(kubeConfig: KubeConfig, requestConnections: number) {
    this.#kubeConfig = kubeConfig;
    this.#requestConnections = requestConnections;
  }

  /** The pools for this TLS material. Throws after close(). */
  with(tls: Tls): Pools {
    if (this.#isClosed) throw new Error('the client is closed');
    if (this.#pools !== undefined && tls === this.#tls) return this.#pools;
    this.#tls = tls;
    const fingerprint = createHash('sha256').update(JSON.stringify(tls)).digest('base64');
    if (this.#pools !== undefined && fingerprint === this.#fingerprint) return this.#pools;
    const pools = { requests: this.#pool(tls, this.#requestConnections), watches: this.#pool(tls, null) };
    if (this.#pools !== undefined) this.#retire(this.#pools);
    this.#pools = pools;
    this.#fingerprint = fingerprint;
    return pools;
  }

  /** Ends all connections, whatever runs on them. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const all = [...this.#retired, ...(this.#pools === undefined ? [] : [this.#pools.requests, this.#pools.watches])];
    await Promise.all(all.map((pool) => pool.destroy()));
  }

  /** They take no more requests and end with the last one that runs: a watch is never cut for a new certificate. */
  #retire({ requests, watches }: Pools): void {
    for (const pool of [requests, watches]) {
      this.#retired.add(pool);
      const forget = () => this.#retired.delete(pool);
      pool.close().then(forget, forget);
    }
  }

  #pool(tls: Tls, connections: number | null): Dispatcher {
    const cluster = this.#kubeConfig.getCurrentCluster();
    const dispatch = this.#kubeConfig.createDispatcherOptions(cluster, { ...tls });
    const common = { allowH2: false, pipelining: 1, connections };
    if (dispatch.type === 'proxy') {
      return new ProxyAgent({
        ...common,
        uri: dispatch.uri,
        requestTls: dispatch.requestTls as Record<string, unknown>,
      });
    }
    if (dispatch.type === 'socks')
      throw new Error('a SOCKS proxy in the kubeconfig is not supported; use an HTTP proxy');
    return new Agent({
      ...common,
      connect: { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000, timeout: 10_000 },
    });
  }
}
