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

/** `at`: as it was at exactly that resourceVersion; its metadata only. Throws KubeError. */
export async function listByName(selection: Selection, name: string, at?: string): Promise<KubeObject | undefined> {
  const { client, collection, labelSelector, fieldSelector, signal } = selection;
  const { resource } = collection;
  const selectors = [fieldSelector, `metadata.name=${escapeSelector(name)}`].filter((one) => one !== undefined);
  const moment = at === undefined ? {} : { resourceVersion: at, resourceVersionMatch: 'Exact' };
  const path = pathOf(collection, { query: { labelSelector, fieldSelector: selectors.join(','), ...moment } });
  const shape = at === undefined ? {} : { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' };
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
