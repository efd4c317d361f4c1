/** Rules for tests. */
import { presetRules } from '../../src/pipeline/presets.ts';
import type { Judge, RuleSettings } from '../../src/pipeline/rules.ts';
import { compileRules, noSettings } from '../../src/pipeline/rules.ts';
import { start } from './findings.ts';

/** Everything becomes an event. */
export const everythingAccepted: RuleSettings = {
  ...noSettings,
  thresholds: Object.fromEntries(Object.keys(presetRules.all.thresholds).map((key) => [key, 'info'])),
};

/** The judge of some settings, at the time of the tests' findings. */
export function judgeOf(settings: Partial<RuleSettings> = {}): Judge {
  return compileRules({ ...noSettings, ...settings }, { now: start, labelsOf: () => undefined }).judge;
}
