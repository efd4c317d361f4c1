/** `zen-watcher rbac`: the rights that the daemon needs with a configuration, each with its reason. */
import { type Command, Option } from 'commander';
import { stringify } from 'yaml';
import { accessSettings } from '../config/access.ts';
import { configuredSources } from '../config/configured-sources.ts';
import type { Environment } from '../config/environment.ts';
import { loadConfig } from '../config/load.ts';
import type { Grant, ReasonedRule } from '../sources/rbac.ts';
import { accessGrants } from '../sources/rbac.ts';
import { sources } from '../sources/registry.ts';
import { Output } from './output.ts';
import { renderTable } from './table.ts';

/** What the command line says. */
export interface RbacOptions {
  readonly config?: string | undefined;
  readonly namespace?: string | undefined;
  readonly serviceAccount: string;
  readonly output: 'table' | 'yaml' | 'markdown';
}

/** What rbac needs from outside. */
export interface RbacIo {
  readonly stdout: NodeJS.WritableStream;
  readonly environment: Environment;
}

/** Adds the command. */
export function addRbacCommand(program: Command, io: RbacIo): void {
  program
    .command('rbac')
    .description('print the rights that the daemon needs, each with its reason')
    .option('-c, --config <file>', 'configuration file (YAML), as of run')
    .option('-n, --namespace <name>', 'namespace of the events and of the service account')
    .option('--service-account <name>', 'who is given the rights', 'zen-watcher')
    .addOption(
      new Option('-o, --output <format>', 'what to print').choices(['table', 'yaml', 'markdown']).default('table'),
    )
    .addHelpText(
      'after',
      `
Examples:
  zen-watcher rbac --config config.yaml
  zen-watcher rbac -o yaml | kubectl apply -f -`,
    )
    .action((options: RbacOptions) => runRbac(options, io));
}

/** Prints them. Throws ConfigError. */
export async function runRbac(options: RbacOptions, { stdout, environment }: RbacIo): Promise<void> {
  const flags = { config: options.config, namespace: options.namespace };
  const config = await loadConfig(flags, environment, sources);
  const grants = accessGrants(accessSettings(config, await configuredSources(config, sources)));
  const output = new Output(stdout);
  try {
    await output.writeAll(render(grants, options, config.events.namespace));
  } finally {
    await output.release();
  }
}

interface Row {
  readonly where: string;
  readonly rule: ReasonedRule;
}

function render(grants: readonly Grant[], options: RbacOptions, namespace: string): Iterable<string> {
  const rows = grants.flatMap(({ namespace: place, rules }) => rules.map((rule) => ({ where: place ?? '*', rule })));
  switch (options.output) {
    case 'yaml':
      return roleObjects(grants, { name: options.serviceAccount, namespace }).map(
        (object) => `---\n${stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })}`,
      );
    case 'markdown':
      return ruleTable(rows);
    case 'table':
      return renderTable<Row>(
        [
          { title: 'NAMESPACE', text: ({ where }) => where },
          { title: 'GROUP', text: ({ rule }) => groupsOf(rule) },
          { title: 'RESOURCES', text: ({ rule }) => resourcesOf(rule) },
          { title: 'VERBS', text: ({ rule }) => rule.verbs.join(',') },
          { title: 'WHY', text: ({ rule }) => rule.why },
        ],
        rows,
      );
  }
}

/** A table of rules for documents. */
export function* ruleTable(rows: readonly Row[]): Generator<string> {
  yield '| where | group | resources | verbs | why |\n|---|---|---|---|---|\n';
  for (const { where, rule } of rows) {
    const cells = [where, groupsOf(rule), resourcesOf(rule).replaceAll(',', ', '), rule.verbs.join(', '), rule.why];
    yield `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('*', '\\*')).join(' | ')} |\n`;
  }
}

function groupsOf({ apiGroups }: ReasonedRule): string {
  return apiGroups.map((group) => (group === '' ? 'core' : group)).join(',');
}

function resourcesOf({ resources, resourceNames }: ReasonedRule): string {
  return resources.join(',') + (resourceNames === undefined ? '' : ` (${resourceNames.join(',')})`);
}

/** The roles and bindings of a service account. Reasons are left out: RBAC has no place for them. */
export function roleObjects(grants: readonly Grant[], account: { readonly name: string; readonly namespace: string }) {
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  return grants.flatMap(({ namespace, rules }) => {
    const isEverywhere = namespace === undefined;
    const kind = isEverywhere ? 'ClusterRole' : 'Role';
    const metadata = {
      name: account.name,
      ...(isEverywhere ? {} : { namespace }),
      labels: { 'app.kubernetes.io/name': 'zen-watcher' },
    };
    return [
      { apiVersion, kind, metadata, rules: rules.map(({ why: _why, ...rule }) => rule) },
      {
        apiVersion,
        kind: `${kind}Binding`,
        metadata,
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: account.name },
        subjects: [{ kind: 'ServiceAccount', name: account.name, namespace: account.namespace }],
      },
    ];
  });
}
