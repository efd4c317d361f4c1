/** Says what becomes of the configuration, and counts it. */
import type { RuleSettings, Rules } from '../pipeline/rules.ts';
import { brief } from './brief.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

export interface ConfigReporterParts {
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'configValid' | 'configReloads'>;
}

export class ConfigReporter {
  readonly #parts: ConfigReporterParts;

  constructor(parts: ConfigReporterParts) {
    this.#parts = parts;
  }

  /** A changed file is valid. `settings` where its rules are others than before. */
  valid(settings: RuleSettings | undefined): void {
    const { logger, metrics } = this.#parts;
    metrics.configValid.set(1);
    if (settings === undefined) return;
    metrics.configReloads.inc({ outcome: 'applied' });
    const { preset, filters, mutes, severityOverrides } = settings;
    logger.info('configuration reloaded: every report is judged anew', {
      preset,
      filters: filters.length,
      mutes: mutes.length,
      severityOverrides: severityOverrides.length,
    });
  }

  /** A changed file is not valid. */
  invalid(problems: readonly string[]): void {
    const { logger, metrics } = this.#parts;
    metrics.configValid.set(0);
    metrics.configReloads.inc({ outcome: 'invalid' });
    for (const problem of problems) {
      logger.error('configuration is not valid: the last good one stays', { problem: brief(problem) });
    }
  }

  needsRestart(keys: readonly string[]): void {
    this.#parts.logger.warn('configuration changed: restart for these keys', { keys: brief(keys.join(',')) });
  }

  /** Webhooks that are not served, since nothing is configured by which senders could prove who they are. */
  withoutCredential(paths: readonly string[]): void {
    if (paths.length === 0) return;
    const hint =
      'as it should be for what nobody sends; else give webhooks.routes.<source> tokenFiles, mtls or open: true';
    this.#parts.logger.info('webhooks without a credential are absent', { paths: paths.join(','), hint });
  }

  noticed(notices: Rules['notices']): void {
    for (const { kind, mute } of notices) {
      if (kind === 'expired') this.#parts.logger.info('mute has ended: remove it', { mute: brief(mute) });
      else this.#parts.logger.warn('mute has no end: give it until', { mute: brief(mute) });
    }
  }
}
