/** The Namespace list, metadata only: which there are, which are being deleted, and their labels. */
import type { KubeObject } from './kube-object.ts';

interface Known {
  readonly labels: Readonly<Record<string, string>>;
  readonly isTerminating: boolean;
}

const noLabels: Readonly<Record<string, string>> = {};

export class Namespaces {
  readonly #known = new Map<string, Known>();
  #isListed = false;

  /** Takes in a Namespace's metadata. Returns the keys of the labels that are others than before. */
  add({ metadata }: KubeObject): readonly string[] {
    const labels =
      typeof metadata['labels'] === 'object' && metadata['labels'] !== null
        ? (metadata['labels'] as Record<string, string>)
        : noLabels;
    const before = this.#known.get(metadata.name)?.labels ?? noLabels;
    this.#known.set(metadata.name, { labels, isTerminating: metadata['deletionTimestamp'] !== undefined });
    const keys = new Set([...Object.keys(before), ...Object.keys(labels)]);
    return [...keys].filter((key) => before[key] !== labels[key]);
  }

  remove(name: string): void {
    this.#known.delete(name);
  }

  /** Every namespace was told: what is not known is not there. */
  listed(): void {
    this.#isListed = true;
  }

  /** Whether it is there and not about to go; undefined while the list is not complete. */
  exists(name: string): boolean | undefined {
    const known = this.#known.get(name);
    if (known !== undefined) return !known.isTerminating;
    return this.#isListed ? false : undefined;
  }

  /** True once it is known that there is no such namespace. One that is being deleted is still there. */
  isGone(name: string): boolean {
    return this.#isListed && !this.#known.has(name);
  }

  isTerminating(name: string): boolean {
    return this.#known.get(name)?.isTerminating ?? false;
  }

  /** Its labels; undefined while it is not known. */
  labelsOf(name: string): Readonly<Record<string, string>> | undefined {
    return this.#known.get(name)?.labels;
  }
}
