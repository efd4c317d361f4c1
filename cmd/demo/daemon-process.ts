/** The daemon, as a user runs it: `zen-watcher run` in a process of its own. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DemoCluster } from './demo-cluster.ts';
import type { Narrator } from './narrator.ts';
import { BackgroundProgram } from './processes.ts';
import { waitFor } from './wait.ts';

const program = join(import.meta.dirname, '../zen-watcher/main.ts');
const graceSeconds = 15;

/** A scrape of /metrics: the series with their labels as text, and their values. */
export type Metrics = ReadonlyMap<string, number>;

export class DaemonProcess {
  readonly #program: BackgroundProgram;
  #port: number | undefined;

  constructor(cluster: DemoCluster, narrator: Narrator) {
    // The story is about reports; a user's own cluster has Warnings of its own.
    const config = join(cluster.target.folder, 'demo-config.yaml');
    writeFileSync(config, 'sources: { kubernetes-events: { enabled: false } }\n');
    const place = ['--kubeconfig', cluster.target.kubeconfigPath, '--namespace', cluster.eventsNamespace];
    this.#program = new BackgroundProgram({
      name: 'zen-watcher run',
      program: process.execPath,
      args: [program, 'run', '--config', config, ...place, '--host', '127.0.0.1', '--metrics-port', '0'],
      line: (text) => this.#read(text, narrator),
    });
  }

  /** Where its metrics are. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Waits until it has listed everything once. */
  async ready(signal: AbortSignal): Promise<void> {
    await waitFor('the daemon to be ready', signal, async () => {
      this.#program.assertRunning();
      return this.#port !== undefined && (await fetch(`${this.url}/readyz`, { signal })).ok;
    });
  }

  async metrics(signal: AbortSignal): Promise<Metrics> {
    this.#program.assertRunning();
    const text = await (await fetch(`${this.url}/metrics`, { signal })).text();
    const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(series.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
  }

  end(): Promise<void> {
    return this.#program.end(graceSeconds);
  }

  /** Its log: the port, and what it warns of. */
  #read(text: string, narrator: Narrator): void {
    let line: Readonly<Record<string, unknown>>;
    try {
      line = JSON.parse(text);
    } catch {
      narrator.note(`daemon: ${text}`);
      return;
    }
    const { level, message, time: _, ...fields } = line;
    if (message === 'zen-watcher started') this.#port = Number(fields['metricsPort']);
    if (level === 'warn' || level === 'error') narrator.note(`daemon: ${message} ${JSON.stringify(fields)}`);
  }
}
