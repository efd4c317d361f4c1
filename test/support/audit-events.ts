/** Audit events for tests: made of what matters, judged by the default rules or others. */
import assert from 'node:assert/strict';
import { auditSource } from '../../src/sources/audit.ts';
import type { AuditSettings } from '../../src/sources/audit-settings.ts';
import { defaultAuditSettings } from '../../src/sources/audit-settings.ts';
import type { Finding, Format, RawDocument, Reading } from '../../src/sources/source.ts';
import { readAt } from './reports.ts';

export type Entry = Readonly<Record<string, unknown>>;

/** What of an event a test says. The rest is that of a request that succeeded. */
export interface Asked {
  readonly verb?: string;
  /** `pods`, `roles.rbac.authorization.k8s.io`, `pods/exec`. */
  readonly resource?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly user?: string;
  readonly code?: number;
  readonly stage?: string;
  readonly id?: string;
  /** Members of the event as they are. */
  readonly more?: Entry;
}

/** One event as the API server sends it in a batch: without a type. */
export function auditEvent(asked: Asked = {}): Entry {
  const { verb = 'delete', resource = 'namespaces', namespace, name, user = 'alice', code = 200 } = asked;
  const [qualified = '', subresource] = resource.split('/');
  const [plural, ...group] = qualified.split('.');
  return {
    level: 'Metadata',
    auditID: asked.id ?? '00000000-0000-4000-8000-000000000001',
    stage: asked.stage ?? 'ResponseComplete',
    requestURI: `/${plural}`,
    verb,
    user: { username: user, groups: ['system:authenticated'] },
    objectRef: { resource: plural, apiGroup: group.join('.'), apiVersion: 'v1', namespace, name, subresource },
    responseStatus: { code },
    stageTimestamp: '2025-10-01T08:00:00.250000Z',
    ...asked.more,
  };
}

/** A batch of the API server's. */
export function auditBatch(items: unknown): Entry {
  return { kind: 'EventList', apiVersion: 'audit.k8s.io/v1', metadata: {}, items };
}

/** The formats of the source with these settings; the default ones where they say nothing. */
export function auditFormats(settings: Partial<AuditSettings> = {}): readonly Format[] {
  return auditSource({ ...defaultAuditSettings, ...settings }).formats ?? [];
}

/** What is read of a document by whichever of the formats it is of. */
export function readAudit(document: RawDocument, settings: Partial<AuditSettings> = {}): readonly Reading[] {
  const format = auditFormats(settings).find((one) => one.recognise(document));
  assert.ok(format !== undefined, 'no format recognises the document');
  return format.read(document, { now: readAt });
}

/** All findings of an event. */
export function findingsOf(document: RawDocument, settings: Partial<AuditSettings> = {}): readonly Finding[] {
  return readAudit(document, settings).flatMap(({ findings }) => findings);
}

/** The rules that tell of an event. */
export function toldBy(asked: Asked, settings: Partial<AuditSettings> = {}): readonly string[] {
  return findingsOf(auditEvent(asked), settings).map(({ rule }) => rule);
}
