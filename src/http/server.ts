/**
 * /metrics and the probes on one port. Node's own server: four routes without bodies do not earn the 10 MB that a
 * framework costs (docs/adr/0006); webhooks, which do, get one.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageOf } from '../lib/error-message.ts';

export interface ProbeServerParts {
  readonly port: number;
  readonly host: string;
  /** The exposition text and its content type; `accept`: what the request's header says. */
  metrics(accept: string | undefined): Promise<{ readonly contentType: string; readonly text: string }>;
  /** What keeps it from being ready; undefined when it is. */
  notReady(): string | undefined;
  /** Serves what is none of these; false where it is nothing of its own either. */
  serve?(request: IncomingMessage, response: ServerResponse): boolean;
}

/** A listening server. */
export interface ProbeServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens; throws when the port is taken. */
export async function startProbeServer(parts: ProbeServerParts): Promise<ProbeServer> {
  const server = createServer(async (request, response) => {
    const answer = (status: number, text: string, contentType = 'text/plain; charset=utf-8') => {
      response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(text) });
      response.end(request.method === 'HEAD' ? undefined : text);
    };
    const path = (request.url ?? '').split('?', 1)[0];
    if (parts.serve?.(request, response)) return;
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, 'only GET\n');
    switch (path) {
      case '/metrics':
        try {
          const { contentType, text } = await parts.metrics(request.headers.accept);
          return answer(200, text, contentType);
        } catch (error) {
          return answer(500, `metrics cannot be rendered: ${messageOf(error)}\n`);
        }
      case '/healthz':
      case '/health':
        return answer(200, 'ok\n');
      case '/readyz':
      case '/ready': {
        const reason = parts.notReady();
        return reason === undefined ? answer(200, 'ok\n') : answer(503, `not ready: ${reason}\n`);
      }
      default:
        return answer(404, 'there are /metrics, /healthz and /readyz\n');
    }
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  server.maxConnections = 256;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(parts.port, parts.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
