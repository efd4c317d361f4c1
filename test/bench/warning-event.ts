/** A Warning event of Kubernetes for benchmarks, as the server hands it out for a kubelet's: of some 1.3 KB, half managedFields. */
export function warningEvent(namespace: string, index: number) {
  const pod = `web-${index % 100}-7d9c8b6f5d-${'x2x4zq5s7v'.slice(index % 5, (index % 5) + 5)}`;
  const name = `${pod}.17f0c1a2b3c4${index.toString(16).padStart(4, '0')}`;
  const fields = [
    'count',
    'firstTimestamp',
    'involvedObject',
    'lastTimestamp',
    'message',
    'reason',
    'reportingComponent',
  ];
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: {
      name,
      namespace,
      uid: `0b4e1c52-0000-4000-8000-${index.toString(16).padStart(12, '0')}`,
      resourceVersion: String(100_000 + index),
      creationTimestamp: '2026-01-01T08:00:00Z',
      managedFields: [
        {
          manager: 'kubelet',
          operation: 'Update',
          apiVersion: 'v1',
          time: '2026-01-01T08:10:00Z',
          fieldsType: 'FieldsV1',
          fieldsV1: Object.fromEntries(fields.map((field) => [`f:${field}`, {}])),
        },
      ],
    },
    reason: index % 3 === 0 ? 'Unhealthy' : 'BackOff',
    regarding: {
      kind: 'Pod',
      namespace,
      name: pod,
      uid: `77ab0e10-0000-4000-8000-${index.toString(16).padStart(12, '0')}`,
      apiVersion: 'v1',
      resourceVersion: '21294',
      fieldPath: 'spec.containers{web}',
    },
    note: `Back-off restarting failed container web in pod ${pod}_${namespace}(77ab0e10-0000-4000-8000-000000000000)`,
    type: 'Warning',
    deprecatedSource: { component: 'kubelet', host: 'node-a' },
    deprecatedFirstTimestamp: '2026-01-01T08:00:00Z',
    deprecatedLastTimestamp: '2026-01-01T08:10:00Z',
    deprecatedCount: 1 + (index % 90),
    eventTime: null,
    reportingController: 'kubelet',
    reportingInstance: 'node-a',
  };
}
