/**
 * One request to a webhook, from its headers to its answer. In this order: who sends it, whether it is a form that is read,
 * its bytes within bounds, its shape within bounds, its documents. What is refused was not read further.
 */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../lib/clock.ts';
import type { Receipt, Receive } from '../sources/delivery.ts';
import type { BodyProblem } from './body.ts';
import { discardBody, readBody } from './body.ts';
import type { BytesInFlight } from './bytes-in-flight.ts';
import { whyNotClient } from './client-certificate.ts';
import { cloudEventId, documentsOf, formOf } from './sent-body.ts';
import type { Tokens } from './tokens.ts';
import type { Answer, WebhookRoute, WebhookStatus } from './webhook-route.ts';

export interface WebhookHandlerParts {
  readonly route: WebhookRoute;
  readonly tokens: Tokens | undefined;
  readonly bytesInFlight: BytesInFlight;
  readonly maxBodyBytes: number;
  readonly clock: Clock;
  readonly receive: Receive;
  readonly bodyTimeoutMs: number;
  isStopping(): boolean;
}

/** What became of a request. `isClean`: the connection can carry another one. */
export interface Outcome {
  readonly answer: Answer;
  readonly bytes: number;
  readonly isClean: boolean;
}

interface Stranger {
  readonly told: string;
  readonly reason: string;
}

/** A client that is told that it sent too much is listened to for so long, so that it sees the answer. */
const discarded = { bytes: 16 * 2 ** 20, timeoutMs: 5_000 };

export class WebhookHandler {
  readonly #parts: WebhookHandlerParts;
  #requests = 0;

  constructor(parts: WebhookHandlerParts) {
    this.#parts = parts;
  }

  /** Requests that are not answered yet. */
  get requests(): number {
    return this.#requests;
  }

  /** `pathToken`: what followed the path. Does not throw. */
  async handle(request: IncomingMessage, pathToken: string | undefined): Promise<Outcome> {
    this.#requests += 1;
    try {
      const refusal = this.#refusal(request, pathToken);
      if (refusal !== undefined) return await refused(request, refusal);
      return await this.#read(request);
    } finally {
      this.#requests -= 1;
    }
  }

  /** What can be refused by the headers alone. */
  #refusal(request: IncomingMessage, pathToken: string | undefined): Answer | undefined {
    const { route, maxBodyBytes, isStopping } = this.#parts;
    if (isStopping()) return this.#busy(503, 'is stopping');
    const stranger = this.#whyNotLetIn(request, pathToken);
    if (stranger !== undefined) {
      return {
        ...failure(401, stranger.told),
        reason: stranger.reason,
        headers: route.tokenFiles.length > 0 ? { 'www-authenticate': 'Bearer' } : {},
      };
    }
    if (this.#requests > route.maxInFlight) return this.#busy(429, 'too many requests of this source at a time');
    if (formOf(request.headers) === undefined) {
      return failure(415, 'content-type must be application/json, application/x-ndjson or a CloudEvent, in UTF-8');
    }
    if (encodingOf(request) === undefined) {
      return { ...failure(415, 'content-encoding must be gzip or none'), headers: { 'accept-encoding': 'gzip' } };
    }
    if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) return this.#tooLarge();
    return undefined;
  }

  /** `told`: to the sender, who must not learn from it how close it came. `reason`: for our log. */
  #whyNotLetIn(request: IncomingMessage, pathToken: string | undefined): Stranger | undefined {
    const { route, tokens, clock } = this.#parts;
    if (route.open) return undefined;
    const token = /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1] ?? pathToken;
    if (tokens !== undefined && token !== undefined && tokens.has(token)) return undefined;
    const socket = request.socket as TLSSocket;
    const ofToken = token === undefined ? 'no bearer token was sent' : 'the token is none of the configured ones';
    if (route.clientNames.length === 0) return { told: 'a valid bearer token is needed', reason: ofToken };
    if (socket.encrypted !== true) {
      const told = 'a client certificate is needed';
      return { told, reason: tokens === undefined ? told : ofToken };
    }
    const ofCertificate = whyNotClient(socket, route.clientNames, clock.now());
    if (ofCertificate === undefined) return undefined;
    return { told: ofCertificate, reason: token === undefined || tokens === undefined ? ofCertificate : ofToken };
  }

  async #read(request: IncomingMessage): Promise<Outcome> {
    const { route, bytesInFlight, maxBodyBytes, bodyTimeoutMs } = this.#parts;
    const isGzip = encodingOf(request) === 'gzip';
    let held = 0;
    const release = () => {
      bytesInFlight.giveBack(route.source, held);
      held = 0;
    };
    const take = (bytes: number) => {
      const isTaken = bytesInFlight.take(route.source, bytes);
      if (isTaken) held += bytes;
      return isTaken;
    };
    try {
      const body = await readBody(request, { maximumBytes: maxBodyBytes, isGzip, timeoutMs: bodyTimeoutMs, take });
      if ('problem' in body) {
        release();
        return await refused(request, this.#bodyRefusal(body.problem));
      }
      const answer = await this.#take(request, body.bytes, release);
      return { answer, bytes: body.bytes.length, isClean: true };
    } finally {
      release();
    }
  }

  async #take(request: IncomingMessage, bytes: Buffer, released: () => void): Promise<Answer> {
    const { route, receive, isStopping } = this.#parts;
    const { headers } = request;
    const body = documentsOf(bytes, formOf(headers) ?? 'json', cloudEventId(headers['ce-source'], headers['ce-id']));
    const { source, formats, acknowledge } = route;
    if ('problem' in body) {
      if (body.problem === 'too-large') return failure(413, `the body ${body.message}`);
      // Counted as one report of which nothing can be used.
      const rejection = { reason: 'malformed', place: '.', message: body.message } as const;
      await receive({ source, formats, acknowledge, count: 1, documents: [{ rejection }], released });
      return failure(400, `the body ${body.message}`);
    }
    const receipt = await receive({ source, formats, acknowledge, ...body, released });
    if (receipt.kind === 'busy') return this.#busy(503, receipt.reason ?? 'busy');
    if (receipt.kind === 'pending' && (acknowledge === 'batch' || isStopping())) {
      return this.#busy(503, 'not written yet', told(receipt));
    }
    // A batch with bad items is not sent again because of them.
    const isUseless = receipt.unusable > 0 && receipt.unusable === receipt.documents && acknowledge !== 'batch';
    if (isUseless) return { status: 400, body: { error: 'nothing of it can be used', ...told(receipt) } };
    return { status: receipt.kind === 'settled' ? 200 : 202, body: told(receipt) };
  }

  #bodyRefusal(problem: BodyProblem): Answer {
    switch (problem) {
      case 'too-large':
        return this.#tooLarge();
      case 'no-room':
        return this.#busy(429, 'too much is being received at the moment');
      case 'too-slow':
        return failure(408, 'the body did not come in time');
      case 'not-gzip':
        return failure(400, 'the body is not gzip');
      case 'aborted':
        return failure(499, 'the body did not come to its end');
    }
  }

  #tooLarge(): Answer {
    return failure(413, `the body is larger than ${this.#parts.maxBodyBytes} bytes`);
  }

  /** kube-apiserver is told to come again soon; it knows no difference between too many and too busy. */
  #busy(status: 429 | 503, reason: string, more: Readonly<Record<string, unknown>> = {}): Answer {
    const isBatch = this.#parts.route.acknowledge === 'batch';
    const headers = { 'retry-after': isBatch || status === 429 ? '1' : '5' };
    return { status: isBatch ? 503 : status, headers, body: { error: reason, ...more } };
  }
}

/** Answered without the rest of the body, of which some is read all the same. */
async function refused(request: IncomingMessage, answer: Answer): Promise<Outcome> {
  // Who takes a byte a second is not waited for.
  const isGone = answer.status === 408 || answer.status === 499;
  const isClean = !isGone && (await discardBody(request, discarded.bytes, discarded.timeoutMs));
  return { answer, bytes: 0, isClean };
}

function encodingOf({ headers }: IncomingMessage): 'gzip' | 'identity' | undefined {
  const encoding = String(headers['content-encoding'] ?? 'identity')
    .trim()
    .toLowerCase();
  if (encoding === 'gzip' || encoding === 'x-gzip') return 'gzip';
  return encoding === 'identity' || encoding === '' ? 'identity' : undefined;
}

function failure(status: WebhookStatus, error: string): Answer {
  return { status, body: { error } };
}

function told({ documents, rejected, rejections }: Receipt): Readonly<Record<string, unknown>> {
  return { documents, rejected, ...(rejections.length === 0 ? {} : { rejections }) };
}
