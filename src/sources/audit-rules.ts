/**
 * The rules that make findings of audit events: a table of what is told, and one of what is routine. Both are data
 * (audit-default-rules.ts and the configuration); this compiles them into one function that drops most events by a look
 * at their verb and resource.
 */
import type { EventType, Severity } from '../api/words.ts';
import { asText, at } from '../lib/fields.ts';
import { compileGlob, isLiteral } from '../lib/glob.ts';
import { privilegesOf } from './audit-pod.ts';
import { grantsOf } from './audit-rbac.ts';
import type { AuditRequest } from './audit-request.ts';
import { pathOf } from './audit-request.ts';

/** What a request must be like: each list that is given must have one that fits. `*` and `?` are the only magic. */
export interface AuditMatch {
  readonly verbs?: readonly string[] | undefined;
  /** API groups; '' is the core. */
  readonly groups?: readonly string[] | undefined;
  /** As in an audit policy: `pods`, `pods/exec`, `pods/*`, `*` for all and their subresources. '' for requests of paths. */
  readonly resources?: readonly string[] | undefined;
  /** '' for what is not in a namespace. */
  readonly namespaces?: readonly string[] | undefined;
  readonly names?: readonly string[] | undefined;
  readonly users?: readonly string[] | undefined;
  readonly userGroups?: readonly string[] | undefined;
  /** Whether somebody acted as somebody else. */
  readonly impersonated?: boolean | undefined;
  /** Status codes of the answer: `403`, `400-499`. */
  readonly codes?: readonly string[] | undefined;
  /** Annotations of the audit event, and what their values are like. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** The path of the request, without its query. */
  readonly paths?: readonly string[] | undefined;
  /** What a Pod that is written may do: the words of audit-pod.ts. */
  readonly privileges?: readonly string[] | undefined;
  /** What a Role or binding that is written gives: the words of audit-rbac.ts. */
  readonly grants?: readonly string[] | undefined;
}

/**
 * What of a request makes two of them one finding. object: who did what to which object. workload: the object alone,
 * whoever wrote it. namespace: who, to which kind of objects of which namespace. subject: who.
 */
export const folds = ['object', 'workload', 'namespace', 'subject'] as const;
export type Fold = (typeof folds)[number];

/** One line of the table. Of the rules of one event type the first that fits a request decides. */
export interface AuditRule {
  readonly name: string;
  /** What it is there for, in the documentation. */
  readonly why: string;
  /** Without `codes`: requests that succeeded. */
  readonly match: AuditMatch;
  readonly eventType: EventType;
  readonly severity: Severity;
  readonly fold: Fold;
}

/** What is routine: no rule tells of it. */
export interface AuditExclusion {
  readonly name: string;
  readonly why: string;
  readonly match: AuditMatch;
  /** The rules that it is an exception of; all where absent. */
  readonly rules?: readonly string[] | undefined;
  /** Rules that tell of it all the same. */
  readonly exceptRules?: readonly string[] | undefined;
}

/** The rules that tell of a request, at most one of each event type. */
export type AuditJudge = (request: AuditRequest) => readonly AuditRule[];

type Test = (request: AuditRequest) => boolean;

interface Compiled {
  readonly rule: AuditRule;
  readonly fits: Test;
  readonly exclusions: readonly Test[];
}

/** What success is: an answer, or a session that was opened. */
export const succeeded: readonly string[] = ['101', '200-299'];
const none: readonly AuditRule[] = [];

/** Compiles the tables. Time for a request is linear in its texts, whatever the patterns. */
export function compileAuditRules(rules: readonly AuditRule[], exclusions: readonly AuditExclusion[]): AuditJudge {
  const tests = exclusions.map((exclusion) => ({ exclusion, fits: compileMatch(exclusion.match) }));
  const compiled = rules.map((rule): Compiled => {
    const { verbs: _byVerb, ...match } = rule.match;
    return {
      rule,
      fits: compileMatch({ codes: succeeded, ...match }),
      exclusions: tests.filter(({ exclusion }) => isAbout(exclusion, rule.name)).map(({ fits }) => fits),
    };
  });
  const candidates = byVerbAndResource(compiled);
  return (request) => {
    let found: AuditRule[] | undefined;
    for (const { rule, fits, exclusions: routine } of candidates(request)) {
      if (!fits(request) || routine.some((isRoutine) => isRoutine(request))) continue;
      if (found === undefined) found = [rule];
      else if (!found.some(({ eventType }) => eventType === rule.eventType)) found.push(rule);
    }
    return found ?? none;
  };
}

/** The cheap look: the rules that may tell of a request by its verb and resource, in their order. */
function byVerbAndResource(compiled: readonly Compiled[]): (request: AuditRequest) => readonly Compiled[] {
  const literalResources = new Set(
    compiled.flatMap(({ rule }) => rule.match.resources ?? []).filter((resource) => isLiteral(resource)),
  );
  const ofVerb = (verb: string | undefined) => {
    const rules = compiled.filter(({ rule: { match } }) => match.verbs?.some((one) => one === verb) ?? true);
    const of = (resource: string | undefined) =>
      rules.filter(
        ({ rule: { match } }) => match.resources?.some((one) => one === resource || !isLiteral(one)) ?? true,
      );
    return { byResource: new Map([...literalResources].map((one) => [one, of(one)])), others: of(undefined) };
  };
  const verbs = new Set(compiled.flatMap(({ rule }) => rule.match.verbs ?? []));
  const byVerb = new Map([...verbs].map((verb) => [verb, ofVerb(verb)]));
  const ofOtherVerbs = ofVerb(undefined);
  return ({ verb, resource }) => {
    const { byResource, others } = byVerb.get(verb) ?? ofOtherVerbs;
    return byResource.get(resource) ?? others;
  };
}

function isAbout({ rules, exceptRules }: AuditExclusion, name: string): boolean {
  return (rules === undefined || rules.includes(name)) && exceptRules?.includes(name) !== true;
}

/** The cheap tests first: they are what most events fail. */
function compileMatch(match: AuditMatch): Test {
  const tests: Test[] = [];
  const { impersonated, annotations, privileges, grants } = match;
  const add = (patterns: readonly string[] | undefined, textOf: (request: AuditRequest) => string) => {
    if (patterns === undefined || patterns.includes('*')) return;
    const fits = compilePatterns(patterns);
    tests.push((request) => fits(textOf(request)));
  };
  if (impersonated !== undefined) tests.push((request) => (request.impersonated !== '') === impersonated);
  if (match.codes !== undefined) tests.push(compileCodes(match.codes));
  add(match.groups, ({ group }) => group);
  add(match.verbs, ({ verb }) => verb);
  add(match.resources, ({ resource }) => resource);
  add(match.namespaces, ({ namespace }) => namespace);
  add(match.names, ({ name }) => name);
  add(match.users, ({ user }) => user);
  if (match.userGroups !== undefined) {
    const fits = compilePatterns(match.userGroups);
    tests.push(({ event }) => textsIn(at(event['user'], 'groups')).some(fits));
  }
  add(match.paths, pathOf);
  for (const [name, pattern] of Object.entries(annotations ?? {})) {
    add([pattern], ({ event }) => asText(at(event['annotations'], name)) ?? '');
  }
  if (privileges !== undefined) tests.push(anyOf(privileges, privilegesOf));
  if (grants !== undefined) tests.push(anyOf(grants, grantsOf));
  return (request) => {
    for (const test of tests) if (!test(request)) return false;
    return true;
  };
}

function anyOf(patterns: readonly string[], wordsOf: (request: AuditRequest) => readonly string[]): Test {
  const fits = compilePatterns(patterns);
  return (request) => wordsOf(request).some(fits);
}

/** More groups than anybody is in who can be told by them. */
const mostGroups = 256;

function textsIn(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.slice(0, mostGroups).filter((item) => typeof item === 'string') : [];
}

function compilePatterns(patterns: readonly string[]): (text: string) => boolean {
  const literals = new Set(patterns.filter(isLiteral));
  const globs = patterns.filter((pattern) => !isLiteral(pattern)).map(compileGlob);
  const [only = ''] = literals;
  if (globs.length === 0) return literals.size === 1 ? (text) => text === only : (text) => literals.has(text);
  return (text) => literals.has(text) || globs.some((fits) => fits(text));
}

/** `403`, or `400-499` with both ends. */
export const codePattern = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/;

function compileCodes(codes: readonly string[]): Test {
  const isIn = new Uint8Array(600);
  for (const text of codes) {
    const [, from, to] = codePattern.exec(text) ?? [];
    if (from !== undefined) isIn.fill(1, Number(from), Number(to ?? from) + 1);
  }
  return ({ code }) => isIn[code] === 1;
}
