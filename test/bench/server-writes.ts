/** Mutating requests on events, of any status code, as the API server counts them. */
import type { BenchCluster } from './cluster.ts';
import { send } from './cluster.ts';

export interface ServerWrites {
  readonly creates: number;
  /** Updates, patches and deletes. */
  readonly others: number;
}

/** Since the server started. */
export async function serverWrites(cluster: BenchCluster): Promise<ServerWrites> {
  const text = await send(cluster, 'GET', '/metrics');
  let creates = 0;
  let others = 0;
  for (const line of text.split('\n')) {
    if (!line.startsWith('apiserver_request_total{') || !line.includes('resource="zenagentevents"')) continue;
    const verb = /verb="([A-Z]+)"/.exec(line)?.[1] ?? '';
    const count = Number(line.slice(line.lastIndexOf(' ')));
    if (verb === 'POST') creates += count;
    else if (['PUT', 'PATCH', 'APPLY', 'DELETE'].includes(verb)) others += count;
  }
  return { creates, others };
}
