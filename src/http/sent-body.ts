/** From the bytes of a body to its documents, one at a time: JSON, lists, NDJSON, CloudEvents. */
import { messageOf } from '../lib/error-message.ts';
import { asFields, asText } from '../lib/fields.ts';
import { jsonShape, shapeLimits } from '../lib/json-shape.ts';
import type { Span } from '../lib/json-slices.ts';
import { sliceLines, sliceList, sliceValues } from '../lib/json-slices.ts';
import type { SentDocument } from '../sources/delivery.ts';
import type { RawDocument } from '../sources/source.ts';

/** How a body is to be read. */
export type BodyForm = 'json' | 'ndjson' | 'cloudevent' | 'cloudevents';

/** The documents of a body, or why there are none. */
export type SentBody =
  | { readonly count: number; readonly documents: Iterable<SentDocument> }
  | { readonly problem: 'not-json' | 'too-large'; readonly message: string };

/** The form that headers announce; undefined for one that is not read. */
export function formOf(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): BodyForm | undefined {
  const [type = '', ...parameters] = String(headers['content-type'] ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters.find((part) => part.startsWith('charset='));
  if (charset !== undefined && !/^charset="?(?:utf-8|utf8|us-ascii)"?$/.test(charset)) return undefined;
  if (type === 'application/cloudevents+json') return 'cloudevent';
  if (type === 'application/cloudevents-batch+json') return 'cloudevents';
  if (['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonlines'].includes(type)) {
    return 'ndjson';
  }
  return /^application\/(?:[a-z0-9!#$&^_.+-]+\+)?json$/.test(type) ? 'json' : undefined;
}

/** `deliveryId`: what the sender calls the whole, where it does (a CloudEvent in binary mode). */
export function documentsOf(body: Buffer, form: BodyForm, deliveryId?: string): SentBody {
  const bytes = withoutMark(body);
  const excess = excessOf(bytes);
  if (excess !== undefined) return { problem: 'too-large', message: excess };
  if (form === 'ndjson') return eachOf(bytes, sliceLines(bytes), (index) => `line ${index + 1}`, deliveryId);
  const values = sliceValues(bytes);
  const [only] = values;
  if (only === undefined) return { problem: 'not-json', message: 'is empty' };
  // One document after the other, as forwarders write them; words are none.
  if (values.length > 1 && (bytes[only.start] === brace || bytes[only.start] === bracket))
    return eachOf(bytes, values, (index) => `document ${index + 1}`, deliveryId);
  if (form === 'cloudevent') return enveloped(bytes, [only]);
  const list = sliceList(bytes, only.start);
  if (list !== undefined && bytes[only.start] === bracket) {
    if (form === 'cloudevents') return enveloped(bytes, list.items);
    return eachOf(bytes, list.items, (index) => `[${index}]`, deliveryId);
  }
  if (list !== undefined) {
    const type = typeOfItems(bytes, only, list.list);
    if (type !== undefined) return itemsOf(bytes, list.items, type, deliveryId);
  }
  const whole = parse(bytes, { start: only.start, end: bytes.length });
  if ('problem' in whole) return { problem: 'not-json', message: whole.problem };
  const fields = asFields(whole.value);
  if (fields === undefined) return { problem: 'not-json', message: 'is no object and no list of objects' };
  return { count: 1, documents: [{ document: fields, place: '', id: deliveryId }] };
}

const bracket = 0x5b;
const brace = 0x7b;

type Parsed = { readonly value: unknown } | { readonly problem: string };

function eachOf(bytes: Buffer, spans: readonly Span[], placeOf: (index: number) => string, id?: string): SentBody {
  // What cannot be anything but one broken document is told as that.
  const [only] = spans;
  if (spans.length === 1 && only !== undefined) {
    const parsed = parse(bytes, only);
    if ('problem' in parsed) return { problem: 'not-json', message: parsed.problem };
  }
  return {
    count: spans.length,
    documents: mapped(spans, (span, index) => sentOf(parse(bytes, span), placeOf(index), idOf(id, index))),
  };
}

/** What a Kubernetes list says for all its items. */
type ItemType = Readonly<Record<'apiVersion' | 'kind', unknown>>;

/** The items of `EventList` and the like. An item may leave out what the list says for all of them. */
function itemsOf(bytes: Buffer, spans: readonly Span[], type: ItemType, id?: string): SentBody {
  return {
    count: spans.length,
    documents: mapped(spans, (span, index) => {
      const sent = sentOf(parse(bytes, span), `.items[${index}]`, idOf(id, index));
      if (!('document' in sent) || sent.document['kind'] !== undefined) return sent;
      return { ...sent, document: { ...type, ...sent.document } };
    }),
  };
}

/** What the object around the items says of them, where it is a list of Kubernetes. */
function typeOfItems(bytes: Buffer, object: Span, list: Span): ItemType | undefined {
  const frame = `${bytes.toString('utf8', object.start, list.start)}[]${bytes.toString('utf8', list.end, object.end)}`;
  const parsed = parseText(frame);
  const fields = 'value' in parsed ? asFields(parsed.value) : undefined;
  const kind = fields?.['kind'];
  if (typeof kind !== 'string' || !kind.endsWith('List') || kind === 'List') return undefined;
  return { apiVersion: fields?.['apiVersion'], kind: kind.slice(0, -'List'.length) };
}

/** CloudEvents in structured mode: what they carry, under their id. */
function enveloped(bytes: Buffer, spans: readonly Span[]): SentBody {
  return {
    count: spans.length,
    documents: mapped(spans, (span, index) => {
      const place = spans.length > 1 ? `[${index}]` : '';
      const sent = sentOf(parse(bytes, span), place, undefined);
      return 'document' in sent ? carriedBy(sent.document, place) : sent;
    }),
  };
}

function carriedBy(event: RawDocument, place: string): SentDocument {
  const id = cloudEventId(event['source'], event['id']);
  if (typeof event['specversion'] !== 'string' || id === undefined) {
    return malformed(place, 'expected a CloudEvent with specversion, source and id');
  }
  const base64 = event['data_base64'];
  if (base64 === undefined) return sentOf({ value: event['data'] }, `${place}.data`, id);
  if (typeof base64 !== 'string') return malformed(`${place}.data_base64`, 'expected text');
  const decoded = Buffer.from(base64, 'base64');
  const excess = excessOf(decoded);
  if (excess !== undefined) return malformed(`${place}.data_base64`, excess);
  return sentOf(parseText(decoded.toString('utf8')), `${place}.data_base64`, id);
}

/** What tells a CloudEvent from all others; undefined where it does not say. */
export function cloudEventId(source: unknown, id: unknown): string | undefined {
  const [from, name] = [asText(source), asText(id)];
  return from === undefined || name === undefined ? undefined : JSON.stringify([from, name]);
}

function sentOf(parsed: Parsed, place: string, id: string | undefined): SentDocument {
  if ('problem' in parsed) return malformed(place, parsed.problem);
  const document = asFields(parsed.value);
  return document === undefined ? malformed(place, 'expected an object') : { document, place, id };
}

function malformed(place: string, message: string): SentDocument {
  return { rejection: { reason: 'malformed', place: place || '.', message } };
}

function parse(bytes: Buffer, { start, end }: Span): Parsed {
  return parseText(bytes.toString('utf8', start, end));
}

/** The parser's own words quote the text, which may be secret. */
function parseText(text: string): Parsed {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { problem: messageOf(error).includes('end of JSON') ? 'is JSON that ends too early' : 'is not valid JSON' };
  }
}

function excessOf(bytes: Uint8Array): string | undefined {
  const { containers, members, depth } = jsonShape(bytes);
  if (containers > shapeLimits.containers) return `has more than ${shapeLimits.containers} objects and lists`;
  if (members > shapeLimits.members) return `has more than ${shapeLimits.members} members`;
  return depth > shapeLimits.depth ? `is nested deeper than ${shapeLimits.depth}` : undefined;
}

/** Without the byte order mark that PowerShell and .NET write. */
function withoutMark(bytes: Buffer): Buffer {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

function idOf(id: string | undefined, index: number): string | undefined {
  return id === undefined ? undefined : `${id} ${index}`;
}

function* mapped<Item, To>(items: readonly Item[], make: (item: Item, index: number) => To): Generator<To> {
  for (const [index, item] of items.entries()) yield make(item, index);
}
