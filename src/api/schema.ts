/**
 * The one source of truth for a ZenAgentEvent's shape: the OpenAPI v3 schema of the CRD.
 *
 * The TypeScript types (event.ts) are inferred from it, crds/ is generated from it (`npm run generate`), and the event
 * builder takes its length limits from it, so the three cannot drift apart.
 *
 * Every string, array and map is bounded: the API server estimates the cost of CEL rules from these bounds.
 */
import {
  categories,
  eventTypePattern,
  fingerprintCharactersInName,
  phases,
  resolveReasons,
  severities,
  sourceNamePattern,
} from './words.ts';

const name253 = { type: 'string', maxLength: 253 } as const;

/** Quantities that more than one place needs. */
export const limits = {
  /** Bytes of one whole event as JSON, without the server's own metadata. */
  eventBytes: 16 * 1024,
  /** Bytes of `spec.details` as JSON. */
  detailsBytes: 6 * 1024,
  summaryCharacters: 48,
  subjectCharacters: 63,
} as const;

/** apiVersion, kind and name as the tool wrote them; `namespace` is absent for what is cluster-scoped. */
const objectReference = {
  type: 'object',
  'x-kubernetes-map-type': 'atomic',
  properties: {
    apiVersion: { type: 'string', maxLength: 317 },
    kind: { type: 'string', maxLength: 63 },
    name: name253,
    namespace: { type: 'string', maxLength: 63 },
  },
} as const;

export const specSchema = {
  type: 'object',
  description: 'What was found. Written by zen-watcher only.',
  required: ['source', 'category', 'severity', 'eventType'],
  properties: {
    source: {
      type: 'string',
      maxLength: 32,
      pattern: sourceNamePattern,
      description: 'The tool that found it: trivy, kyverno, falco, audit, ...',
    },
    category: { type: 'string', maxLength: 32, enum: categories, description: 'The kind of concern.' },
    severity: {
      type: 'string',
      maxLength: 16,
      enum: severities,
      description: 'How bad it is, in one scale for all tools; unknown where the tool does not say.',
    },
    eventType: {
      type: 'string',
      maxLength: 63,
      pattern: eventTypePattern,
      description: 'vulnerability, policy-violation, runtime-threat, ...',
    },
    title: { type: 'string', maxLength: 256, description: 'One sentence for people.' },
    summary: {
      type: 'string',
      maxLength: limits.summaryCharacters,
      description: 'The title cut for the table of kubectl get.',
    },
    subject: {
      type: 'string',
      maxLength: limits.subjectCharacters,
      description: 'Kind/name of the resource, for the table of kubectl get.',
    },
    resource: {
      ...objectReference,
      description: 'What the finding is about: the workload rather than one of its Pods.',
    },
    origin: {
      ...objectReference,
      description:
        'The report that the finding came from. It carries no uid: tools delete and re-create their reports.',
    },
    details: {
      type: 'object',
      'x-kubernetes-map-type': 'atomic',
      'x-kubernetes-preserve-unknown-fields': true,
      // As many as detailsBytes can hold. It is not ratcheted (the server never finds equal what has undescribed fields):
      // an event of an older version with more takes no update any more, so this must not be close.
      maxProperties: 1024,
      description:
        'Chosen fields of the source, never a raw payload. observedOn holds what changes without the finding changing.',
    },
    detectedAt: {
      type: 'string',
      format: 'date-time',
      maxLength: 40,
      description: 'When zen-watcher first saw it.',
    },
    fingerprint: {
      type: 'string',
      minLength: 52,
      maxLength: 52,
      pattern: '^[a-z2-7]{52}$',
      description: 'Lower-case base32 of SHA-256 over the identity of the finding. Absent on events of older versions.',
    },
    sourceSeverity: { type: 'string', maxLength: 64, description: "The tool's own word." },
    score: {
      type: 'number',
      minimum: 0,
      maximum: 100,
      description: "The tool's number, such as CVSS, in its own scale.",
    },
    remediation: { type: 'string', maxLength: 1024, description: 'What to do about it, as the tool says.' },
    references: {
      type: 'array',
      maxItems: 8,
      'x-kubernetes-list-type': 'atomic',
      description: 'Addresses to read more at.',
      items: { type: 'string', maxLength: 512 },
    },
    cluster: { type: 'string', maxLength: 128, description: 'Name of the cluster, from the configuration.' },
  },
  'x-kubernetes-validations': [
    { rule: 'self.source == oldSelf.source', message: 'source is immutable', fieldPath: '.source' },
    {
      rule: 'has(self.fingerprint) == has(oldSelf.fingerprint) && (!has(self.fingerprint) || self.fingerprint == oldSelf.fingerprint)',
      message: 'fingerprint is immutable',
    },
  ],
} as const;

export const statusSchema = {
  type: 'object',
  // The server drops status on create. These defaults (on the object and on its properties) fill it in, so that a new
  // finding costs one write; with a default on the object alone a consumer's PUT of `synced` would erase phase.
  default: {},
  description: 'How it stands. phase, reason, count and times are written by zen-watcher, synced* by consumers.',
  properties: {
    phase: {
      type: 'string',
      maxLength: 16,
      enum: phases,
      default: 'Active',
      description: 'Active until there is evidence that it is over.',
    },
    reason: { type: 'string', maxLength: 32, enum: resolveReasons, description: 'Why it is Resolved.' },
    count: {
      type: 'integer',
      format: 'int64',
      minimum: 0,
      default: 1,
      description: 'How often it was seen: occurrences of a signal, events in a summary.',
    },
    firstSeen: { type: 'string', format: 'date-time', maxLength: 40, description: 'Absent: spec.detectedAt.' },
    lastSeen: { type: 'string', format: 'date-time', maxLength: 40, description: 'Absent: spec.detectedAt.' },
    resolvedAt: { type: 'string', format: 'date-time', maxLength: 40, description: 'When it became Resolved.' },
    conditions: {
      type: 'array',
      maxItems: 8,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
      description: 'Fresh is False while nobody reports about it any more.',
      items: {
        type: 'object',
        required: ['type', 'status', 'lastTransitionTime', 'reason'],
        properties: {
          type: { type: 'string', maxLength: 64 },
          status: { type: 'string', maxLength: 16, enum: ['True', 'False', 'Unknown'] },
          reason: { type: 'string', maxLength: 128 },
          message: { type: 'string', maxLength: 512 },
          lastTransitionTime: { type: 'string', format: 'date-time', maxLength: 40 },
          observedGeneration: { type: 'integer', format: 'int64' },
        },
      },
    },
    synced: { type: 'boolean', description: 'Belongs to consumers; never written by zen-watcher.' },
    lastSyncAttempt: { type: 'string', format: 'date-time', maxLength: 40, description: 'Belongs to consumers.' },
    // Not ours to cut: long enough for an error page, since a refused update would stop the consumer.
    syncError: { type: 'string', maxLength: 4096, description: 'Belongs to consumers.' },
    saasEventId: { type: 'string', maxLength: 253, description: 'Belongs to consumers.' },
  },
} as const;

export const eventSchema = {
  type: 'object',
  description: 'One normalized finding of a security tool.',
  required: ['spec'],
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object' },
    spec: specSchema,
    status: statusSchema,
  },
  'x-kubernetes-validations': [
    {
      rule: `!has(self.spec.fingerprint) || self.metadata.name == self.spec.source + '-' + self.spec.fingerprint.substring(0, ${fingerprintCharactersInName})`,
      message: `metadata.name must be <source>-<first ${fingerprintCharactersInName} characters of fingerprint>`,
    },
  ],
} as const;
