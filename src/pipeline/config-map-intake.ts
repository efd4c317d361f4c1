/**
 * ConfigMaps that tools left their results in. Each key is read by itself, and each report in it by the format that knows
 * it: a bad one is counted and told, and loses nothing else.
 */
import type { Clock } from '../lib/clock.ts';
import { configMapTexts } from '../lib/config-map-data.ts';
import { asFields, textAt } from '../lib/fields.ts';
import type { JsonLimits } from '../lib/json-documents.ts';
import { parseJsonDocuments } from '../lib/json-documents.ts';
import { shapeLimits } from '../lib/json-shape.ts';
import { readCarried } from '../sources/carried-documents.ts';
import type { Carrier, RawDocument, ReadContext, Reading, Rejection, Source } from '../sources/source.ts';
import type { Books } from './books.ts';
import type { Reconciler } from './reconciler.ts';
import type { ObjectKey } from './report-table.ts';

export interface ConfigMapIntakeParts {
  /** Whose records these are in the reconciler. */
  readonly owner: string;
  readonly reconciler: Reconciler;
  readonly books: Books;
  readonly clock: Clock;
  contextOf(source: string): Omit<ReadContext, 'now' | 'carrier'>;
  /** Told about everything that was refused; `source` is the owner where no format knows it. */
  rejected(source: string, key: ObjectKey, rejection: Rejection): void;
  /** Has a ConfigMap read again that is read by fewer sources now. */
  reread(key: ObjectKey): void;
}

/** ConfigMaps that one selector finds, and that some sources read. */
export interface Selection {
  read(key: ObjectKey, namespace: string, document: RawDocument): undefined;
  gone(key: ObjectKey): void;
}

/** A ConfigMap holds 1 MiB; what it unpacks to, and what that parses to, are bounded like the body of a webhook. */
const maximumBytes = 10 * 1024 * 1024;
const limits: JsonLimits = {
  jsonContainers: shapeLimits.containers,
  jsonMembers: shapeLimits.members,
  jsonDepth: shapeLimits.depth,
};

export class ConfigMapIntake {
  readonly #parts: ConfigMapIntakeParts;
  /** The selections that find each ConfigMap: one may be found by several, and is read once for all of them. */
  readonly #selected = new Map<ObjectKey, Map<Selection, readonly Source[]>>();
  /** Sources that each ConfigMap holds reports of. */
  readonly #held = new Map<ObjectKey, ReadonlySet<string>>();

  constructor(parts: ConfigMapIntakeParts) {
    this.#parts = parts;
  }

  /** Whether any ConfigMap holds a report of the source. */
  holds(source: string): boolean {
    return [...this.#held.values()].some((sources) => sources.has(source));
  }

  /** A selection whose ConfigMaps are read by these sources. */
  selection(readers: readonly Source[]): Selection {
    const selection: Selection = {
      read: (key, _namespace, document) => {
        const selecting = this.#selected.get(key) ?? new Map<Selection, readonly Source[]>();
        this.#selected.set(key, selecting.set(selection, readers));
        this.#read(key, document);
        return undefined;
      },
      gone: (key) => {
        const selecting = this.#selected.get(key);
        if (selecting === undefined || !selecting.delete(selection)) return;
        // It only left this selection.
        if (selecting.size > 0) this.#parts.reread(key);
        else this.#gone(key);
      },
    };
    return selection;
  }

  /** Takes in what a ConfigMap says now. Never throws. */
  #read(key: ObjectKey, document: RawDocument): void {
    const { owner, reconciler, clock } = this.#parts;
    const now = clock.now();
    const taken = new Taken();
    const sources = [...new Set([...(this.#selected.get(key)?.values() ?? [])].flat())];
    for (const text of configMapTexts(document, maximumBytes)) {
      const carrier = carrierOf(document, text.key);
      if ('text' in text) this.#readText(text.text, { key, sources, carrier, now, taken });
      else this.#refuse(key, undefined, carrier, { ...place(carrier), reason: reasonOf(text), message: text.problem });
      taken.isBroken ||= 'problem' in text;
    }
    this.#held.set(key, taken.sources);
    const version = textAt(document, 'metadata', 'resourceVersion');
    const moment = { now, monotonicMs: clock.monotonicMs() };
    reconciler.read(key, owner, taken.readings, moment, { version, isBroken: taken.isBroken, isSnapshot: true });
  }

  #gone(key: ObjectKey): void {
    const { reconciler, clock } = this.#parts;
    this.#selected.delete(key);
    this.#held.delete(key);
    reconciler.gone(key, { now: clock.now(), monotonicMs: clock.monotonicMs() });
  }

  #readText(text: string, { key, sources, carrier, now, taken }: KeyReading): void {
    const { contextOf, rejected } = this.#parts;
    for (const parsed of parseJsonDocuments(text, limits)) {
      const label = parsed.label === '' ? '' : ` ${parsed.label}`;
      if ('problem' in parsed) {
        this.#refuse(key, undefined, carrier, {
          ...place(carrier, label),
          reason: reasonOf(parsed),
          message: parsed.problem,
        });
        taken.isBroken = true;
        continue;
      }
      for (const carried of readCarried(parsed.value, { sources, now, carrier, contextOf })) {
        if ('readings' in carried) {
          taken.add(carried.source, carried.readings);
          // Entries of a report: the reconciler books them.
          for (const rejection of carried.readings.flatMap((reading) => reading.rejected))
            rejected(carried.source, key, within(carrier, label, rejection));
        } else {
          taken.isBroken = true;
          this.#refuse(key, carried.source, carrier, within(carrier, label, carried.rejection));
        }
      }
    }
  }

  /** A whole report, or what was to be one. */
  #refuse(key: ObjectKey, source: string | undefined, { namespace }: Carrier, rejection: Rejection): void {
    const { books, owner, rejected } = this.#parts;
    books.reject(namespace, rejection.reason, 1);
    rejected(source ?? owner, key, rejection);
  }
}

/** One key of a ConfigMap on its way. */
interface KeyReading {
  readonly key: ObjectKey;
  /** Who reads the ConfigMap. */
  readonly sources: readonly Source[];
  readonly carrier: Carrier;
  readonly now: Date;
  readonly taken: Taken;
}

/** What was read of one ConfigMap. */
class Taken {
  readonly readings: Reading[] = [];
  readonly sources = new Set<string>();
  isBroken = false;

  add(source: string, readings: readonly Reading[]): void {
    this.sources.add(source);
    this.readings.push(...readings);
  }
}

function carrierOf(document: RawDocument, key: string): Carrier {
  return {
    namespace: textAt(document, 'metadata', 'namespace') ?? '',
    name: textAt(document, 'metadata', 'name') ?? '',
    key,
    labels: wordsAt(document, 'labels'),
    annotations: wordsAt(document, 'annotations'),
  };
}

function wordsAt(document: RawDocument, field: 'labels' | 'annotations'): Readonly<Record<string, string>> {
  const words = asFields(asFields(document['metadata'])?.[field]) ?? {};
  return Object.fromEntries(
    Object.entries(words).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

function place({ key }: Carrier, label = '') {
  return { place: `data[${JSON.stringify(key)}]${label}` };
}

function within(carrier: Carrier, label: string, rejection: Rejection): Rejection {
  return { ...rejection, place: `${place(carrier, label).place} ${rejection.place}` };
}

function reasonOf({ isTooLarge }: { readonly isTooLarge?: boolean }): Rejection['reason'] {
  return isTooLarge === true ? 'too-large' : 'malformed';
}
