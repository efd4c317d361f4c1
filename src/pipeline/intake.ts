/** From a raw document of a watched resource to the reconciler: the one place where a bad document is caught and counted. */
import type { Clock } from '../lib/clock.ts';
import { textAt } from '../lib/fields.ts';
import type { Format, RawDocument, ReadContext, Reading, Rejection } from '../sources/source.ts';
import type { Books } from './books.ts';
import { rejectionOf } from './reading-plan.ts';
import type { Reconciler } from './reconciler.ts';
import type { ObjectKey } from './report-table.ts';

export interface IntakeParts {
  /** Name of the source, for the reconciler's bookkeeping. */
  readonly source: string;
  readonly format: Format;
  /** What the configuration says of the source. */
  readonly context: Omit<ReadContext, 'now' | 'carrier'>;
  readonly reconciler: Reconciler;
  readonly books: Books;
  readonly clock: Clock;
  /** Told about everything that was refused: for the log and the metric. */
  rejected(key: ObjectKey, rejection: Rejection): void;
}

export class Intake {
  readonly #parts: IntakeParts;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** Takes in what an object says now, and gives when it will say something else by the clock alone. Never throws: a document that cannot be read is counted and told, and loses nothing else. */
  read(key: ObjectKey, namespace: string, document: RawDocument): Date | undefined {
    const { source, reconciler, clock } = this.#parts;
    const now = clock.now();
    const readings = this.#readings(key, namespace, document, now);
    if (readings === undefined) return undefined;
    for (const reading of readings) for (const rejection of reading.rejected) this.#parts.rejected(key, rejection);
    const version = textAt(document, 'metadata', 'resourceVersion');
    reconciler.read(key, source, readings, { now, monotonicMs: clock.monotonicMs() }, { version });
    return earliest(readings.flatMap(({ lookAgainAt }) => lookAgainAt ?? []));
  }

  gone(key: ObjectKey): void {
    const { reconciler, clock } = this.#parts;
    reconciler.gone(key, { now: clock.now(), monotonicMs: clock.monotonicMs() });
  }

  #readings(key: ObjectKey, namespace: string, document: RawDocument, now: Date): readonly Reading[] | undefined {
    const { format, books, context } = this.#parts;
    try {
      return format.read(document, { ...context, now });
    } catch (error) {
      const rejection = rejectionOf(error);
      books.reject(namespace, rejection.reason, 1);
      this.#parts.rejected(key, rejection);
      return undefined;
    }
  }
}

function earliest(times: readonly Date[]): Date | undefined {
  return times.length === 0 ? undefined : new Date(Math.min(...times.map((time) => time.getTime())));
}
