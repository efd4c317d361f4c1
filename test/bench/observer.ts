/** A bare watch on the events of a namespace: it splits lines, reads the type and the name, and parses nothing. */
import type { BenchCluster } from './cluster.ts';
import { eventsPath } from './cluster.ts';

export interface Observer {
  /** Milliseconds (performance.now) at which each event was first seen, by name, in order. */
  readonly seen: ReadonlyMap<string, number>;
  /** When the last one was. */
  readonly lastSeenMs: number;
  /** Resolves when so many were seen; rejects after `timeoutMs` without a new one. */
  until(count: number, timeoutMs?: number): Promise<void>;
  stop(): Promise<void>;
}

const namePattern = /"name":"([^"]+)"/;

export async function observe(cluster: BenchCluster, namespace: string): Promise<Observer> {
  const seen = new Map<string, number>();
  const ending = new AbortController();
  let lastSeenMs = 0;
  let hasEnded = false;
  const { body } = await cluster.agent.request({
    origin: cluster.controlPlane.server,
    path: `${eventsPath(namespace)}?watch=true&timeoutSeconds=3600`,
    method: 'GET',
    headers: { authorization: `Bearer ${cluster.controlPlane.adminToken}` },
    signal: ending.signal,
    bodyTimeout: 0,
  });
  const reading = (async () => {
    let rest = '';
    try {
      for await (const chunk of body) {
        const now = performance.now();
        const lines = (rest + String(chunk)).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          if (!line.startsWith('{"type":"ADDED"')) continue;
          const metadata = line.slice(line.indexOf('"metadata":'));
          // managedFields have no "name" member before metadata.name.
          const name = namePattern.exec(metadata)?.[1];
          if (name === undefined || seen.has(name)) continue;
          seen.set(name, now);
          lastSeenMs = now;
        }
      }
    } catch (error) {
      if (!ending.signal.aborted) throw error;
    } finally {
      hasEnded = true;
    }
  })();
  return {
    seen,
    get lastSeenMs() {
      return lastSeenMs;
    },
    async until(count, timeoutMs = 60_000) {
      let size = seen.size;
      let changedAt = performance.now();
      while (seen.size < count) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        // As it does with a watch that does not keep up, on a machine that is too busy to measure anything.
        if (hasEnded) throw new Error(`the server ended the watch, after ${seen.size} of ${count} events`);
        if (seen.size !== size) {
          size = seen.size;
          changedAt = performance.now();
        }
        if (performance.now() - changedAt > timeoutMs) throw new Error(`saw ${seen.size} of ${count} events`);
      }
    },
    async stop() {
      ending.abort();
      await reading;
    },
  };
}

/** Seconds between the first and the last one seen. */
export function secondsBetween(seen: ReadonlyMap<string, number>): number {
  const times = [...seen.values()];
  return ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1000;
}
