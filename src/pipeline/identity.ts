/**
 * What makes two findings the same one. The parts are chosen per source, beside its mapping; here they are resolved,
 * hashed over a JSON array of strings (never over joined text) and turned into a name.
 */
import { fingerprintCharactersInName } from '../api/words.ts';
import { groupOf } from '../lib/api-group.ts';
import { base32, digest, shortHash } from '../lib/hash.ts';
import type { Finding, IdentityPart, ResourceReference } from '../sources/source.ts';
import type { Collapsed, PodLookup } from './owner.ts';
import { collapseOwner, noPods } from './owner.ts';

/** Raised when the meaning of identities changes; every fingerprint changes with it. */
export const identityVersion = '1';

/** 17 bytes hold the 130 bits of the 26 characters in the name. */
const bytesInName = Math.ceil((fingerprintCharactersInName * 5) / 8);

/** What a finding is called. */
export class Identity {
  readonly #digest: string;
  /** metadata.name of the event: `<source>-<26 characters>`. */
  readonly name: string;

  /** `digest` is SHA-256 as latin1 text. */
  constructor(source: string, digest: string) {
    this.#digest = digest;
    this.name = `${source}-${base32(digest.slice(0, bytesInName)).slice(0, fingerprintCharactersInName)}`;
  }

  /** 52 characters of base32. Spelled out on demand: a rescan needs names only. */
  get fingerprint(): string {
    return base32(this.#digest);
  }
}

/**
 * Collapses references within one reading: the same reference occurs in each of its findings, so the last answer is kept.
 * `isProven` turns false when a Pod was needed that the list does not have.
 */
export class OwnerResolver {
  readonly #lookUpPod: PodLookup;
  #last: ResourceReference | undefined;
  #lastCollapsed: Collapsed | undefined;
  #lastText = '';
  /** Pods that had to be looked up and were not found, as namespace/name. */
  readonly unknownPods = new Set<string>();
  #hasLookedUp = false;

  constructor(lookUpPod: PodLookup) {
    this.#lookUpPod = (namespace, name) => {
      const owner = lookUpPod(namespace, name);
      if (typeof owner === 'object') this.#hasLookedUp = true;
      return owner;
    };
  }

  /** Whether any Pod's owner came from the Pod list rather than from the report. */
  get hasLookedUp(): boolean {
    return this.#hasLookedUp;
  }

  resolve(reference: ResourceReference): ResourceReference {
    if (reference !== this.#last || this.#lastCollapsed === undefined) {
      this.#last = reference;
      this.#lastText = '';
      this.#lastCollapsed = collapseOwner(reference, this.#lookUpPod);
      if (!this.#lastCollapsed.isProven) this.unknownPods.add(`${reference.namespace ?? ''}/${reference.name}`);
    }
    return this.#lastCollapsed.resource;
  }

  /**
   * The parts as the members of a JSON array, each with a comma before it. An owner stands as the JSON text of
   * group, Kind, namespace and name; the version of its API is not part of what it is.
   */
  members(parts: readonly IdentityPart[]): string {
    let text = '';
    for (const part of parts) text += `,${typeof part === 'string' ? quoted(part) : this.#member(part.ownerOf)}`;
    return text;
  }

  #member(reference: ResourceReference): string {
    const { apiVersion, kind, namespace, name } = this.resolve(reference);
    this.#lastText ||= quotedList(groupOrKnown(apiVersion, kind), kind, namespace ?? '', name);
    return this.#lastText;
  }
}

/** Anything but printable ASCII without quote and backslash, which JSON writes as it is: the usual text of names. */
const unusual = /[^ !#-[\]-~]/;

/** JSON.stringify of a text, at a part of its cost for the usual one: this runs for every part of every finding. */
function quoted(text: string): string {
  return unusual.test(text) ? JSON.stringify(text) : `"${text}"`;
}

/** The JSON text of a list of texts, as a JSON string. */
function quotedList(group: string, kind: string, namespace: string, name: string): string {
  if (![group, kind, namespace, name].some((text) => unusual.test(text))) {
    return `"[\\"${group}\\",\\"${kind}\\",\\"${namespace}\\",\\"${name}\\"]"`;
  }
  return JSON.stringify(JSON.stringify([group, kind, namespace, name]));
}

/**
 * The API group of a reference. Reports often leave apiVersion out, so the group of the well-known workload kinds is
 * filled in: the same Deployment named with and without apiVersion must be one.
 */
function groupOrKnown(apiVersion: string | undefined, kind: string): string {
  if (apiVersion === undefined || apiVersion === '') return wellKnownGroups.get(kind) ?? '';
  return groupOf(apiVersion);
}

const wellKnownGroups: ReadonlyMap<string, string> = new Map([
  ['Deployment', 'apps'],
  ['ReplicaSet', 'apps'],
  ['StatefulSet', 'apps'],
  ['DaemonSet', 'apps'],
  ['Job', 'batch'],
  ['CronJob', 'batch'],
  ['Role', 'rbac.authorization.k8s.io'],
  ['ClusterRole', 'rbac.authorization.k8s.io'],
  ['RoleBinding', 'rbac.authorization.k8s.io'],
  ['ClusterRoleBinding', 'rbac.authorization.k8s.io'],
  ['Ingress', 'networking.k8s.io'],
  ['NetworkPolicy', 'networking.k8s.io'],
]);

/** Name and fingerprint of a finding. */
export function identify(finding: Finding, owners: OwnerResolver): Identity {
  const head = `["${finding.source}","${identityVersion}","${finding.eventType}"`;
  return new Identity(finding.source, digest(`${head}${owners.members(finding.identity())}]`));
}

/** The hash that stands for a report key in the index and in the event's annotation: 13 characters. */
export function reportKeyHash(parts: readonly IdentityPart[], owners: OwnerResolver): string {
  return shortHash(`[${owners.members(parts).slice(1)}]`);
}

/** The same as it is while no Pod is known. */
export function rawReportKeyHash(parts: readonly IdentityPart[]): string {
  return reportKeyHash(parts, new OwnerResolver(noPods));
}
