/** `declarativeSources` of the configuration, before their expressions are compiled: docs/sources/declarative.md. */
import * as z from 'zod/mini';
import { categories, eventTypePattern, eventTypes, severities, sourceNamePattern } from '../api/words.ts';
import { longestExpression, mostDeclaredSources, mostIdentityParts } from './declarative-limits.ts';

const most = { versions: 8, keys: 64, words: 64, details: 32 };

const text = (maximum: number) => z.string().check(z.minLength(1), z.maxLength(maximum));
/** An expression in CEL. */
const expression = z
  .string({ error: 'an expression in CEL; plain text stands between quotes of its own: "\'text\'"' })
  .check(
    z.minLength(1, 'at least 1 characters'),
    z.maxLength(longestExpression, `at most ${longestExpression} characters`),
  );
const optional = z.optional(expression);
const label = z.string().check(z.regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'lower case, digits and -, at most 63'));
const seconds = z.number().check(z.gte(0), z.lte(366 * 24 * 60 * 60));

const resourceSchema = z
  .strictObject({
    /** '' is the core group. */
    group: z.string().check(z.maxLength(253), z.regex(/^[a-z0-9.-]*$/, 'an API group: lower case, digits, - and .')),
    /** The preferred one first. */
    versions: z
      .array(z.string().check(z.regex(/^v[1-9][0-9]*(?:(?:alpha|beta)[1-9][0-9]*)?$/, 'a version such as v1beta1')))
      .check(z.minLength(1), z.maxLength(most.versions)),
    /** The plural name. */
    resource: label,
    kind: z.string().check(z.regex(/^[A-Z][A-Za-z0-9]{0,62}$/, 'a kind such as JobFlow')),
    namespaced: z._default(z.boolean(), true),
    fieldSelector: z.optional(text(1_024)),
  })
  .check(
    z.superRefine(({ group, resource }, context) => {
      const message = forbidden[`${resource}.${group}`];
      if (message !== undefined) context.addIssue({ code: 'custom', path: ['resource'], message });
      if (group === 'zen.kube-zen.io') {
        context.addIssue({ code: 'custom', path: ['group'], message: 'events of our own are no reports' });
      }
    }),
  );

const forbidden: Readonly<Record<string, string>> = {
  'secrets.': 'Secrets are never read',
  'configmaps.': 'ConfigMaps are never read by the whole cluster: use configMap with a selector',
};

const findingSchema = z
  .strictObject({
    eventType: z
      .string()
      .check(
        z.regex(
          new RegExp(eventTypePattern),
          `one of ${eventTypes.join(', ')}, or a word of your own: lower case and -`,
        ),
      ),
    category: z.enum(categories),
    nature: z._default(z.enum(['state', 'signal']), 'state'),
    match: optional,
    severity: expression,
    severities: z._default(
      z
        .record(text(32), z.enum(severities, { error: `one of ${severities.join(', ')}` }))
        .check(z.refine((words) => Object.keys(words).length <= most.words, `at most ${most.words} entries`)),
      {},
    ),
    rule: expression,
    identity: z.optional(z.array(expression).check(z.minLength(1), z.maxLength(mostIdentityParts))),
    resource: z.optional(
      z.strictObject({ apiVersion: optional, kind: expression, name: expression, namespace: optional }),
    ),
    title: expression,
    summary: optional,
    remediation: optional,
    score: optional,
    references: optional,
    details: z._default(
      z
        .record(
          z.string().check(z.regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, 'a name: letters, digits, _ and -')),
          expression,
        )
        .check(z.refine((details) => Object.keys(details).length <= most.details, `at most ${most.details} entries`)),
      {},
    ),
    at: optional,
    id: optional,
    count: optional,
  })
  .check(
    z.superRefine((finding, context) => {
      if (finding.nature === 'signal') return;
      for (const key of ['at', 'id', 'count'] as const) {
        if (finding[key] === undefined) continue;
        context.addIssue({ code: 'custom', path: [key], message: 'is of signals only: nature: signal' });
      }
    }),
  );

const sourceSchema = z
  .strictObject({
    name: z.string().check(z.regex(new RegExp(sourceNamePattern), 'lower case, digits and -, at most 32')),
    title: text(128),
    homepage: z._default(z.string().check(z.regex(/^(?:https?:\/\/\S{1,1000})?$/, 'an http or https address')), ''),
    resource: z.optional(resourceSchema),
    configMap: z.optional(
      z.strictObject({
        selector: text(1_024),
        keys: z.optional(z.array(text(253)).check(z.minLength(1), z.maxLength(most.keys))),
      }),
    ),
    webhook: z._default(z.boolean(), false),
    recognise: optional,
    when: optional,
    items: optional,
    complete: optional,
    subject: optional,
    crossNamespace: z._default(z.boolean(), false),
    graceSeconds: z._default(seconds, 2 * 60 * 60),
    quietSeconds: z.optional(seconds),
    finding: findingSchema,
  })
  .check(
    z.superRefine((source, context) => {
      for (const { path, message } of contradictions(source))
        context.addIssue({ code: 'custom', path: [...path], message });
    }),
  );

/** A declared source with its defaults, as it stands in the configuration. */
export type DeclarativeSettings = z.infer<typeof sourceSchema>;

export const declarativeSourcesSchema = z._default(z.array(sourceSchema).check(z.maxLength(mostDeclaredSources)), []);

interface Contradiction {
  readonly path: readonly string[];
  readonly message: string;
}

/** What each key permits by itself and does not make sense together. */
function contradictions(source: Omit<DeclarativeSettings, 'title' | 'homepage'>): Contradiction[] {
  const { resource, configMap, webhook, recognise, subject, items, finding } = source;
  const isCarried = configMap !== undefined || webhook;
  const found: Contradiction[] = [];
  const say = (message: string, ...path: string[]) => found.push({ path, message });
  if (resource === undefined && !isCarried) say('needs at least one of resource, configMap and webhook: true');
  if (isCarried && recognise === undefined) {
    say('required with configMap and webhook: which documents are of this source', 'recognise');
  }
  if (!isCarried && recognise !== undefined)
    say('is for configMap and webhook: objects are known by their kind', 'recognise');
  if (isCarried && finding.resource === undefined) say('required: what the finding is about', 'finding', 'resource');
  if (webhook && subject === undefined && finding.nature === 'state') {
    say('required with webhook: what a body reports on, so that the next body about it takes its place', 'subject');
  }
  if (resource !== undefined && finding.nature === 'signal') {
    if (finding.id === undefined && finding.count === undefined) {
      say('required: id or count, since an object is read again whenever it changes', 'finding', 'id');
    }
    if (finding.count !== undefined && items !== undefined) {
      say('an object that counts has one finding: leave out items or count', 'finding', 'count');
    }
  }
  return found;
}
