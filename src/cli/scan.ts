/** `zen-watcher scan`: reports in files become events on stdout, with no cluster. Data on stdout, words on stderr. */
import { type Command, Option } from 'commander';
import { type Severity, severities } from '../api/words.ts';
import { sources } from '../sources/registry.ts';
import { type DocumentLimits, defaultLimits } from './documents.ts';
import { EventFold } from './event-fold.ts';
import { type OutputFormat, outputFormats, renderEvents } from './event-output.ts';
import { Output } from './output.ts';
import { plural, ReportReader, type ReportReaderIo } from './report-reader.ts';

/** What the command line says. */
export interface ScanOptions {
  /** Files and folders; `-` is stdin. */
  readonly paths: readonly string[];
  readonly output: OutputFormat;
  readonly limits?: DocumentLimits;
}

/** What scan needs from outside. */
export interface ScanIo extends ReportReaderIo {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** Whether severities are coloured: stdout is a terminal and NO_COLOR is not set. */
  readonly useColor: boolean;
}

/** Adds the command. `exitWith` is told 1 when something could not be read. */
export function addScanCommand(program: Command, io: ScanIo & { exitWith(code: number): void }): void {
  program
    .command('scan')
    .description('turn reports of security tools into events, with no cluster')
    .argument('<path...>', 'report files or folders (JSON, YAML, one JSON per line); - is stdin')
    .addOption(new Option('-o, --output <format>', 'what to print').choices(outputFormats).default('table'))
    .addHelpText('after', '\nExit code 1: something could not be read; the rest was done.')
    .action(async (paths: string[], flags: { readonly output: OutputFormat }) => {
      io.exitWith(await scan({ paths, output: flags.output }, io));
    });
}

/** Reads everything, prints the events, and gives the exit code. */
export async function scan(options: ScanOptions, io: ScanIo): Promise<number> {
  const stdout = new Output(io.stdout);
  const stderr = new Output(io.stderr);
  try {
    const fold = new EventFold('zen-system');
    const reader = new ReportReader(options.limits ?? defaultLimits, io, stderr, {
      sources,
      // Which sources are on shows in what is read: copies of reports that are not given are findings.
      contextOf: () => ({ isOn: () => true }),
      take: (reading, now, source) => fold.add(reading, now, source),
    });
    for (const path of options.paths) await reader.read(path);
    const events = fold.sorted();
    await stdout.writeAll(renderEvents(events, options.output, io.useColor));
    if (options.output === 'table' || options.output === 'wide') {
      await stderr.write(
        closingWords(
          events.map(({ spec }) => spec.severity),
          reader.reports,
          fold.copies,
        ),
      );
    }
    return reader.problems > 0 ? 1 : 0;
  } finally {
    await Promise.all([stdout.release(), stderr.release()]);
  }
}

/** `3 findings in 2 reports: 1 critical, 2 high` */
function closingWords(found: readonly Severity[], reports: number, copies: number): string {
  const counts = severities.flatMap((severity) => {
    const count = found.filter((word) => word === severity).length;
    return count === 0 ? [] : [`${count} ${severity}`];
  });
  const findings = found.length === 0 ? 'no findings' : plural(found.length, 'finding');
  const leftOut = copies === 0 ? '' : `; left out: ${copies} copied by adapters from tools that are read themselves`;
  return `${findings} in ${plural(reports, 'report')}${counts.length === 0 ? '' : `: ${counts.join(', ')}`}${leftOut}\n`;
}
