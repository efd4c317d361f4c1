/** `zen-watcher run`: its options. The daemon itself is loaded when it is wanted. */
import type { Command } from 'commander';
import type { Environment } from '../config/environment.ts';
import type { Flags } from '../config/load.ts';

/** What run needs from outside. */
export interface RunIo {
  readonly stdout: NodeJS.WritableStream;
  readonly environment: Environment;
  readonly version: string;
  /** Resolves with the name of the signal that asks to stop. */
  stopSignal(): Promise<string>;
}

/** What its command line says. */
export interface RunFlags extends Flags {
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
    .action(async (flags: RunFlags) => {
      // On demand: `--help` and `scan` need neither the HTTP client nor the rest of the daemon.
      const { run } = await import('./run-daemon.ts');
      await run(flags, io);
    });
}
