/** Reads the configuration: file, then environment, then flags, each over the one before. The only reader of the environment. */
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { messageOf } from '../lib/error-message.ts';
import { asList, at, textAt } from '../lib/fields.ts';
import type { Source } from '../sources/source.ts';
import { problemsOfDeclared } from './configured-sources.ts';
import { mostDeclaredSources } from './declarative-limits.ts';
import type { Environment, Setting } from './environment.ts';
import { settingsIn } from './environment.ts';
import { placeOf, wordsFor } from './problems.ts';
import type { Config } from './schema.ts';
import { configSchema, defaultNamespace } from './schema.ts';
import { routeProblems } from './webhook-routes.ts';

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

/** Loads and checks the configuration. Throws ConfigError with all that is wrong. */
export async function loadConfig(flags: Flags, environment: Environment, registry: readonly Source[]): Promise<Config> {
  const problems: string[] = [];
  const tree = flags.config === undefined ? {} : readFile(flags.config, problems);
  /** Who set a key last, where it was not the file. */
  const setBy = new Map<string, string>();
  const settings = settingsIn(environment);
  for (const setting of [...settings.filter(({ isAdded }) => !isAdded), ...settingsOf(flags)]) {
    set(tree, setting);
    setBy.set(setting.path, setting.name);
  }
  addNamespaces(
    tree,
    settings.filter(({ isAdded }) => isAdded),
  );
  const result = configSchema.safeParse(tree, { error: wordsFor });
  for (const { path, message } of result.error?.issues ?? []) {
    const by = setBy.get(path.join('.'));
    problems.push(`${placeOf(path)}${by === undefined ? '' : ` (set by ${by})`}: ${message}`);
  }
  const declared = (asList(tree['declarativeSources']) ?? []).slice(0, mostDeclaredSources);
  problems.push(...(await problemsOfDeclared(declared, registry)));
  const sourceNames = [...registry.map(({ name }) => name), ...declared.flatMap((one) => textAt(one, 'name') ?? [])];
  const named = tree['sources'];
  for (const name of typeof named === 'object' && named !== null ? Object.keys(named) : []) {
    if (!sourceNames.includes(name))
      problems.push(`sources.${name}: there is no such source; there are ${sourceNames.join(', ')}`);
  }
  if (result.success) {
    const sentTo = result.data.declarativeSources.filter(({ webhook }) => webhook).map(({ name }) => name);
    problems.push(...routeProblems(result.data.webhooks.routes, registry, sentTo));
  }
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  return result.data;
}

type Tree = Record<string, unknown>;

const maximumCharacters = 1024 * 1024;

/** What the file says; what is wrong with it is added to the problems, and nothing of it is taken. */
function readFile(path: string, problems: string[]): Tree {
  try {
    return parseTree(readFileSync(path, 'utf8'));
  } catch (error) {
    const reasons = error instanceof ConfigError ? error.problems : [`cannot be read: ${messageOf(error)}`];
    problems.push(...reasons.map((reason) => `${path}: ${reason}`));
    return {};
  }
}

function parseTree(text: string): Tree {
  // A ConfigMap holds 1 MiB at most.
  if (text.length > maximumCharacters) throw new ConfigError(['is larger than 1 MiB']);
  const document = parseDocument(text, { prettyErrors: true });
  if (document.errors.length > 0) throw new ConfigError(document.errors.map(({ message }) => message));
  let value: unknown;
  try {
    // Throws for an alias that is used more than a hundred times.
    value = document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch (error) {
    throw new ConfigError([messageOf(error)]);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ConfigError(['must be a mapping']);
  return value as Tree;
}

/** The flag of the command line that sets a key. */
const flagPaths: readonly (readonly [flag: string, path: string, name: keyof Flags])[] = [
  ['--namespace', 'events.namespace', 'namespace'],
  ['--cluster', 'events.cluster', 'cluster'],
  ['--log-level', 'log.level', 'logLevel'],
  ['--metrics-port', 'server.metricsPort', 'metricsPort'],
  ['--host', 'server.host', 'host'],
  ['--writes-per-second', 'writes.perSecond', 'writesPerSecond'],
];

function settingsOf(flags: Flags): Setting[] {
  return flagPaths.flatMap(([name, path, flag]) => {
    const value = flags[flag];
    return value === undefined ? [] : [{ name, path, value, isAdded: false }];
  });
}

/** Sets `a` or `a.b` in the tree; what is in the way and is no mapping is left for the schema to complain about. */
function set(tree: Tree, { path, value }: Setting): void {
  const [section = '', key] = path.split('.');
  if (key === undefined) {
    tree[section] = value;
    return;
  }
  tree[section] ??= {};
  const existing = tree[section];
  if (typeof existing !== 'object' || existing === null) return;
  (existing as Tree)[key] = value;
}

/** Adds to `configMaps.namespaces`, which is the namespace of the events where nothing is said. */
function addNamespaces(tree: Tree, added: readonly Setting[]): void {
  if (added.length === 0) return;
  const said = at(tree, 'configMaps', 'namespaces') ?? [at(tree, 'events', 'namespace') ?? defaultNamespace];
  if (!Array.isArray(said)) return;
  set(tree, {
    name: '',
    path: 'configMaps.namespaces',
    value: [...new Set([...said, ...added.map(({ value }) => value)])],
    isAdded: false,
  });
}
