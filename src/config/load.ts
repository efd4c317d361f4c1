/** Reads the configuration: file, then environment, then flags, each over the one before. The only reader of the environment. */
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { messageOf } from '../lib/error-message.ts';
import type { Preset } from '../pipeline/presets.ts';
import { presets } from '../pipeline/presets.ts';
import type { Source } from '../sources/source.ts';
import { placeOf, wordsFor } from './problems.ts';
import type { Config } from './schema.ts';
import { configSchema } from './schema.ts';

/** What flags can set; undefined is not set. */
export interface Flags {
  readonly config?: string | undefined;
  readonly namespace?: string | undefined;
  readonly cluster?: string | undefined;
  readonly logLevel?: string | undefined;
  readonly metricsPort?: number | undefined;
  readonly host?: string | undefined;
  readonly writesPerSecond?: number | undefined;
}

/** Environment variables, handed in. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything that is wrong with a configuration, at once. */
export class ConfigError extends Error {
  readonly code = 'CONFIG_ERROR';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(
      `the configuration has ${problems.length} problem(s):\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** Loads and checks the configuration. Throws ConfigError. */
export async function loadConfig(flags: Flags, environment: Environment, registry: readonly Source[]): Promise<Config> {
  const tree = flags.config === undefined ? {} : readFile(flags.config);
  for (const [path, value] of [...fromEnvironment(environment), ...fromFlags(flags)]) set(tree, path, value);
  const result = configSchema.safeParse(tree, { error: wordsFor });
  const problems: string[] = [];
  if (!result.success) {
    for (const { path, message } of result.error.issues) problems.push(`${placeOf(path)}: ${message}`);
  }
  const sourceNames = registry.map(({ name }) => name);
  const named = tree['sources'];
  for (const name of typeof named === 'object' && named !== null ? Object.keys(named) : []) {
    if (!sourceNames.includes(name))
      problems.push(`sources.${name}: there is no such source; there are ${sourceNames.join(', ')}`);
  }
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  return result.data;
}

/** What should be changed but does no harm: said once, at the start. */
export function configWarnings(environment: Environment): string[] {
  const word = environment[behaviorMode] ?? '';
  if (word === '' || presetOf(word) !== undefined) return [];
  return [`${behaviorMode}: ${JSON.stringify(word)} is not known and ignored; there are ${presets.join(', ')}`];
}

const behaviorMode = 'BEHAVIOR_MODE';

/** The words of older versions are those of the presets. */
function presetOf(word: string): Preset | undefined {
  return presets.find((preset) => preset === word.trim().toLowerCase());
}

type Tree = Record<string, unknown>;

const maximumCharacters = 1024 * 1024;

function readFile(path: string): Tree {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError([`${path}: cannot be read: ${messageOf(error)}`]);
  }
  // A ConfigMap holds 1 MiB at most.
  if (text.length > maximumCharacters) throw new ConfigError([`${path}: is larger than 1 MiB`]);
  const document = parseDocument(text, { prettyErrors: true });
  if (document.errors.length > 0) throw new ConfigError(document.errors.map((error) => `${path}: ${error.message}`));
  let value: unknown;
  try {
    // Throws for an alias that is used more than a hundred times.
    value = document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch (error) {
    throw new ConfigError([`${path}: ${messageOf(error)}`]);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ConfigError([`${path}: must be a mapping`]);
  return value as Tree;
}

/** The names of older versions are kept: people have them in their manifests. */
function fromEnvironment(environment: Environment): [string, unknown][] {
  const entries: [string, string, (text: string) => unknown][] = [
    ['WATCH_NAMESPACE', 'events.namespace', String],
    ['CLUSTER_ID', 'events.cluster', String],
    ['LOG_LEVEL', 'log.level', (text) => text.toLowerCase()],
    ['METRICS_PORT', 'server.metricsPort', Number],
    [behaviorMode, 'preset', presetOf],
  ];
  return entries.flatMap(([name, path, convert]): [string, unknown][] => {
    const text = environment[name];
    const value = text === undefined || text === '' ? undefined : convert(text);
    return value === undefined ? [] : [[path, value]];
  });
}

function fromFlags(flags: Flags): [string, unknown][] {
  const entries: [string, unknown][] = [
    ['events.namespace', flags.namespace],
    ['events.cluster', flags.cluster],
    ['log.level', flags.logLevel],
    ['server.metricsPort', flags.metricsPort],
    ['server.host', flags.host],
    ['writes.perSecond', flags.writesPerSecond],
  ];
  return entries.filter(([, value]) => value !== undefined);
}

/** Sets `a` or `a.b` in the tree; what is in the way and is no mapping is left for the schema to complain about. */
function set(tree: Tree, path: string, value: unknown): void {
  const [section = '', key] = path.split('.');
  if (key === undefined) {
    tree[section] = value;
    return;
  }
  const existing = tree[section];
  if (existing === undefined || existing === null) tree[section] = { [key]: value };
  else if (typeof existing === 'object') (existing as Tree)[key] = value;
}
