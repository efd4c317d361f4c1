/**
 * Past one leader: each finding belongs to one of a fixed number of shards, by the namespace of its resource, so that all
 * reports about a workload meet in one replica. Which shard is a pure function of the namespace and the number of shards;
 * which of them this replica reads at the moment is its scope.
 */
import { ownerOf } from './rendezvous.ts';

/** A shard, from 0. */
export type Shard = number;

/** What of a resource decides about its shard. */
export interface Located {
  readonly kind?: string | undefined;
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
}

/** As many namespaces are remembered: hashing one costs some microseconds for each shard. */
const mostRemembered = 20_000;

export class Shards {
  readonly count: number;
  readonly #all: readonly Shard[];
  readonly #known = new Map<string, Shard>();
  #scope: ReadonlySet<Shard>;

  /** At first everything is read. */
  constructor(count = 1) {
    this.count = count;
    this.#all = Array.from({ length: count }, (_, shard) => shard);
    this.#scope = new Set(this.#all);
  }

  /** Every shard there is. */
  get all(): readonly Shard[] {
    return this.#all;
  }

  /** Those that this replica reads. */
  get scope(): ReadonlySet<Shard> {
    return this.#scope;
  }

  /** Whether some of what there is is not read. */
  get isPartial(): boolean {
    return this.#scope.size < this.count;
  }

  setScope(scope: Iterable<Shard>): void {
    this.#scope = new Set(scope);
  }

  reads(shard: Shard): boolean {
    return this.count === 1 || this.#scope.has(shard);
  }

  /** Whether what is about a namespace is read; '' for what is of none. */
  readsNamespace(namespace: string): boolean {
    return this.count === 1 || this.#scope.has(this.ofNamespace(namespace));
  }

  /** The shard of a resource. A Namespace is its own namespace. */
  of({ kind, name = '', namespace = '' }: Located): Shard {
    if (this.count === 1) return 0;
    return this.ofNamespace(namespace === '' && kind === 'Namespace' ? name : namespace);
  }

  /** The shard of a namespace; '' stands for what is of none. */
  ofNamespace(namespace: string): Shard {
    if (this.count === 1) return 0;
    let shard = this.#known.get(namespace);
    if (shard === undefined) {
      shard = ownerOf(namespace, this.#all) ?? 0;
      if (this.#known.size >= mostRemembered) this.#known.clear();
      this.#known.set(namespace, shard);
    }
    return shard;
  }
}

/** For whoever knows of no shards: there is one, which is read. */
export const oneShard = new Shards();
