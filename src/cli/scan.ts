/** `zen-watcher scan`: reports in files become events on stdout, with no cluster. Data on stdout, words on stderr. */
import { type Command, Option } from 'commander';
import type { ZenAgentEvent } from '../api/event.ts';
import { type Severity, severities, severityRank } from '../api/words.ts';
import type { Environment } from '../config/environment.ts';
import { sources as registry } from '../sources/registry.ts';
import type { Source } from '../sources/source.ts';
import { version } from '../version.ts';
import { type Baseline, changeOf, changes, compare, isWorse, readBaseline } from './baseline.ts';
import { type DocumentLimits, defaultLimits } from './documents.ts';
import { EventFold, type FoldOptions } from './event-fold.ts';
import { type OutputFormat, outputFormats, renderEvents } from './event-output.ts';
import { exitCodes } from './exit-codes.ts';
import { Output } from './output.ts';
import { Progress } from './progress.ts';
import { plural, ReportReader, type ReportReaderIo } from './report-reader.ts';

/** What the command line says. */
export interface ScanOptions {
  /** Files and folders; `-` is stdin. */
  readonly paths: readonly string[];
  readonly output: OutputFormat;
  /** A configuration file: its declared sources are known, its rules decide. */
  readonly config?: string | undefined;
  /** Findings of this severity and above make the exit code; `unknown` ones pass every threshold. */
  readonly failOn?: FailOn | undefined;
  /** An earlier output to compare with. */
  readonly baseline?: string | undefined;
  readonly limits?: DocumentLimits;
}

/** What scan needs from outside. */
export interface ScanIo extends ReportReaderIo {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** What goes over a configuration file. */
  readonly environment?: Environment;
  /** Whether severities are coloured: stdout is a terminal and NO_COLOR is not set. */
  readonly useColor: boolean;
  /** Whether stderr is a terminal: progress is shown there. */
  readonly showProgress?: boolean;
}

const failOnWords = severities.filter((word) => word !== 'unknown');
type FailOn = (typeof failOnWords)[number];

/** Adds the command. `exitWith` is told the exit code. */
export function addScanCommand(program: Command, io: ScanIo & { exitWith(code: number): void }): void {
  program
    .command('scan')
    .description('turn reports of security tools into events, with no cluster')
    .argument('<path...>', 'report files or folders (JSON, YAML, one JSON per line); - is stdin')
    .addOption(new Option('-o, --output <format>', 'what to print').choices(outputFormats).default('table'))
    .option('-c, --config <file>', 'configuration as of run: its rules decide, its declared sources are known')
    .addOption(new Option('--fail-on <severity>', 'exit with 3 when there is a finding as severe').choices(failOnWords))
    .option('--baseline <file>', 'an earlier -o json, yaml or ndjson: say what is new, fixed and unchanged')
    .addHelpText(
      'after',
      `
Examples:
  zen-watcher scan reports/ -o html > findings.html
  trivy image -f json shop:1.2 | zen-watcher scan - --fail-on high
  zen-watcher scan reports/ --baseline last-week.json --fail-on medium
  zen-watcher scan reports/ --config config.yaml

Exit code 1: something could not be read; the rest was done. 3: --fail-on found something. With --baseline that
is only what is new, or more severe than before. An unknown severity counts as severe.`,
    )
    .action(async (paths: string[], flags: Omit<ScanOptions, 'paths'>) => {
      io.exitWith(await scan({ paths, ...flags }, io));
    });
}

/** Reads everything, prints the events, and gives the exit code. Throws BaselineError. */
export async function scan(options: ScanOptions, io: ScanIo): Promise<number> {
  const stdout = new Output(io.stdout);
  const stderr = new Output(io.stderr);
  const limits = options.limits ?? defaultLimits;
  const { sources, foldOptions, warning } = await configured(options, io);
  try {
    if (warning !== undefined) await stderr.write(warning);
    const baseline =
      options.baseline === undefined ? undefined : await readBaseline(options.baseline, io.files, limits);
    const fold = new EventFold(foldOptions);
    const progress = new Progress({
      out: io.showProgress ? io.stderr : undefined,
      monotonicMs: () => io.clock.monotonicMs(),
    });
    const reader = new ReportReader(limits, io, stderr, {
      sources,
      // Which sources are on shows in what is read: copies of reports that are not given are findings.
      contextOf: () => ({ isOn: () => true }),
      take: (reading, now, source) => {
        fold.add(reading, now, source);
        progress.show(() => `${plural(reader.reports + 1, 'report')} read, ${plural(fold.size, 'finding')}`);
      },
      beforeWords: () => progress.clear(),
    });
    for (const path of options.paths) await reader.read(path);
    progress.clear();
    const events = fold.sorted();
    const shown = baseline === undefined ? events : compare(baseline, events, fold);
    const context = {
      version,
      now: io.clock.now(),
      isComplete: reader.problems === 0,
      useColor: io.useColor,
      ruleOf: (event: string) => fold.ruleOf(event),
    };
    await stdout.writeAll(renderEvents(shown, options.output, context));
    const failing = failingOf(events, options.failOn, baseline, shown);
    if (options.output === 'table' || options.output === 'wide') {
      const found = events.map(({ spec }) => spec.severity);
      await stderr.write(closingWords(found, reader.reports, fold) + baselineWords(shown, baseline));
    }
    if (failing > 0) await stderr.write(`--fail-on ${options.failOn}: ${plural(failing, 'finding')}\n`);
    if (failing > 0) return exitCodes.findings;
    return reader.problems > 0 ? exitCodes.problems : exitCodes.ok;
  } finally {
    await Promise.all([stdout.release(), stderr.release()]);
  }
}

/** What the configuration says. Without one, everything is shown. Throws ConfigError. */
async function configured(
  { config: file }: ScanOptions,
  { environment = {}, clock }: ScanIo,
): Promise<{ sources: readonly Source[]; foldOptions: FoldOptions; warning?: string }> {
  if (file === undefined) return { sources: registry, foldOptions: { namespace: 'zen-system' } };
  // On demand: most scans have none.
  const { configuredRules } = await import('./configured-rules.ts');
  return configuredRules(file, environment, clock.now());
}

/** How many events make the run fail. */
function failingOf(
  events: readonly ZenAgentEvent[],
  failOn: FailOn | undefined,
  baseline: Baseline | undefined,
  compared: readonly ZenAgentEvent[],
): number {
  if (failOn === undefined) return 0;
  const isSevere = ({ spec }: ZenAgentEvent) =>
    spec.severity === 'unknown' || severityRank(spec.severity) <= severityRank(failOn);
  if (baseline === undefined) return events.filter(isSevere).length;
  const isNews = (event: ZenAgentEvent) => changeOf(event) === 'new' || isWorse(event, baseline);
  return compared.filter((event) => isNews(event) && isSevere(event)).length;
}

/** `3 findings in 2 reports: 1 critical, 2 high` */
function closingWords(found: readonly Severity[], reports: number, { copies, withheld }: EventFold): string {
  const counts = severities.flatMap((severity) => {
    const count = found.filter((word) => word === severity).length;
    return count === 0 ? [] : [`${count} ${severity}`];
  });
  const findings = found.length === 0 ? 'no findings' : plural(found.length, 'finding');
  const reasons = [
    ...(copies === 0 ? [] : [`${copies} copied by adapters from tools that are read themselves`]),
    ...(withheld === 0 ? [] : [`${withheld} by the rules of the configuration (explain says which)`]),
  ];
  const leftOut = reasons.length === 0 ? '' : `; left out: ${reasons.join(', ')}`;
  return `${findings} in ${plural(reports, 'report')}${counts.length === 0 ? '' : `: ${counts.join(', ')}`}${leftOut}\n`;
}

/** `against the baseline: 1 new, 2 fixed` */
function baselineWords(shown: readonly ZenAgentEvent[], baseline: Baseline | undefined): string {
  if (baseline === undefined) return '';
  const counts = changes.flatMap((change) => {
    const count = shown.filter((event) => changeOf(event) === change).length;
    return count === 0 ? [] : [`${count} ${change}`];
  });
  return `against the baseline: ${counts.length === 0 ? 'nothing then, nothing now' : counts.join(', ')}\n`;
}
