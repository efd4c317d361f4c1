/** What `zen-watcher run` does: the daemon, from configuration to SIGTERM. Loaded on demand. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import { configuredSources } from '../config/configured-sources.ts';
import { environmentWarnings } from '../config/environment.ts';
import { loadConfig } from '../config/load.ts';
import { watchConfig } from '../config/watch.ts';
import { startDaemon } from '../daemon.ts';
import { loadKubeConfig } from '../kube/kube-config.ts';
import { systemClock } from '../lib/clock.ts';
import { outgrowsContainer } from '../lib/heap-room.ts';
import { sources } from '../sources/registry.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createLogger } from '../telemetry/logger.ts';
import type { RunFlags, RunIo } from './run.ts';

/**
 * Runs until it is asked to stop. Throws when nobody reads its log any more: after what is queued was written, so that
 * whoever started it starts one whose log is read.
 */
export async function run(flags: RunFlags, io: RunIo): Promise<void> {
  const { environment } = io;
  const config = await loadConfig(flags, environment, sources);
  const logger = createLogger({ level: config.log.level, out: io.stdout });
  for (const warning of environmentWarnings(environment)) logger.warn('environment', { warning });
  checkHeap(logger);
  const daemon = await startDaemon({
    config,
    kubeConfig: loadKubeConfig({ file: flags.kubeconfig, context: flags.context, environment }),
    sources: await configuredSources(config, sources),
    logger,
    clock: systemClock,
    random: Math.random,
    version: io.version,
    // The name of the Pod, which a restarted container has again, and what it has not.
    identity: `${hostname()}_${randomUUID()}`,
    watchConfig: (listener) => watchConfig({ flags, environment, registry: sources }, listener),
  });
  const signal = await Promise.race([io.stopSignal(), logger.broken]);
  logger.info('stopping', { signal });
  await daemon.stop();
  if (signal === undefined) throw new Error('stopped, because nobody reads standard output any more');
}

/** V8 takes its limits at the start of the process only: all that can be done here is to say that they do not fit. */
function checkHeap(logger: Logger): void {
  const heapBytes = getHeapStatistics().heap_size_limit;
  const containerBytes = process.constrainedMemory();
  if (!outgrowsContainer(heapBytes, containerBytes)) return;
  logger.warn('the heap may outgrow the memory of the container', {
    heapMegabytes: Math.round(heapBytes / 2 ** 20),
    containerMegabytes: Math.round(containerBytes / 2 ** 20),
    hint: 'NODE_OPTIONS=--max-old-space-size-percentage=60',
  });
}
