/**
 * The least that reading costs, in its own process: lists collections one after the other and parses their JSON. In pages
 * of as many bytes as the daemon asks for, or as streaming lists. Arguments as JSON: {server, caPath, token, collections,
 * isStream}.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, get } from 'node:https';

interface Arguments {
  readonly server: string;
  readonly caPath: string;
  readonly token: string;
  readonly collections: readonly string[];
  readonly isStream: boolean;
}

interface ListBody {
  readonly items: readonly unknown[];
  readonly metadata: { readonly continue?: string };
}

const { server, caPath, token, collections, isStream } = JSON.parse(process.argv[2] ?? '{}') as Arguments;
const agent = new Agent({ ca: readFileSync(caPath), keepAlive: true });
const headers = { authorization: `Bearer ${token}`, accept: 'application/json' };
const pageBytes = 4 * 1024 * 1024;

for (const path of collections) await (isStream ? readStream(path) : readPages(path));
agent.destroy();

async function readPages(path: string): Promise<void> {
  let limit = 50;
  for (let next: string | undefined = ''; next !== undefined; ) {
    const chunks: Buffer[] = [];
    for await (const chunk of open(`${path}?limit=${limit}&continue=${next}`)) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const { items, metadata } = JSON.parse(bytes.toString()) as ListBody;
    if (items.length > 0) limit = Math.max(1, Math.min(500, Math.floor(pageBytes / (bytes.length / items.length))));
    next = metadata.continue === undefined || metadata.continue === '' ? undefined : metadata.continue;
  }
}

async function readStream(path: string): Promise<void> {
  let parts: Buffer[] = [];
  const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  for await (const chunk of open(`${path}?${query}`)) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      const line = Buffer.concat([...parts, chunk.subarray(start, end)]).toString();
      parts = [];
      start = end + 1;
      if ((JSON.parse(line) as { readonly type: string }).type === 'BOOKMARK') return;
    }
    parts.push(chunk.subarray(start));
  }
}

/** The bytes of an answer; leaving the loop ends the connection. */
async function* open(path: string): AsyncGenerator<Buffer> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get(server + path, { agent, headers }, resolve).on('error', reject);
  });
  if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode}`);
  yield* answer;
}
