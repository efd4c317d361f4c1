/** Presets: what the configuration says when it says nothing itself. Shown as a table in docs/filters.md. */
import type { Category, EventType, Severity } from '../api/words.ts';
import { categories, eventTypes } from '../api/words.ts';

export const presets = ['all', 'conservative', 'security-only', 'compliance-only'] as const;
export type Preset = (typeof presets)[number];

/** A severity that a threshold can have: `unknown` passes every one. */
export type Threshold = Exclude<Severity, 'unknown'>;

/** The least severity by event type; `default` is for the rest. */
export type PresetThresholds = Readonly<Partial<Record<EventType, Threshold>>> & { readonly default: Threshold };

/** What a preset lets through. */
export interface PresetRules {
  readonly categories: readonly Category[];
  readonly thresholds: PresetThresholds;
}

/** Event types of tools that check objects against a list: most of what they find is advice. */
const failedChecks: readonly EventType[] = [
  'misconfiguration',
  'infra-misconfiguration',
  'rbac-risk',
  'compliance-failure',
  'cis-benchmark-fail',
  'static-analysis',
];

/** The daemon's defaults: vulnerabilities from high, failed checks from medium, the rest from low. */
export const defaultThresholds: PresetThresholds = {
  default: 'low',
  vulnerability: 'high',
  ...Object.fromEntries(failedChecks.map((eventType) => [eventType, 'medium'])),
};

export const presetRules: Readonly<Record<Preset, PresetRules>> = {
  all: { categories, thresholds: defaultThresholds },
  conservative: {
    categories,
    thresholds: { default: 'high', vulnerability: 'critical' },
  },
  'security-only': { categories: ['security'], thresholds: defaultThresholds },
  'compliance-only': { categories: ['compliance'], thresholds: defaultThresholds },
};

/** Whether a word is an event type of ours. */
export function isEventType(word: string): word is EventType {
  return (eventTypes as readonly string[]).includes(word);
}
