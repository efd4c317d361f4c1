/**
 * From the documents of a request to the reconciler, and to the answer that it may be given. A body cannot be read again:
 * it is taken in as a whole or not at all (beyond a thousand documents in such parts), and only while there is room for it.
 * What is acknowledged as settled is on the server.
 */
import type { Clock } from '../lib/clock.ts';
import type { Delivery, Receipt, SentDocument } from '../sources/delivery.ts';
import type { Acknowledgement, ReadContext, Reading, Rejection } from '../sources/source.ts';
import type { Moment } from './absence.ts';
import type { Books } from './books.ts';
import type { EventIndex } from './event-index.ts';
import { rejectionOf } from './reading-plan.ts';
import type { Reconciler } from './reconciler.ts';
import type { ObjectKey } from './report-table.ts';
import { SentReports, sentSignalKey } from './sent-reports.ts';
import type { Settlements } from './settlements.ts';
import { isOfSignals } from './signals.ts';
import type { WorkQueue } from './work-queue.ts';

/** How long a request is held, by how it is answered. */
export interface Patience {
  /** Until there is room, and the daemon is ready. */
  readonly roomMs: number;
  /** Until Pods that it names are known. */
  readonly podsMs: number;
  /** Until its events are on the server, from when it came. */
  readonly writeMs: number;
}

export interface ReceiverParts {
  readonly index: EventIndex;
  readonly queue: WorkQueue;
  readonly books: Books;
  readonly reconciler: Reconciler;
  readonly settlements: Settlements;
  readonly clock: Clock;
  /** Whether own events and Pods were listed: what came before would be judged by nothing. */
  isReady(): boolean;
  /** What the configuration says to the formats of a source. */
  context(source: string): Omit<ReadContext, 'now' | 'carrier'>;
  /** Told about everything that could not be understood. */
  rejected(source: string, sender: string, rejection: Rejection): void;
  readonly patience?: Readonly<Record<Acknowledgement, Patience>> | undefined;
}

/**
 * A tool that does not read the status is held until its events are there. kube-apiserver keeps its batches and sends them
 * again: it is never held for long. Everybody else is told soon.
 */
export const defaultPatience: Readonly<Record<Acknowledgement, Patience>> = {
  'on-write': { roomMs: 30_000, podsMs: 3_000, writeMs: 30_000 },
  batch: { roomMs: 0, podsMs: 1_000, writeMs: 2_000 },
  report: { roomMs: 5_000, podsMs: 3_000, writeMs: 10_000 },
};

/** So many documents are taken in at once, all or none of them. */
const documentsAtOnce = 1_000;
const readyStepMs = 100;
const podStepMs = 250;
/** Rejections that a receipt names. */
const toldRejections = 5;

/** A document as it was read. */
interface Read {
  readonly key: ObjectKey;
  readonly readings: readonly Reading[];
}

/** A request on its way. */
interface Progress {
  readonly delivery: Delivery;
  readonly patience: Patience;
  readonly startedMs: number;
  /** Events that somebody may have to wait for. */
  readonly names: Set<string>;
  readonly rejections: Rejection[];
  documents: number;
  rejected: number;
  unusable: number;
}

export class Receiver {
  readonly #parts: ReceiverParts;
  readonly #sent: SentReports;

  constructor(parts: ReceiverParts) {
    this.#parts = parts;
    this.#sent = new SentReports((key) => parts.reconciler.gone(key, this.#moment()));
  }

  /** Takes a request in; resolves when it may be answered. Does not throw. */
  async receive(delivery: Delivery): Promise<Receipt> {
    const { clock, settlements } = this.#parts;
    const patience = (this.#parts.patience ?? defaultPatience)[delivery.acknowledge];
    const progress: Progress = {
      delivery,
      patience,
      startedMs: clock.monotonicMs(),
      names: new Set(),
      rejections: [],
      documents: 0,
      rejected: 0,
      unusable: 0,
    };
    const reason = await this.#takeAllIn(progress);
    delivery.released?.();
    if (reason !== undefined) return receipt('busy', progress, reason);
    const leftMs = progress.startedMs + patience.writeMs - clock.monotonicMs();
    const isSettled = await settlements.wait(this.#waitedFor(progress), Math.max(0, leftMs));
    return receipt(isSettled ? 'settled' : 'pending', progress);
  }

  /** Why it could not. */
  async #takeAllIn(progress: Progress): Promise<string | undefined> {
    const { delivery } = progress;
    if (!(await this.#ready(progress))) return 'not ready: the first listing is not complete';
    const most = Math.min(delivery.count, documentsAtOnce);
    const documents = delivery.documents[Symbol.iterator]();
    for (let left = delivery.count; left > 0; left -= most) {
      const some = [];
      for (let next = documents.next(); !next.done; next = documents.next()) if (some.push(next.value) === most) break;
      if (!(await this.#takeIn(some, progress))) return 'the queue is full';
      // Others get their turn.
      if (left > most) await new Promise((resolve) => setImmediate(resolve));
    }
    return undefined;
  }

  /** A sender that repeats its batches needs to wait only for events that are not there yet: a count can be repeated. */
  #waitedFor({ delivery, names }: Progress): readonly string[] {
    const { index } = this.#parts;
    if (delivery.acknowledge !== 'batch') return [...names];
    return [...names].filter((name) => !index.isActive(index.find(name)));
  }

  /** Takes documents in, all of them or none. False when there was no room for them in time. */
  async #takeIn(documents: readonly SentDocument[], progress: Progress): Promise<boolean> {
    const { delivery, patience } = progress;
    const now = this.#parts.clock.now();
    const refused: Rejection[] = [];
    const read = documents.flatMap((sent) => this.#read(sent, delivery, now, refused));
    let late: readonly Read[] = [];
    const isTaken = await this.#admitted(documents.length, progress, () => {
      for (const rejection of refused) this.#reject(rejection, progress);
      late = read.filter((one) => !this.#take(one, progress, false));
    });
    if (!isTaken) return false;
    progress.documents += documents.length;
    const dueMs = this.#parts.clock.monotonicMs() + patience.podsMs;
    while (late.length > 0) {
      const leftMs = dueMs - this.#parts.clock.monotonicMs();
      if (leftMs > 0) await sleep(Math.min(podStepMs, leftMs));
      const mustTake = leftMs <= 0;
      const waiting: readonly Read[] = late;
      const isRoom = await this.#admitted(waiting.length, progress, () => {
        late = waiting.filter((one) => !this.#take(one, progress, mustTake));
      });
      if (!isRoom) return false;
    }
    return true;
  }

  /** Runs it as soon as the queue has room. False when there was none in time. */
  async #admitted(items: number, { patience, startedMs, names }: Progress, take: () => void): Promise<boolean> {
    const { queue, clock } = this.#parts;
    for (;;) {
      const keys = queue.admit(items, take);
      if (keys !== undefined) {
        for (const key of keys) names.add(key);
        return true;
      }
      const leftMs = startedMs + patience.roomMs - clock.monotonicMs();
      if (leftMs <= 0) return false;
      await sleep(Math.min(readyStepMs, leftMs));
    }
  }

  async #ready({ patience, startedMs }: Progress): Promise<boolean> {
    const { clock, isReady } = this.#parts;
    while (!isReady()) {
      const leftMs = startedMs + patience.roomMs - clock.monotonicMs();
      if (leftMs <= 0) return false;
      await sleep(Math.min(readyStepMs, leftMs));
    }
    return true;
  }

  /** What the document says, by what it says it of. */
  #read(sent: SentDocument, { source, formats }: Delivery, now: Date, refused: Rejection[]): Read[] {
    if ('rejection' in sent) {
      refused.push(sent.rejection);
      return [];
    }
    const { document, place, id } = sent;
    const format = formats.find((one) => one.recognise(document));
    if (format === undefined) {
      refused.push({ reason: 'malformed', place: place || '.', message: `is nothing that ${source} reports` });
      return [];
    }
    try {
      const readings = format.read(document, { ...this.#parts.context(source), now });
      const byKey = new Map<ObjectKey, Reading[]>();
      for (const reading of readings) {
        const key =
          isOfSignals(reading) || isNothing(reading) ? sentSignalKey(source) : this.#sent.keyOf(source, reading);
        const named = id === undefined ? reading : identified(reading, id);
        const others = byKey.get(key);
        if (others === undefined) byKey.set(key, [named]);
        else others.push(named);
      }
      return [...byKey].map(([key, some]) => ({ key, readings: some }));
    } catch (error) {
      const { reason, place: where, message } = rejectionOf(error);
      refused.push({ reason, place: place + where, message });
      return [];
    }
  }

  /** False when it names Pods that are not known yet. */
  #take({ key, readings }: Read, progress: Progress, mustTake: boolean): boolean {
    const { reconciler, books } = this.#parts;
    const { source } = progress.delivery;
    const telling = readings.filter((reading) => !isNothing(reading));
    if (telling.length > 0) {
      const names = reconciler.receive({ key, source, readings: telling, mustTake }, this.#moment());
      if (names === undefined) return false;
      for (const name of names) progress.names.add(name);
    }
    for (const reading of readings) {
      for (const rejection of reading.rejected) {
        if (isNothing(reading)) books.reject(reading.partition, rejection.reason, 1);
        this.#note(rejection, progress);
      }
    }
    return true;
  }

  /** A document of which nothing can be used counts as one. */
  #reject(rejection: Rejection, progress: Progress): void {
    this.#parts.books.reject('', rejection.reason, 1);
    progress.unusable += 1;
    this.#note(rejection, progress);
  }

  #note(rejection: Rejection, progress: Progress): void {
    const { source } = progress.delivery;
    this.#parts.rejected(source, `webhook of ${source}`, rejection);
    progress.rejected += 1;
    if (progress.rejections.length < toldRejections) progress.rejections.push(rejection);
  }

  #moment(): Moment {
    const { clock } = this.#parts;
    return { now: clock.now(), monotonicMs: clock.monotonicMs() };
  }
}

/** It holds nothing, and nothing follows from that: what most of the things are that a sensor or an audit log tells. */
function isNothing({ findings, completeness }: Reading): boolean {
  return findings.length === 0 && completeness !== 'complete';
}

/** Names the occurrences of a delivery that its sender may repeat, where the tool itself does not. */
function identified(reading: Reading, id: string): Reading {
  const findings = reading.findings.map((finding, number) => {
    const { nature } = finding;
    if (nature.kind !== 'signal' || nature.cumulative === true || nature.occurrenceIds !== undefined) return finding;
    if (nature.occurrences !== 1) return finding;
    return { ...finding, nature: { ...nature, occurrenceIds: [`${id} ${number}`] } };
  });
  return { ...reading, findings };
}

function receipt(kind: Receipt['kind'], progress: Progress, reason?: string): Receipt {
  const { documents, rejected, rejections, unusable } = progress;
  return { kind, documents, rejected, rejections, unusable, ...(reason === undefined ? {} : { reason }) };
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
