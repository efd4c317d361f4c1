/**
 * One client of an API server that never rests: `node traffic.ts`, told by one JSON object on stdin, works until stdin ends and then
 * says how often each request was answered with what. A process of its own, so that neither the daemon nor the judge waits for it.
 */
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { Agent, request } from 'undici';

/** What to do. */
export interface TrafficOrder {
  readonly server: string;
  readonly caPath: string;
  readonly token: string;
  readonly namespace: string;
  readonly connections: number;
  /** The Secrets that it writes: `<prefix><number>`. */
  readonly secretPrefix: string;
  /** How many of them. */
  readonly secrets: number;
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

const [line = ''] = process.argv.slice(2);
const { server, caPath, token, namespace, connections, secretPrefix, secrets } = JSON.parse(line) as TrafficOrder;
const agent = new Agent({ connections, pipelining: 1, allowH2: false, connect: { ca: readFileSync(caPath) } });
const base = `/api/v1/namespaces/${namespace}`;
const answers: Record<string, number> = {};
let isOver = false;

async function send(method: Method, path: string, body?: unknown): Promise<void> {
  try {
    const answer = await request(server + base + path, {
      dispatcher: agent,
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    await answer.body.dump();
    const [, resource = ''] = path.split(/[/?]/);
    const word = `${method} ${resource} ${answer.statusCode}`;
    answers[word] = (answers[word] ?? 0) + 1;
  } catch (error) {
    if (!isOver) throw error;
  }
}

/** What a controller or a deployment tool does all day. */
async function worker(number: number): Promise<void> {
  const data = { key: Buffer.from('value').toString('base64') };
  for (let round = 0; !isOver; round += 1) {
    const name = `item-${number}-${round % 10}`;
    const secret = `${secretPrefix}${(number + round) % secrets}`;
    const pod = { metadata: { name }, spec: { containers: [{ name: 'web', image: 'registry.example.org/shop:1' }] } };
    await send('POST', '/configmaps', { metadata: { name }, data: { round: String(round) } });
    await send('GET', `/configmaps/${name}`);
    await send('PUT', `/configmaps/${name}`, { metadata: { name }, data: { round: `${round} again` } });
    await send('GET', '/configmaps?limit=50');
    await send('POST', '/secrets', { metadata: { name: secret }, data });
    await send('GET', `/secrets/${secret}`);
    await send('PUT', `/secrets/${secret}`, { metadata: { name: secret }, data });
    await send('GET', '/secrets?limit=50');
    await send('DELETE', `/secrets/${secret}`);
    await send('POST', '/pods', pod);
    await send('GET', `/pods/${name}`);
    await send('DELETE', `/pods/${name}`, { gracePeriodSeconds: 0 });
    await send('DELETE', `/configmaps/${name}`);
  }
}

const workers = Array.from({ length: connections }, (_, number) => worker(number));
await text(process.stdin);
isOver = true;
await Promise.all(workers);
await agent.close();
process.stdout.write(JSON.stringify(answers));
