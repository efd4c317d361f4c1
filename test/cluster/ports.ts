/** Free ports on loopback. */
import { createServer } from 'node:net';
import type { Ports } from './flags.ts';

/** Ports that nobody uses right now; all are held until the last is found, so no two are the same. */
export async function freePorts(): Promise<Ports> {
  const servers = await Promise.all(Array.from({ length: 4 }, () => listen()));
  const [etcd, etcdPeer, apiServer, controllerManager] = servers.map((server) => server.address() as { port: number });
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  if (!etcd || !etcdPeer || !apiServer || !controllerManager) throw new Error('no free ports');
  return {
    etcd: etcd.port,
    etcdPeer: etcdPeer.port,
    apiServer: apiServer.port,
    controllerManager: controllerManager.port,
  };
}

function listen() {
  return new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
    const server = createServer();
    server.once('error', reject).listen(0, '127.0.0.1', () => resolve(server));
  });
}
