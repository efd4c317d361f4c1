/** Reads one object by a list with the watch's own selectors: it needs no verb but `list`, and what left the selection is not there. */
import { asList } from '../lib/fields.ts';
import { parseRecord } from '../lib/json.ts';
import type { KubeClient } from './client.ts';
import { KubeError } from './kube-error.ts';
import type { KubeObject } from './kube-object.ts';
import { isKubeObject } from './kube-object.ts';
import type { Collection } from './paths.ts';
import { pathOf } from './paths.ts';

/** A collection, and which of its objects are watched. */
export interface Selection {
  readonly client: KubeClient;
  readonly collection: Collection;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly signal?: AbortSignal;
}

/** A resourceVersion, and how an answer has to agree with it. */
export interface AtVersion {
  readonly resourceVersion: string;
  /** Exact: as it was then; its metadata only. NotOlderThan: what the server has in memory, without asking etcd. */
  readonly resourceVersionMatch: 'Exact' | 'NotOlderThan';
}

/** Without a moment: as it is now, by etcd. Throws KubeError. */
export async function listByName(selection: Selection, name: string, at?: AtVersion): Promise<KubeObject | undefined> {
  const { client, collection, labelSelector, fieldSelector, signal } = selection;
  const { resource } = collection;
  const selectors = [fieldSelector, `metadata.name=${escapeSelector(name)}`].filter((one) => one !== undefined);
  const path = pathOf(collection, { query: { labelSelector, fieldSelector: selectors.join(','), ...at } });
  const isMetadata = at?.resourceVersionMatch === 'Exact';
  const shape = isMetadata ? { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' } : {};
  const request = { method: 'GET', path, verb: 'list', resource, ...shape, ...(signal ? { signal } : {}) } as const;
  const answer = parseRecord((await client.request(request)).body);
  // Some servers write `items: null` for an empty list.
  const items = answer?.['items'] === null ? [] : asList(answer?.['items']);
  if (items === undefined) throw malformedAnswer(path, 'list');
  const [object] = items;
  if (object === undefined) return undefined;
  if (!isKubeObject(object) || object.metadata.name !== name) throw malformedAnswer(path, 'list of that object');
  return object;
}

/** The failure of an answer that is not what was asked for. */
export function malformedAnswer(path: string, expected: string): KubeError {
  return new KubeError({
    status: 0,
    reason: 'Malformed',
    message: `the answer to GET ${path} is no Kubernetes ${expected}`,
  });
}

/** What has a meaning in a selector. */
function escapeSelector(value: string): string {
  return value.replace(/[\\,=]/g, '\\$&');
}
