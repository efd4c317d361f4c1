/** Free ports on loopback. */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import type { Ports } from './flags.ts';

/**
 * Ports that nobody uses right now; all are held until the last is found, so no two are the same. None of them is one
 * that the kernel gives to outgoing connections: a component that is started again finds its port as it left it.
 */
export async function freePorts(): Promise<Ports> {
  const servers = [await hold(), await hold(), await hold(), await hold()] as const;
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

/** One of them. */
export async function freePort(): Promise<number> {
  return (await freePorts()).apiServer;
}

/** Holds a random port below those of outgoing connections. */
async function hold(): Promise<Server> {
  const end = firstEphemeral();
  for (let tries = 0; tries < 200; tries += 1) {
    const server = await listen(randomInt(Math.min(10_000, end - 1000), end));
    if (server) return server;
  }
  throw new Error('no free port found in 200 tries');
}

/** The first port that outgoing connections may have. */
function firstEphemeral(): number {
  try {
    const first = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/)[0]);
    if (first > 2048) return first;
  } catch {
    // Not Linux: the range of IANA.
  }
  return process.platform === 'linux' ? 32_768 : 49_152;
}

/** A server on the port; undefined when somebody has it. */
function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined)).listen(port, '127.0.0.1', () => resolve(server));
  });
}
