/** Lists a collection page by page, the size of the pages following the size of the objects. */
import { parseRecord } from '../lib/json.ts';
import { sliceList } from '../lib/json-slices.ts';
import type { KubeClient } from './client.ts';
import { KubeError } from './kube-error.ts';
import type { KubeObject } from './kube-object.ts';
import { isKubeObject } from './kube-object.ts';
import { glanceAtObject } from './object-head.ts';
import type { Collection } from './paths.ts';
import { pathOf } from './paths.ts';
import type { IsWanted } from './watch.ts';
import type { WholeAnswer } from './whole-answer.ts';

export interface PagedListOptions {
  readonly client: KubeClient;
  readonly collection: Collection;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly shape: 'full' | 'metadata';
}

/** A part of a listing. */
export interface Page {
  readonly items: readonly KubeObject[];
  /** Items without a name or version, left out: nothing can be said of them. */
  readonly malformedItems: number;
  /** On the last page: where a watch may start. */
  readonly resourceVersion: string | undefined;
}

const targetPageBytes = 4 * 1024 * 1024;
/** A longer page is asked for again with fewer objects: parsed, it would be several times as large. */
const maximumPageBytes = 4 * targetPageBytes;
const firstPageItems = 50;
const maximumPageItems = 500;

export class PagedList {
  readonly #options: PagedListOptions;
  readonly #isWanted: IsWanted | undefined;
  #limit = firstPageItems;

  /** `isWanted`: items that are not are left out, unparsed where that can be seen. */
  constructor(options: PagedListOptions, isWanted?: IsWanted) {
    this.#options = options;
    this.#isWanted = isWanted;
  }

  /** Throws KubeError; 410 when the listing took longer than the server remembers: start again. */
  async *pages(signal: AbortSignal): AsyncGenerator<Page> {
    let continueToken: string | undefined;
    do {
      const answer = await this.#page(continueToken, signal);
      const { items, count, resourceVersion, next } = parsePage(answer.body, this.#isWanted);
      this.#adapt(answer.body.length, count);
      if (next !== undefined && next === continueToken) throw malformed('the listing goes round in circles');
      continueToken = next;
      const named = items.filter(isKubeObject);
      yield {
        items: named,
        malformedItems: items.length - named.length,
        resourceVersion: next === undefined ? resourceVersion : undefined,
      };
    } while (continueToken !== undefined);
  }

  async #page(continueToken: string | undefined, signal: AbortSignal): Promise<WholeAnswer> {
    const { client, collection, labelSelector, fieldSelector } = this.#options;
    for (;;) {
      const query = { limit: this.#limit, continue: continueToken, labelSelector, fieldSelector };
      try {
        return await client.request({
          method: 'GET',
          path: pathOf(collection, { query }),
          verb: 'list',
          resource: collection.resource,
          accept: this.#accept(),
          signal,
          // One object is taken however large it is.
          ...(this.#limit === 1 ? {} : { maximumBytes: maximumPageBytes }),
        });
      } catch (error) {
        if (!(error instanceof KubeError) || error.reason !== 'TooLong' || this.#limit === 1) throw error;
        this.#limit = Math.max(1, Math.floor(this.#limit / 4));
      }
    }
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
  /** Those that are wanted, of so many. */
  readonly items: readonly unknown[];
  readonly count: number;
  readonly resourceVersion: string;
  /** The token of the next page. */
  readonly next: string | undefined;
}

function parsePage(body: Buffer, isWanted: IsWanted | undefined): ListBody {
  const wanted = isWanted === undefined ? undefined : readWanted(body, isWanted);
  const { items, metadata } = wanted ?? parseRecord(body) ?? {};
  const { resourceVersion, continue: next } = (metadata ?? {}) as { resourceVersion?: unknown; continue?: unknown };
  // Some servers write `items: null` for an empty list. No items at all is no list, and by it everything would be gone.
  if ((items !== null && !Array.isArray(items)) || typeof resourceVersion !== 'string' || resourceVersion === '') {
    throw malformed('the answer is no Kubernetes list');
  }
  return {
    items: items ?? [],
    count: wanted?.count ?? items?.length ?? 0,
    resourceVersion,
    next: typeof next === 'string' && next !== '' ? next : undefined,
  };
}

interface WantedList {
  readonly metadata: unknown;
  readonly items: readonly unknown[];
  /** How many items it has with the others. */
  readonly count: number;
  readonly [member: string]: unknown;
}

/** The list with its wanted items alone; undefined where the answer has to be parsed as a whole. */
function readWanted(body: Buffer, isWanted: IsWanted): WantedList | undefined {
  const slices = sliceList(body, 0);
  if (slices === undefined) return undefined;
  const around = Buffer.concat([
    body.subarray(0, slices.list.start),
    Buffer.from('[]'),
    body.subarray(slices.list.end),
  ]);
  const items = slices.items.flatMap(({ start, end }) => {
    const head = glanceAtObject(body, start);
    if (head !== undefined && !isWanted(head, body, start)) return [];
    return [parseRecord(body.subarray(start, end))];
  });
  return { metadata: parseRecord(around)?.['metadata'], items, count: slices.items.length };
}

function malformed(message: string): KubeError {
  return new KubeError({ status: 0, reason: 'Malformed', message });
}
