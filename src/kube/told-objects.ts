/** What a reflector has told of a collection: keys and resourceVersions, never objects. */
import type { KubeObject } from './kube-object.ts';
import { keyOf } from './kube-object.ts';
import type { ObjectHead } from './object-head.ts';

/** The version of an object that was told but could not be taken in, and of those that a server gives none. */
const noVersion = '';

/** What a listing showed otherwise than it had been told: namespace/name -> the resourceVersion told, undefined for none. */
export type Differences = ReadonlyMap<string, string | undefined>;

export class ToldObjects {
  /** namespace/name -> resourceVersion last told. */
  readonly #told: Map<string, string>;
  /** Keys of the listing under way; undefined outside of one. */
  #listed: Set<string> | undefined;
  /** What the listing under way showed otherwise so far. */
  #differences = new Map<string, string | undefined>();
  /** The versions that were told before they were forgotten. */
  #forgotten: ReadonlyMap<string, string> = new Map();

  constructor(told: Map<string, string>) {
    this.#told = told;
  }

  get size(): number {
    return this.#told.size;
  }

  get isListing(): boolean {
    return this.#listed !== undefined;
  }

  beginListing(): void {
    this.#listed = new Set();
    this.#differences = new Map();
  }

  /** The listing broke off: what it did not show may well be there. */
  abandonListing(): void {
    this.#listed = undefined;
  }

  /**
   * Ends the listing. Returns the keys of what was told earlier and is not there any more, and all that was other than told.
   * `isWhole`: what it lacks is gone.
   */
  endListing(isWhole: boolean): { readonly missing: readonly string[]; readonly differences: Differences } {
    const listed = this.#listed ?? new Set();
    const differences = this.#differences;
    const missing = isWhole ? [...this.#told.keys()].filter((key) => !listed.has(key)) : [];
    for (const key of missing) this.#differs(key, differences);
    this.#listed = undefined;
    this.#differences = new Map();
    this.#forgotten = new Map();
    return { missing, differences };
  }

  /** Notes that the object is there. True when this version of it was not told yet. */
  see(object: KubeObject): boolean {
    const key = keyOf(object);
    this.#listed?.add(key);
    const { resourceVersion } = object.metadata;
    if (this.isListing && this.#before(key) !== resourceVersion) this.#differs(key, this.#differences);
    return resourceVersion === noVersion || this.#told.get(key) !== resourceVersion;
  }

  tell(object: KubeObject): void {
    this.#told.set(keyOf(object), object.metadata.resourceVersion);
  }

  /** It is there, but what it says did not arrive: to be told again as soon as it is seen again, and told gone. */
  tellInVain(object: KubeObject): void {
    this.#told.set(keyOf(object), noVersion);
  }

  /** Everything is to be told again when it is next seen, and told gone as before. */
  forgetVersions(): void {
    this.#forgotten = new Map(this.#told);
    for (const key of this.#told.keys()) this.#told.set(key, noVersion);
  }

  /** Whether that version of the object was told. */
  isTold({ namespace, name, resourceVersion }: ObjectHead): boolean {
    return this.#told.get(`${namespace}/${name}`) === resourceVersion;
  }

  /** Forgets those of which nobody wants to hear any more, and gives their keys. */
  forgetAll(isUnwanted: (key: string) => boolean): string[] {
    const keys = [...this.#told.keys()].filter(isUnwanted);
    for (const key of keys) this.forget(key);
    return keys;
  }

  /** True when there is someone to whom its end means something. */
  forget(key: string): boolean {
    this.#listed?.delete(key);
    return this.#told.delete(key);
  }

  #before(key: string): string | undefined {
    return this.#forgotten.get(key) ?? this.#told.get(key);
  }

  /** Of what was told without a version nobody can say whether it is another one. */
  #differs(key: string, differences: Map<string, string | undefined>): void {
    const before = this.#before(key);
    if (before !== noVersion && !differences.has(key)) differences.set(key, before);
  }
}
