/** A stand-in for a kubelet: answers that a session is opened, and closes it. Enough for what the API server's audit log says. */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { CertificateAuthority } from './certificates.ts';

/** A server on loopback; `sessions` counts those that were opened. */
export interface StandInKubelet {
  readonly port: number;
  sessions(): number;
  close(): Promise<void>;
}

/** Listens on a free port. */
export async function startKubelet(): Promise<StandInKubelet> {
  /** Of sessions: the server does not know them any more. */
  const sockets: Duplex[] = [];
  const server = createServer(new CertificateAuthority().issue({ commonName: 'kubelet' }));
  server.on('upgrade', (request, socket) => {
    sockets.push(socket);
    socket.on('error', () => {}); // The API server may be gone first.
    const protocol = request.headers['x-stream-protocol-version'];
    const chosen =
      protocol === undefined ? '' : `X-Stream-Protocol-Version: ${[protocol].flat()[0]?.split(',')[0]}\r\n`;
    const head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${request.headers.upgrade}\r\nConnection: Upgrade\r\n${chosen}\r\n`;
    socket.end(head);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    sessions: () => sockets.length,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
