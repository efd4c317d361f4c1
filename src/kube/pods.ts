/** The Pod list, as far as owners go: metadata only, and of that one line per Pod. */
import { LRUCache } from 'lru-cache';
import type { KubeObject } from './kube-object.ts';
import { splitKey } from './kube-object.ts';

/** What a Pod says of its controller. */
export interface PodOwner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** The pod-template-hash label: proof of the Deployment behind a ReplicaSet. */
  readonly podTemplateHash?: string;
}

/** Departed Pods remembered: reports about a Pod can arrive after it is gone. */
const departedPods = 10_000;

interface OwnerReference {
  readonly apiVersion?: unknown;
  readonly kind?: unknown;
  readonly name?: unknown;
  readonly controller?: unknown;
}

export class PodOwners {
  readonly #owners = new Map<string, PodOwner | 'none'>();
  readonly #departed = new LRUCache<string, PodOwner | 'none'>({ max: departedPods });
  /** One object per owner, shared by its Pods. */
  readonly #shared = new LRUCache<string, PodOwner>({ max: departedPods });

  #isListed = false;

  /** Every Pod was told: what is not known does not run. */
  listed(): void {
    this.#isListed = true;
  }

  get isListed(): boolean {
    return this.#isListed;
  }

  /** The namespace, name and controller of every Pod. */
  *all(): Generator<{ readonly namespace: string; readonly name: string; readonly owner: PodOwner | 'none' }> {
    for (const [key, owner] of this.#owners) {
      yield { ...splitKey(key), owner };
    }
  }

  /** How many Pods are known to run. */
  get size(): number {
    return this.#owners.size;
  }

  /** Takes in a Pod's metadata. True when it was not known before. */
  add(pod: KubeObject): boolean {
    const key = `${pod.metadata.namespace ?? ''}/${pod.metadata.name}`;
    const isNew = !this.#owners.has(key);
    this.#owners.set(key, this.#ownerOf(pod));
    return isNew;
  }

  remove(namespace: string, name: string): void {
    const key = `${namespace}/${name}`;
    const owner = this.#owners.get(key);
    this.#owners.delete(key);
    if (owner !== undefined) this.#departed.set(key, owner);
  }

  /** Other replicas know it from now on. */
  forget(namespace: string, name: string): void {
    this.#owners.delete(`${namespace}/${name}`);
  }

  /** The Pod's controller, by its owner reference and pod-template-hash label. */
  lookUp(namespace: string, name: string): PodOwner | 'none' | 'unknown' {
    const key = `${namespace}/${name}`;
    return this.#owners.get(key) ?? this.#departed.get(key) ?? 'unknown';
  }

  #ownerOf(pod: KubeObject): PodOwner | 'none' {
    const references = pod.metadata['ownerReferences'];
    const controller = Array.isArray(references)
      ? (references as OwnerReference[]).find((reference) => reference?.controller === true)
      : undefined;
    if (typeof controller?.kind !== 'string' || typeof controller.name !== 'string') return 'none';
    const labels = pod.metadata['labels'] as Readonly<Record<string, unknown>> | undefined;
    const hash = labels?.['pod-template-hash'];
    const owner: PodOwner = {
      apiVersion: typeof controller.apiVersion === 'string' ? controller.apiVersion : '',
      kind: controller.kind,
      name: controller.name,
      ...(typeof hash === 'string' ? { podTemplateHash: hash } : {}),
    };
    const key = JSON.stringify(owner);
    const shared = this.#shared.get(key);
    if (shared !== undefined) return shared;
    this.#shared.set(key, owner);
    return owner;
  }
}
