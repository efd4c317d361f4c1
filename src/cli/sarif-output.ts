/** Events as a SARIF 2.1.0 log with one run, for code scanning and everything else that reads SARIF. */
import type { ZenAgentEvent } from '../api/event.ts';
import type { Severity } from '../api/words.ts';
import { severityRank } from '../api/words.ts';
import { asNumber, textAt } from '../lib/fields.ts';
import { clean, cut } from '../lib/text.ts';
import { changeOf } from './baseline.ts';

/** What the log says besides the events. */
export interface SarifContext {
  readonly version: string;
  readonly endedAt: Date;
  /** False when something could not be read. */
  readonly isComplete: boolean;
  /** What people filter and mute an event by; undefined for one that only the baseline knows. */
  ruleOf(event: string): string | undefined;
}

/** SARIF knows three. `unknown` may be anything. */
const levels: Readonly<Record<Severity, 'error' | 'warning' | 'note'>> = {
  critical: 'error',
  high: 'error',
  medium: 'warning',
  low: 'note',
  info: 'note',
  unknown: 'warning',
};

/**
 * The bands that GitHub reads out of `security-severity`: least, most and what stands for a finding whose tool gives no
 * score, or one that is not of its severity.
 */
const bands: Readonly<Record<Severity, readonly [least: number, most: number, usual: number]>> = {
  critical: [9, 10, 9.5],
  high: [7, 8.9, 8],
  medium: [4, 6.9, 5.5],
  low: [0.1, 3.9, 2],
  info: [0, 0, 0],
  unknown: [4, 6.9, 5.5],
};

/** What was not reported on is not known to be gone: `absent` would close it. */
const baselineStates = { new: 'new', unchanged: 'unchanged', fixed: 'absent', 'not-reported': 'unchanged' } as const;

interface Rule {
  readonly index: number;
  readonly event: ZenAgentEvent;
  score: number;
}

/** The pieces of the text, one result at a time. */
export function* renderSarif(events: readonly ZenAgentEvent[], context: SarifContext): Generator<string> {
  const rules = rulesOf(events, context);
  const run = {
    tool: { driver: { name: 'zen-watcher', version: context.version, rules: [...rules].map(ruleIn) } },
    columnKind: 'utf16CodeUnits',
    invocations: [{ executionSuccessful: context.isComplete, endTimeUtc: context.endedAt.toISOString() }],
  };
  const head = JSON.stringify({ $schema: schemaUri, version: '2.1.0', runs: [run] }, undefined, 2);
  yield `${head.slice(0, head.lastIndexOf('\n    }\n'))},\n      "results": [`;
  for (const [at, event] of events.entries()) {
    yield `${at === 0 ? '' : ','}\n        ${JSON.stringify(resultOf(event, rules, context))}`;
  }
  yield `${events.length === 0 ? '' : '\n      '}]\n    }\n  ]\n}\n`;
}

const schemaUri = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json';

/** `trivy/CVE-2026-1`: what people mute by, under the word of its source. */
function ruleIdOf({ metadata, spec }: ZenAgentEvent, { ruleOf }: SarifContext): string {
  return `${spec.source}/${cut(clean(ruleOf(metadata.name) ?? spec.eventType), 256)}`;
}

function rulesOf(events: readonly ZenAgentEvent[], context: SarifContext): Map<string, Rule> {
  const rules = new Map<string, Rule>();
  for (const event of events) {
    const id = ruleIdOf(event, context);
    const rule = rules.get(id);
    const score = scoreOf(event);
    if (rule === undefined) rules.set(id, { index: rules.size, event, score });
    else if (score > rule.score) rule.score = score;
  }
  return rules;
}

/** What GitHub shows of a rule. One rule may have findings of several severities: the greatest counts. */
function ruleIn([id, { event, score }]: readonly [string, Rule]) {
  const { spec } = event;
  const [link] = (spec.references ?? []).filter((reference) => /^https?:\/\/[^\s<>"]+$/.test(reference));
  return {
    id,
    shortDescription: { text: spec.title || id },
    ...(link === undefined ? {} : { helpUri: link }),
    ...(spec.remediation ? { help: { text: spec.remediation } } : {}),
    properties: {
      tags: [...new Set(['security', spec.eventType, spec.category, spec.source])],
      'security-severity': score.toFixed(1),
    },
  };
}

function scoreOf({ spec }: ZenAgentEvent): number {
  const [least, most, usual] = bands[spec.severity];
  return spec.score !== undefined && spec.score >= least && spec.score <= most ? spec.score : usual;
}

function resultOf(event: ZenAgentEvent, rules: ReadonlyMap<string, Rule>, context: SarifContext) {
  const { spec, metadata, status } = event;
  const ruleId = ruleIdOf(event, context);
  const change = changeOf(event);
  const { kind = '', name = '', namespace } = spec.resource ?? {};
  const subject = [namespace, kind, name].filter(Boolean).join('/');
  return {
    ruleId,
    ruleIndex: rules.get(ruleId)?.index,
    kind: 'fail',
    level: levels[spec.severity],
    message: { text: `${spec.title || ruleId}${subject === '' ? '' : ` (${subject})`}` },
    locations: [
      {
        physicalLocation: physicalLocationOf(event),
        logicalLocations: [{ name: name || kind, kind: 'resource', fullyQualifiedName: subject }],
      },
    ],
    ...(spec.fingerprint ? { partialFingerprints: { 'zenFingerprint/v1': spec.fingerprint } } : {}),
    ...(change === undefined ? {} : { baselineState: baselineStates[change] }),
    ...(status?.count === undefined || status.count < 1 ? {} : { occurrenceCount: status.count }),
    rank: rankOf(spec.severity),
    properties: {
      event: metadata.name,
      severity: spec.severity,
      sourceSeverity: spec.sourceSeverity,
      'security-severity': scoreOf(event).toFixed(1),
    },
  };
}

/** 100 is the most urgent. */
function rankOf(severity: Severity): number {
  return 100 - 20 * Math.min(severityRank(severity), 5);
}

/**
 * Where a tool names a file (Checkov, SARIF) it is that; else a path made of the object's name: code scanning shows no
 * result without one.
 */
function physicalLocationOf({ spec }: ZenAgentEvent) {
  const file = textAt(spec.details, 'file');
  if (file !== undefined) {
    const lines = textAt(spec.details, 'observedOn', 'line') ?? textAt(spec.details, 'observedOn', 'lines');
    const startLine = asNumber(lines?.split('-', 1)[0]);
    const region =
      startLine !== undefined && Number.isInteger(startLine) && startLine > 0 ? { region: { startLine } } : {};
    return { artifactLocation: { uri: uriOf(pathParts(file)) }, ...region };
  }
  const { kind = '', name = '', namespace = '' } = spec.resource ?? {};
  const parts = ['kubernetes', namespace || 'cluster', kind, ...pathParts(name)].filter((part) => part !== '');
  return { artifactLocation: { uri: uriOf(parts) } };
}

/** The parts of a path or address, without scheme and without steps upward. */
function pathParts(file: string): string[] {
  const parts = file.replace(/^(?:file:|[a-z][a-z0-9+.-]+:\/\/)/i, '').split(/[\\/]/);
  return parts.map(decoded).filter((part) => !['', '.', '..'].includes(part));
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function uriOf(parts: readonly string[]): string {
  return parts.map(encodeURIComponent).join('/') || 'unknown';
}
