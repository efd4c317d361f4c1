/** `status.conditions` of an object, as Kubernetes' own conventions have them. */
import type { Fields } from '../lib/fields.ts';
import { asFields, asNumber, asText } from '../lib/fields.ts';
import type { CarriedReading } from './carried-report.ts';

/** One condition. The status is True, False, Unknown or something else. */
export interface Condition {
  readonly status: string;
  readonly reason: string | undefined;
  readonly message: string | undefined;
  /** RFC 3339, or null in old objects. */
  readonly lastTransitionTime: unknown;
  readonly observedGeneration: number | undefined;
}

/** The conditions by their types; of a type that is there twice the first. What cannot be read is refused. */
export function conditionsOf(status: Fields | undefined, reading: CarriedReading): ReadonlyMap<string, Condition> {
  const conditions = new Map<string, Condition>();
  for (const { fields, place } of reading.entries(status?.['conditions'], '.status.conditions')) {
    const type = asText(fields['type']);
    const word = asText(fields['status']);
    if (type === undefined) reading.refuse('missing-field', `${place}.type`, 'expected the type of the condition');
    else if (word === undefined) reading.refuse('missing-field', `${place}.status`, 'expected True, False or Unknown');
    else if (!conditions.has(type)) {
      conditions.set(type, {
        status: word,
        reason: asText(fields['reason']),
        message: asText(fields['message']),
        lastTransitionTime: fields['lastTransitionTime'],
        observedGeneration: asNumber(fields['observedGeneration']),
      });
    }
  }
  return conditions;
}

/** The member `status`; undefined where there is none yet. Something else than an object is refused. */
export function statusOf(status: unknown, reading: CarriedReading): Fields | undefined {
  const fields = asFields(status);
  if (fields === undefined && status !== undefined && status !== null) {
    reading.refuse('malformed', '.status', 'expected an object');
  }
  return fields;
}
