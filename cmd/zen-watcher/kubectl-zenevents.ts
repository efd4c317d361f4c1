#!/usr/bin/env node
/** `kubectl zenevents`: a plugin of kubectl, which finds it by its name. argv, signals and the exit code; nothing else. */
import { Command, CommanderError } from 'commander';
import { addZenEventCommands } from '../../src/cli/zenevents.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { messageOf } from '../../src/lib/error-message.ts';
import { version } from '../../src/version.ts';

const program = new Command('kubectl-zenevents')
  .description('Shows ZenAgentEvents: a summary, the most urgent, and what comes.')
  .version(version)
  .showHelpAfterError('(run with --help to see what there is)')
  .exitOverride();

addZenEventCommands(program, {
  stdout: process.stdout,
  environment: process.env,
  clock: systemClock,
  version,
  useColor: process.stdout.isTTY === true && !process.env['NO_COLOR'],
  stopSignal: () => new Promise((resolve) => process.once('SIGINT', resolve)),
});

try {
  await program.parseAsync(process.argv);
  process.exit(0);
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  process.stderr.write(`kubectl-zenevents: ${messageOf(error)}\n`);
  process.exit(1);
}
