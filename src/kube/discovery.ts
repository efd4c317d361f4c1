/**
 * What the API server serves, asked for every few seconds with If-None-Match: unchanged, it costs one 304 without a body
 * and needs no RBAC rule. Informers of a tool's resources start and stop by it.
 */
import { backoffMs } from '../lib/backoff.ts';
import { messageOf } from '../lib/error-message.ts';
import { asList, at, textAt } from '../lib/fields.ts';
import { parseRecord } from '../lib/json.ts';
import type { KubeClient } from './client.ts';
import { KubeError } from './kube-error.ts';

/** One resource of the API. */
export interface ServedResource {
  readonly kind: string;
  readonly namespaced: boolean;
  /** Versions served, in the server's order of preference. */
  readonly versions: readonly string[];
}

/** By `group/resource`. */
export type ServedResources = ReadonlyMap<string, ServedResource>;

/** What one answer says. */
export interface Discovered {
  readonly served: ServedResources;
  /** `group/version` of aggregated APIs that are down: what they serve is not said, or as it was known. */
  readonly down: readonly string[];
}

/** Told what is served, and of outages. */
export interface DiscoveryHandler {
  changed(served: ServedResources): void;
  /** The server cannot be asked; told once per outage. What was known stays. */
  failed(message: string): void;
  /** It answers again after an outage. */
  recovered(): void;
}

export interface DiscoveryOptions {
  readonly client: KubeClient;
  readonly intervalMs: number;
  readonly random: () => number;
}

const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
/** A server that is down is asked often: whoever waits for it starts within a second of its coming. */
const retry = { firstMs: 250, maximumMs: 1_000 };

/** Asks once. Throws KubeError. */
export async function discover(client: KubeClient): Promise<Discovered> {
  const { body } = await client.request({ method: 'GET', path: '/apis', verb: 'discovery', resource: 'apis', accept });
  return parseDiscovery(body, new Map());
}

export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #handler: DiscoveryHandler;
  readonly #stopping = new AbortController();
  #etag: string | undefined;
  #served: ServedResources = new Map();
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
      if (this.#stopping.signal.aborted) return;
      if (answer.status !== 304) this.#take(answer.headers, answer.body);
      if (this.#failures > 0) this.#handler.recovered();
      this.#failures = 0;
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#failures += 1;
      if (this.#failures === 1) this.#handler.failed(messageOf(error));
    }
    if (this.#stopping.signal.aborted) return;
    const { intervalMs, random } = this.#options;
    const waitMs =
      this.#failures === 0
        ? intervalMs * (0.9 + random() / 5)
        : Math.min(intervalMs, backoffMs(this.#failures, retry, random));
    this.#timer = setTimeout(() => void this.#ask(), waitMs);
  }

  #take(headers: Readonly<Record<string, string | string[] | undefined>>, body: Buffer): void {
    const { served } = parseDiscovery(body, this.#served);
    const { etag } = headers;
    this.#etag = typeof etag === 'string' ? etag : undefined;
    this.#served = served;
    this.#handler.changed(served);
  }
}

/**
 * Reads an APIGroupDiscoveryList (apidiscovery.k8s.io/v2). A version marked Stale belongs to an aggregated API that is
 * down: what was known of it stays. Throws KubeError when it is no such list.
 */
function parseDiscovery(body: Buffer, before: ServedResources): Discovered {
  const items = asList(parseRecord(body)?.['items']);
  if (items === undefined) {
    throw new KubeError({
      status: 0,
      reason: 'Malformed',
      message: 'the answer to GET /apis is no aggregated discovery',
    });
  }
  const served = new Map<string, { kind: string; namespaced: boolean; versions: string[] }>();
  const down: string[] = [];
  const note = (key: string, version: string, { kind, namespaced }: Omit<ServedResource, 'versions'>) => {
    const resource = served.get(key);
    if (resource === undefined) served.set(key, { kind, namespaced, versions: [version] });
    else if (!resource.versions.includes(version)) resource.versions.push(version);
  };
  for (const group of items) {
    const name = textAt(group, 'metadata', 'name') ?? '';
    for (const entry of asList(at(group, 'versions')) ?? []) {
      const version = textAt(entry, 'version');
      if (version === undefined) continue;
      if (textAt(entry, 'freshness') === 'Stale') {
        down.push(`${name}/${version}`);
        for (const [key, resource] of before)
          if (key.startsWith(`${name}/`) && resource.versions.includes(version)) note(key, version, resource);
      }
      for (const each of asList(at(entry, 'resources')) ?? []) {
        const resource = textAt(each, 'resource');
        if (resource === undefined || !asList(at(each, 'verbs'))?.includes('list')) continue;
        const kind = textAt(each, 'responseKind', 'kind') ?? '';
        note(`${name}/${resource}`, version, { kind, namespaced: textAt(each, 'scope') !== 'Cluster' });
      }
    }
  }
  return { served, down };
}
