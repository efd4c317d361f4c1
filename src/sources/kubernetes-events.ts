/** Warning events of Kubernetes: docs/sources/kubernetes-events.md. */
import { clusterNamespaces, eventsGroup, eventsVersion, kubernetesEvent } from './kubernetes-event.ts';
import { reasons } from './kubernetes-event-reasons.ts';
import type { Source } from './source.ts';

export const kubernetesEvents: Source = {
  name: 'kubernetes-events',
  title: 'Kubernetes Warning events',
  homepage: 'https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/',
  emits: ['kubernetes-events'],
  eventTypes: [{ eventType: 'cluster-warning', category: 'operations', nature: 'signal' }],
  severityWords: Object.fromEntries([...reasons].map(([reason, { severity }]) => [reason.toLowerCase(), severity])),
  // Kubelets name Pods; those of a StatefulSet or DaemonSet do not say whose they are.
  needsPods: true,
  intakes: [
    {
      via: 'resource',
      group: eventsGroup,
      versions: [eventsVersion],
      resource: 'events',
      kind: 'Event',
      namespaced: true,
      format: kubernetesEvent,
      fieldSelector: 'type=Warning',
      speaksForOthers: clusterNamespaces,
    },
  ],
  // Signals do not go by it: the server deletes Events after an hour, which says nothing.
  graceSeconds: 24 * 60 * 60,
  quietSeconds: 24 * 60 * 60,
};
