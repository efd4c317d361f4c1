/** What `zen-watcher scan -o json` prints of reports, run in this process. */
import { Writable } from 'node:stream';
import type { ZenAgentEvent } from '../../src/api/event.ts';
import { filesOnDisk } from '../../src/cli/report-files.ts';
import { scan } from '../../src/cli/scan.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { RawDocument } from '../../src/sources/source.ts';

/** The events of a file. */
export function scanFile(path: string): Promise<ZenAgentEvent[]> {
  return run(path, '');
}

/** The events of documents, as if they stood in one file. */
export function scanDocuments(documents: readonly RawDocument[]): Promise<ZenAgentEvent[]> {
  return run('-', JSON.stringify(documents));
}

async function run(path: string, input: string): Promise<ZenAgentEvent[]> {
  const output = { stdout: '', stderr: '' };
  const collect = (to: keyof typeof output) =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        output[to] += chunk.toString();
        done();
      },
    });
  const io = {
    stdin: toChunks(input),
    stdout: collect('stdout'),
    stderr: collect('stderr'),
    files: filesOnDisk,
    clock: systemClock,
    useColor: false,
  };
  const code = await scan({ paths: [path], output: 'json' }, io);
  if (code !== 0 || output.stderr !== '') throw new Error(`scan ended with ${code}: ${output.stderr}`);
  return (JSON.parse(output.stdout) as { items: ZenAgentEvent[] }).items;
}

async function* toChunks(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
