#!/usr/bin/env node
/** argv, signals and the exit code; nothing else. The only place that may end the process. */
import { Command, CommanderError } from 'commander';
import { addRunCommand } from '../../src/cli/run.ts';
import { version } from '../../src/version.ts';

const program = new Command('zen-watcher')
  .description('Turns what a Kubernetes cluster’s security tools find into one ZenAgentEvent per finding.')
  .version(version)
  .showHelpAfterError('(run with --help to see what there is)')
  .exitOverride();

let exitCode = 0;

addRunCommand(program, {
  stdout: process.stdout,
  environment: process.env,
  version,
  stopSignal: () =>
    new Promise((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
    }),
});

try {
  await program.parseAsync(process.argv);
} catch (error) {
  exitCode = describe(error);
}
process.exit(exitCode);

/** Says what went wrong, unless commander has done so; gives the exit code: 2 for wrong usage, 1 for the rest. */
function describe(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  process.stderr.write(`zen-watcher: ${error instanceof Error ? error.message : String(error)}\n`);
  return error instanceof Error && 'code' in error && error.code === 'CONFIG_ERROR' ? 2 : 1;
}
