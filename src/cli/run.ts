/** `zen-watcher run`: the daemon, from configuration to SIGTERM. */
import { KubeConfig } from '@kubernetes/client-node';
import type { Command } from 'commander';
import type { Environment, Flags } from '../config/load.ts';
import { loadConfig } from '../config/load.ts';
import { startDaemon } from '../daemon.ts';
import { systemClock } from '../lib/clock.ts';
import { sources } from '../sources/registry.ts';
import { createLogger } from '../telemetry/logger.ts';

export interface RunIo {
  readonly stdout: NodeJS.WritableStream;
  readonly environment: Environment;
  readonly version: string;
  /** Resolves with the name of the signal that asks to stop. */
  stopSignal(): Promise<string>;
}

interface RunFlags extends Flags {
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** Adds the command. Its action resolves when the daemon has stopped. */
export function addRunCommand(program: Command, io: RunIo): void {
  program
    .command('run')
    .description('watch the cluster and keep one ZenAgentEvent per finding')
    .option('-c, --config <file>', 'configuration file (YAML)')
    .option(
      '--kubeconfig <file>',
      'kubeconfig; default: $KUBECONFIG, ~/.kube/config, or in the cluster its service account',
    )
    .option('--context <name>', 'context of the kubeconfig')
    .option('-n, --namespace <name>', 'namespace that events are written to')
    .option('--cluster <name>', 'name of the cluster, for spec.cluster')
    .option('--log-level <level>', 'error, warn, info or debug')
    .option('--metrics-port <port>', 'port of /metrics and the probes; 0 takes a free one', Number)
    .option('--host <address>', 'address to listen on')
    .option('--writes-per-second <n>', 'write budget; 0 is no limit', Number)
    .action(async (flags: RunFlags) => run(flags, io));
}

async function run(flags: RunFlags, io: RunIo): Promise<void> {
  const config = loadConfig(
    flags,
    io.environment,
    sources.map(({ name }) => name),
  );
  const logger = createLogger({ level: config.log.level, out: io.stdout });
  const daemon = await startDaemon({
    config,
    kubeConfig: loadKubeConfig(flags),
    sources,
    logger,
    clock: systemClock,
    random: Math.random,
    version: io.version,
  });
  const signal = await io.stopSignal();
  logger.info('stopping', { signal });
  await daemon.stop();
}

function loadKubeConfig(flags: RunFlags): KubeConfig {
  const kubeConfig = new KubeConfig();
  if (flags.kubeconfig === undefined) kubeConfig.loadFromDefault();
  else kubeConfig.loadFromFile(flags.kubeconfig);
  if (flags.context !== undefined) {
    if (kubeConfig.getContextObject(flags.context) === null)
      throw new Error(`the kubeconfig has no context ${flags.context}`);
    kubeConfig.setCurrentContext(flags.context);
  }
  return kubeConfig;
}
