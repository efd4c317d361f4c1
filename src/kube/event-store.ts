/** ZenAgentEvents on the server: over HTTP (the pipeline's EventStore port), each answer turned into what it means. */
import type { ZenAgentEvent } from '../api/event.ts';
import { apiVersion, fieldManager, group, kind, mutedUntilAnnotation, plural, version } from '../api/event.ts';
import type { Answer, StatusPatch, StoredEvent } from '../api/stored-event.ts';
import { parseRecord } from '../lib/json.ts';
import type { KubeClient, KubeRequest } from './client.ts';
import { KubeError } from './kube-error.ts';
import { eventHead } from './object-head.ts';
import type { Collection } from './paths.ts';
import { pathOf } from './paths.ts';

export class KubeEventStore {
  readonly #client: KubeClient;

  constructor(client: KubeClient) {
    this.#client = client;
  }

  async read(namespace: string, name: string): Promise<StoredEvent | undefined> {
    try {
      const path = pathOf(collectionIn(namespace), { name });
      const { body } = await this.#client.request({ method: 'GET', path, verb: 'get', resource: plural });
      return asStored(body);
    } catch (error) {
      if (error instanceof KubeError && error.status === 404 && isMissingEvent(error)) return undefined;
      throw error;
    }
  }

  /** The answer is the whole event: to make its metadata alone of it costs the server more (docs/benchmarks.md, P1). */
  async create(namespace: string, body: string): Promise<Answer> {
    const path = pathOf(collectionIn(namespace), { query: { fieldManager } });
    try {
      const answer = await this.#client.request({
        method: 'POST',
        path,
        verb: 'create',
        resource: plural,
        body,
      });
      return createdAnswer(answer.body);
    } catch (error) {
      return answerTo(error);
    }
  }

  async replace(current: StoredEvent, event: ZenAgentEvent): Promise<Answer> {
    const { namespace, name, uid, resourceVersion } = current.metadata;
    const path = pathOf(collectionIn(namespace), { name, query: { fieldManager } });
    const body = JSON.stringify({ ...event, metadata: { ...event.metadata, uid, resourceVersion } });
    return this.#change({ method: 'PUT', path, verb: 'update', resource: plural, body });
  }

  async patchStatus(namespace: string, name: string, resourceVersion: string, status: StatusPatch): Promise<Answer> {
    const path = pathOf(collectionIn(namespace), { name, subresource: 'status', query: { fieldManager } });
    const body = JSON.stringify({ apiVersion, kind, metadata: { resourceVersion }, status });
    const contentType = 'application/merge-patch+json';
    return this.#change({ method: 'PATCH', path, verb: 'patch', resource: `${plural}/status`, body, contentType });
  }

  async remove(current: StoredEvent): Promise<Answer> {
    const { namespace, name, uid, resourceVersion } = current.metadata;
    const path = pathOf(collectionIn(namespace), { name });
    const body = JSON.stringify({ apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } });
    try {
      await this.#client.request({ method: 'DELETE', path, verb: 'delete', resource: plural, body });
      return { kind: 'changed', event: current };
    } catch (error) {
      return answerTo(error);
    }
  }

  async #change(request: KubeRequest): Promise<Answer> {
    try {
      const { body } = await this.#client.request(request);
      return { kind: 'changed', event: asStored(body) };
    } catch (error) {
      return answerTo(error);
    }
  }
}

function collectionIn(namespace: string): Collection {
  return { group, version, resource: plural, namespace };
}

/**
 * What a create was answered with. Nearly always its version is all that is asked for, so the whole is parsed only when
 * somebody looks at it.
 */
function createdAnswer(body: Buffer): Answer {
  const untouched = body.includes(mutedUntilAnnotation) ? undefined : eventHead(body);
  // One that cannot be read is found here, and not by whoever looks at the event later.
  if (untouched === undefined) return { kind: 'created', event: asStored(body) };
  return {
    kind: 'created',
    untouched,
    get event() {
      return asStored(body);
    },
  };
}

function asStored(body: Buffer): StoredEvent {
  const event = parseRecord(body);
  if (event === undefined) {
    throw new KubeError({ status: 0, reason: 'Malformed', message: 'the answer is no Kubernetes object' });
  }
  return event as unknown as StoredEvent;
}

/**
 * What a failed write means. 403 has three meanings: the namespace is being deleted (details.causes says so), a
 * ResourceQuota is used up, or RBAC does not allow it.
 */
function answerTo(error: unknown): Answer {
  if (!(error instanceof KubeError)) throw error;
  const { status, message, retryAfterMs: afterMs } = error;
  switch (status) {
    case 409:
      // Not about the event: many writers at once on the usage that a ResourceQuota counts.
      if (error.target?.kind === 'resourcequotas') return { kind: 'retry', cause: 'conflict', message, afterMs };
      return { kind: 'conflict' };
    case 403:
      if (error.causes.includes('NamespaceTerminating')) return { kind: 'nowhere', message };
      return { kind: 'retry', cause: message.includes('exceeded quota') ? 'quota' : 'forbidden', message, afterMs };
    case 404:
      // The event itself is missing for a change; for a create its namespace or the CRD is.
      return isMissingEvent(error) ? { kind: 'gone' } : { kind: 'retry', cause: 'namespace-missing', message, afterMs };
    case 429:
      return { kind: 'retry', cause: 'throttled', message, afterMs };
    case 400:
    case 413:
    case 422:
      return { kind: 'rejected', message };
    default:
      return { kind: 'retry', cause: 'unavailable', message, afterMs };
  }
}

/** Its namespace and the CRD are there, as far as the server looked. */
function isMissingEvent(error: KubeError): boolean {
  return error.target?.kind === plural;
}
