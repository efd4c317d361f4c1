/**
 * The rules that are in force: they change with the configuration and when a mute ends. Whoever judges by them holds one
 * judge for ever; whoever reads reports is told when its verdicts are others, and reads them all again.
 */
import type { Clock } from '../lib/clock.ts';
import { canonicalJson } from '../lib/hash.ts';
import type { NamespaceLabels } from './match.ts';
import type { Judge, RuleSettings, Rules } from './rules.ts';
import { compileRules } from './rules.ts';

export interface LiveRulesOptions {
  readonly clock: Clock;
  readonly labelsOf: NamespaceLabels;
  /** Every report has to be judged anew. */
  changed(): void;
  /** Mutes that people should look at: told when rules come into force. */
  noticed(notices: Rules['notices']): void;
}

/** A timer holds 24 days at the most; looking daily also bears a wall clock that is put right. */
const longestWaitMs = 24 * 60 * 60 * 1000;
/** Labels of many namespaces change at a time: every report is judged anew once for all of them. */
const labelsSettleMs = 1_000;

export class LiveRules {
  readonly #options: LiveRulesOptions;
  #settings: RuleSettings;
  #rules: Rules;
  #timer: NodeJS.Timeout | undefined;
  #labelsTimer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(settings: RuleSettings, options: LiveRulesOptions) {
    this.#options = options;
    this.#settings = settings;
    this.#rules = this.#compile();
  }

  /** Judges by the rules that are in force when it is called. */
  readonly judge: Judge = (finding, owners) => this.#rules.judge(finding, owners);

  /** Tells what there is to tell of the first rules, and begins to wait for mutes to end. */
  start(): void {
    this.#options.noticed(this.#rules.notices);
    this.#schedule();
  }

  /** Puts settings into force. False when they are the present ones. */
  use(settings: RuleSettings): boolean {
    if (canonicalJson(settings) === canonicalJson(this.#settings)) return false;
    this.#settings = settings;
    this.#rules = this.#compile();
    this.#options.noticed(this.#rules.notices);
    this.#options.changed();
    this.#schedule();
    return true;
  }

  /** Sees whether a mute has ended: what it muted is judged anew. */
  look(): void {
    const { expiresAtMs } = this.#rules;
    if (expiresAtMs !== undefined && this.#options.clock.now().getTime() >= expiresAtMs) {
      const known = new Set(this.#rules.notices.map(({ mute }) => mute));
      this.#rules = this.#compile();
      this.#options.noticed(this.#rules.notices.filter(({ mute }) => !known.has(mute)));
      this.#options.changed();
    }
    this.#schedule();
  }

  /** Labels of a namespace are others than before: where a rule asks for them, every report is judged anew. */
  labelsChanged(keys: readonly string[]): void {
    if (this.#isStopped || this.#labelsTimer !== undefined) return;
    if (!keys.some((key) => this.#rules.labelKeys.has(key))) return;
    this.#labelsTimer = setTimeout(() => {
      this.#labelsTimer = undefined;
      this.#options.changed();
    }, labelsSettleMs);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#labelsTimer);
  }

  #compile(): Rules {
    const { clock, labelsOf } = this.#options;
    return compileRules(this.#settings, { now: clock.now(), labelsOf });
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const { expiresAtMs } = this.#rules;
    if (expiresAtMs === undefined || this.#isStopped) return;
    const waitMs = Math.max(0, expiresAtMs - this.#options.clock.now().getTime());
    this.#timer = setTimeout(() => this.look(), Math.min(waitMs + 1, longestWaitMs));
  }
}
