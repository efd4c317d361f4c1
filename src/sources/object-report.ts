/** What all objects of the tools' own APIs have in common: names, labels, who reports. */
import type { Fields } from '../lib/fields.ts';
import { asFields, asNumber, at, textAt } from '../lib/fields.ts';
import type { Origin, RawDocument } from './source.ts';
import { MalformedReport } from './source.ts';

/** The parts of an object that say which one it is. */
export interface ObjectReport {
  /** The object itself, as what its events came from. */
  readonly origin: Origin;
  readonly labels: Fields;
  readonly annotations: Fields;
  /** metadata.generation; undefined where it is not there. */
  readonly generation: number | undefined;
}

/** True for an object of the API group, of any version, and of one of these kinds; of any kind where none is given. */
export function isObjectOf(document: RawDocument, group: string, kinds?: readonly string[]): boolean {
  const { apiVersion, kind } = document;
  if (typeof apiVersion !== 'string' || !apiVersion.startsWith(`${group}/`)) return false;
  return typeof kind === 'string' && kind !== '' && (kinds === undefined || kinds.includes(kind));
}

/** Opens an object. Throws MalformedReport when it has no name. */
export function openObject(document: RawDocument): ObjectReport {
  const metadata = at(document, 'metadata');
  const name = textAt(metadata, 'name');
  if (name === undefined) {
    throw new MalformedReport({ reason: 'missing-field', place: '.metadata.name', message: 'expected a name' });
  }
  const namespace = textAt(metadata, 'namespace');
  return {
    origin: {
      apiVersion: textAt(document, 'apiVersion') ?? '',
      kind: textAt(document, 'kind') ?? '',
      name,
      ...(namespace === undefined ? {} : { namespace }),
    },
    labels: asFields(at(metadata, 'labels')) ?? {},
    annotations: asFields(at(metadata, 'annotations')) ?? {},
    generation: asNumber(at(metadata, 'generation')),
  };
}
