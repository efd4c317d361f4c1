/** Reports in a cluster, read once for `explain`: with plain requests, no watch. */
import type { ObjectReference } from '../api/event.ts';
import type { KubeClient } from '../kube/client.ts';
import { KubeError } from '../kube/kube-error.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { PagedList } from '../kube/paged-list.ts';
import type { Collection } from '../kube/paths.ts';
import { pathOf } from '../kube/paths.ts';
import { PodOwners } from '../kube/pods.ts';
import { groupOf } from '../lib/api-group.ts';
import { parseRecord } from '../lib/json.ts';
import { OwnerResolver, reportKeyHash } from '../pipeline/identity.ts';
import type { Judge } from '../pipeline/rules.ts';
import { resourceIntakes } from '../sources/intakes.ts';
import type { ReadContext, Reading, ResourceIntake, Source } from '../sources/source.ts';
import { MalformedReport } from '../sources/source.ts';
import { type Explained, explain } from './explained.ts';

/** A Pod can be owned by a Pod: so many times new ones are asked for. */
const podRounds = 4;

/** Reads single objects; remembers Pods. */
export class ClusterReader {
  readonly client: KubeClient;
  readonly #pods = new PodOwners();
  readonly #askedPods = new Set<string>();

  constructor(client: KubeClient) {
    this.client = client;
  }

  /** Undefined when there is no such object, or no such collection. Throws KubeError for the rest. */
  async get(collection: Collection, name: string): Promise<KubeObject | undefined> {
    const { resource } = collection;
    try {
      const { body } = await this.client.request({
        method: 'GET',
        path: pathOf(collection, { name }),
        verb: 'get',
        resource,
      });
      return parseRecord(body) as unknown as KubeObject | undefined;
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return undefined;
      throw error;
    }
  }

  async labelsOf(namespace: string): Promise<Readonly<Record<string, string>> | undefined> {
    const found = await this.get({ group: '', version: 'v1', resource: 'namespaces' }, namespace);
    return found && ((found.metadata['labels'] ?? {}) as Record<string, string>);
  }

  /** A resolver that knows the Pods which the readings name. */
  async ownersFor(readings: readonly Reading[]): Promise<OwnerResolver> {
    for (let round = 0; ; round += 1) {
      const owners = new OwnerResolver((namespace, name) => this.#pods.lookUp(namespace, name));
      for (const { findings, reportKey } of readings) {
        owners.members(reportKey);
        for (const { resource } of findings) owners.resolve(resource);
      }
      const unknown = [...owners.unknownPods].filter((pod) => !this.#askedPods.has(pod));
      if (unknown.length === 0 || round === podRounds) return owners;
      for (const pod of unknown) await this.#askForPod(pod);
    }
  }

  async #askForPod(pod: string): Promise<void> {
    this.#askedPods.add(pod);
    const [namespace = '', name = ''] = pod.split('/');
    const found = await this.get({ group: '', version: 'v1', resource: 'pods', namespace }, name);
    if (found !== undefined) this.#pods.add(found);
  }
}

/** An intake and the name of the source that reads it. */
type ReadIntake = ResourceIntake & { readonly source: string };

export interface ReportFinderOptions {
  readonly sources: readonly Source[];
  readonly judge: Judge;
  readonly now: Date;
  /** What the configuration says to the formats of a source. */
  contextOf(source: string): Omit<ReadContext, 'now' | 'carrier'>;
}

/** Finds the finding of an event in the reports of the cluster. */
export class ReportFinder {
  readonly #reader: ClusterReader;
  readonly #options: ReportFinderOptions;

  constructor(reader: ClusterReader, options: ReportFinderOptions) {
    this.#reader = reader;
    this.#options = options;
  }

  /** In the report that the event came from. */
  async inReport(
    origin: ObjectReference,
    event: string,
  ): Promise<{ readonly isThere: boolean; readonly finding?: Explained | undefined }> {
    const intake = this.#intakeOf(origin);
    const report = intake && (await this.#reader.get(collectionOf(intake, origin), origin.name ?? ''));
    if (intake === undefined || report === undefined) return { isThere: false };
    return { isThere: true, finding: await this.#find(intake, report, event) };
  }

  /** In another report of the same subject: after a rollout the event still names the one that it was made from. */
  async elsewhere(origin: ObjectReference, reportKey: string, event: string): Promise<Explained | undefined> {
    const intake = this.#intakeOf(origin);
    if (intake === undefined || reportKey === '') return undefined;
    const list = new PagedList({
      client: this.#reader.client,
      collection: collectionOf(intake, origin),
      shape: 'full',
    });
    for await (const { items } of list.pages(new AbortController().signal)) {
      for (const report of items) {
        const found = await this.#find(intake, report, event, reportKey);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  async #find(
    intake: ReadIntake,
    report: KubeObject,
    event: string,
    reportKey?: string,
  ): Promise<Explained | undefined> {
    const readings = this.#read(intake, report);
    const owners = await this.#reader.ownersFor(readings);
    for (const reading of readings) {
      if (reportKey !== undefined && reportKeyHash(reading.reportKey, owners) !== reportKey) continue;
      for (const finding of reading.findings) {
        const explained = explain(finding, reading.origin, owners, this.#options.judge);
        if (explained.event === event) return explained;
      }
    }
    return undefined;
  }

  #read({ kind, format, source }: ReadIntake, report: KubeObject): readonly Reading[] {
    const { contextOf, now } = this.#options;
    try {
      return format.read({ kind, ...report }, { ...contextOf(source), now });
    } catch (error) {
      if (error instanceof MalformedReport) return [];
      throw error;
    }
  }

  #intakeOf({ apiVersion = '', kind }: ObjectReference): ReadIntake | undefined {
    return this.#options.sources
      .flatMap((source) => resourceIntakes(source).map((intake) => ({ ...intake, source: source.name })))
      .find((intake) => intake.kind === kind && intake.group === groupOf(apiVersion));
  }
}

function collectionOf(intake: ResourceIntake, { apiVersion = '', namespace }: ObjectReference): Collection {
  const named = apiVersion.slice(apiVersion.indexOf('/') + 1);
  const version = intake.versions.includes(named) ? named : (intake.versions[0] ?? '');
  return { group: intake.group, version, resource: intake.resource, ...(namespace ? { namespace } : {}) };
}
