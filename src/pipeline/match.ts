/**
 * Which findings a filter, a mute or a severity override is about. All fields that are given must fit; of a field's
 * values one must. Compiled once: the order of the checks is from cheap to dear.
 */
import type { Category, EventType, Severity } from '../api/words.ts';
import { compileGlob, isLiteral } from '../lib/glob.ts';
import { cut } from '../lib/text.ts';
import type { Finding, ResourceReference } from '../sources/source.ts';

/** The fields of a match; `namespace`, `source`, `resource` and `rule` are patterns (src/lib/glob.ts). */
export interface Match {
  readonly source?: readonly string[] | undefined;
  readonly severity?: readonly Severity[] | undefined;
  readonly eventType?: readonly EventType[] | undefined;
  readonly category?: readonly Category[] | undefined;
  /** Of the resource. What has none (cluster-scoped) fits no pattern, not even `*`. */
  readonly namespace?: readonly string[] | undefined;
  /** Labels that the namespace must all have. */
  readonly namespaceLabels?: Readonly<Record<string, string>> | undefined;
  /** `Kind/name` of the workload, as in the event's Subject. */
  readonly resource?: readonly string[] | undefined;
  readonly rule?: readonly string[] | undefined;
}

/** The labels of a namespace; undefined when it is not known. */
export type NamespaceLabels = (namespace: string) => Readonly<Record<string, string>> | undefined;

/** Gives the workload that a reference stands for; asked only where a rule names resources. */
export interface ResourceResolver {
  resolve(reference: ResourceReference): ResourceReference;
}

/** Whether a finding fits, with the severity that is to be judged. Pure. */
export type Matcher = (finding: Finding, severity: Severity, owners: ResourceResolver) => boolean;

/** Compiles a match. One without fields fits everything. */
export function compileMatch(match: Match, labelsOf: NamespaceLabels): Matcher {
  const { severity, eventType, category, source, namespace, rule, resource, namespaceLabels } = match;
  const checks: Matcher[] = [];
  if (severity) {
    const words = new Set(severity);
    checks.push((_finding, judged) => words.has(judged));
  }
  if (eventType) {
    const words = new Set(eventType);
    checks.push((finding) => words.has(finding.eventType));
  }
  if (category) {
    const words = new Set(category);
    checks.push((finding) => words.has(finding.category));
  }
  if (source) {
    const isLike = anyOf(source);
    checks.push((finding) => isLike(finding.source));
  }
  if (namespace) {
    const isLike = anyOf(namespace);
    checks.push(({ resource: { namespace: of } }) => of !== undefined && of !== '' && isLike(of));
  }
  if (rule) {
    const isLike = anyOf(rule);
    checks.push((finding) => isLike(finding.rule));
  }
  if (namespaceLabels) checks.push(compileLabels(namespaceLabels, labelsOf));
  if (resource) {
    const isLike = anyOf(resource);
    checks.push((finding, _severity, owners) => {
      const { kind, name } = owners.resolve(finding.resource);
      return isLike(`${kind}/${name}`);
    });
  }
  return (finding, judged, owners) => {
    for (const check of checks) if (!check(finding, judged, owners)) return false;
    return true;
  };
}

const matchFields = [
  'source',
  'severity',
  'eventType',
  'category',
  'namespace',
  'namespaceLabels',
  'resource',
  'rule',
] as const;
const maximumPhraseCharacters = 160;

/** The match in words: `namespace kube-*, rule CVE-2026-1 or CVE-2026-2`. */
export function phraseOf(match: Match): string {
  const phrases = matchFields.flatMap((field) => {
    const values = match[field];
    if (values === undefined) return [];
    if (field === 'namespaceLabels') {
      return [`namespaceLabels ${Object.entries(values).map(([key, value]) => `${key}=${value}`)}`];
    }
    return [`${field} ${(values as readonly string[]).join(' or ')}`];
  });
  return phrases.length === 0 ? 'everything' : cut(phrases.join(', '), maximumPhraseCharacters);
}

/** Whether a match has no field. */
export function isEmptyMatch(match: Match): boolean {
  return matchFields.every((field) => match[field] === undefined);
}

function compileLabels(wanted: Readonly<Record<string, string>>, labelsOf: NamespaceLabels): Matcher {
  const entries = Object.entries(wanted);
  return ({ resource: { namespace } }) => {
    const labels = namespace === undefined || namespace === '' ? undefined : labelsOf(namespace);
    return labels !== undefined && entries.every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
  };
}

/** Lists of ids can be long: those without magic are looked up. */
function anyOf(patterns: readonly string[]): (text: string) => boolean {
  const literals = new Set(patterns.filter(isLiteral));
  const globs = patterns.filter((pattern) => !isLiteral(pattern)).map(compileGlob);
  return (text) => literals.has(text) || globs.some((isLike) => isLike(text));
}
