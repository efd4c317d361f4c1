/**
 * Which namespace an event belongs to. Central: one namespace for all. By resource: the namespace of the finding's resource,
 * so that tenants see their own; what is cluster-scoped, or in a namespace that is not there or about to go, stays central.
 */

export const placementModes = ['central', 'resource'] as const;
export type PlacementMode = (typeof placementModes)[number];

export interface PlacementParts {
  readonly mode: PlacementMode;
  /** The namespace of all that has no better place. */
  readonly central: string;
  /** Whether a namespace is there and not about to go; undefined where that is not known. */
  exists(namespace: string): boolean | undefined;
}

export class Placement {
  readonly #parts: PlacementParts;

  constructor(parts: PlacementParts) {
    this.#parts = parts;
  }

  get central(): string {
    return this.#parts.central;
  }

  /** Where the event of a resource belongs now. A namespace that nothing is known of is believed to be there. */
  namespaceFor({ namespace = '' }: { readonly namespace?: string | undefined }): string {
    const { mode, central, exists } = this.#parts;
    return mode === 'central' || namespace === '' || exists(namespace) === false ? central : namespace;
  }

  /**
   * Whether an event of ours can be in a namespace, in any mode: nothing that names the resource of another namespace was
   * put there by us. Somebody who may write in one namespace must not have us carry it into another.
   */
  isPlace(namespace: string, resourceNamespace: string): boolean {
    return namespace === this.#parts.central || (namespace !== '' && namespace === resourceNamespace);
  }

  /** Whether an event must be moved. Not out of a namespace that is about to go: it takes its events with it. */
  isMisplaced(namespace: string, resourceNamespace: string): boolean {
    const { central, exists } = this.#parts;
    if (namespace === this.namespaceFor({ namespace: resourceNamespace })) return false;
    if (!this.isPlace(namespace, resourceNamespace)) return false;
    // Into a namespace only once it is known to be there.
    return namespace === central ? exists(resourceNamespace) === true : exists(namespace) !== false;
  }
}
