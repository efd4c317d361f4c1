/** `zen-watcher sources`: which tools are read, how, and what becomes of their severity words. */
import { type Command, Option } from 'commander';
import { configuredSources } from '../config/configured-sources.ts';
import type { Environment } from '../config/environment.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { sources } from '../sources/registry.ts';
import type { Intake, Source } from '../sources/source.ts';
import { Output } from './output.ts';
import { renderTable } from './table.ts';

/** What the command line says. */
export interface SourcesOptions {
  readonly config?: string | undefined;
  readonly output: 'table' | 'json';
}

/** What sources needs from outside. */
export interface SourcesIo {
  readonly stdout: NodeJS.WritableStream;
  readonly environment: Environment;
}

/** Adds the command. */
export function addSourcesCommand(program: Command, io: SourcesIo): void {
  program
    .command('sources')
    .description('list the tools that are read, how, and what they find')
    .option('-c, --config <file>', 'configuration file (YAML), as of run')
    .addOption(new Option('-o, --output <format>', 'what to print').choices(['table', 'json']).default('table'))
    .action((options: SourcesOptions) => runSources(options, io));
}

/** Prints them. Throws ConfigError. */
export async function runSources(options: SourcesOptions, { stdout, environment }: SourcesIo): Promise<void> {
  const config = await loadConfig({ config: options.config }, environment, sources);
  const listed = (await configuredSources(config, sources)).map((source) => described(source, config));
  const output = new Output(stdout);
  try {
    if (options.output === 'json') await output.write(`${JSON.stringify(listed, undefined, 2)}\n`);
    else await output.writeAll(renderTable(columns, listed));
  } finally {
    await output.release();
  }
}

/** One source; the JSON output is a list of these. */
interface Listed {
  readonly name: string;
  readonly title: string;
  readonly homepage: string;
  readonly isOn: boolean;
  /** Resources that are watched, as `plural.group`. */
  readonly resources: readonly string[];
  /** Whether its reports are recognised in files, ConfigMaps and webhook bodies. */
  readonly isReadFromFiles: boolean;
  /** A route that its senders are used to. */
  readonly webhook?: string;
  readonly eventTypes: readonly string[];
  readonly emits: readonly string[];
  readonly severities: Readonly<Record<string, string>>;
  readonly graceSeconds: number;
}

function described(source: Source, config: Config): Listed {
  const { name, title, homepage, intakes, formats, webhook, eventTypes, emits, severityWords, graceSeconds } = source;
  const configured = config.sources[name];
  return {
    name,
    title,
    homepage,
    isOn: configured?.enabled ?? true,
    resources: intakes.map(resourceOf),
    isReadFromFiles: intakes.length > 0 || (formats ?? []).length > 0,
    ...(webhook === undefined ? {} : { webhook: webhook.path }),
    eventTypes: eventTypes.map(({ eventType }) => eventType),
    emits,
    severities: { ...severityWords, ...configured?.severities },
    graceSeconds: configured?.graceSeconds ?? graceSeconds,
  };
}

function resourceOf(intake: Intake): string {
  return `${intake.via === 'resource' ? intake.resource : '*'}.${intake.group}`;
}

/** What a row has room for; `-o json` has all. */
const shownWords = 3;

const columns = [
  { title: 'NAME', text: ({ name }: Listed) => name },
  { title: 'ON', text: ({ isOn }: Listed) => (isOn ? 'yes' : 'no') },
  { title: 'TOOL', text: ({ title }: Listed) => title },
  { title: 'WATCHES', text: ({ resources }: Listed) => some(resources) },
  { title: 'FINDS', text: ({ eventTypes }: Listed) => some(eventTypes) },
];

function some(words: readonly string[]): string {
  const more = words.length - shownWords;
  if (words.length === 0) return '-';
  return words.slice(0, shownWords).join(', ') + (more > 0 ? `, and ${more} more` : '');
}
