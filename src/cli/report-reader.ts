/** Reads reports from files, folders and stdin, one file at a time; says on stderr what could not be read. */
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/error-message.ts';
import { clean, cut } from '../lib/text.ts';
import { expand, recognise } from '../sources/recognise.ts';
import { sourceOf } from '../sources/registry.ts';
import type { RawDocument, ReadContext, Reading, Source } from '../sources/source.ts';
import { MalformedReport } from '../sources/source.ts';
import { type DocumentLimits, inMebibytes, parseDocuments } from './documents.ts';
import type { Output } from './output.ts';
import { type ReportFiles, readUpTo, reasonOf } from './report-files.ts';

/** A file of nothing but trouble says so often enough. */
const problemsSaidPerFile = 20;

/** What reading reports needs from outside. */
export interface ReportReaderIo {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly files: ReportFiles;
  readonly clock: Clock;
}

/** What is done with what is read. `source`: the name of the source that reads it. */
export interface ReadingTaker {
  /** Those whose reports are recognised. */
  readonly sources: readonly Source[];
  /** What the configuration says to the formats of a source. */
  contextOf(source: string): Omit<ReadContext, 'now' | 'carrier'>;
  take(reading: Reading, now: Date, source: string): void;
  /** Before something is said on stderr: what is shown there for the moment has to go. */
  beforeWords?(): void;
}

export class ReportReader {
  reports = 0;
  problems = 0;
  readonly #limits: DocumentLimits;
  readonly #io: ReportReaderIo;
  readonly #stderr: Output;
  readonly #taker: ReadingTaker;

  /** `taker` is given each reading; what cannot be read is said on stderr. */
  constructor(limits: DocumentLimits, io: ReportReaderIo, stderr: Output, taker: ReadingTaker) {
    this.#limits = limits;
    this.#io = io;
    this.#stderr = stderr;
    this.#taker = taker;
  }

  /** Reads a file, all report files of a folder, or stdin for `-`. */
  async read(path: string): Promise<void> {
    const { stdin, files } = this.#io;
    if (path === '-') {
      await this.#readFile('stdin', '', stdin);
      return;
    }
    let found = 0;
    for await (const file of files.find(path)) {
      found += 1;
      if ('problem' in file) await this.#say(file.path, '', file.problem);
      else await this.#readFile(file.path, file.path, files.open(file.path));
    }
    if (found === 0) await this.#say(path, '', 'no *.json, *.yaml, *.yml, *.ndjson or *.jsonl files in it');
  }

  /** One file at a time is in memory. */
  async #readFile(shown: string, name: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const before = this.problems;
    try {
      const bytes = await readUpTo(chunks, this.#limits.inputBytes);
      if (bytes === undefined) {
        await this.#say(shown, '', `is too large: more than ${inMebibytes(this.#limits.inputBytes)}`);
        return;
      }
      for await (const parsed of parseDocuments(bytes, name, this.#limits)) {
        if ('problem' in parsed) await this.#sayWithin(before, shown, parsed.label, parsed.problem);
        else await this.#readDocument(before, shown, parsed.label, parsed.value);
      }
    } catch (error) {
      await this.#say(shown, '', reasonOf(error));
    }
    const unsaid = this.problems - before - problemsSaidPerFile;
    if (unsaid > 0) this.#taker.beforeWords?.();
    if (unsaid > 0) await this.#stderr.write(`${clean(shown)}: ${plural(unsaid, 'more problem')}\n`);
  }

  async #readDocument(before: number, path: string, label: string, value: unknown): Promise<void> {
    // A document of nothing between two others.
    if (value === null && label !== '') return;
    for (const { place, document } of expand(value)) {
      for (const problem of this.#takeIn(document)) {
        const where = [label, place + problem.place].filter((word) => word !== '').join(' ');
        await this.#sayWithin(before, path, where, problem.message);
      }
    }
  }

  /** Takes the report in; gives what of it could not be read. */
  #takeIn(document: RawDocument | undefined): readonly { readonly place: string; readonly message: string }[] {
    if (document === undefined) return [{ place: '', message: 'expected a report, found no object' }];
    const format = recognise(document, this.#taker.sources);
    if (format === undefined) return [{ place: '', message: unknownReport(document) }];
    const now = this.#io.clock.now();
    const source = sourceOf(format, this.#taker.sources)?.name ?? '';
    try {
      const readings = format.read(document, { ...this.#taker.contextOf(source), now });
      for (const reading of readings) this.#taker.take(reading, now, source);
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
    this.#taker.beforeWords?.();
    await this.#stderr.write(`${words.join(': ')}\n`);
  }
}

function unknownReport({ apiVersion, kind }: RawDocument): string {
  const what = [kind, apiVersion].filter((word) => typeof word === 'string' && word !== '');
  const words = what.length === 0 ? '' : ` (${what.map((word) => cut(String(word), 128)).join(' of ')})`;
  return `is no report that zen-watcher knows${words}`;
}

/** `3 findings` */
export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
