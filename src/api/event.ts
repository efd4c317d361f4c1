/** TypeScript types of a ZenAgentEvent, inferred from the schema. This folder imports nothing outside itself. */
import type { eventSchema, specSchema, statusSchema } from './schema.ts';

export const group = 'zen.kube-zen.io';
export const version = 'v1';
export const apiVersion = 'zen.kube-zen.io/v1';
export const kind = 'ZenAgentEvent';
export const listKind = 'ZenAgentEventList';
export const plural = 'zenagentevents';

/** Maps the subset of OpenAPI v3 that schema.ts uses to TypeScript types. */
type FromSchema<S> = S extends { enum: readonly (infer Word)[] }
  ? Word
  : S extends { type: 'string' }
    ? string
    : S extends { type: 'number' | 'integer' }
      ? number
      : S extends { type: 'boolean' }
        ? boolean
        : S extends { type: 'array'; items: infer Items }
          ? FromSchema<Items>[]
          : S extends { type: 'object'; properties: infer Properties }
            ? FromProperties<Properties, S extends { required: readonly (infer Key)[] } ? Key : never>
            : S extends { type: 'object' }
              ? Record<string, unknown>
              : never;

type FromProperties<P, Required> = {
  -readonly [K in keyof P as K extends Required ? K : never]: FromSchema<P[K]>;
} & {
  -readonly [K in keyof P as K extends Required ? never : K]?: FromSchema<P[K]>;
};

/** `spec`: what was found. */
export type EventSpec = FromSchema<typeof specSchema>;
/** `status`: how it stands. */
export type EventStatus = FromSchema<typeof statusSchema>;
/** A Kubernetes object by its names, as `resource` and `origin` hold it. */
export type ObjectReference = NonNullable<EventSpec['resource']>;
/** The free-form fields of one source. */
export type EventDetails = NonNullable<EventSpec['details']>;

/** What of the server's metadata zen-watcher reads or writes. */
export interface EventMetadata {
  name: string;
  namespace: string;
  labels: Record<string, string>;
  annotations?: Record<string, string>;
}

/** One event as zen-watcher writes it. */
export interface ZenAgentEvent {
  apiVersion: typeof apiVersion;
  kind: typeof kind;
  metadata: EventMetadata;
  spec: EventSpec;
  status?: EventStatus;
}

/** The type of the schema's root, for the check that the interface above has the same parts. */
export type EventSchemaRoot = FromSchema<typeof eventSchema>;

export const labelPrefix = 'zen.kube-zen.io/';
/** Annotation with the hash of the report key that the finding belongs to: what a newer report of that key no longer holds is fixed. */
export const reportAnnotation = 'zen.kube-zen.io/report';
/** Annotations by which people mute one event: until when (RFC 3339 or a date), and why. */
export const mutedUntilAnnotation = 'zen.kube-zen.io/muted-until';
export const mutedReasonAnnotation = 'zen.kube-zen.io/muted-reason';
/** Annotation of an event that was moved: namespace and uid of the one that it was made from. */
export const movedFromAnnotation = 'zen.kube-zen.io/moved-from';
/** The field manager of every write of ours: what another manager owns in spec was changed by somebody else. */
export const fieldManager = 'zen-watcher';
/** The condition that is False while nobody reports about the finding any more. */
export const freshCondition = 'Fresh';
