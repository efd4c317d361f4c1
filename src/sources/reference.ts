import { asText } from '../lib/fields.ts';
import type { ResourceReference } from './source.ts';

/** What a tool may leave out of a reference; absent and empty are the same. */
export interface NamedObject {
  readonly apiVersion?: string | undefined;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string | undefined;
}

/** The reference without the members that say nothing. */
export function referenceTo({ apiVersion, kind, name, namespace }: NamedObject): ResourceReference {
  return {
    ...(apiVersion ? { apiVersion } : {}),
    kind,
    name,
    ...(namespace ? { namespace } : {}),
  };
}

/** `apps/v1` of a group and a version that stand apart; the core group is an empty text. Undefined where one is missing. */
export function joinedApiVersion(group: unknown, version: unknown): string | undefined {
  const text = asText(version);
  if (typeof group !== 'string' || text === undefined) return undefined;
  return group === '' ? text : `${group}/${text}`;
}
