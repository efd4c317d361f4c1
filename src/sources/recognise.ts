/** Finds the reports in a parsed file, whatever they are wrapped in, and the format of each by its content. */
import { asFields, asList } from '../lib/fields.ts';
import { formatsOf } from './intakes.ts';
import { sources } from './registry.ts';
import type { Format, RawDocument, Source } from './source.ts';

/** One report of a document. */
export interface Part {
  /** Where in the document, as a JSON path; '' for the document itself. */
  readonly place: string;
  /** Undefined when there is something that is no object. */
  readonly document: RawDocument | undefined;
}

/** Lists in lists: deeper ones are not looked into. */
const maximumDepth = 4;

/** The format that the document is of. `among`: all sources that there are, where the configuration adds some. */
export function recognise(document: RawDocument, among: readonly Source[] = sources): Format | undefined {
  return among.flatMap(formatsOf).find((format) => format.recognise(document));
}

/** Takes lists apart: plain ones, and Kubernetes lists (`List`, `PolicyReportList`) with `items`. */
export function* expand(document: unknown, place = '', depth = 0): Generator<Part> {
  const fields = asFields(document);
  const items = asList(document) ?? (isKubernetesList(fields) ? asList(fields['items']) : undefined);
  if (items === undefined || depth >= maximumDepth) {
    yield { place, document: fields };
    return;
  }
  const path = fields === undefined ? place : `${place}.items`;
  for (const [index, item] of items.entries()) {
    yield* expand(fields === undefined ? item : withType(item, fields), `${path}[${index}]`, depth + 1);
  }
}

function isKubernetesList(fields: RawDocument | undefined): fields is RawDocument {
  return typeof fields?.['kind'] === 'string' && fields['kind'].endsWith('List');
}

/** The items of a typed list may leave out what the list says for all of them. */
function withType(item: unknown, list: RawDocument): unknown {
  const fields = asFields(item);
  const kind = String(list['kind']).slice(0, -'List'.length);
  if (fields === undefined || fields['kind'] !== undefined || kind === '') return item;
  return { apiVersion: list['apiVersion'], kind, ...fields };
}
