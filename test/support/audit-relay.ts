/**
 * Stands between the API server and a daemon's /audit/webhook. The API server wants to know at its start where to send its
 * audit log, which is before there is a daemon: until then what it sends is taken and let go.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { request } from 'undici';
import { messageOf } from '../../src/lib/error-message.ts';
import type { Certificate } from './certificates.ts';

/** Items that nothing can be made of. */
const badItems = ['null', '{"stage":7}', '{"stage":"ResponseComplete","verb":"get"}'];

export class AuditRelay {
  readonly #server: Server;
  #target: string | undefined;
  /** All bodies so far, as text, while they are kept. */
  readonly bodies: string[] = [];
  /** How many milliseconds each answer of the daemon took. */
  readonly answeredMs: number[] = [];
  keepsBodies = true;
  /** How many audit events were taken, here or by the daemon. */
  items = 0;
  /** Whether each body is given items that are none. */
  spoil = false;
  /** How many bad items the daemon took. */
  spoiled = 0;
  /** What the daemon said where it did not take a batch. */
  readonly refusals: string[] = [];

  private constructor(certificate: Certificate) {
    this.#server = createServer(certificate, (incoming, answer) => void this.#take(incoming, answer));
  }

  /** Listens on loopback, by TLS: over plain HTTP the API server sends no credential. */
  static async open(certificate: Certificate): Promise<AuditRelay> {
    const relay = new AuditRelay(certificate);
    await new Promise<void>((resolve) => void relay.#server.listen(0, '127.0.0.1', resolve));
    return relay;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on everything goes to the webhook port of a daemon. */
  sendTo(port: number): void {
    this.#target = `http://127.0.0.1:${port}`;
  }

  /** Whether a request with this in its path has been sent on. */
  hasSeen(mark: string): boolean {
    return this.bodies.some((body) => body.includes(mark));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #taken(body: string): void {
    this.items += body.split('"auditID":').length - 1;
    if (this.keepsBodies) this.bodies.push(body);
  }

  async #take(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const target = this.#target;
    const isSpoilt = this.spoil;
    const sent = await text(incoming);
    const body = isSpoilt ? sent.replace('"items":[', `"items":[${badItems.join()},`) : sent;
    if (target === undefined) {
      this.#taken(body);
      answer.writeHead(200).end();
      return;
    }
    const { authorization = '', 'content-type': type = '' } = incoming.headers;
    const startedAt = performance.now();
    try {
      const {
        statusCode,
        headers,
        body: said,
      } = await request(`${target}${incoming.url}`, {
        method: 'POST',
        headers: { authorization, 'content-type': type },
        body,
      });
      const words = await said.text();
      this.answeredMs.push(performance.now() - startedAt);
      if (statusCode === 200) {
        this.#taken(body);
        if (isSpoilt) this.spoiled += badItems.length;
      } else this.refusals.push(`${statusCode} ${words}`);
      answer.writeHead(statusCode, { 'retry-after': String(headers['retry-after'] ?? '') }).end(words);
    } catch (error) {
      this.refusals.push(messageOf(error));
      answer.writeHead(502).end();
    }
  }
}
