/** `zen-watcher explain`: which rule decides about the findings of a report, or about one event. */
import { type Command, Option } from 'commander';
import { configuredSources } from '../config/configured-sources.ts';
import type { Environment } from '../config/environment.ts';
import { loadConfig } from '../config/load.ts';
import { readContextsOf, sourcesOn } from '../config/read-contexts.ts';
import { ruleSettings } from '../config/rules-schema.ts';
import type { Config } from '../config/schema.ts';
import { OwnerResolver } from '../pipeline/identity.ts';
import { noPods } from '../pipeline/owner.ts';
import { compileRules } from '../pipeline/rules.ts';
import { sources as registry } from '../sources/registry.ts';
import type { Source } from '../sources/source.ts';
import { defaultLimits } from './documents.ts';
import { type Explained, explain, inOrder, renderExplained } from './explained.ts';
import { Output } from './output.ts';
import { plural, ReportReader, type ReportReaderIo } from './report-reader.ts';

/** What the command line says. */
export interface ExplainOptions {
  /** A report file or folder, `-` for stdin, or the name of an event. */
  readonly what: string;
  readonly output: 'table' | 'json';
  readonly config?: string | undefined;
  /** Of the event. */
  readonly namespace?: string | undefined;
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
}

/** What explain needs from outside. */
export interface ExplainIo extends ReportReaderIo {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly environment: Environment;
  readonly version: string;
}

/** A configuration and all sources that it makes. */
export interface Configured {
  readonly config: Config;
  readonly sources: readonly Source[];
}

/** Adds the command. `exitWith` is told 1 when something could not be read. */
export function addExplainCommand(program: Command, io: ExplainIo & { exitWith(code: number): void }): void {
  program
    .command('explain')
    .description('say which rule decides about the findings of a report, or about an event')
    .argument('<what>', 'a report file or folder, - for stdin; or the name of an event in the cluster')
    .option('-c, --config <file>', 'configuration file (YAML), as of run')
    .addOption(new Option('-o, --output <format>', 'what to print').choices(['table', 'json']).default('table'))
    .option('-n, --namespace <name>', 'namespace of the event; default: events.namespace of the configuration')
    .option('--kubeconfig <file>', 'kubeconfig, for an event; default: as kubectl')
    .option('--context <name>', 'context of the kubeconfig')
    .addHelpText(
      'after',
      `
Examples:
  zen-watcher explain report.yaml --config config.yaml
  kubectl get vulnerabilityreport -n shop web-app -o json | zen-watcher explain -
  zen-watcher explain trivy-hdv2tc3ocu7fj4uyhrxevakltt -n zen-system

Exit code 1: something could not be read; the rest was done.`,
    )
    .action(async (what: string, flags: Omit<ExplainOptions, 'what'>) => {
      io.exitWith(await runExplain({ what, ...flags }, io));
    });
}

const eventName = /^[a-z0-9][-a-z0-9]*-[a-z2-7]{26}$/;

/** Explains what is asked for, and gives the exit code. Throws ConfigError. */
export async function runExplain(options: ExplainOptions, io: ExplainIo): Promise<number> {
  const config = await loadConfig({ config: options.config }, io.environment, registry);
  const configured = { config, sources: await configuredSources(config, registry) };
  const stdout = new Output(io.stdout);
  const stderr = new Output(io.stderr);
  try {
    if (!(await isEvent(options.what, io))) return await explainReports(options, configured, io, { stdout, stderr });
    // On demand: reports need no HTTP client.
    const { explainEvent } = await import('./explain-event.ts');
    return await explainEvent(options, configured, io, { stdout, stderr });
  } finally {
    await Promise.all([stdout.release(), stderr.release()]);
  }
}

/** What looks like the name of an event is one, unless there is a file of that name. */
async function isEvent(what: string, { files }: ExplainIo): Promise<boolean> {
  if (!eventName.test(what)) return false;
  for await (const found of files.find(what)) return 'problem' in found;
  return true;
}

async function explainReports(
  { what, output }: ExplainOptions,
  { config, sources }: Configured,
  io: ExplainIo,
  { stdout, stderr }: { readonly stdout: Output; readonly stderr: Output },
): Promise<number> {
  const rules = compileRules(ruleSettings(config, sources), { now: io.clock.now(), labelsOf: () => undefined });
  if (rules.labelKeys.size > 0) await stderr.write('without a cluster no namespaceLabels fit\n');
  const all: Explained[] = [];
  const reader = new ReportReader(defaultLimits, io, stderr, {
    sources,
    contextOf: readContextsOf(config, sourcesOn(config, sources)),
    take(reading) {
      if (reading.completeness === 'not-yet') return;
      const owners = new OwnerResolver(noPods);
      for (const finding of reading.findings) all.push(explain(finding, reading.origin, owners, rules.judge));
    },
  });
  await reader.read(what);
  await stdout.writeAll(renderExplained(inOrder(all), output));
  if (output === 'table') await stderr.write(closingWords(all, reader.reports));
  return reader.problems > 0 ? 1 : 0;
}

/** `3 findings in 1 report: 1 accepted, 2 filtered` */
function closingWords(all: readonly Explained[], reports: number): string {
  const counts = (['accepted', 'filtered', 'muted'] as const).flatMap((verdict) => {
    const count = all.filter((one) => one.verdict === verdict).length;
    return count === 0 ? [] : [`${count} ${verdict}`];
  });
  const findings = all.length === 0 ? 'no findings' : plural(all.length, 'finding');
  return `${findings} in ${plural(reports, 'report')}${counts.length === 0 ? '' : `: ${counts.join(', ')}`}\n`;
}
