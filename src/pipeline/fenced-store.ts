/** The event store as one intent sees it: asks whether it may write, last before each write, and counts its writes. */
import type { ZenAgentEvent } from '../api/event.ts';
import type { Answer, StatusPatch, StoredEvent } from '../api/stored-event.ts';
import type { EventStore } from './ports.ts';

/** fenced: nothing was sent, since another replica may own the partition by now. */
export type FencedAnswer = Answer | { readonly kind: 'fenced' };

export class FencedStore {
  readonly #store: EventStore;
  readonly #mayWrite: () => boolean;
  #writes = 0;

  constructor(store: EventStore, mayWrite: () => boolean) {
    this.#store = store;
    this.#mayWrite = mayWrite;
  }

  /** How many writes were sent. */
  get writes(): number {
    return this.#writes;
  }

  read(namespace: string, name: string): Promise<StoredEvent | undefined> {
    return this.#store.read(namespace, name);
  }

  create(namespace: string, body: string): Promise<FencedAnswer> {
    return this.#write(() => this.#store.create(namespace, body));
  }

  replace(current: StoredEvent, event: ZenAgentEvent): Promise<FencedAnswer> {
    return this.#write(() => this.#store.replace(current, event));
  }

  patchStatus(namespace: string, name: string, version: string, status: StatusPatch): Promise<FencedAnswer> {
    return this.#write(() => this.#store.patchStatus(namespace, name, version, status));
  }

  remove(current: StoredEvent): Promise<FencedAnswer> {
    return this.#write(() => this.#store.remove(current));
  }

  #write(send: () => Promise<Answer>): Promise<FencedAnswer> {
    if (!this.#mayWrite()) return Promise.resolve({ kind: 'fenced' });
    this.#writes += 1;
    return send();
  }
}
