/** What an audit event of the API server says of the request, before anything is judged: audit.k8s.io/v1. */
import type { Fields } from '../lib/fields.ts';
import { asFields, asText, at, kindOf, textAt } from '../lib/fields.ts';
import type { RawDocument, Rejection } from './source.ts';

/** One request that came to its end, or to its beginning where that is what counts. '' for what it does not have. */
export interface AuditRequest {
  readonly event: Fields;
  readonly verb: string;
  /** Plural, with the subresource: `pods`, `pods/exec`; '' where the request is for a path. */
  readonly resource: string;
  readonly plural: string;
  readonly subresource: string;
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly name: string;
  readonly code: number;
  readonly user: string;
  /** Who the user acted as. */
  readonly impersonated: string;
}

const auditGroup = 'audit.k8s.io/';

/** An audit event, as the API server, its log and those who forward it write it: items of a list have no type. */
export function isAuditEvent(document: RawDocument): boolean {
  const { apiVersion, kind } = document;
  if (typeof apiVersion === 'string') return kind === 'Event' && apiVersion.startsWith(auditGroup);
  if (kind !== undefined && kind !== 'Event') return false;
  return marks.filter((name) => Object.hasOwn(document, name)).length > 1;
}

const marks: readonly string[] = ['auditID', 'stage', 'requestURI'];

/** A batch of the API server's. */
export function isAuditEventList({ apiVersion, kind }: RawDocument): boolean {
  return kind === 'EventList' && typeof apiVersion === 'string' && apiVersion.startsWith(auditGroup);
}

/** Sessions that may last for days: told when they begin. */
const sessions: ReadonlySet<unknown> = new Set(['exec', 'attach', 'portforward']);
const switchingProtocols = 101;

/** The request of an event; undefined where another event tells its end; why it cannot be read. */
export function requestOf(event: Fields): AuditRequest | Rejection | undefined {
  const { stage, verb } = event;
  if (typeof stage !== 'string') return lacking('.stage', stage);
  const reference = asFields(event['objectRef']) ?? nothing;
  const code = at(event['responseStatus'], 'code');
  if (stage !== 'ResponseComplete' && stage !== 'Panic') {
    const isSession = stage === 'ResponseStarted' && code === switchingProtocols;
    if (!isSession || !sessions.has(reference['subresource'])) return undefined;
  }
  if (typeof verb !== 'string' || verb === '') return lacking('.verb', verb);
  if (typeof code !== 'number') return lacking('.responseStatus.code', code);
  const plural = textIn(reference['resource']);
  const subresource = textIn(reference['subresource']);
  return {
    event,
    verb,
    resource: subresource === '' ? plural : `${plural}/${subresource}`,
    plural,
    subresource,
    group: textIn(reference['apiGroup']),
    version: textIn(reference['apiVersion']),
    namespace: textIn(reference['namespace']),
    name: textIn(reference['name']),
    code,
    user: textIn(asFields(event['user'])?.['username']),
    impersonated: textIn(asFields(event['impersonatedUser'])?.['username']),
  };
}

const nothing: Fields = {};

function textIn(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function lacking(place: string, value: unknown): Rejection {
  const expected = place.endsWith('code') ? 'a number' : 'a word';
  return {
    reason: value === undefined ? 'missing-field' : 'malformed',
    place,
    message: `expected ${expected}, found ${kindOf(value)}`,
  };
}

/** How a request ended. */
export type Outcome = 'succeeded' | 'denied' | 'failed';

/** What the status of the answer means. */
export function outcomeOf({ code }: AuditRequest): Outcome {
  if (code === 401 || code === 403) return 'denied';
  return code >= 400 ? 'failed' : 'succeeded';
}

/** Whether the request opens a session: WebSockets come as get, SPDY as create. */
export function isSession({ subresource }: AuditRequest): boolean {
  return sessions.has(subresource);
}

/** The path without its query: a query holds commands. */
export function pathOf({ event }: AuditRequest): string {
  return (asText(event['requestURI']) ?? '').split('?', 1)[0] ?? '';
}

/** Whether nothing was to be written but in play. */
export function isDryRun({ event }: AuditRequest): boolean {
  return /[?&]dryRun=/.test(asText(event['requestURI']) ?? '');
}

/** The container that a session is in, where the request names one. */
export function containerOf({ event }: AuditRequest): string | undefined {
  return /[?&]container=([a-z0-9](?:[-a-z0-9]{0,62}))(?:&|$)/.exec(asText(event['requestURI']) ?? '')?.[1];
}

/** What was written, where the policy records it: as the server made it, else as it was sent. */
export function writtenObject({ event }: AuditRequest): Fields | undefined {
  const response = asFields(event['responseObject']);
  const isStatus = textAt(response, 'kind') === 'Status';
  return (isStatus ? undefined : response) ?? asFields(event['requestObject']);
}

/** Azure puts a text in the place of an object that is too large. */
const skipped = 'skipped-too-big-size-object';

/** Whether the object was left out for its size. */
export function isTruncated({ event }: AuditRequest): boolean {
  return (
    at(event['annotations'], 'audit.k8s.io/truncated') === 'true' ||
    event['requestObject'] === skipped ||
    event['responseObject'] === skipped
  );
}
