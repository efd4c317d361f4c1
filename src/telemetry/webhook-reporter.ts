/** Says what happens at the webhook port: each kind of trouble once in a while, no line per request. */
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/error-message.ts';
import { brief } from './brief.ts';
import type { Logger } from './logger.ts';

/** Troubles of senders by status, and what to do. */
const hints: Readonly<Record<number, string>> = {
  400: 'the answer to the sender says what cannot be read',
  401: 'give the sender a token of webhooks.routes.<source>.tokenFiles, or a certificate that it names',
  408: 'the sender or the network between is too slow',
  413: 'let the sender send smaller batches',
  415: 'let the sender send JSON',
  429: 'more is sent at a time than there is room for: the sender is told to come again',
  503: 'events cannot be written as fast as they come, or not at all: the sender is told to come again',
};

/** Those that are our trouble, and end. */
const ours = [429, 503];
/** The same of the same path is not told again within this. */
const silenceMs = 10 * 60_000;

/** What it needs to know of a request that was answered. */
interface Answered {
  /** Its path without a token. */
  readonly endpoint: string | undefined;
  readonly status: number;
  readonly sender?: string | undefined;
  readonly reason?: string | undefined;
}

export class WebhookReporter {
  readonly #logger: Logger;
  readonly #clock: Clock;
  /** `endpoint status reason` -> monotonic milliseconds when it was told. */
  readonly #told = new Map<string, number>();
  /** Those of them that have not gone well since. */
  readonly #troubles = new Set<string>();
  #isFull = false;
  #certificateProblem: string | undefined = '';

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /** A request was answered. */
  handled({ endpoint, status, sender, reason }: Answered): void {
    if (endpoint === undefined) return;
    if (status < 300) {
      this.#isFull = false;
      for (const known of ours) {
        if (!this.#troubles.delete(`${endpoint} ${known}`)) continue;
        this.#logger.info('a webhook takes everything again', { endpoint, status: known });
      }
      return;
    }
    const hint = hints[status];
    const key = [endpoint, status, ...(reason === undefined ? [] : [reason])].join(' ');
    const now = this.#clock.monotonicMs();
    if (hint === undefined || now - (this.#told.get(key) ?? Number.NEGATIVE_INFINITY) < silenceMs) return;
    this.#told.set(key, now);
    if (ours.includes(status)) this.#troubles.add(key);
    this.#logger.warn('requests to a webhook are refused', {
      endpoint,
      status,
      ...(reason === undefined ? {} : { reason: brief(reason) }),
      ...(sender === undefined ? {} : { sender }),
      hint,
    });
  }

  connectionRefused(most: number): void {
    if (this.#isFull) return;
    this.#isFull = true;
    this.#logger.warn('there are too many connections to the webhook port: more are closed', { most });
  }

  /** The files of a route's tokens say something else. */
  tokensChanged(
    source: string,
    { tokens, problems }: { readonly tokens: number; readonly problems: readonly string[] },
    files: readonly string[],
  ): void {
    for (const problem of problems) {
      this.#logger.warn('a token of a webhook cannot be used', { source, reason: brief(problem) });
    }
    if (tokens === 0) {
      this.#logger.warn('a webhook has no token at the moment: nobody can send with one', {
        source,
        hint: 'put one into a file of webhooks.routes.<source>.tokenFiles',
      });
    } else this.#logger.info('tokens of a webhook were read', { source, tokens, files: files.join(',') });
  }

  /** undefined: the files are in use now. */
  certificateChanged(problem: string | undefined): void {
    if (problem === this.#certificateProblem && problem !== undefined) return;
    this.#certificateProblem = problem;
    if (problem === undefined) this.#logger.info('the certificate of the webhook port is in use');
    else {
      const reason = brief(problem);
      this.#logger.error('the certificate of the webhook port cannot be used: the last good one stays', { reason });
    }
  }

  /** Something that was not thought of. */
  failed(error: unknown): void {
    this.#logger.error('a request to a webhook failed', { reason: brief(messageOf(error)) });
  }
}
