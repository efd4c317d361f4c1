/**
 * A proxy between the daemon and the real API server that speaks HTTP and so can do to single requests and lines of watches
 * what networks, load balancers and API servers in trouble do. What it does not touch is the real server's answer.
 */
import { readFileSync } from 'node:fs';
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type Certificate, CertificateAuthority } from './certificates.ts';

/** A request on its way. */
export interface Passing {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly isWatch: boolean;
  readonly isWrite: boolean;
}

/** What becomes of a request. Undefined: it passes. */
export type Treatment =
  /** The server never sees it. */
  | { readonly refuse: number; readonly reason?: string; readonly headers?: Readonly<Record<string, string>> }
  /** The server does it; what comes back is this status, or the end of the connection. */
  | { readonly answerLost: number | 'cut' }
  | { readonly delayMs: number }
  /** Of a watch, also of one that is open already: what becomes of its next line. */
  | { readonly line: 'twice' | 'truncated' | 'garbled' | 'expired' };

export type Fault = (passing: Passing) => Treatment | undefined;

/** What a refusal of the API server looks like. */
const reasons: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  409: 'Conflict',
  410: 'Expired',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

const hopByHop = ['connection', 'keep-alive', 'transfer-encoding'];

export class FaultProxy {
  readonly #server: Server;
  readonly #target: URL;
  readonly #agent: Agent;
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Set<ServerResponse>();
  readonly #faults = new Set<Fault>();
  readonly #revoked = new Set<string>();
  /** Whoever trusts this trusts the proxy. */
  ca: string;
  /** How often it did something to a request or a line. */
  treated = 0;

  private constructor(target: string, targetCa: string, ca: string, certificate: Certificate) {
    this.#target = new URL(target);
    this.#agent = new Agent({ keepAlive: true, ca: targetCa });
    this.ca = ca;
    this.#server = createServer(certificate, (incoming, answer) => void this.#pass(incoming, answer));
    this.#server.on('secureConnection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('tlsClientError', () => {});
  }

  /** Listens on loopback in front of `https://127.0.0.1:port`. */
  static async open(target: string, targetCaPath: string): Promise<FaultProxy> {
    const { ca, certificate } = newCertificate();
    const proxy = new FaultProxy(target, readFileSync(targetCaPath, 'utf8'), ca, certificate);
    await new Promise<void>((resolve) => void proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on until the function is called that it gives. */
  inject(fault: Fault): () => void {
    this.#faults.add(fault);
    return () => void this.#faults.delete(fault);
  }

  /** Ends all open watches in good order, as the server does after some minutes. */
  endWatches(): void {
    for (const answer of this.#watches) answer.end();
  }

  /** Cuts all connections; new ones are let through. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** From now on a certificate of another CA, which it gives. Connections that stand go on. */
  rotateCertificate(): string {
    const { ca, certificate } = newCertificate();
    this.#server.setSecureContext(certificate);
    this.ca = ca;
    return ca;
  }

  /** Whoever comes with this token is not let in any more; watches that stand go on. */
  revoke(token: string): void {
    this.#revoked.add(`Bearer ${token}`);
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    this.cut();
    this.#agent.destroy();
    await closed;
  }

  async #pass(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    answer.on('error', () => {});
    const { pathname, searchParams } = new URL(incoming.url ?? '', 'http://x');
    const method = incoming.method ?? 'GET';
    const isWatch = searchParams.get('watch') === 'true';
    const passing = { method, path: pathname, query: searchParams, isWatch, isWrite: method !== 'GET' };
    if (this.#revoked.has(incoming.headers.authorization ?? '')) {
      this.treated += 1;
      return refuse(answer, 401);
    }
    const treatment = this.#treatmentOf(passing);
    if (treatment !== undefined && 'refuse' in treatment) {
      this.treated += 1;
      return refuse(answer, treatment.refuse, treatment);
    }
    if (treatment !== undefined && 'delayMs' in treatment) {
      this.treated += 1;
      await new Promise((resolve) => setTimeout(resolve, treatment.delayMs));
    }
    const loss = treatment !== undefined && 'answerLost' in treatment ? treatment.answerLost : undefined;
    const upstream = this.#forward(incoming, (response) => {
      if (loss !== undefined) return this.#lose(loss, response, answer);
      const headers = Object.entries(response.headers).filter(([name]) => !hopByHop.includes(name));
      answer.writeHead(response.statusCode ?? 502, Object.fromEntries(headers) as Record<string, string>);
      if (!isWatch || response.statusCode !== 200) return void response.pipe(answer);
      answer.flushHeaders();
      this.#relayWatch(passing, response, answer);
    });
    upstream.on('error', () => answer.destroy());
    answer.on('close', () => upstream.destroy());
  }

  #forward(incoming: IncomingMessage, take: (response: IncomingMessage) => void): ClientRequest {
    const { method, url, headers } = incoming;
    const { hostname, port } = this.#target;
    const options = { hostname, port, method, path: url, headers, agent: this.#agent } as const;
    const upstream = request(options, (response) => {
      response.on('error', () => {});
      take(response);
    });
    return incoming.pipe(upstream);
  }

  #lose(loss: number | 'cut', response: IncomingMessage, answer: ServerResponse): void {
    this.treated += 1;
    response.resume();
    // Only when the server has said all is it known to have done it.
    response.on('end', () => (loss === 'cut' ? answer.destroy() : refuse(answer, loss)));
  }

  #relayWatch(passing: Passing, response: IncomingMessage, answer: ServerResponse): void {
    this.#watches.add(answer);
    let rest = '';
    answer.on('close', () => this.#watches.delete(answer));
    response.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (answer.writableEnded || answer.destroyed) return;
        this.#relayLine(line, passing, answer);
      }
    });
    response.on('end', () => answer.end(rest));
    response.on('close', () => answer.destroy());
  }

  #relayLine(line: string, passing: Passing, answer: ServerResponse): void {
    const treatment = this.#treatmentOf(passing);
    const word = treatment !== undefined && 'line' in treatment ? treatment.line : undefined;
    if (word !== undefined) this.treated += 1;
    switch (word) {
      case undefined:
        return void answer.write(`${line}\n`);
      case 'twice':
        return void answer.write(`${line}\n${line}\n`);
      case 'truncated':
        answer.write(line.slice(0, Math.ceil(line.length / 2)), () => answer.destroy());
        return;
      case 'garbled':
        return void answer.write(`${line.slice(0, Math.ceil(line.length / 2))}\n`);
      case 'expired': {
        const status = { kind: 'Status', status: 'Failure', reason: 'Expired', code: 410, message: 'too old' };
        return void answer.end(`${JSON.stringify({ type: 'ERROR', object: status })}\n`);
      }
    }
  }

  #treatmentOf(passing: Passing): Treatment | undefined {
    for (const fault of this.#faults) {
      const treatment = fault(passing);
      if (treatment !== undefined) return treatment;
    }
    return undefined;
  }
}

function refuse(
  answer: ServerResponse,
  code: number,
  { reason = reasons[code] ?? '', headers = {} }: Omit<Extract<Treatment, { refuse: number }>, 'refuse'> = {},
): void {
  const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: `injected ${code}` };
  answer.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(status));
}

/** Valid for years: clocks jump here. */
function newCertificate(): { readonly ca: string; readonly certificate: Certificate } {
  const year = new Date().getUTCFullYear();
  const validity = { notBefore: new Date(Date.UTC(year - 2, 0)), notAfter: new Date(Date.UTC(year + 2, 0)) };
  const authority = new CertificateAuthority('Proxy CA', validity);
  const certificate = authority.issue({ commonName: 'proxy', alternativeNames: ['IP:127.0.0.1'], ...validity });
  return { ca: authority.cert, certificate };
}
