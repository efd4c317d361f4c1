/**
 * A model of the events on an API server, for unit tests of the pipeline: resourceVersions, status defaults, conflicts,
 * and a watch whose echo comes when the test says. It proves nothing about a cluster; test/integration does.
 */
import { apiVersion, fieldManager, kind, type ZenAgentEvent } from '../../src/api/event.ts';
import type { Answer, StatusPatch, StoredEvent } from '../../src/api/stored-event.ts';
import type { EventStore } from '../../src/pipeline/ports.ts';

export type Verb = 'read' | 'create' | 'replace' | 'patch' | 'remove';

/**
 * What happens to one request: nothing special, an answer instead of doing it, the answer is lost after doing it, or it is
 * given up and arrives later, when the test says.
 */
export type Fault = 'none' | 'lost' | 'late' | Answer;

export interface WatchEvent {
  readonly type: 'object' | 'gone';
  readonly event: StoredEvent;
}

/** One change that the server made, by whom, and what it was before. */
export interface Change {
  readonly verb: Verb;
  readonly name: string;
  readonly before: StoredEvent | undefined;
  readonly after: StoredEvent | undefined;
}

/** As on a real server: nobody may take an event for something else by its `kind`. */
const typeMeta = { apiVersion, kind };

export class ModelServer implements EventStore {
  readonly events = new Map<string, StoredEvent>();
  /** Not yet told to the watch. */
  readonly echo: WatchEvent[] = [];
  /** The same, of every watch: each replica has one of its own. */
  readonly #echoes: WatchEvent[][] = [this.echo];
  /** Changes that the store's user made. */
  readonly changes: Change[] = [];
  /** Every request of the store's user, in order. */
  readonly requests: { readonly verb: Verb; readonly name: string }[] = [];
  /** Decides about each request; may also change events in between, as others do. */
  fault: (verb: Verb, name: string) => Fault = () => 'none';
  /** Requests that were given up and are still on their way. */
  readonly #late: (() => Answer)[] = [];
  /** What passes between the request and its answer. */
  latency: () => Promise<void> = () => Promise.resolve();
  readonly #versions: { last: number };
  #uid = 0;

  /** Servers that share their versions are namespaces of one. */
  constructor(versions = { last: 100 }) {
    this.#versions = versions;
  }

  get version(): number {
    return this.#versions.last;
  }

  /** Another watch. */
  watch(): WatchEvent[] {
    const echo: WatchEvent[] = [];
    this.#echoes.push(echo);
    return echo;
  }

  #tell(event: WatchEvent): void {
    for (const echo of this.#echoes) echo.push(event);
  }

  async read(_namespace: string, name: string): Promise<StoredEvent | undefined> {
    let found: StoredEvent | undefined;
    const answer = await this.#request('read', name, () => {
      found = this.events.get(name);
      return { kind: 'gone' };
    });
    if (answer.kind === 'retry') throw new Error(answer.message);
    return found;
  }

  create(namespace: string, body: string): Promise<Answer> {
    const { metadata, spec } = JSON.parse(body) as ZenAgentEvent;
    return this.#request('create', metadata.name, () => {
      if (this.events.has(metadata.name)) return { kind: 'conflict' };
      this.#uid += 1;
      return {
        kind: 'created',
        event: this.#store('create', {
          ...typeMeta,
          metadata: { ...metadata, namespace, uid: `uid-${this.#uid}`, resourceVersion: '' },
          spec,
          status: { phase: 'Active', count: 1 },
        }),
      };
    });
  }

  replace(current: StoredEvent, event: ZenAgentEvent): Promise<Answer> {
    const { name } = current.metadata;
    return this.#request('replace', name, () => {
      const stored = this.events.get(name);
      if (stored === undefined) return { kind: 'gone' };
      if (stored.metadata.resourceVersion !== current.metadata.resourceVersion) return { kind: 'conflict' };
      if (stored.spec.fingerprint !== event.spec.fingerprint) return { kind: 'rejected', message: 'immutable' };
      const { uid, resourceVersion } = stored.metadata;
      const changed: StoredEvent = {
        ...stored,
        metadata: { ...event.metadata, uid, resourceVersion },
        spec: event.spec,
      };
      return { kind: 'changed', event: this.#store('replace', changed) };
    });
  }

  patchStatus(_namespace: string, name: string, resourceVersion: string, status: StatusPatch): Promise<Answer> {
    return this.#request('patch', name, () => {
      const stored = this.events.get(name);
      if (stored === undefined) return { kind: 'gone' };
      if (stored.metadata.resourceVersion !== resourceVersion) return { kind: 'conflict' };
      const patched: Record<string, unknown> = { ...stored.status };
      for (const [field, value] of Object.entries(status)) {
        if (value === null) delete patched[field];
        else patched[field] = value;
      }
      return { kind: 'changed', event: this.#store('patch', { ...stored, status: patched }) };
    });
  }

  remove(current: StoredEvent): Promise<Answer> {
    const { name, uid } = current.metadata;
    return this.#request('remove', name, () => {
      const stored = this.events.get(name);
      if (stored === undefined) return { kind: 'gone' };
      if (stored.metadata.uid !== uid) return { kind: 'conflict' };
      this.changes.push({ verb: 'remove', name, before: stored, after: undefined });
      this.deleteByHand(name);
      return { kind: 'changed', event: stored };
    });
  }

  /** What was given up arrives, the first of it first. */
  arrive(): void {
    for (const act of this.#late.splice(0)) act();
  }

  /** Somebody else deletes an event. */
  deleteByHand(name: string): void {
    const stored = this.events.get(name);
    if (stored === undefined) return;
    this.events.delete(name);
    this.#tell({ type: 'gone', event: this.#versioned(stored) });
  }

  /** Somebody else changes or creates an event. */
  putByHand(event: StoredEvent, manager = 'kubectl-edit'): StoredEvent {
    const managedFields = [{ manager, fieldsV1: { 'f:spec': {} } }];
    const stored = this.#versioned({ ...event, metadata: { ...event.metadata, managedFields } });
    this.events.set(stored.metadata.name, stored);
    this.#tell({ type: 'object', event: stored });
    return stored;
  }

  /** A consumer notes in status that it has seen the event. */
  touchByConsumer(name: string): void {
    const stored = this.events.get(name);
    if (stored === undefined) return;
    const touched = this.#versioned({ ...stored, status: { ...stored.status, synced: true } });
    this.events.set(name, touched);
    this.#tell({ type: 'object', event: touched });
  }

  #store(verb: Verb, event: StoredEvent): StoredEvent {
    const { name } = event.metadata;
    const before = this.events.get(name);
    if (before !== undefined && sameContent(before, event)) return before;
    const managedFields = [{ manager: fieldManager, fieldsV1: { 'f:spec': {} } }];
    const after = this.#versioned({ ...event, metadata: { ...event.metadata, managedFields } });
    this.events.set(name, after);
    this.#tell({ type: 'object', event: after });
    this.changes.push({ verb, name, before, after });
    return after;
  }

  #versioned(event: StoredEvent): StoredEvent {
    this.#versions.last += 1;
    return { ...event, metadata: { ...event.metadata, resourceVersion: String(this.#versions.last) } };
  }

  async #request(verb: Verb, name: string, act: () => Answer): Promise<Answer> {
    this.requests.push({ verb, name });
    const fault = this.fault(verb, name);
    const isInstead = typeof fault !== 'string';
    if (fault === 'late') this.#late.push(act);
    const answer = isInstead ? fault : fault === 'late' ? undefined : act();
    await this.latency();
    if (fault === 'lost' || answer === undefined)
      return { kind: 'retry', cause: 'unavailable', message: 'no answer came' };
    return answer;
  }
}

function sameContent(a: StoredEvent, b: StoredEvent): boolean {
  const content = ({ metadata, spec, status }: StoredEvent) =>
    JSON.stringify([metadata.labels, metadata.annotations, spec, status]);
  return content(a) === content(b);
}
