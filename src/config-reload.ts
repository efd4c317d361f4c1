/** A changed configuration file: its rules and log level take effect, what else changed waits for a restart, an invalid one for its author. */
import { keysThatNeedRestart } from './config/changes.ts';
import { ruleSettings } from './config/rules-schema.ts';
import type { Config } from './config/schema.ts';
import type { ConfigListener } from './config/watch.ts';
import type { LiveRules } from './pipeline/live-rules.ts';
import type { Source } from './sources/source.ts';
import type { ConfigReporter } from './telemetry/config-reporter.ts';
import type { ControlledLogger } from './telemetry/logger.ts';

export interface ConfigReloadParts {
  /** What the daemon started with. */
  readonly started: Config;
  readonly sources: readonly Source[];
  readonly rules: LiveRules;
  readonly reporter: ConfigReporter;
  readonly logger: Pick<ControlledLogger, 'setLevel'>;
}

/** Puts into force what the watch of the file tells. */
export function configReload({ started, sources, rules, reporter, logger }: ConfigReloadParts): ConfigListener {
  let toldKeys = '';
  return {
    changed(config) {
      logger.setLevel(config.log.level);
      const settings = ruleSettings(config, sources);
      reporter.valid(rules.use(settings) ? settings : undefined);
      const keys = keysThatNeedRestart(started, config);
      if (keys.join() !== toldKeys && keys.length > 0) reporter.needsRestart(keys);
      toldKeys = keys.join();
    },
    invalid: (problems) => reporter.invalid(problems),
  };
}
