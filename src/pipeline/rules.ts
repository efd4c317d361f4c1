/**
 * Which findings become events, and with which severity: filters, presets, thresholds, mutes and severity overrides,
 * compiled once into a pure judge. It runs for every finding of every report before anything is hashed, so the usual
 * configuration costs one look-up; verdicts that can be made beforehand are.
 *
 * The order is documented in docs/filters.md: severity, filters (the first that fits decides), copies, preset, thresholds,
 * mutes.
 */
import type { Category, EventType, Severity } from '../api/words.ts';
import { severities, severityRank } from '../api/words.ts';
import { cut } from '../lib/text.ts';
import { parseUntil } from '../lib/until.ts';
import type { Finding } from '../sources/source.ts';
import type { Match, Matcher, NamespaceLabels, ResourceResolver } from './match.ts';
import { compileMatch, phraseOf } from './match.ts';
import type { Preset, Threshold } from './presets.ts';
import { isEventType, presetRules } from './presets.ts';

/** What is to become of a finding. */
export interface Verdict {
  readonly kind: 'accepted' | 'filtered' | 'muted';
  /** After overrides. */
  readonly severity: Severity;
  /** The rule that decided, with its place in the configuration. */
  readonly decidedBy: string;
  /** The override that set the severity, where one did. */
  readonly overriddenBy?: string;
}

/** Judges one finding. Pure; throws only where the finding's own getters do. */
export type Judge = (finding: Finding, owners: ResourceResolver) => Verdict;

/** Lets findings through, or not, whatever the thresholds say. */
export interface FilterRule extends Match {
  readonly action: 'exclude' | 'include';
}

/** Findings that are known and shall not be told of. */
export interface MuteRule extends Match {
  readonly reason: string;
  /** An RFC 3339 time or a date; for ever where absent. */
  readonly until?: string | undefined;
}

/** Gives findings another severity. */
export interface OverrideRule {
  /** `severity` in it is what the finding has before this override. */
  readonly match: Match;
  readonly severity: Severity;
}

/** What users say; the preset says the rest. */
export interface RuleSettings {
  readonly preset: Preset;
  readonly thresholds: Readonly<Partial<Record<EventType | 'default', Threshold | undefined>>> & {
    /** By word of spec.source; wins over the event type's. */
    readonly sources?: Readonly<Record<string, Threshold>> | undefined;
  };
  readonly filters: readonly FilterRule[];
  readonly mutes: readonly MuteRule[];
  readonly severityOverrides: readonly OverrideRule[];
  /** The tools' words in our severities: by word of spec.source, then by the tool's word in lower case. */
  readonly severities: Readonly<Record<string, Readonly<Record<string, Severity>>>>;
}

export interface RulesOptions {
  readonly now: Date;
  readonly labelsOf: NamespaceLabels;
  /** Copies are judged like all others: who asks knows better what was read from the tool itself. */
  readonly keepsCopies?: boolean;
}

/** Compiled rules. They know no time: who holds them compiles anew at `expiresAtMs`. */
export interface Rules {
  readonly judge: Judge;
  /** When the next mute ends, in milliseconds since the epoch. */
  readonly expiresAtMs: number | undefined;
  /** Keys of the namespaces' labels that verdicts depend on. */
  readonly labelKeys: ReadonlySet<string>;
  /** Mutes that people should look at. */
  readonly notices: readonly { readonly kind: 'endless' | 'expired'; readonly mute: string }[];
}

/** Nothing is said. */
export const noSettings: RuleSettings = {
  preset: 'all',
  thresholds: {},
  filters: [],
  mutes: [],
  severityOverrides: [],
  severities: {},
};

/** Compiles the settings as they are at a time. */
export function compileRules(settings: RuleSettings, { now, labelsOf, keepsCopies = false }: RulesOptions): Rules {
  const { mutes, expiresAtMs, notices } = compileMutes(settings.mutes, now, labelsOf);
  const filters = compileFilters(settings.filters, labelsOf);
  const override = compileOverrides(settings, labelsOf);
  const isPresetFor = compilePreset(settings.preset);
  const threshold = compileThresholds(settings);

  const judgeAs = (finding: Finding, severity: Severity, owners: ResourceResolver): Verdict => {
    let verdict = filters.length === 0 ? undefined : firstOf(filters, finding, severity, owners);
    if (verdict === undefined) {
      verdict =
        (keepsCopies ? undefined : copyVerdict(finding, severity)) ??
        isPresetFor?.(finding.category, severity) ??
        threshold(finding)[severity];
    }
    if (verdict.kind !== 'accepted' || mutes.length === 0) return verdict;
    return firstOf(mutes, finding, severity, owners) ?? verdict;
  };
  const judge: Judge = (finding, owners) => {
    const overridden = override?.(finding, owners);
    if (overridden === undefined) return judgeAs(finding, finding.severity, owners);
    return { ...judgeAs(finding, overridden.severity, owners), overriddenBy: overridden.rule };
  };
  return { judge, expiresAtMs, notices, labelKeys: labelKeysOf(settings) };
}

/** What an adapter copied from a tool that is read itself is there already. */
function copyVerdict({ copyOf }: Finding, severity: Severity): Verdict | undefined {
  return copyOf === undefined
    ? undefined
    : { kind: 'filtered', severity, decidedBy: `a copy of what ${copyOf} reports` };
}

function labelKeysOf({ filters, mutes, severityOverrides }: RuleSettings): ReadonlySet<string> {
  const matches: Match[] = [...filters, ...mutes, ...severityOverrides.map(({ match }) => match)];
  return new Set(matches.flatMap(({ namespaceLabels }) => Object.keys(namespaceLabels ?? {})));
}

/** Verdicts by severity, made beforehand. */
type Verdicts = Readonly<Record<Severity, Verdict>>;

function verdicts(make: (severity: Severity) => Verdict): Verdicts {
  return Object.fromEntries(severities.map((severity) => [severity, make(severity)])) as Record<Severity, Verdict>;
}

interface Rule {
  readonly fits: Matcher;
  readonly verdicts: Verdicts;
}

/** The verdict of the first rule that fits. */
function firstOf(
  rules: readonly Rule[],
  finding: Finding,
  severity: Severity,
  owners: ResourceResolver,
): Verdict | undefined {
  for (const rule of rules) if (rule.fits(finding, severity, owners)) return rule.verdicts[severity];
  return undefined;
}

function compileFilters(filters: readonly FilterRule[], labelsOf: NamespaceLabels): Rule[] {
  return filters.map((filter, index) => {
    const kind = filter.action === 'include' ? 'accepted' : 'filtered';
    const decidedBy = `filters[${index}] (${filter.action} ${phraseOf(filter)})`;
    return { fits: compileMatch(filter, labelsOf), verdicts: verdicts((severity) => ({ kind, severity, decidedBy })) };
  });
}

const maximumReasonCharacters = 120;

function compileMutes(all: readonly MuteRule[], now: Date, labelsOf: NamespaceLabels) {
  const mutes: Rule[] = [];
  const notices: { kind: 'endless' | 'expired'; mute: string }[] = [];
  let expiresAtMs: number | undefined;
  for (const [index, mute] of all.entries()) {
    const untilMs = mute.until === undefined ? undefined : parseUntil(mute.until);
    const until = mute.until === undefined ? '' : `, until ${mute.until}`;
    const decidedBy = `mutes[${index}] (${phraseOf(mute)}${until}: ${cut(mute.reason, maximumReasonCharacters)})`;
    if (mute.until !== undefined && (untilMs === undefined || untilMs <= now.getTime())) {
      notices.push({ kind: 'expired', mute: decidedBy });
      continue;
    }
    if (untilMs === undefined) notices.push({ kind: 'endless', mute: decidedBy });
    else expiresAtMs = Math.min(untilMs, expiresAtMs ?? untilMs);
    mutes.push({
      fits: compileMatch(mute, labelsOf),
      verdicts: verdicts((severity) => ({ kind: 'muted', severity, decidedBy })),
    });
  }
  return { mutes, notices, expiresAtMs };
}

interface Overridden {
  readonly severity: Severity;
  readonly rule: string;
}

/** The tool's word first, then the first override that fits. Undefined where nothing is overridden at all. */
function compileOverrides({ severityOverrides, severities: words }: RuleSettings, labelsOf: NamespaceLabels) {
  if (severityOverrides.length === 0 && Object.keys(words).length === 0) return undefined;
  const bySource = new Map(
    Object.entries(words).map(([source, map]) => [source, new Map(Object.entries(map))] as const),
  );
  const rules = severityOverrides.map(({ match, severity }, index) => ({
    fits: compileMatch(match, labelsOf),
    overridden: { severity, rule: `severityOverrides[${index}] (${phraseOf(match)}: ${severity})` },
  }));
  return (finding: Finding, owners: ResourceResolver): Overridden | undefined => {
    const word = wordOverride(finding, bySource);
    const severity = word?.severity ?? finding.severity;
    return rules.find(({ fits }) => fits(finding, severity, owners))?.overridden ?? word;
  };
}

function wordOverride(
  finding: Finding,
  bySource: ReadonlyMap<string, ReadonlyMap<string, Severity>>,
): Overridden | undefined {
  const words = bySource.get(finding.source);
  const word = words === undefined ? undefined : finding.sourceSeverity?.toLowerCase();
  const severity = word === undefined ? undefined : words?.get(word);
  return severity === undefined
    ? undefined
    : { severity, rule: `severities of ${finding.source} (${word}: ${severity})` };
}

/** What the preset leaves out by category; undefined for one that leaves out nothing. */
function compilePreset(preset: Preset) {
  const { categories } = presetRules[preset];
  if (categories.length === presetRules.all.categories.length) return undefined;
  const kept = new Set<Category>(categories);
  const left = new Map<Category, Verdicts>();
  for (const category of presetRules.all.categories) {
    if (kept.has(category)) continue;
    const decidedBy = `preset ${preset} (category ${category})`;
    left.set(
      category,
      verdicts((severity) => ({ kind: 'filtered', severity, decidedBy })),
    );
  }
  return (category: Category, severity: Severity): Verdict | undefined => left.get(category)?.[severity];
}

/** The source's threshold wins over the event type's, and that one over the default; the user's each over the preset's. */
function compileThresholds({ preset, thresholds }: RuleSettings): (finding: Finding) => Verdicts {
  const { sources, ...own } = thresholds;
  const byType = new Map<EventType, Verdicts>();
  const place = (key: string, isOwn: boolean) => (isOwn ? `thresholds.${key}` : `preset ${preset}, ${key}`);
  const merged = { ...presetRules[preset].thresholds, ...defined(own) };
  for (const [key, least] of Object.entries(merged)) {
    if (isEventType(key)) byType.set(key, verdictsAbove(least, place(key, own[key] !== undefined)));
  }
  const others = verdictsAbove(merged.default, place('default', own.default !== undefined));
  const bySource = new Map(
    Object.entries(sources ?? {}).map(([source, least]) => [
      source,
      verdictsAbove(least, `thresholds.sources.${source}`),
    ]),
  );
  if (bySource.size === 0) return (finding) => byType.get(finding.eventType) ?? others;
  return (finding) => bySource.get(finding.source) ?? byType.get(finding.eventType) ?? others;
}

function verdictsAbove(least: Threshold, place: string): Verdicts {
  return verdicts((severity) => {
    if (severity === 'unknown') return { kind: 'accepted', severity, decidedBy: 'unknown passes every threshold' };
    const isAbove = severityRank(severity) <= severityRank(least);
    return { kind: isAbove ? 'accepted' : 'filtered', severity, decidedBy: `${place}: ${least}` };
  });
}

function defined<Values extends Readonly<Record<string, unknown>>>(values: Values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Key in keyof Values]?: NonNullable<Values[Key]>;
  };
}
