/** `zen-watcher scan`: reports in files become events on stdout, with no cluster. Data on stdout, words on stderr. */
import { type Command, Option } from 'commander';
import { type Severity, severities } from '../api/words.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/error-message.ts';
import { clean, cut } from '../lib/text.ts';
import { expand, recognise } from '../sources/recognise.ts';
import type { RawDocument } from '../sources/source.ts';
import { MalformedReport } from '../sources/source.ts';
import { type DocumentLimits, defaultLimits, inMebibytes, parseDocuments } from './documents.ts';
import { EventFold } from './event-fold.ts';
import { type OutputFormat, outputFormats, renderEvents } from './event-output.ts';
import { Output } from './output.ts';
import { type ReportFiles, readUpTo, reasonOf } from './report-files.ts';

/** What the command line says. */
export interface ScanOptions {
  /** Files and folders; `-` is stdin. */
  readonly paths: readonly string[];
  readonly output: OutputFormat;
  readonly limits?: DocumentLimits;
}

/** What scan needs from outside. */
export interface ScanIo {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly files: ReportFiles;
  readonly clock: Clock;
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
    const run = new ScanRun(options.limits ?? defaultLimits, io, stderr);
    for (const path of options.paths) await run.scanPath(path);
    const events = run.events.sorted();
    await print(renderEvents(events, options.output, io.useColor), stdout);
    if (options.output === 'table' || options.output === 'wide') {
      await stderr.write(
        closingWords(
          events.map(({ spec }) => spec.severity),
          run.reports,
        ),
      );
    }
    return run.problems > 0 ? 1 : 0;
  } finally {
    await Promise.all([stdout.release(), stderr.release()]);
  }
}

const charactersPerWrite = 64 * 1024;

async function print(pieces: AsyncIterable<string>, stdout: Output): Promise<void> {
  let text = '';
  for await (const piece of pieces) {
    if (stdout.isClosed) return;
    text += piece;
    if (text.length < charactersPerWrite) continue;
    await stdout.write(text);
    text = '';
  }
  await stdout.write(text);
}

/** `3 findings in 2 reports: 1 critical, 2 high` */
function closingWords(found: readonly Severity[], reports: number): string {
  const counts = severities.flatMap((severity) => {
    const count = found.filter((word) => word === severity).length;
    return count === 0 ? [] : [`${count} ${severity}`];
  });
  const findings = found.length === 0 ? 'no findings' : plural(found.length, 'finding');
  return `${findings} in ${plural(reports, 'report')}${counts.length === 0 ? '' : `: ${counts.join(', ')}`}\n`;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** A file of nothing but trouble says so often enough. */
const problemsSaidPerFile = 20;

class ScanRun {
  readonly events = new EventFold('zen-system');
  reports = 0;
  problems = 0;
  readonly #limits: DocumentLimits;
  readonly #io: ScanIo;
  readonly #stderr: Output;

  constructor(limits: DocumentLimits, io: ScanIo, stderr: Output) {
    this.#limits = limits;
    this.#io = io;
    this.#stderr = stderr;
  }

  async scanPath(path: string): Promise<void> {
    const { stdin, files } = this.#io;
    if (path === '-') {
      await this.#scanFile('stdin', '', stdin);
      return;
    }
    let found = 0;
    for await (const file of files.find(path)) {
      found += 1;
      if ('problem' in file) await this.#say(file.path, '', file.problem);
      else await this.#scanFile(file.path, file.path, files.open(file.path));
    }
    if (found === 0) await this.#say(path, '', 'no *.json, *.yaml, *.yml, *.ndjson or *.jsonl files in it');
  }

  /** One file at a time is in memory. */
  async #scanFile(shown: string, name: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const before = this.problems;
    try {
      const bytes = await readUpTo(chunks, this.#limits.inputBytes);
      if (bytes === undefined) {
        await this.#say(shown, '', `is too large: more than ${inMebibytes(this.#limits.inputBytes)}`);
        return;
      }
      for await (const parsed of parseDocuments(bytes, name, this.#limits)) {
        if ('problem' in parsed) await this.#sayWithin(before, shown, parsed.label, parsed.problem);
        else await this.#scanDocument(before, shown, parsed.label, parsed.value);
      }
    } catch (error) {
      await this.#say(shown, '', reasonOf(error));
    }
    const unsaid = this.problems - before - problemsSaidPerFile;
    if (unsaid > 0) await this.#stderr.write(`${clean(shown)}: ${plural(unsaid, 'more problem')}\n`);
  }

  async #scanDocument(before: number, path: string, label: string, value: unknown): Promise<void> {
    // A document of nothing between two others.
    if (value === null && label !== '') return;
    for (const { place, document } of expand(value)) {
      for (const problem of this.#read(document)) {
        const where = [label, place + problem.place].filter((word) => word !== '').join(' ');
        await this.#sayWithin(before, path, where, problem.message);
      }
    }
  }

  /** Takes the report in; gives what of it could not be read. */
  #read(document: RawDocument | undefined): readonly { readonly place: string; readonly message: string }[] {
    if (document === undefined) return [{ place: '', message: 'expected a report, found no object' }];
    const format = recognise(document);
    if (format === undefined) return [{ place: '', message: unknownReport(document) }];
    const now = this.#io.clock.now();
    try {
      const readings = format.read(document, { now });
      for (const reading of readings) this.events.add(reading, now);
      this.reports += 1;
      return readings.flatMap(({ rejected }) => rejected);
    } catch (error) {
      if (error instanceof MalformedReport) return [error.rejection];
      return [{ place: '', message: `cannot be read: ${messageOf(error)}` }];
    }
  }

  async #sayWithin(before: number, path: string, where: string, message: string): Promise<void> {
    if (this.problems - before >= problemsSaidPerFile) this.problems += 1;
    else await this.#say(path, where, message);
  }

  /** All of it may come from the file: a terminal must not be told what to do by it. */
  async #say(path: string, where: string, message: string): Promise<void> {
    this.problems += 1;
    const words = [path, where, message].filter((word) => word !== '').map((word) => cut(clean(word), 512));
    await this.#stderr.write(`${words.join(': ')}\n`);
  }
}

function unknownReport({ apiVersion, kind }: RawDocument): string {
  const what = [kind, apiVersion].filter((word) => typeof word === 'string' && word !== '');
  const words = what.length === 0 ? '' : ` (${what.map((word) => cut(String(word), 128)).join(' of ')})`;
  return `is no report that zen-watcher knows${words}`;
}
