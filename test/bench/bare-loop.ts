/**
 * The peer of P2: watches reports and creates one event for each finding, with the same bodies, and does nothing else:
 * no queue, no index, no filter. Prints a line once it watches. Arguments as JSON: {server, caPath, token, reports, events, namespace}.
 */
import { readFileSync } from 'node:fs';
import { Agent } from 'undici';
import { eventBodies } from './event-bodies.ts';

interface Arguments {
  readonly server: string;
  readonly caPath: string;
  readonly token: string;
  readonly reports: string;
  readonly events: string;
  readonly namespace: string;
}

const { server, caPath, token, reports, events, namespace } = JSON.parse(process.argv[2] ?? '{}') as Arguments;
const agent = new Agent({ connect: { ca: readFileSync(caPath) }, connections: 12, pipelining: 1, allowH2: false });
const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
process.once('SIGTERM', () => process.exit(0));

const { body } = await agent.request({
  origin: server,
  path: `${reports}?watch=true`,
  method: 'GET',
  headers,
  bodyTimeout: 0,
});
process.stdout.write('watching\n');
let rest = '';
for await (const chunk of body) {
  const lines = (rest + String(chunk)).split('\n');
  rest = lines.pop() ?? '';
  for (const line of lines) {
    const event = JSON.parse(line) as { type: string; object: object };
    if (event.type !== 'ADDED') continue;
    for (const one of eventBodies([event.object], namespace)) {
      void agent
        .request({ origin: server, path: events, method: 'POST', headers, body: one })
        .then((answer) => answer.body.dump());
    }
  }
}
