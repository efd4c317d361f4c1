/**
 * What tools wrote to a file and somebody else carries to us, in the key of a ConfigMap or the body of a webhook: each
 * report in it is recognised by its content and read by its format. A bad one costs only itself.
 */
import { messageOf } from '../lib/error-message.ts';
import { expand } from './recognise.ts';
import type { Carrier, Format, RawDocument, ReadContext, Reading, Rejection, Source } from './source.ts';
import { MalformedReport } from './source.ts';

/** Who may read what is carried, and what they are told. */
export interface CarriedOptions {
  /** Sources whose formats are looked for. */
  readonly sources: readonly Source[];
  readonly now: Date;
  readonly carrier?: Carrier | undefined;
  /** What the configuration says to the formats of a source. */
  contextOf(source: string): Omit<ReadContext, 'now' | 'carrier'>;
}

/** What became of one report, `source` being the name of the source that knows its format. */
export type Carried =
  | { readonly source: string; readonly readings: readonly Reading[] }
  /** Nothing of it can be used; no source where no format knows it. */
  | { readonly source: string | undefined; readonly rejection: Rejection };

/** Reads every report of a parsed document, lists taken apart. Never throws. */
export function* readCarried(value: unknown, options: CarriedOptions): Generator<Carried> {
  for (const { place, document } of expand(value)) {
    if (document === undefined) {
      yield { source: undefined, rejection: refused(place, 'expected a report, found no object') };
      continue;
    }
    const reader = readerOf(document, options.sources);
    if (reader === undefined) {
      yield { source: undefined, rejection: refused(place, 'is no report of a tool that is read here') };
    } else yield readOne(document, place, reader, options);
  }
}

interface Reader {
  readonly source: Source;
  readonly format: Format;
}

/** The formats of resources are left out: what the API server has is believed only from there. */
function readerOf(document: RawDocument, sources: readonly Source[]): Reader | undefined {
  for (const source of sources) {
    const format = (source.formats ?? []).find((one) => one.recognise(document));
    if (format !== undefined) return { source, format };
  }
  return undefined;
}

function readOne(document: RawDocument, place: string, { source, format }: Reader, options: CarriedOptions): Carried {
  const { now, carrier, contextOf } = options;
  try {
    return { source: source.name, readings: format.read(document, { ...contextOf(source.name), now, carrier }) };
  } catch (error) {
    if (!(error instanceof MalformedReport)) {
      return { source: source.name, rejection: refused(place, `could not be mapped (${messageOf(error)})`) };
    }
    const { rejection } = error;
    return { source: source.name, rejection: { ...rejection, place: `${place}${rejection.place}` } };
  }
}

function refused(place: string, message: string): Rejection {
  return { reason: 'malformed', place: place === '' ? '.' : place, message };
}
