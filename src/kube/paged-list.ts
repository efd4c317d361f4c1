/** Lists a collection page by page, the size of the pages following the size of the objects. */
import type { KubeClient } from './client.ts';
import { KubeError } from './kube-error.ts';
import type { KubeObject } from './reflector.ts';
import type { Collection } from './paths.ts';
import { pathOf } from './paths.ts';
import { parseRecord } from '../lib/json.ts';

export interface PagedListOptions {
  readonly client: KubeClient;
  readonly collection: Collection;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly shape: 'full' | 'metadata';
}

export interface Page {
  readonly items: readonly KubeObject[];
  /** On the last page: where a watch may start. */
  readonly resourceVersion: string | undefined;
}

const targetPageBytes = 4 * 1024 * 1024;
const firstPageItems = 100;
const maximumPageItems = 500;

export class PagedList {
  readonly #options: PagedListOptions;
  #limit = firstPageItems;

  constructor(options: PagedListOptions) {
    this.#options = options;
  }

  /** Throws KubeError; 410 when the listing took longer than the server remembers: start again. */
  async *pages(signal: AbortSignal): AsyncGenerator<Page> {
    let continueToken: string | undefined;
    do {
      const { client, collection, labelSelector, fieldSelector } = this.#options;
      const answer = await client.request({
        method: 'GET',
        path: pathOf(collection, {
          query: { limit: this.#limit, continue: continueToken, labelSelector, fieldSelector },
        }),
        verb: 'list',
        resource: collection.resource,
        accept: this.#accept(),
        signal,
      });
      const { items, metadata } = parsePage(answer.body);
      this.#adapt(answer.body.length, items.length);
      continueToken = metadata.continue === '' ? undefined : metadata.continue;
      yield { items, resourceVersion: continueToken === undefined ? metadata.resourceVersion : undefined };
    } while (continueToken !== undefined);
  }

  #accept(): string {
    return this.#options.shape === 'metadata'
      ? 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'
      : 'application/json';
  }

  #adapt(bytes: number, items: number): void {
    if (items === 0) return;
    this.#limit = Math.max(1, Math.min(maximumPageItems, Math.floor(targetPageBytes / (bytes / items))));
  }
}

interface ListBody {
  readonly items: readonly KubeObject[];
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string | undefined };
}

/** Items without a name or version are left out: nothing could be said of them. */
function parsePage(body: Buffer): ListBody {
  const list = parseRecord(body) as { items?: unknown; metadata?: { resourceVersion?: unknown; continue?: unknown } } | undefined;
  const { metadata } = list ?? {};
  if (list === undefined || typeof metadata?.resourceVersion !== 'string') {
    throw new KubeError({ status: 0, reason: 'Malformed', message: 'the answer is no Kubernetes list' });
  }
  const items = Array.isArray(list.items) ? list.items : [];
  return {
    items: items.filter(isKubeObject),
    metadata: {
      resourceVersion: metadata.resourceVersion,
      continue: typeof metadata.continue === 'string' ? metadata.continue : undefined,
    },
  };
}

function isKubeObject(value: unknown): value is KubeObject {
  const metadata = (value as { metadata?: { name?: unknown; resourceVersion?: unknown } } | null)?.metadata;
  return typeof metadata?.name === 'string' && typeof metadata.resourceVersion === 'string';
}
