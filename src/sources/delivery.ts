/** What a sender hands in by one request to a webhook, and what became of it: what src/http and src/pipeline share. */
import type { Acknowledgement, Format, RawDocument, Rejection } from './source.ts';

/** One document of a request's body. */
export type SentDocument =
  | {
      readonly document: RawDocument;
      /** Where in the body, as a JSON path; '' for the body itself. */
      readonly place: string;
      /** How the sender names this delivery, so that one that is repeated counts once. */
      readonly id?: string | undefined;
    }
  | { readonly rejection: Rejection };

/** One request that was let in. */
export interface Delivery {
  /** The name of the source whose formats read it. */
  readonly source: string;
  readonly formats: readonly Format[];
  readonly acknowledge: Acknowledgement;
  /** How many documents there are. */
  readonly count: number;
  /** Parsed one after the other as they are asked for, and once. */
  readonly documents: Iterable<SentDocument>;
  /** Called once, when nothing of the documents is held any more. */
  released?(): void;
}

/** How far a request came. */
export interface Receipt {
  /**
   * settled: every event of it is on the server, or needs none. pending: taken, but not all are on the server yet.
   * busy: there is no room, or the daemon is not ready; unless `documents` says otherwise, nothing of it was taken.
   */
  readonly kind: 'settled' | 'pending' | 'busy';
  /** Why it is busy, in words. */
  readonly reason?: string;
  /** Documents that were taken, and what in them could not be understood: how many parts, and the first of them. */
  readonly documents: number;
  readonly rejected: number;
  readonly rejections: readonly Rejection[];
  /** Documents of which nothing could be used. */
  readonly unusable: number;
}

/** Takes a request in and answers when it may be acknowledged. Does not throw. */
export type Receive = (delivery: Delivery) => Promise<Receipt>;
