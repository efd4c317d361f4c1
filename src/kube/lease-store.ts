/**
 * Leases on the server (coordination.k8s.io/v1). A Role can only name the Leases that a PUT makes: a POST cannot be
 * restricted by name. So a Lease that is not there is made by a PUT, which needs the verbs create and update.
 */
import type { Fields } from '../lib/fields.ts';
import { asFields, asNumber, asText, at } from '../lib/fields.ts';
import { parseRecord } from '../lib/json.ts';
import type { KubeClient } from './client.ts';
import { KubeError } from './kube-error.ts';
import type { Collection } from './paths.ts';
import { pathOf } from './paths.ts';

/** What a Lease says. Times are those of its holder's wall clock, for people: nothing is decided by them. */
export interface LeaseRecord {
  /** '' when nobody holds it. */
  readonly holderIdentity: string;
  /** Seconds for which it must not be taken after it was last seen to change; 0 when it does not say. */
  readonly leaseDurationSeconds: number;
  readonly acquireTime: string;
  readonly renewTime: string;
  /** How often its holder changed. */
  readonly leaseTransitions: number;
  /** What its holder says besides, by the last part of the annotations' names. */
  readonly notes?: Readonly<Record<string, string>>;
}

/** A Lease as the server has it. */
export interface StoredLease {
  readonly record: LeaseRecord;
  /** The whole object: what others noted on it stays, and the version that a change is decided on. */
  readonly object: Readonly<Record<string, unknown>>;
}

/** Reads and writes the Leases of one namespace. Both throw KubeError. */
export interface LeaseStore {
  /** Undefined: there is none. */
  read(name: string): Promise<StoredLease | undefined>;
  /**
   * Puts a record in place of what was read, or makes the Lease where there was none. Fails with 409 when the
   * Lease is not what it was any more.
   */
  write(name: string, record: LeaseRecord, current: StoredLease | undefined): Promise<StoredLease>;
}

const group = 'coordination.k8s.io';
const resource = 'leases';
const notePrefix = 'zen.kube-zen.io/';

/** The Leases of a namespace. */
export function leasesIn(namespace: string): Collection {
  return { group, version: 'v1', resource, namespace };
}

export class KubeLeaseStore implements LeaseStore {
  readonly #client: KubeClient;
  readonly #namespace: string;

  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  async read(name: string): Promise<StoredLease | undefined> {
    const path = pathOf(leasesIn(this.#namespace), { name });
    try {
      return asLease((await this.#client.request({ method: 'GET', path, verb: 'get', resource })).body);
    } catch (error) {
      if (error instanceof KubeError && error.status === 404 && error.target?.name === name) return undefined;
      throw error;
    }
  }

  async write(name: string, record: LeaseRecord, current: StoredLease | undefined): Promise<StoredLease> {
    const object = current?.object ?? { metadata: { name, namespace: this.#namespace } };
    const { notes, ...said } = record;
    const spec = { ...asFields(object['spec']), ...said };
    const metadata = notes === undefined ? object['metadata'] : annotated(asFields(object['metadata']), notes);
    const body = JSON.stringify({ ...object, apiVersion: `${group}/v1`, kind: 'Lease', metadata, spec });
    const path = pathOf(leasesIn(this.#namespace), { name });
    try {
      return asLease((await this.#client.request({ method: 'PUT', path, verb: 'update', resource, body })).body);
    } catch (error) {
      // Seen: to the second of two who make it at the same time the server says that a change must name a version.
      if (current !== undefined || !(error instanceof KubeError) || error.status !== 422) throw error;
      throw new KubeError({ status: 409, reason: 'Conflict', message: error.message, cause: error });
    }
  }
}

function annotated(metadata: Fields | undefined, notes: Readonly<Record<string, string>>): Fields {
  const ours = Object.entries(notes).map(([name, text]) => [`${notePrefix}${name}`, text]);
  return { ...metadata, annotations: { ...asFields(metadata?.['annotations']), ...Object.fromEntries(ours) } };
}

function notesOf(annotations: Fields = {}): Pick<LeaseRecord, 'notes'> {
  const ours = Object.entries(annotations).filter(([name]) => name.startsWith(notePrefix));
  if (ours.length === 0) return {};
  return { notes: Object.fromEntries(ours.map(([name, text]) => [name.slice(notePrefix.length), asText(text) ?? ''])) };
}

function asLease(body: Buffer): StoredLease {
  const object = parseRecord(body);
  if (object === undefined || asText(at(object, 'metadata', 'resourceVersion')) === undefined) {
    throw new KubeError({ status: 0, reason: 'Malformed', message: 'the answer is no Lease' });
  }
  const spec = object['spec'];
  return {
    object,
    record: {
      holderIdentity: asText(at(spec, 'holderIdentity')) ?? '',
      leaseDurationSeconds: asNumber(at(spec, 'leaseDurationSeconds')) ?? 0,
      acquireTime: asText(at(spec, 'acquireTime')) ?? '',
      renewTime: asText(at(spec, 'renewTime')) ?? '',
      leaseTransitions: asNumber(at(spec, 'leaseTransitions')) ?? 0,
      ...notesOf(asFields(at(object, 'metadata', 'annotations'))),
    },
  };
}
