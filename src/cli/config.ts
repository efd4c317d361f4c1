/** `zen-watcher config validate` and `config print`: what is wrong with a configuration, and what it comes to. */
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { configuredSources } from '../config/configured-sources.ts';
import type { Environment } from '../config/environment.ts';
import { environmentWarnings } from '../config/environment.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { sources } from '../sources/registry.ts';
import { Output } from './output.ts';

/** What config needs from outside. */
export interface ConfigIo {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly environment: Environment;
}

interface ConfigFlags {
  readonly config?: string;
}

/** Adds the commands. */
export function addConfigCommand(program: Command, io: ConfigIo): void {
  const config = program.command('config').description('check a configuration, or print what it comes to');
  config
    .command('validate')
    .description('say all that is wrong with the configuration')
    .option('-c, --config <file>', 'configuration file (YAML); without one the environment is checked')
    .addHelpText('after', '\nExit code 2: it is not valid. The environment is looked at as well, as run does.')
    .action((flags: ConfigFlags) => validateConfig(flags, io));
  config
    .command('print')
    .description('print the configuration with environment and defaults filled in')
    .option('-c, --config <file>', 'configuration file (YAML)')
    .action((flags: ConfigFlags) => printConfig(flags, io));
}

/** Says that it is valid. Throws ConfigError. */
export async function validateConfig(flags: ConfigFlags, io: ConfigIo): Promise<void> {
  await load(flags, io);
  const stderr = new Output(io.stderr);
  try {
    for (const warning of environmentWarnings(io.environment)) await stderr.write(`warning: ${warning}\n`);
    await stderr.write(`${flags.config ?? 'the environment'}: valid\n`);
  } finally {
    await stderr.release();
  }
}

/** Prints it as YAML that `run --config` takes. Throws ConfigError. */
export async function printConfig(flags: ConfigFlags, io: ConfigIo): Promise<void> {
  const config = await load(flags, io);
  const stdout = new Output(io.stdout);
  try {
    await stdout.write(stringify(config, { aliasDuplicateObjects: false, lineWidth: 0 }));
  } finally {
    await stdout.release();
  }
}

/** Also makes the sources that it adds: what is wrong with them shows only there. */
async function load(flags: ConfigFlags, { environment }: ConfigIo): Promise<Config> {
  const config = await loadConfig({ config: flags.config }, environment, sources);
  await configuredSources(config, sources);
  return config;
}
