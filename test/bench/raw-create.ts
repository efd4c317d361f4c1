/**
 * The raw limit, in its own process: creates ready-made bodies, so many in flight, with one watch on the events open,
 * and does nothing else. Arguments as JSON: {server, caPath, token, path, bodiesPath, inFlight}.
 */
import { readFileSync } from 'node:fs';
import { Agent } from 'undici';

interface Arguments {
  readonly server: string;
  readonly caPath: string;
  readonly token: string;
  readonly path: string;
  readonly bodiesPath: string;
  readonly inFlight: number;
}

const { server, caPath, token, path, bodiesPath, inFlight } = JSON.parse(process.argv[2] ?? '{}') as Arguments;
const bodies = readFileSync(bodiesPath, 'utf8').trim().split('\n');
const agent = new Agent({
  connect: { ca: readFileSync(caPath) },
  connections: inFlight + 1,
  pipelining: 1,
  allowH2: false,
});
const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json' };

const ending = new AbortController();
const watch = await agent.request({
  origin: server,
  path: `${path}?watch=true`,
  method: 'GET',
  headers,
  signal: ending.signal,
  bodyTimeout: 0,
});
const watching = (async () => {
  try {
    for await (const _chunk of watch.body) {
      // The bytes are taken, as every watcher must; nothing is done with them.
    }
  } catch (error) {
    if (!ending.signal.aborted) throw error;
  }
})();

let next = 0;
const one = async () => {
  while (next < bodies.length) {
    const body = bodies[next] as string;
    next += 1;
    const answer = await agent.request({ origin: server, path, method: 'POST', headers, body });
    await answer.body.arrayBuffer();
    if (answer.statusCode !== 201) throw new Error(`create answered ${answer.statusCode}`);
  }
};
await Promise.all(Array.from({ length: inFlight }, one));
ending.abort();
await watching;
await agent.destroy();
