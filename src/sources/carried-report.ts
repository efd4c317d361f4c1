/**
 * Reports that a tool writes to a file, and that reach us as that, as the key of a ConfigMap or as the body of a webhook:
 * nothing of Kubernetes in them says whose they are. What all formats of this kind have in common. Objects of a tool's API
 * keep their books alike, and stand for themselves.
 */
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, at, kindOf } from '../lib/fields.ts';
import { canonicalJson } from '../lib/hash.ts';
import { describedTogether } from './alike-findings.ts';
import type {
  Carrier,
  Finding,
  IdentityPart,
  Origin,
  ReadContext,
  Reading,
  Rejection,
  RejectionReason,
} from './source.ts';
import { MalformedReport } from './source.ts';

/** The nature of what scanners find. */
export const stateNature = { kind: 'state' } as const;

/** How a report reached us: in a ConfigMap key, as an object of its own, or as neither. */
export interface Whence {
  readonly carrier?: Carrier | undefined;
  readonly object?: Origin;
}

/** One entry of a list that is an object. */
export interface Entry {
  readonly fields: Fields;
  /** Where in the document, as a JSON path. */
  readonly place: string;
}

/** Spells its place out on demand: there are many entries, and few are refused. */
class ListEntry implements Entry {
  readonly fields: Fields;
  readonly #list: string;
  readonly #index: number;

  constructor(fields: Fields, list: string, index: number) {
    this.fields = fields;
    this.#list = list;
    this.#index = index;
  }

  get place(): string {
    return `${this.#list}[${this.#index}]`;
  }
}

/** Collects what one reading says. */
export class CarriedReading {
  readonly #format: string;
  readonly #whence: Whence;
  readonly #subject: readonly IdentityPart[];
  readonly #findings: Finding[] = [];
  readonly #rejected: Rejection[] = [];
  #completeness: Reading['completeness'] = 'complete';

  /** `subject`: what tells the reports of one format apart, besides the ConfigMap key they came in. */
  constructor(format: string, whence: Whence, subject: readonly IdentityPart[]) {
    this.#format = format;
    this.#whence = whence;
    this.#subject = subject;
  }

  find(finding: Finding): void {
    this.#findings.push(finding);
  }

  /** The entry that could not be read may be the one that a finding lives by. */
  refuse(reason: RejectionReason, place: string, message: string): void {
    this.#rejected.push({ reason, place, message });
    this.isPartial();
  }

  /** The report says nothing about what it leaves out. */
  isPartial(): void {
    if (this.#completeness === 'complete') this.#completeness = 'partial';
  }

  /** The tool has not looked, or could not: nothing follows from what is not there. */
  isNotYet(): void {
    this.#completeness = 'not-yet';
  }

  /** The objects of a list; none for nothing and null, which programs in Go write for an empty list. Others are refused. */
  entries(list: unknown, place: string): readonly Entry[] {
    if (list === undefined || list === null) return [];
    const items = asList(list);
    if (items === undefined) {
      this.refuse('malformed', place, `expected a list, found ${kindOf(list)}`);
      return [];
    }
    const entries: Entry[] = [];
    for (const [index, item] of items.entries()) {
      const fields = asFields(item);
      if (fields !== undefined) entries.push(new ListEntry(fields, place, index));
      else this.refuse('malformed', `${place}[${index}]`, `expected an object, found ${kindOf(item)}`);
    }
    return entries;
  }

  /** The members of an object that are objects themselves; none for nothing and null. Others are refused. */
  members(record: unknown, place: string): readonly (Entry & { readonly key: string })[] {
    if (record === undefined || record === null) return [];
    const members = asFields(record);
    if (members === undefined) {
      this.refuse('malformed', place, `expected an object, found ${kindOf(record)}`);
      return [];
    }
    return Object.entries(members).flatMap(([key, value]) => {
      const fields = asFields(value);
      if (fields !== undefined) return [{ key, fields, place: `${place}.${key}` }];
      this.refuse('malformed', `${place}.${key}`, `expected an object, found ${kindOf(value)}`);
      return [];
    });
  }

  reading(reportedAt?: Date): Reading {
    const { carrier, object } = this.#whence;
    const carried = carrier === undefined ? [] : [carrier.namespace, carrier.name, carrier.key];
    const place = object === undefined ? [JSON.stringify(carried)] : [];
    return {
      reportKey: [this.#format, ...place, ...this.#subject],
      partition: carrier?.namespace ?? object?.namespace ?? '',
      // A reading that holds findings was made by a tool that looked.
      completeness: this.#completeness === 'not-yet' && this.#findings.length > 0 ? 'partial' : this.#completeness,
      findings: describedTogether(this.#findings),
      rejected: this.#rejected,
      origin: originOf(this.#format, this.#whence),
      reportedAt,
    };
  }
}

/** The readings of one document, one for each subject: what a document says of one subject twice is one reading. */
export class CarriedReadings {
  readonly #format: string;
  readonly #context: ReadContext;
  readonly #readings = new Map<string, CarriedReading>();
  readonly #rejected: Rejection[] = [];

  constructor(format: string, context: ReadContext) {
    this.#format = format;
    this.#context = context;
  }

  /** The reading about this subject. */
  about(subject: readonly IdentityPart[]): CarriedReading {
    const key = canonicalJson(subject);
    let reading = this.#readings.get(key);
    if (reading === undefined) {
      reading = new CarriedReading(this.#format, this.#context, subject);
      this.#readings.set(key, reading);
    }
    return reading;
  }

  /** A part of the document that belongs to no reading: it takes nothing from what the others say. */
  refuse(reason: RejectionReason, place: string, message: string): void {
    this.#rejected.push({ reason, place, message });
  }

  /** Throws MalformedReport where there is nothing but refused parts. */
  all(reportedAt?: Date): readonly Reading[] {
    const [first, ...rest] = [...this.#readings.values()].map((reading) => reading.reading(reportedAt));
    const [refused] = this.#rejected;
    if (first !== undefined) return [{ ...first, rejected: [...first.rejected, ...this.#rejected] }, ...rest];
    if (refused !== undefined) throw new MalformedReport(refused);
    return [];
  }
}

/** The ConfigMap that the report came in, or the object that it is; where there is neither, the report stands for itself. */
function originOf(format: string, { carrier, object }: Whence): Origin {
  if (object !== undefined) return object;
  if (carrier === undefined) return { apiVersion: '', kind: 'Report', name: format };
  return { apiVersion: 'v1', kind: 'ConfigMap', name: carrier.name, namespace: carrier.namespace };
}

/** The list at a path, null being an empty one. Throws MalformedReport when there is none: nothing else can be read then. */
export function listAt(document: unknown, ...path: readonly string[]): readonly unknown[] {
  const value = at(document, ...path);
  if (value === null) return [];
  return asList(value) ?? refuseDocument(value, path, 'a list');
}

/** The object at a path. Throws MalformedReport when there is none. */
export function fieldsAt(document: unknown, ...path: readonly string[]): Fields {
  const value = at(document, ...path);
  return asFields(value) ?? refuseDocument(value, path, 'an object');
}

function refuseDocument(value: unknown, path: readonly string[], expected: string): never {
  throw new MalformedReport({
    reason: value === undefined ? 'missing-field' : 'malformed',
    place: `.${path.join('.')}`,
    message: `expected ${expected}, found ${kindOf(value)}`,
  });
}
