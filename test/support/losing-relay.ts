/**
 * Stands between a daemon and the API server and loses answers: the request is carried out, and the connection ends where its
 * answer was to come. To the daemon it speaks plain HTTP.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { Agent } from 'undici';
import type { ControlPlane } from '../cluster/control-plane.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export class LosingRelay {
  readonly #server = createServer((incoming, answer) => void this.#relay(incoming, answer));
  readonly #upstream: Agent;
  readonly #origin: string;
  /** Decides about each request that was carried out with success. */
  isLost: (method: string, path: string) => boolean = () => false;
  /** How many answers were lost, by method. */
  readonly lost: Record<string, number> = {};

  private constructor({ caPath, server }: ControlPlane) {
    this.#origin = server;
    this.#upstream = new Agent({
      allowH2: false,
      connect: { ca: readFileSync(caPath) },
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** Listens in front of a control plane. */
  static async open(controlPlane: ControlPlane): Promise<LosingRelay> {
    const relay = new LosingRelay(controlPlane);
    await new Promise<void>((resolve) => void relay.#server.listen(0, '127.0.0.1', resolve));
    return relay;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await Promise.all([new Promise((resolve) => this.#server.close(resolve)), this.#upstream.destroy()]);
  }

  async #relay(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = '', url: path = '', headers } = incoming;
    const { host: _host, connection: _connection, 'transfer-encoding': _encoding, ...passed } = headers;
    try {
      const body = await buffer(incoming);
      const told = await this.#upstream.request({
        origin: this.#origin,
        path,
        method: method as Method,
        headers: passed,
        ...(body.length === 0 ? {} : { body }),
      });
      if (told.statusCode < 300 && this.isLost(method, path)) {
        await told.body.dump();
        this.lost[method] = (this.lost[method] ?? 0) + 1;
        incoming.socket.destroy();
        return;
      }
      const { connection: _c, 'transfer-encoding': _t, ...answered } = told.headers;
      answer.writeHead(told.statusCode, answered);
      answer.flushHeaders();
      await pipeline(told.body, answer);
    } catch {
      // One of the two sides ended.
      incoming.socket.destroy();
    }
  }
}
