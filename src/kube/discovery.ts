/**
 * What the API server serves, asked for every few seconds with If-None-Match: unchanged, it costs one 304 without a body
 * and needs no RBAC rule. Informers of a tool's resources start and stop by it.
 */
import { backoffMs } from '../lib/backoff.ts';
import { parseRecord } from '../lib/json.ts';
import type { KubeClient } from './client.ts';
import { KubeError } from './kube-error.ts';

/** `group/resource` -> versions served, in the server's order of preference. */
export type ServedResources = ReadonlyMap<string, readonly string[]>;

export interface DiscoveryHandler {
  changed(served: ServedResources): void;
  /** The server cannot be asked; told once per outage. What was known stays. */
  failed(message: string): void;
}

export interface DiscoveryOptions {
  readonly client: KubeClient;
  readonly intervalMs: number;
  readonly random: () => number;
}

const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const firstRetryMs = 500;

export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #handler: DiscoveryHandler;
  readonly #stopping = new AbortController();
  #etag: string | undefined;
  #served = new Map<string, readonly string[]>();
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DiscoveryOptions, handler: DiscoveryHandler) {
    this.#options = options;
    this.#handler = handler;
  }

  start(): void {
    void this.#ask();
  }

  stop(): void {
    this.#stopping.abort();
    clearTimeout(this.#timer);
  }

  async #ask(): Promise<void> {
    try {
      const answer = await this.#options.client.request({
        method: 'GET',
        path: '/apis',
        verb: 'discovery',
        resource: 'apis',
        accept,
        headers: this.#etag === undefined ? {} : { 'if-none-match': this.#etag },
        signal: this.#stopping.signal,
      });
      this.#failures = 0;
      if (answer.status !== 304) this.#take(answer.headers, answer.body);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#failures += 1;
      if (this.#failures === 1) this.#handler.failed(error instanceof Error ? error.message : String(error));
    }
    if (this.#stopping.signal.aborted) return;
    const { intervalMs, random } = this.#options;
    const waitMs =
      this.#failures === 0
        ? intervalMs * (0.9 + random() / 5)
        : backoffMs(this.#failures, { firstMs: firstRetryMs, maximumMs: intervalMs }, random);
    this.#timer = setTimeout(() => void this.#ask(), waitMs);
  }

  #take(headers: Readonly<Record<string, string | string[] | undefined>>, body: Buffer): void {
    const served = parseDiscovery(body, this.#served);
    const { etag } = headers;
    this.#etag = typeof etag === 'string' ? etag : undefined;
    this.#served = served;
    this.#handler.changed(served);
  }
}

interface DiscoveryGroup {
  readonly metadata?: { readonly name?: string };
  readonly versions?: readonly {
    readonly version?: string;
    readonly freshness?: string;
    readonly resources?: readonly { readonly resource?: string; readonly verbs?: readonly string[] }[];
  }[];
}

/**
 * Reads an APIGroupDiscoveryList (apidiscovery.k8s.io/v2). A version marked Stale belongs to an aggregated API that is
 * down: what was known of it stays. Throws KubeError when it is no such list.
 */
function parseDiscovery(body: Buffer, before: ServedResources): Map<string, readonly string[]> {
  const items = parseRecord(body)?.['items'];
  if (!Array.isArray(items)) {
    throw new KubeError({ status: 0, reason: 'Malformed', message: 'the answer to GET /apis is no aggregated discovery' });
  }
  const served = new Map<string, string[]>();
  const note = (key: string, version: string) => {
    const versions = served.get(key);
    if (versions === undefined) served.set(key, [version]);
    else if (!versions.includes(version)) versions.push(version);
  };
  for (const group of items as readonly DiscoveryGroup[]) {
    const name = group.metadata?.name ?? '';
    for (const { version, freshness, resources } of group.versions ?? []) {
      if (version === undefined) continue;
      if (freshness === 'Stale') {
        for (const [key, versions] of before) if (key.startsWith(`${name}/`) && versions.includes(version)) note(key, version);
      }
      for (const { resource, verbs } of resources ?? []) {
        if (resource !== undefined && verbs?.includes('list')) note(`${name}/${resource}`, version);
      }
    }
  }
  return served;
}
