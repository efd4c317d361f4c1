/**
 * Takes audit events out of what carries them where nobody can set the API server's webhook: CloudWatch Logs (also by
 * Firehose), Google Cloud's LogEntry (also by Pub/Sub), Azure Event Hub, and records of Fluent Bit and Vector. Each is
 * documented by its maker; docs/senders/managed-clusters.md shows how they come here.
 */
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, asText, at, kindOf } from '../lib/fields.ts';
import { gunzipWithin, isGzip } from '../lib/gunzip.ts';
import { jsonShape } from '../lib/json-shape.ts';
import type { PlacedEvent } from './audit-event.ts';
import { eventOfGoogle, isGoogleAudit } from './audit-google.ts';
import { isAuditEvent, isAuditEventList } from './audit-request.ts';
import type { RawDocument, Rejection } from './source.ts';

/** What is in the envelope; other logs that came along are left out without a word. */
export interface Unwrapped {
  readonly events: readonly PlacedEvent[];
  readonly rejected: readonly Rejection[];
}

/** Bounds of what one document may unfold to: a compressed kilobyte can become a megabyte, and JSON lies in JSON. */
export interface UnwrapLimits {
  readonly bytes: number;
  readonly containers: number;
  readonly members: number;
  readonly depth: number;
}

const defaultLimits: UnwrapLimits = { bytes: 24 * 2 ** 20, containers: 250_000, members: 600_000, depth: 6 };
/** Deeper JSON is no audit event. */
const deepestJson = 64;

/** Whether a document looks like one of the envelopes. */
export function isAuditEnvelope(document: RawDocument): boolean {
  const { messageType, message, log, records } = document;
  if (messageType === 'DATA_MESSAGE' || messageType === 'CONTROL_MESSAGE')
    return asList(document['logEvents']) !== undefined;
  if (typeof at(document, 'awslogs', 'data') === 'string') return true;
  if (isGoogleAudit(document)) return true;
  if (typeof at(message, 'data') === 'string') return Object.hasOwn(document, 'subscription');
  if (Array.isArray(records)) return isAzure(records[0]) || typeof at(records[0], 'data') === 'string';
  return [log, message].some((text) => typeof text === 'string' && isLogLine(text));
}

/** What every audit event says of itself within the line of a log, and every entry of Google's about one. */
const signature = /audit\.k8s\.io\/|\\?"serviceName\\?" ?: ?\\?"k8s\.io\\?"/;

function isLogLine(text: string): boolean {
  return /^\s{0,8}[{[]/.test(text) && signature.test(text);
}

function isAzure(record: unknown): boolean {
  return typeof at(record, 'category') === 'string' && typeof at(record, 'properties', 'log') === 'string';
}

/** Azure writes get and list into the one only. */
const azureCategories: readonly unknown[] = ['kube-audit', 'kube-audit-admin'];
/** EKS names its streams of audit events so; other streams of the group hold other logs. */
const eksStream = /^kube-apiserver-audit-/;

/** The audit events in a document, which may be one itself. Never throws. */
export function unwrapAudit(document: unknown, limits: UnwrapLimits = defaultLimits): Unwrapped {
  const unwrapping = new Unwrapping(limits);
  unwrapping.value(document, '', 0);
  return unwrapping;
}

class Unwrapping implements Unwrapped {
  readonly events: PlacedEvent[] = [];
  readonly rejected: Rejection[] = [];
  readonly #depth: number;
  #bytesLeft: number;
  #containersLeft: number;
  #membersLeft: number;

  constructor({ bytes, containers, members, depth }: UnwrapLimits) {
    this.#bytesLeft = bytes;
    this.#containersLeft = containers;
    this.#membersLeft = members;
    this.#depth = depth;
  }

  value(value: unknown, place: string, depth: number): void {
    if (depth > this.#depth) {
      this.#refuse('too-large', place, `more than ${this.#depth} envelopes in each other`);
      return;
    }
    const list = asList(value);
    if (list !== undefined) {
      for (const [index, item] of list.entries()) this.value(item, `${place}[${index}]`, depth + 1);
      return;
    }
    const fields = asFields(value);
    if (fields !== undefined) this.#object(fields, place, depth);
  }

  #object(fields: Fields, place: string, depth: number): void {
    if (isAuditEvent(fields)) this.events.push({ event: fields, place });
    else if (isAuditEventList(fields)) this.#items(fields['items'], `${place}.items`);
    else if (isGoogleAudit(fields)) this.events.push({ event: eventOfGoogle(fields), place: `${place}.protoPayload` });
    else if (asList(fields['logEvents']) !== undefined) this.#cloudWatch(fields, place, depth);
    else if (typeof at(fields, 'awslogs', 'data') === 'string') {
      this.#encoded(at(fields, 'awslogs', 'data'), `${place}.awslogs.data`, depth);
    } else if (typeof at(fields, 'message', 'data') === 'string') {
      this.#encoded(at(fields, 'message', 'data'), `${place}.message.data`, depth);
    } else if (asList(fields['records']) !== undefined) this.#records(fields['records'], `${place}.records`, depth);
    else this.#logLine(fields, place, depth);
  }

  #items(items: unknown, place: string): void {
    if (!Array.isArray(items)) {
      if (items !== undefined && items !== null)
        this.#refuse('malformed', place, `expected a list, found ${kindOf(items)}`);
      return;
    }
    for (const [index, event] of items.entries()) this.events.push({ event, place: `${place}[${index}]` });
  }

  #cloudWatch(fields: Fields, place: string, depth: number): void {
    if (fields['messageType'] === 'CONTROL_MESSAGE') return;
    const isAudit = eksStream.test(asText(fields['logStream']) ?? '');
    for (const [index, event] of (asList(fields['logEvents']) ?? []).entries()) {
      this.#text(at(event, 'message'), `${place}.logEvents[${index}].message`, depth, isAudit);
    }
  }

  /** Of Azure Event Hub, or of Firehose, whose records are what CloudWatch sends. */
  #records(records: unknown, place: string, depth: number): void {
    for (const [index, record] of (asList(records) ?? []).entries()) {
      const where = `${place}[${index}]`;
      if (azureCategories.includes(at(record, 'category'))) {
        this.#text(at(record, 'properties', 'log'), `${where}.properties.log`, depth, true);
      } else if (typeof at(record, 'data') === 'string') this.#encoded(at(record, 'data'), `${where}.data`, depth);
    }
  }

  #logLine(fields: Fields, place: string, depth: number): void {
    const member = ['log', 'message'].find((name) => typeof fields[name] === 'string');
    if (member !== undefined) this.#text(fields[member], `${place}.${member}`, depth, false);
  }

  /** Base64, of JSON or of gzip of it. */
  #encoded(value: unknown, place: string, depth: number): void {
    const bytes = Buffer.from(asText(value) ?? '', 'base64');
    if (!isGzip(bytes)) {
      this.#text(bytes.toString(), place, depth, true);
      return;
    }
    const unpacked = this.#bytesLeft > 0 ? gunzipWithin(bytes, this.#bytesLeft) : undefined;
    if (unpacked === undefined) this.#refuse('too-large', place, 'is no gzip, or too large once it is unpacked');
    else this.#text(unpacked.toString(), place, depth, true);
  }

  /** JSON in a text. Where it need not be an audit event, what is none is left out. */
  #text(text: unknown, place: string, depth: number, isExpected: boolean): void {
    if (typeof text !== 'string') {
      if (isExpected) this.#refuse('malformed', place, `expected text, found ${kindOf(text)}`);
      return;
    }
    if (!isExpected && !isLogLine(text)) return;
    const bytes = Buffer.from(text);
    const { containers, members, depth: deep } = jsonShape(bytes);
    this.#bytesLeft -= bytes.length;
    this.#containersLeft -= containers;
    this.#membersLeft -= members;
    if (this.#bytesLeft < 0 || this.#containersLeft < 0 || this.#membersLeft < 0 || deep > deepestJson) {
      this.#refuse('too-large', place, 'the document unfolds to more than may be read');
      return;
    }
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      this.#refuse('malformed', place, 'expected an audit event, found what is no JSON');
      return;
    }
    this.value(value, place, depth + 1);
  }

  #refuse(reason: Rejection['reason'], place: string, message: string): void {
    this.rejected.push({ reason, place, message });
  }
}
