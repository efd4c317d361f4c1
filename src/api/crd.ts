/** The CustomResourceDefinition, built from schema.ts. crds/ holds it as YAML; `npm run generate` writes that file. */
import { group, kind, listKind, plural, version } from './event.ts';
import { eventSchema } from './schema.ts';

/** Columns of `kubectl get`: priority 0 always, priority 1 with -o wide. A column prints one simple JSON path. */
const columns = [
  { name: 'Severity', jsonPath: '.spec.severity', type: 'string' },
  { name: 'Source', jsonPath: '.spec.source', type: 'string' },
  { name: 'Subject', jsonPath: '.spec.subject', type: 'string' },
  { name: 'Summary', jsonPath: '.spec.summary', type: 'string' },
  { name: 'Phase', jsonPath: '.status.phase', type: 'string' },
  { name: 'Age', jsonPath: '.metadata.creationTimestamp', type: 'date' },
  { name: 'Type', jsonPath: '.spec.eventType', type: 'string', priority: 1 },
  { name: 'Namespace', jsonPath: '.spec.resource.namespace', type: 'string', priority: 1 },
  { name: 'Count', jsonPath: '.status.count', type: 'integer', priority: 1 },
  { name: 'Last seen', jsonPath: '.status.lastSeen', type: 'date', priority: 1 },
  { name: 'Title', jsonPath: '.spec.title', type: 'string', priority: 1 },
  { name: 'Cluster', jsonPath: '.spec.cluster', type: 'string', priority: 1 },
] as const;

/** The CRD as a plain object, ready for YAML or for the API server. */
export function customResourceDefinition() {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: {
        kind,
        listKind,
        plural,
        singular: 'zenagentevent',
        shortNames: ['zenevents', 'zenevent', 'zae', 'zaevent', 'zaevents'],
        categories: ['security'],
      },
      scope: 'Namespaced',
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: eventSchema },
          subresources: { status: {} },
          additionalPrinterColumns: columns,
          selectableFields: [
            { jsonPath: '.spec.severity' },
            { jsonPath: '.spec.source' },
            { jsonPath: '.spec.eventType' },
            { jsonPath: '.status.phase' },
          ],
        },
      ],
    },
  } as const;
}
