/**
 * A proxy in front of a control plane, which a test makes refuse requests, lose answers, or lose and damage lines of watches. It
 * shows the server's own certificate.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, type Server, request as send } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ControlPlane } from '../cluster/control-plane.ts';

/** A request as it is judged. */
export interface ProxiedRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
}

/** What is answered in place of the server's answer. */
export interface Refusal {
  readonly code: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly message: string;
}

export class ApiProxy {
  /** Says which requests are refused, and how; the others go on. */
  refuse: (request: ProxiedRequest) => Refusal | undefined = () => undefined;
  /** What becomes of a line of a watch; undefined: it is lost. */
  line: (line: string, request: ProxiedRequest) => string | undefined = (line) => line;
  /** Decides about each request that was carried out with success: the connection ends where its answer was to come. */
  isLost: (request: ProxiedRequest) => boolean = () => false;
  /** How many answers were lost so far, by method. */
  readonly lost: Record<string, number> = {};
  /** Requests refused so far. */
  refused = 0;
  readonly #watches = new Map<ServerResponse, string>();
  readonly #server: Server;
  readonly #target: URL;
  readonly #agent: Agent;

  private constructor({ server, caPath }: ControlPlane) {
    this.#target = new URL(server);
    const cert = readFileSync(caPath);
    this.#agent = new Agent({ keepAlive: true, ca: cert });
    const key = readFileSync(caPath.replace(/\.crt$/, '.key'));
    this.#server = createServer({ cert, key }, (request, response) => this.#take(request, response));
  }

  static async open(controlPlane: ControlPlane): Promise<ApiProxy> {
    const proxy = new ApiProxy(controlPlane);
    await new Promise<void>((resolve) => void proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  /** What to use in place of the server's own address. */
  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Refuses and damages nothing more. */
  passAll(): void {
    this.refuse = () => undefined;
    this.line = (line) => line;
    this.isLost = () => false;
  }

  /** Cuts the watches of a resource. */
  cutWatches(resource: string): void {
    for (const [outgoing, path] of this.#watches) if (path.includes(`/${resource}?`)) outgoing.destroy();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
    this.#agent.destroy();
  }

  #take(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const request = { method: incoming.method ?? '', path: incoming.url ?? '' };
    outgoing.on('error', () => {});
    const refusal = this.refuse(request);
    if (refusal !== undefined) {
      this.refused += 1;
      const { code, headers = {}, message } = refusal;
      const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, message };
      incoming.resume();
      outgoing.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(status));
      return;
    }
    const { hostname, port } = this.#target;
    const { method, path } = request;
    const headers = { ...incoming.headers, host: this.#target.host };
    const upstream = send({ hostname, port, path, method, headers, agent: this.#agent }, (answer) => {
      if ((answer.statusCode ?? 502) < 300 && this.isLost(request)) return this.#lose(method, answer, outgoing);
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      outgoing.flushHeaders();
      answer.on('error', () => outgoing.destroy());
      if (new URL(path, 'http://x').searchParams.has('watch')) this.#relayLines(answer, outgoing, request);
      else answer.pipe(outgoing);
    });
    upstream.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  }

  #lose(method: string, answer: IncomingMessage, outgoing: ServerResponse): void {
    this.lost[method] = (this.lost[method] ?? 0) + 1;
    // Only when the server has said all is it known to have done it.
    answer.resume().on('end', () => outgoing.destroy());
  }

  #relayLines(answer: IncomingMessage, outgoing: ServerResponse, request: ProxiedRequest): void {
    this.#watches.set(outgoing, request.path);
    outgoing.on('close', () => this.#watches.delete(outgoing));
    let rest = '';
    answer.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const told = this.line(line, request);
        if (told !== undefined) outgoing.write(`${told}\n`);
      }
    });
    answer.on('end', () => outgoing.end(rest));
  }
}
