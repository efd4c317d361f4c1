/** A route of the webhook port: who may send to it, and what is made of what they send. */
import type { Acknowledgement, Format } from '../sources/source.ts';

/** One source's. It has one path, or two that are the same. */
export interface WebhookRoute {
  readonly source: string;
  /** `/falco/webhook`; a token may follow as one more part of the path. */
  readonly paths: readonly string[];
  readonly formats: readonly Format[];
  readonly acknowledge: Acknowledgement;
  /** Anybody may send. */
  readonly open: boolean;
  readonly tokenFiles: readonly string[];
  /** Names in certificates of clients. */
  readonly clientNames: readonly string[];
  /** Requests at one time. */
  readonly maxInFlight: number;
}

/** One request that came to its end, for metrics. */
export interface Handled {
  /** The path without a token; undefined where there is no such route. */
  readonly endpoint: string | undefined;
  readonly status: WebhookStatus;
  readonly bytes: number;
  readonly seconds: number;
  /** Address of whoever sent it: of the last proxy, where there are any. */
  readonly sender?: string | undefined;
  /** Why a sender was not let in, for us: it is not told how close it came. */
  readonly reason?: string | undefined;
}

/** Everything that can be answered. 499: the client went away before it had sent all. */
export const webhookStatuses = [200, 202, 400, 401, 404, 405, 408, 413, 415, 429, 431, 499, 500, 503] as const;
export type WebhookStatus = (typeof webhookStatuses)[number];

/** What a request is answered. */
export interface Answer {
  /** For our log, not for the sender. */
  readonly reason?: string;
  readonly status: WebhookStatus;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}
