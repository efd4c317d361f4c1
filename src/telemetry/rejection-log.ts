/** Lines about reports that could not be understood: a few for each report, however many entries of it are broken. */
import { shortHash } from '../lib/hash.ts';
import { parseObjectKey } from '../pipeline/report-table.ts';
import type { Rejection } from '../sources/source.ts';
import { brief } from './brief.ts';
import type { Logger } from './logger.ts';

/** What is told once. */
export interface Told {
  has(key: string): boolean;
  set(key: string, told: true): unknown;
}

interface Refused {
  readonly source: string;
  readonly object: string;
  readonly rejection: Rejection;
  readonly key: string;
}

/** What was refused of one report in one go. */
interface Pile {
  /** The first of them. */
  readonly first: Refused[];
  count: number;
  /** Of all of them, in order. */
  hash: string;
}

/** Lines for one report; the rest of it is one more. */
const mostLines = 5;

export class RejectionLog {
  readonly #logger: Logger;
  readonly #told: Told;
  /** By object, until the work at hand is done: a report is read in one go. */
  readonly #piles = new Map<string, Pile>();

  constructor(logger: Logger, told: Told) {
    this.#logger = logger;
    this.#told = told;
  }

  /** Told once per object, place and reason. */
  add(source: string, object: string, rejection: Rejection): void {
    const { reason, place, message } = rejection;
    const key = JSON.stringify([object, place, reason, message]);
    if (this.#told.has(key)) return;
    if (this.#piles.size === 0) setImmediate(() => this.#tell());
    const pile = this.#piles.get(object) ?? { first: [], count: 0, hash: '' };
    this.#piles.set(object, pile);
    pile.count += 1;
    if (pile.first.length < mostLines) pile.first.push({ source, object, rejection, key });
    pile.hash = shortHash(pile.hash + key);
  }

  #tell(): void {
    for (const [object, { first, count, hash }] of this.#piles) {
      const isAll = count === first.length;
      // Not one by one: what is remembered is bounded, and the same report may be read again and again.
      const whole = JSON.stringify([object, hash]);
      if (isAll) for (const { key } of first) this.#told.set(key, true);
      else if (this.#told.has(whole)) continue;
      else this.#told.set(whole, true);
      for (const one of first) this.#line(one);
      const [{ source } = { source: '' }] = first;
      const more = count - first.length;
      if (!isAll) this.#logger.warn('more of the report was rejected', { source, object: brief(object), more });
    }
    this.#piles.clear();
  }

  #line({ source, object, rejection }: Refused): void {
    const { reason, place, message } = rejection;
    const look = command(object);
    this.#logger.warn('report rejected', {
      source,
      object: brief(object),
      place: brief(place),
      cause: reason,
      reason: brief(message),
      ...(look === undefined ? {} : { look: brief(look) }),
    });
  }
}

/** How to look at a watched object; undefined for what was sent. */
function command(object: string): string | undefined {
  const { group, kind, namespace, name } = parseObjectKey(object);
  if (kind === '' || name === '' || !/^[\w.:/|-]+$/.test(object)) return undefined;
  const where = namespace === '' ? '' : ` -n ${namespace}`;
  return `kubectl get ${group === '' ? kind : `${kind}.${group}`}${where} ${name} -o yaml`;
}
