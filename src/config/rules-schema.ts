/** The part of the configuration that says which findings become events: docs/filters.md. */
import * as z from 'zod/mini';
import type { EventType, Severity } from '../api/words.ts';
import { categories, eventTypes, severities, sourceNamePattern } from '../api/words.ts';
import { parseUntil, untilHint } from '../lib/until.ts';
import type { Match } from '../pipeline/match.ts';
import { isEmptyMatch } from '../pipeline/match.ts';
import type { Threshold } from '../pipeline/presets.ts';
import { presets } from '../pipeline/presets.ts';
import type { RuleSettings } from '../pipeline/rules.ts';
import type { Source } from '../sources/source.ts';

/** Bounds: every rule costs time for every finding. */
const most = { filters: 256, mutes: 1_000, overrides: 256, values: 1_000, words: 64, sources: 64, labels: 16 };
const maximumPatternCharacters = 256;
const maximumReasonCharacters = 512;

const thresholdWords = severities.filter((word): word is Threshold => word !== 'unknown');
const threshold = z.enum(thresholdWords, {
  error: `one of ${thresholdWords.join(', ')} (unknown passes every threshold)`,
});
const severity = z.enum(severities, { error: `one of ${severities.join(', ')}` });
const sourceName = z.string().check(z.regex(new RegExp(sourceNamePattern), 'a source as in spec.source'));

/** One value or a list of values. */
function oneOrMore<Item extends string>(item: z.ZodMiniType<Item>, what: string) {
  const list = z.array(item).check(z.minLength(1), z.maxLength(most.values));
  const either = z.union([item, list], { error: `${what}, or a list of 1 to ${most.values} of them` });
  return z.optional(
    z.pipe(
      either,
      z.transform((value): readonly Item[] => (typeof value === 'string' ? [value] : value)),
    ),
  );
}

const pattern = z.string().check(z.minLength(1), z.maxLength(maximumPatternCharacters));
const patterns = oneOrMore(
  pattern,
  `a pattern of 1 to ${maximumPatternCharacters} characters (* and ? are the only magic)`,
);

const matchShape = {
  source: patterns,
  severity: oneOrMore(severity, `one of ${severities.join(', ')}`),
  eventType: oneOrMore(z.enum(eventTypes), `one of ${eventTypes.join(', ')}`),
  category: oneOrMore(z.enum(categories), `one of ${categories.join(', ')}`),
  namespace: patterns,
  namespaceLabels: z.optional(z.record(z.string(), z.string()).check(sizeOf(most.labels))),
  resource: patterns,
  rule: patterns,
};

function sizeOf(maximum: number) {
  return z.refine<Readonly<Record<string, unknown>>>((map) => {
    const size = Object.keys(map).length;
    return size >= 1 && size <= maximum;
  }, `must have 1 to ${maximum} entries`);
}

const says = (what: string) =>
  z.refine<Match>((match) => !isEmptyMatch(match), `says nothing of what it ${what}: give at least one field`);

const filter = z.strictObject({
  action: z.enum(['exclude', 'include'], { error: 'exclude or include' }),
  ...matchShape,
});

const until = z.string({ error: untilHint }).check(z.refine((text) => parseUntil(text) !== undefined, untilHint));

const mute = z
  .strictObject({
    ...matchShape,
    /** Why, and who knows more: shown by explain and in the log. */
    reason: z
      .string({ error: 'required: why these findings are muted' })
      .check(z.minLength(1, 'required: why these findings are muted'), z.maxLength(maximumReasonCharacters)),
    /** When they are told of again; for ever where absent, which is warned about. */
    until: z.optional(until),
  })
  .check(says('mutes'));

const override = z.strictObject({ match: z.strictObject(matchShape).check(says('changes')), severity });

const thresholdsByType = Object.fromEntries(
  eventTypes.map((eventType) => [eventType, z.optional(threshold)]),
) as Record<EventType, z.ZodMiniOptional<typeof threshold>>;

/** The keys at the top of the configuration. All of them take effect without a restart. */
export const rulesShape = {
  /** What is said where nothing is: a table in docs/filters.md. */
  preset: z._default(z.enum(presets, { error: `one of ${presets.join(', ')}` }), 'all'),
  /** The least severity, by source, else by event type, else by default; each over the preset's. */
  thresholds: z._default(
    z.strictObject({
      default: z.optional(threshold),
      ...thresholdsByType,
      sources: z.optional(z.record(sourceName, threshold).check(sizeOf(most.sources))),
    }),
    {},
  ),
  /** In order: the first that fits decides. */
  filters: z._default(z.array(filter).check(z.maxLength(most.filters)), []),
  mutes: z._default(z.array(mute).check(z.maxLength(most.mutes)), []),
  /** In order: the first that fits decides. */
  severityOverrides: z._default(z.array(override).check(z.maxLength(most.overrides)), []),
};

/** `sources.<name>.severities`: the tool's words in ours. Case does not matter. */
export const severityWordsSchema = z.optional(
  z.record(z.string().check(z.minLength(1), z.maxLength(64)), severity).check(sizeOf(most.words)),
);

/** What the rules need to know of a configuration. */
export interface RulesConfig extends Omit<RuleSettings, 'severities'> {
  readonly sources: Readonly<Record<string, { readonly severities?: Readonly<Record<string, Severity>> | undefined }>>;
}

/** The configuration as the rules want it: words by spec.source instead of by the source's name. */
export function ruleSettings(config: RulesConfig, sources: readonly Pick<Source, 'name' | 'emits'>[]): RuleSettings {
  const severitiesBySource: Record<string, Record<string, Severity>> = {};
  for (const { name, emits } of sources) {
    const words = Object.entries(config.sources[name]?.severities ?? {});
    if (words.length === 0) continue;
    const lowered = Object.fromEntries(words.map(([word, to]) => [word.toLowerCase(), to]));
    for (const word of emits) severitiesBySource[word] = { ...severitiesBySource[word], ...lowered };
  }
  const { preset, thresholds, filters, mutes, severityOverrides } = config;
  return { preset, thresholds, filters, mutes, severityOverrides, severities: severitiesBySource };
}
