/** The informers beside those of reports: our own events, and what the cluster says of Pods and Namespaces. */
import { group as eventGroup, plural as eventPlural, version as eventVersion } from './api/event.ts';
import type { StoredEvent } from './api/stored-event.ts';
import type { InformerOptions } from './kube/informer.ts';
import { Informer } from './kube/informer.ts';
import type { Namespaces } from './kube/namespaces.ts';
import type { ObjectHead } from './kube/object-head.ts';
import type { PodOwners } from './kube/pods.ts';
import type { ReflectorHandler } from './kube/reflector.ts';
import { shardOfBytes } from './pipeline/event-head.ts';
import type { OwnEvents } from './pipeline/own-events.ts';
import type { Reconciler } from './pipeline/reconciler.ts';
import type { Shards } from './pipeline/shards.ts';
import type { Reporter } from './telemetry/reporter.ts';

export interface CoreInformersParts {
  readonly informing: Pick<InformerOptions, 'client' | 'clock' | 'random' | 'timing'>;
  /** Of our events; undefined where they can be in any. */
  readonly namespace: string | undefined;
  readonly own: OwnEvents;
  readonly shards: Shards;
  /** Whether Pods of all namespaces must be known, also of those whose shards are not read: what is sent may be of any. */
  readonly needsAllPods: boolean;
  readonly pods: PodOwners;
  readonly namespaces: Namespaces;
  readonly reconciler: Reconciler;
  readonly reporter: Reporter;
  /** A namespace was deleted: what was found in it is over. */
  namespaceGone(): void;
  /** Labels of a namespace are others than before: their keys. */
  labelsChanged(keys: readonly string[]): void;
  /** A namespace is there, or about to go: events may belong elsewhere now. */
  namespaceChanged(): void;
}

/** What every informer tells in the same way; they are small, so their listings wait for nothing. */
function telling(resource: string, reporter: Reporter): Omit<ReflectorHandler, 'object' | 'gone'> {
  return {
    listingBegan: () => {},
    listingComplete: () => {},
    stateChanged: (state) => reporter.informerChanged(resource, state),
    malformed: (message) => reporter.malformedLine(resource, message),
    corrected: (cause, keys) => reporter.relistCorrected(resource, cause, keys),
    room: () => Promise.resolve(),
  };
}

/** Our own events: the other half of every comparison. */
export function eventInformer(parts: CoreInformersParts): Informer {
  const { informing, namespace, own, reconciler, reporter, shards } = parts;
  const resource = `${eventPlural}.${eventGroup}`;
  const informer = new Informer(
    {
      ...informing,
      group: eventGroup,
      resource: eventPlural,
      versions: [eventVersion],
      namespaced: true,
      namespace,
      shape: 'full',
    },
    {
      ...telling(resource, reporter),
      listingBegan: () => own.listingBegan(),
      object(object) {
        const observation = own.observe(object as unknown as StoredEvent);
        if (observation !== undefined) reconciler.eventObserved(observation);
      },
      isKnown: ({ namespace: eventNamespace, name, resourceVersion }) =>
        own.isKnown(eventNamespace, name, resourceVersion),
      shown: ({ name, resourceVersion }) => own.shown(name, resourceVersion),
      isWanted: shards.count === 1 ? undefined : (head, bytes, start) => isOurs(head, bytes, start, parts),
      gone(eventNamespace, name) {
        const row = own.gone(eventNamespace, name);
        if (row !== 0) reconciler.eventGone(row);
      },
      listingComplete(resourceVersion) {
        for (const row of own.listingComplete(resourceVersion)) reconciler.eventGone(row);
      },
    },
  );
  reporter.watch(resource, informer);
  return informer;
}

/** An event of a shard that we read, or one that we wrote of another for what we were sent. */
function isOurs({ name }: ObjectHead, bytes: Buffer, start: number, { own, shards }: CoreInformersParts): boolean {
  if (!shards.isPartial || own.isHeard(name)) return true;
  const shard = shardOfBytes(bytes, start, shards);
  return shard === undefined || shards.reads(shard);
}

/** Pods, for their owners: metadata only. Of all namespaces, or of the named ones by an informer each. */
export function podInformers(parts: CoreInformersParts, watched: readonly string[] | undefined): readonly Informer[] {
  const informers: readonly Informer[] = (watched ?? [undefined]).map((namespace) =>
    podInformer(parts, namespace, () => {
      if (informers.every(({ isSynced }) => isSynced)) parts.pods.listed();
    }),
  );
  return informers;
}

function podInformer(
  { informing, pods, reporter, reconciler, shards, needsAllPods }: CoreInformersParts,
  namespace: string | undefined,
  listed: () => void,
): Informer {
  const resource = namespace === undefined ? 'pods' : `pods in ${namespace}`;
  const informer = new Informer(
    { ...informing, group: '', resource: 'pods', versions: ['v1'], namespaced: true, namespace, shape: 'metadata' },
    {
      ...telling(resource, reporter),
      object(pod) {
        if (pods.add(pod)) reconciler.podAppeared(pod.metadata.namespace ?? '', pod.metadata.name);
      },
      gone: (podNamespace, name) => pods.remove(podNamespace, name),
      listingComplete: listed,
      isWanted: shards.count === 1 || needsAllPods ? undefined : (head) => shards.readsNamespace(head.namespace),
    },
  );
  reporter.watch(resource, informer);
  return informer;
}

/** Namespaces, for what goes with them: metadata only. */
export function namespaceInformer(parts: CoreInformersParts): Informer {
  const { informing, namespaces, namespaceGone, namespaceChanged, labelsChanged, reporter } = parts;
  const informer = new Informer(
    { ...informing, group: '', resource: 'namespaces', versions: ['v1'], namespaced: false, shape: 'metadata' },
    {
      ...telling('namespaces', reporter),
      object(object) {
        const before = namespaces.exists(object.metadata.name);
        labelsChanged(namespaces.add(object));
        if (before !== namespaces.exists(object.metadata.name)) namespaceChanged();
      },
      gone(_namespace, name) {
        namespaces.remove(name);
        namespaceGone();
      },
      listingComplete: () => namespaces.listed(),
    },
  );
  reporter.watch('namespaces', informer);
  return informer;
}
