/** A model of events in several namespaces, for unit tests of moves; see model-server.ts. */
import type { ZenAgentEvent } from '../../src/api/event.ts';
import type { Answer, StatusPatch, StoredEvent } from '../../src/api/stored-event.ts';
import type { EventStore } from '../../src/pipeline/ports.ts';
import { ModelServer, type Verb, type WatchEvent } from './model-server.ts';

export class PlacedServer implements EventStore {
  readonly namespaces = new Map<string, ModelServer>();
  readonly #versions = { last: 100 };
  /** Every request, in order; throws in place of an answer to end the life of whoever asked. */
  before: (at: number, verb: Verb, namespace: string) => void = () => {};
  after: (at: number, verb: Verb, namespace: string) => void = () => {};
  requests = 0;
  readonly successes: string[] = [];

  in(namespace: string): ModelServer {
    let server = this.namespaces.get(namespace);
    if (server === undefined) {
      server = new ModelServer(this.#versions);
      this.namespaces.set(namespace, server);
    }
    return server;
  }

  get events(): StoredEvent[] {
    return [...this.namespaces.values()].flatMap(({ events }) => [...events.values()]);
  }

  /** What the watch has not shown yet, in the order of the changes. */
  takeEcho(): WatchEvent[] {
    const echo = [...this.namespaces.values()].flatMap((server) => server.echo.splice(0));
    return echo.sort((a, b) => Number(a.event.metadata.resourceVersion) - Number(b.event.metadata.resourceVersion));
  }

  read(namespace: string, name: string): Promise<StoredEvent | undefined> {
    return this.#request('read', namespace, () => this.in(namespace).read(namespace, name));
  }

  create(namespace: string, body: string): Promise<Answer> {
    const { metadata } = JSON.parse(body) as ZenAgentEvent;
    if (metadata.namespace !== namespace) throw new Error(`an event of ${metadata.namespace} is sent to ${namespace}`);
    return this.#request('create', namespace, () => this.in(namespace).create(namespace, body));
  }

  replace(current: StoredEvent, event: ZenAgentEvent): Promise<Answer> {
    const { namespace } = current.metadata;
    return this.#request('replace', namespace, () => this.in(namespace).replace(current, event));
  }

  patchStatus(namespace: string, name: string, version: string, status: StatusPatch): Promise<Answer> {
    return this.#request('patch', namespace, () => this.in(namespace).patchStatus(namespace, name, version, status));
  }

  remove(current: StoredEvent): Promise<Answer> {
    const { namespace, name, resourceVersion } = current.metadata;
    const server = this.in(namespace);
    return this.#request('remove', namespace, () => {
      const stored = server.events.get(name);
      const isOther = stored !== undefined && stored.metadata.resourceVersion !== resourceVersion;
      return isOther ? Promise.resolve<Answer>({ kind: 'conflict' }) : server.remove(current);
    });
  }

  async #request<Result>(verb: Verb, namespace: string, act: () => Promise<Result>): Promise<Result> {
    this.requests += 1;
    const at = this.requests;
    this.before(at, verb, namespace);
    const result = await act();
    const kind = (result as Answer | undefined)?.kind;
    if (kind === 'created' || kind === 'changed') this.successes.push(`${verb} ${namespace}`);
    this.after(at, verb, namespace);
    return result;
  }
}
