/** The part of the configuration that says what of the audit log is told: docs/sources/audit.md. */
import * as z from 'zod/mini';
import { severities } from '../api/words.ts';
import { audit } from '../sources/audit.ts';
import type { AuditMatch } from '../sources/audit-rules.ts';
import { codePattern, folds } from '../sources/audit-rules.ts';
import type { AuditSettings } from '../sources/audit-settings.ts';

/** Bounds: every rule costs time for every event. */
const most = { rules: 128, exclusions: 128, values: 256, annotations: 16 };
const maximumPatternCharacters = 256;

const name = z
  .string({ error: 'required: a name of its own' })
  .check(z.regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'lower case letters, digits and -, at most 63'));

function listOf(item: z.ZodMiniType<string>, what: string) {
  const list = z.array(item, { error: `a list of ${what}` }).check(z.minLength(1), z.maxLength(most.values));
  return z.optional(list);
}

const pattern = z.string().check(z.maxLength(maximumPatternCharacters));
const patterns = listOf(pattern, 'patterns (* and ? are the only magic)');
const word = z.string().check(z.minLength(1), z.maxLength(maximumPatternCharacters));
const code = z.string().check(z.regex(codePattern, 'a status code as 403, or a range as 400-499, in quotes'));

const matchShape = {
  verbs: listOf(word.check(z.regex(/^[a-z]+$/, 'a verb in lower case, without magic')), 'verbs'),
  groups: patterns,
  resources: patterns,
  namespaces: patterns,
  names: patterns,
  users: patterns,
  userGroups: patterns,
  impersonated: z.optional(z.boolean()),
  codes: listOf(code, 'status codes'),
  annotations: z.optional(
    z.record(word, pattern).check(
      z.refine((map) => {
        const size = Object.keys(map).length;
        return size >= 1 && size <= most.annotations;
      }, `must have 1 to ${most.annotations} entries`),
    ),
  ),
  paths: patterns,
  privileges: patterns,
  grants: patterns,
};

const match = z
  .strictObject(matchShape)
  .check(
    z.refine<AuditMatch>(
      (fields) => Object.values(fields).some((value) => value !== undefined),
      'says nothing of what it fits: give at least one field',
    ),
  );

const eventTypes = audit.eventTypes.map(({ eventType }) => eventType);
const why = z._default(z.string().check(z.maxLength(512)), '');
const switchedOff = z.strictObject({ name, enabled: z.literal(false) });

const rule = z.strictObject({
  name,
  enabled: z.optional(z.literal(true)),
  why,
  match,
  eventType: z.enum(eventTypes, { error: `one of ${eventTypes.join(', ')}` }),
  severity: z.enum(severities, { error: `one of ${severities.join(', ')}` }),
  fold: z._default(z.enum(folds, { error: `one of ${folds.join(', ')}` }), 'object'),
});

const exclusion = z.strictObject({
  name,
  enabled: z.optional(z.literal(true)),
  why,
  match,
  rules: z.optional(z.array(name).check(z.minLength(1), z.maxLength(most.rules))),
  exceptRules: z.optional(z.array(name).check(z.minLength(1), z.maxLength(most.rules))),
});

/** Told apart by `enabled`, so that what is wrong with a row is told at its own fields. */
const ruleRow = z.discriminatedUnion('enabled', [switchedOff, rule]);
const exclusionRow = z.discriminatedUnion('enabled', [switchedOff, exclusion]);

function refuseTwins(list: readonly { readonly name: string }[], context: z.core.$RefinementCtx): void {
  const seen = new Set<string>();
  for (const [index, { name: given }] of list.entries()) {
    if (seen.has(given)) context.addIssue({ code: 'custom', path: [index, 'name'], message: 'is there twice' });
    seen.add(given);
  }
}

/** The key `audit` at the top of the configuration. */
export const auditSchema = z.strictObject({
  /** One under the name of a default rule takes its place; `{name, enabled: false}` switches it off; others go first. */
  rules: z._default(z.array(ruleRow).check(z.maxLength(most.rules), z.superRefine(refuseTwins)), []),
  exclusions: z._default(z.array(exclusionRow).check(z.maxLength(most.exclusions), z.superRefine(refuseTwins)), []),
  /** false: none of the default rules and exclusions. */
  defaults: z._default(z.boolean(), true),
  /** Users whose reads of Secrets are routine, besides those of kube-system. */
  secretReaders: z._default(z.array(word).check(z.maxLength(most.values)), []),
  /** Users that zen-watcher is; its service account in the events' namespace where nothing is said. */
  ownAccounts: z.optional(z.array(word).check(z.minLength(1), z.maxLength(most.values))),
});

/** What a configuration says of the audit log. */
export type AuditConfig = z.infer<typeof auditSchema>;

/** The settings of the source. `namespace`: that of the events, where zen-watcher lives. */
export function auditSettings({ ownAccounts, ...config }: AuditConfig, namespace: string): AuditSettings {
  return { ...config, ownAccounts: ownAccounts ?? [`system:serviceaccount:${namespace}:zen-watcher`] };
}
