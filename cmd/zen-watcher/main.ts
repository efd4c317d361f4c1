#!/usr/bin/env node
/** argv, signals and the exit code; nothing else. The only place that may end the process. */
import { Command, CommanderError } from 'commander';
import { systemClock } from '../../src/lib/clock.ts';
import { messageOf } from '../../src/lib/error-message.ts';
import { version } from '../../src/version.ts';

const program = new Command('zen-watcher')
  .description('Turns what a Kubernetes cluster’s security tools find into one ZenAgentEvent per finding.')
  .version(version)
  .showHelpAfterError('(run with --help to see what there is)')
  .exitOverride();

let exitCode = 0;

/** Each command is loaded when it is asked for: `scan` needs no HTTP client, `run` no parser of files. All of them for help. */
const commands: Readonly<Record<string, () => Promise<void>>> = {
  async run() {
    const { addRunCommand } = await import('../../src/cli/run.ts');
    addRunCommand(program, {
      stdout: process.stdout,
      environment: process.env,
      version,
      stopSignal: () =>
        new Promise((resolve) => {
          for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
        }),
    });
  },
  async scan() {
    const [{ addScanCommand }, { filesOnDisk }] = await Promise.all([
      import('../../src/cli/scan.ts'),
      import('../../src/cli/report-files.ts'),
    ]);
    addScanCommand(program, {
      stdin: process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
      files: filesOnDisk,
      clock: systemClock,
      environment: process.env,
      useColor: process.stdout.isTTY === true && !process.env['NO_COLOR'],
      showProgress: process.stderr.isTTY === true,
      exitWith(code) {
        exitCode = code;
      },
    });
  },
  async explain() {
    const [{ addExplainCommand }, { filesOnDisk }] = await Promise.all([
      import('../../src/cli/explain.ts'),
      import('../../src/cli/report-files.ts'),
    ]);
    addExplainCommand(program, {
      stdin: process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
      files: filesOnDisk,
      clock: systemClock,
      environment: process.env,
      version,
      exitWith(code) {
        exitCode = code;
      },
    });
  },
  async rbac() {
    const { addRbacCommand } = await import('../../src/cli/rbac.ts');
    addRbacCommand(program, { stdout: process.stdout, environment: process.env });
  },
  async doctor() {
    const { addDoctorCommand } = await import('../../src/cli/doctor.ts');
    addDoctorCommand(program, {
      stdout: process.stdout,
      environment: process.env,
      clock: systemClock,
      version,
      useColor: process.stdout.isTTY === true && !process.env['NO_COLOR'],
      exitWith(code) {
        exitCode = code;
      },
    });
  },
  async sources() {
    const { addSourcesCommand } = await import('../../src/cli/sources.ts');
    addSourcesCommand(program, { stdout: process.stdout, environment: process.env });
  },
  async config() {
    const { addConfigCommand } = await import('../../src/cli/config.ts');
    addConfigCommand(program, { stdout: process.stdout, stderr: process.stderr, environment: process.env });
  },
  async completion() {
    const { addCompletionCommand } = await import('../../src/cli/completion.ts');
    addCompletionCommand(program, { stdout: process.stdout });
  },
};

// A completion script speaks of all of them.
const asked = Object.entries(commands).filter(([name]) => name === process.argv[2] && name !== 'completion');
for (const [, load] of asked.length > 0 ? asked : Object.entries(commands)) await load();

try {
  await program.parseAsync(process.argv);
} catch (error) {
  exitCode = describe(error);
}
process.exit(exitCode);

/** Says what went wrong, unless commander has done so; gives the exit code: 2 for wrong usage, 1 for the rest. */
function describe(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  process.stderr.write(`zen-watcher: ${messageOf(error)}\n`);
  return error instanceof Error && 'code' in error && error.code === 'CONFIG_ERROR' ? 2 : 1;
}
