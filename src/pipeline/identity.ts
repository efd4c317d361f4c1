/**
 * What makes two findings the same one. The parts are chosen per source, beside its mapping; here they are resolved,
 * hashed over a JSON array of strings (never over joined text) and turned into a name.
 */
import { fingerprintCharactersInName } from '../api/words.ts';
import { sha256Base32, shortHash } from '../lib/hash.ts';
import type { Finding, IdentityPart, ResourceReference } from '../sources/source.ts';
import type { Collapsed, PodLookup } from './owner.ts';
import { collapseOwner } from './owner.ts';

/** Raised when the meaning of identities changes; every fingerprint changes with it. */
export const identityVersion = '1';

export interface Identity {
  /** 52 characters of base32. */
  readonly fingerprint: string;
  /** metadata.name of the event: `<source>-<26 characters>`. */
  readonly name: string;
}

/**
 * Collapses references within one reading: the same reference occurs in each of its findings, so the last answer is kept.
 * `isProven` turns false when a Pod was needed that the list does not have.
 */
export class OwnerResolver {
  readonly #lookUpPod: PodLookup;
  #last: ResourceReference | undefined;
  #lastCollapsed: Collapsed | undefined;
  /** Pods that had to be looked up and were not found, as namespace/name. */
  readonly unknownPods = new Set<string>();

  constructor(lookUpPod: PodLookup) {
    this.#lookUpPod = lookUpPod;
  }

  resolve(reference: ResourceReference): ResourceReference {
    if (reference !== this.#last || this.#lastCollapsed === undefined) {
      this.#last = reference;
      this.#lastCollapsed = collapseOwner(reference, this.#lookUpPod);
      if (!this.#lastCollapsed.isProven) this.unknownPods.add(`${reference.namespace ?? ''}/${reference.name}`);
    }
    return this.#lastCollapsed.resource;
  }

  /** The parts as strings: an owner stands as group/Kind/namespace/name; the version of its API is not part of what it is. */
  strings(parts: readonly IdentityPart[]): string[] {
    return parts.map((part) => {
      if (typeof part === 'string') return part;
      const { apiVersion, kind, namespace, name } = this.resolve(part.ownerOf);
      return JSON.stringify([groupOf(apiVersion, kind), kind, namespace ?? '', name]);
    });
  }
}

/**
 * The API group of a reference. Reports often leave apiVersion out, so the group of the well-known workload kinds is
 * filled in: the same Deployment named with and without apiVersion must be one.
 */
function groupOf(apiVersion: string | undefined, kind: string): string {
  if (apiVersion === undefined || apiVersion === '') return wellKnownGroups[kind] ?? '';
  const slash = apiVersion.indexOf('/');
  return slash === -1 ? '' : apiVersion.slice(0, slash);
}

const wellKnownGroups: Readonly<Record<string, string>> = {
  Deployment: 'apps',
  ReplicaSet: 'apps',
  StatefulSet: 'apps',
  DaemonSet: 'apps',
  Job: 'batch',
  CronJob: 'batch',
  Role: 'rbac.authorization.k8s.io',
  ClusterRole: 'rbac.authorization.k8s.io',
  RoleBinding: 'rbac.authorization.k8s.io',
  ClusterRoleBinding: 'rbac.authorization.k8s.io',
  Ingress: 'networking.k8s.io',
  NetworkPolicy: 'networking.k8s.io',
};

/** Name and fingerprint of a finding. */
export function identify(finding: Finding, owners: OwnerResolver): Identity {
  const parts = owners.strings(finding.identity());
  const fingerprint = sha256Base32(JSON.stringify([finding.source, identityVersion, finding.eventType, ...parts]));
  return { fingerprint, name: `${finding.source}-${fingerprint.slice(0, fingerprintCharactersInName)}` };
}

/** The hash that stands for a report key in the index and in the event's annotation: 13 characters. */
export function reportKeyHash(parts: readonly IdentityPart[], owners: OwnerResolver): string {
  return shortHash(JSON.stringify(owners.strings(parts)));
}
