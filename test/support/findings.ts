/** Findings, readings and reports made by hand, for tests of the pipeline. */
import type { Severity } from '../../src/api/words.ts';
import { objectKey } from '../../src/pipeline/report-table.ts';
import type {
  Description,
  Finding,
  IdentityPart,
  Reading,
  ResourceReference,
  SignalNature,
} from '../../src/sources/source.ts';

export const tool = 'tool';
/** The event type of signals. */
export const signalType = 'cluster-warning';
export const start = new Date('2026-01-01T00:00:00Z');

export interface FindingOptions {
  readonly source?: string;
  readonly severity?: Severity;
  readonly resource?: ResourceReference;
  /** Added to the identity: the owner of the resource. */
  readonly byOwner?: boolean;
  readonly policy?: string;
  readonly description?: Partial<Description>;
}

const deployment: ResourceReference = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', namespace: 'shop' };

/** A finding that is the same whenever `id` (and its owner, where asked for) is. */
export function finding(id: string, options: FindingOptions = {}): Finding {
  const {
    source = tool,
    severity = 'high',
    resource = deployment,
    byOwner = false,
    policy,
    description = {},
  } = options;
  return {
    source,
    eventType: 'misconfiguration',
    category: 'security',
    severity,
    sourceSeverity: severity.toUpperCase(),
    rule: id,
    policy,
    resource,
    nature: { kind: 'state' },
    identity: () => [id, ...(byOwner ? [{ ownerOf: resource }] : [])],
    describe: () => ({ title: `Finding ${id}`, summary: id, details: { id, policy }, ...description }),
  };
}

/** That `id` happened. */
export function signal(id: string, nature: Omit<SignalNature, 'kind'>, options: FindingOptions = {}): Finding {
  return { ...finding(id, options), eventType: signalType, nature: { kind: 'signal', ...nature } };
}

export interface ReportOptions extends Partial<Omit<Reading, 'reportKey' | 'findings'>> {
  readonly reportKey?: readonly IdentityPart[];
}

/** What one report says. Its key is `subject` unless one is given. */
export function reading(name: string, findings: readonly Finding[], options: ReportOptions = {}): Reading {
  return {
    reportKey: ['format', 'subject'],
    partition: 'shop',
    completeness: 'complete',
    findings,
    rejected: [],
    origin: originOf(name),
    ...options,
  };
}

/** Reports whose name begins with `copy-` are of a kind of their own. */
function originOf(name: string) {
  return { apiVersion: 'tool.example/v1', kind: name.startsWith('copy-') ? 'Copy' : 'Report', namespace: 'shop', name };
}

/** The object key of a report by its name. */
export function keyOf(name: string): string {
  return objectKey(originOf(name));
}
