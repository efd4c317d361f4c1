/**
 * Mutated inputs over all decoders: bytes as a ConfigMap or a webhook brings them, to documents, to readings, to events.
 * Seeded from the fixtures: one half is damaged as text, the other as documents, which still parse.
 */

import { documentsOf } from '../../src/http/sent-body.ts';
import { parseJsonDocuments } from '../../src/lib/json-documents.ts';
import { shapeLimits } from '../../src/lib/json-shape.ts';
import { expand } from '../../src/sources/recognise.ts';
import { formats } from '../../src/sources/registry.ts';
import type { Format, RawDocument } from '../../src/sources/source.ts';
import { exercise, hostileValues, mutate } from './exercise.ts';
import { caseFile, cases } from './format-cases.ts';
import { reportsIn } from './reports.ts';
import type { SeededRandom } from './seeded-random.ts';

/** What became of the inputs. */
export interface FuzzCounts {
  inputs: number;
  /** Texts of which at least one document was valid JSON. */
  parsed: number;
  documents: number;
  recognised: number;
  findings: number;
  rejected: number;
}

const limits = {
  jsonContainers: shapeLimits.containers,
  jsonMembers: shapeLimits.members,
  jsonDepth: shapeLimits.depth,
};
const hostileText = [
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '\\',
  '\u0000',
  '\ufeff',
  '\n',
  '1e999',
  '"__proto__":',
  '-',
  '\\ud800',
];

export class Fuzz {
  readonly #random: SeededRandom;
  readonly #seeds: readonly RawDocument[];
  readonly #texts: readonly string[];
  readonly #formats = formats();
  readonly counts: FuzzCounts = { inputs: 0, parsed: 0, documents: 0, recognised: 0, findings: 0, rejected: 0 };

  constructor(random: SeededRandom, seeds: readonly RawDocument[]) {
    this.#random = random;
    this.#seeds = seeds;
    this.#texts = seeds.map((seed) => JSON.stringify(seed));
  }

  /** The next input. */
  next(): string {
    const random = this.#random;
    const seed = random.between(0, this.#seeds.length - 1);
    return random.isLucky(0.5) ? this.#damagedDocument(seed) : this.#damagedText(this.#texts[seed] ?? '');
  }

  /** Takes one input through everything. Throws what no input may cause. */
  take(text: string): void {
    const { counts } = this;
    counts.inputs += 1;
    let isParsed = false;
    for (const parsed of parseJsonDocuments(text, limits)) {
      if ('problem' in parsed) continue;
      isParsed = true;
      for (const { document } of expand(parsed.value)) if (document !== undefined) this.#read(document);
    }
    if (isParsed) counts.parsed += 1;
    this.#send(Buffer.from(text));
  }

  #read(document: RawDocument): void {
    const { counts } = this;
    counts.documents += 1;
    const known = this.#formats.filter((format) => format.recognise(document));
    if (known.length > 0) counts.recognised += 1;
    // Nothing keeps a hostile object from saying that it is of another kind than it is.
    const format = known[0] ?? this.#random.pick(this.#formats);
    const { findings, rejected } = exercise(format, document);
    counts.findings += findings;
    counts.rejected += rejected;
  }

  #send(body: Buffer): void {
    const form = this.#random.pick(['json', 'ndjson', 'cloudevent', 'cloudevents'] as const);
    const sent = documentsOf(body, form);
    if ('problem' in sent) return;
    let count = 0;
    for (const _ of sent.documents) count += 1;
    if (count !== sent.count) throw new Error(`${sent.count} documents were announced, ${count} came`);
  }

  #damagedDocument(seed: number): string {
    const random = this.#random;
    const changes = Array.from({ length: random.between(1, 4) }, () => ({
      at: random.between(0, 1_000_000),
      how: random.pick(['replace', 'replace', 'replace', 'delete', 'double', 'wrap'] as const),
      value: this.#hostileValue(),
    }));
    const document = mutate(this.#seeds[seed] ?? {}, changes);
    if (random.isLucky(0.1)) return JSON.stringify([document, this.#seeds[random.between(0, this.#seeds.length - 1)]]);
    return JSON.stringify(document);
  }

  #hostileValue(): unknown {
    const random = this.#random;
    if (random.isLucky(0.05)) return 'x'.repeat(20_000);
    // A part of another report, in the wrong place.
    if (random.isLucky(0.2)) return Object.values(random.pick(this.#seeds))[0];
    return random.pick(hostileValues);
  }

  #damagedText(text: string): string {
    const random = this.#random;
    let damaged = text;
    for (let left = random.between(1, 3); left > 0; left -= 1) {
      const at = random.between(0, damaged.length);
      const to = Math.min(damaged.length, at + random.between(0, 40));
      const how = random.between(0, 4);
      if (how === 0) damaged = damaged.slice(0, at) + random.pick(hostileText) + damaged.slice(at);
      else if (how === 1) damaged = damaged.slice(0, at) + damaged.slice(to);
      else if (how === 2) damaged = damaged.slice(0, at) + damaged.slice(at, to).repeat(3) + damaged.slice(to);
      else if (how === 3) damaged = damaged.slice(0, at) + random.pick(this.#texts).slice(-random.between(0, 2_000));
      else damaged = damaged.slice(0, at) + String.fromCharCode(random.between(0, 0xffff)) + damaged.slice(at + 1);
    }
    return damaged;
  }
}

/** The documents of all fixtures. */
export async function fuzzSeeds(): Promise<RawDocument[]> {
  const files = formats().flatMap((format: Format) => cases.map((name) => caseFile(format.name, name)));
  return (await Promise.all(files.map((file) => reportsIn(file)))).flat();
}
