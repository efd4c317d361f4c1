/** What `zen-watcher run` does: the daemon, from configuration to SIGTERM. Loaded on demand. */
import { configuredSources } from '../config/configured-sources.ts';
import { environmentWarnings } from '../config/environment.ts';
import { loadConfig } from '../config/load.ts';
import { watchConfig } from '../config/watch.ts';
import { startDaemon } from '../daemon.ts';
import { loadKubeConfig } from '../kube/kube-config.ts';
import { systemClock } from '../lib/clock.ts';
import { sources } from '../sources/registry.ts';
import { createLogger } from '../telemetry/logger.ts';
import type { RunFlags, RunIo } from './run.ts';

/** Runs until it is asked to stop. */
export async function run(flags: RunFlags, io: RunIo): Promise<void> {
  const { environment } = io;
  const config = await loadConfig(flags, environment, sources);
  const logger = createLogger({ level: config.log.level, out: io.stdout });
  for (const warning of environmentWarnings(environment)) logger.warn('environment', { warning });
  const daemon = await startDaemon({
    config,
    kubeConfig: loadKubeConfig({ file: flags.kubeconfig, context: flags.context, environment }),
    sources: await configuredSources(config, sources),
    logger,
    clock: systemClock,
    random: Math.random,
    version: io.version,
    watchConfig: (listener) => watchConfig({ flags, environment, registry: sources }, listener),
  });
  const signal = await io.stopSignal();
  logger.info('stopping', { signal });
  await daemon.stop();
}
