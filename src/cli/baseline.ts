/**
 * `scan --baseline`: what is new, fixed or unchanged against an earlier output (`-o json`, `yaml` or `ndjson`, or `kubectl
 * get zenevents -o json`). The answer is an annotation on each event, so that every output format can show it and the
 * output can be the next baseline.
 */
import type { ZenAgentEvent } from '../api/event.ts';
import { apiVersion, kind, reportAnnotation } from '../api/event.ts';
import { categories, eventTypePattern, severities, severityRank, sourceNamePattern } from '../api/words.ts';
import { asFields, at, textAt } from '../lib/fields.ts';
import { clean, cut } from '../lib/text.ts';
import { expand } from '../sources/recognise.ts';
import { type DocumentLimits, inMebibytes, parseDocuments } from './documents.ts';
import { type ReportFiles, readUpTo, reasonOf } from './report-files.ts';

/**
 * new: it was not there. unchanged: it is there as before. fixed: a complete report of the same thing holds it no more.
 * not-reported: no report about it was given, so nothing is known of it.
 */
export const changes = ['new', 'unchanged', 'fixed', 'not-reported'] as const;
export type Change = (typeof changes)[number];

/** Annotation of an event in the output of `scan --baseline`. */
export const changeAnnotation = 'zen.kube-zen.io/baseline';

/** A file that cannot serve as baseline. */
export class BaselineError extends Error {
  readonly code = 'CONFIG_ERROR';
}

/** What of an earlier output is Active, by name. */
export type Baseline = ReadonlyMap<string, ZenAgentEvent>;

/** Reads an earlier output. Throws BaselineError: half a baseline would show old findings as new. */
export async function readBaseline(path: string, files: ReportFiles, limits: DocumentLimits): Promise<Baseline> {
  const problem = (message: string, cause?: unknown) =>
    new BaselineError(`the baseline ${clean(path)} ${message}`, cause === undefined ? {} : { cause });
  const events = new Map<string, ZenAgentEvent>();
  try {
    const bytes = await readUpTo(files.open(path), limits.inputBytes);
    if (bytes === undefined) throw problem(`is larger than ${inMebibytes(limits.inputBytes)}`);
    for await (const parsed of parseDocuments(bytes, path, limits)) {
      if ('problem' in parsed) throw problem([parsed.label, parsed.problem].filter(Boolean).join(': '));
      for (const { place, document } of expand(parsed.value)) {
        const event = eventIn(document);
        if (event === undefined) throw problem(`holds something that is no ${kind}: ${place || parsed.label || 'it'}`);
        if (event.status?.phase !== 'Resolved') events.set(event.metadata.name, event);
      }
    }
  } catch (error) {
    if (error instanceof BaselineError) throw error;
    throw problem(`cannot be read: ${reasonOf(error)}`, error);
  }
  return events;
}

/** An event, with its words cleaned: the file may be anybody's. */
function eventIn(document: unknown): ZenAgentEvent | undefined {
  const fields = asFields(document);
  const spec = asFields(fields?.['spec']);
  const name = textAt(fields, 'metadata', 'name');
  const isEvent =
    fields?.['apiVersion'] === apiVersion &&
    fields['kind'] === kind &&
    name !== undefined &&
    /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name) &&
    isWord(spec?.['severity'], severities) &&
    isWord(spec?.['category'], categories) &&
    new RegExp(sourceNamePattern).test(String(spec?.['source'])) &&
    new RegExp(eventTypePattern).test(String(spec?.['eventType']));
  if (!isEvent) return undefined;
  const event = fields as unknown as ZenAgentEvent;
  return { ...event, spec: cleanedSpec(event.spec), metadata: { ...event.metadata, name } };
}

function isWord(value: unknown, words: readonly string[]): boolean {
  return typeof value === 'string' && words.includes(value);
}

function cleanedSpec(spec: ZenAgentEvent['spec']): ZenAgentEvent['spec'] {
  const word = (...path: readonly string[]) => cut(clean(textAt(spec, ...path) ?? ''), 256);
  const resource = { kind: word('resource', 'kind'), name: word('resource', 'name') };
  const namespace = word('resource', 'namespace');
  return {
    ...spec,
    title: word('title'),
    summary: word('summary'),
    subject: word('subject'),
    resource: namespace === '' ? resource : { ...resource, namespace },
  };
}

/** What the comparison needs to know of the run. */
export interface ScannedReports {
  /** Whether a complete report with that key was read. */
  isReported(reportKey: string): boolean;
}

/** The events of now, then what only the baseline holds, each with what became of it. */
export function compare(baseline: Baseline, now: readonly ZenAgentEvent[], reports: ScannedReports): ZenAgentEvent[] {
  const names = new Set(now.map(({ metadata }) => metadata.name));
  const present = now.map((event) => withChange(event, baseline.has(event.metadata.name) ? 'unchanged' : 'new'));
  const gone = [...baseline.values()]
    .filter(({ metadata }) => !names.has(metadata.name))
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .map((event) => {
      const isFixed = reports.isReported(textAt(event, 'metadata', 'annotations', reportAnnotation) ?? '');
      return withChange(event, isFixed ? 'fixed' : 'not-reported');
    });
  return [...present, ...gone];
}

function withChange(event: ZenAgentEvent, change: Change): ZenAgentEvent {
  const annotations = { ...event.metadata.annotations, [changeAnnotation]: change };
  const compared = { ...event, metadata: { ...event.metadata, annotations } };
  if (change !== 'fixed') return compared;
  return { ...compared, status: { ...event.status, phase: 'Resolved', reason: 'fixed' } };
}

/** What became of the event; undefined where it was compared with nothing. */
export function changeOf(event: ZenAgentEvent): Change | undefined {
  const word = at(event, 'metadata', 'annotations', changeAnnotation);
  return changes.find((change) => change === word);
}

/** Whether it was there before and is more severe now. */
export function isWorse(event: ZenAgentEvent, baseline: Baseline | undefined): boolean {
  const before = baseline?.get(event.metadata.name);
  return before !== undefined && severityRank(event.spec.severity) < severityRank(before.spec.severity);
}
