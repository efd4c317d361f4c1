/** A real Prometheus for tests. Debian's package `prometheus` brings it; tests skip without. */
import { spawn } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { freePort } from '../cluster/ports.ts';
import { until } from './until.ts';

/** One series of an answer. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** One series over time. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
}

export class Prometheus {
  readonly #base: string;
  readonly #targetsFile: string;
  readonly #end: () => Promise<void>;

  private constructor(base: string, targetsFile: string, end: () => Promise<void>) {
    this.#base = base;
    this.#targetsFile = targetsFile;
    this.#end = end;
  }

  /** Scrapes the ports, as Pods a, b, ..., every second and evaluates the rules as often. */
  static async start(
    scrapedPorts: number | readonly number[],
    ruleFile: string,
    { everySeconds = 1 }: { readonly everySeconds?: number } = {},
  ): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), 'zen-prometheus-'));
    const port = await freePort();
    const ports = [scrapedPorts].flat();
    const targetsFile = join(folder, 'targets.json');
    writeFileSync(targetsFile, targetsOf(ports));
    const interval = `${everySeconds}s`;
    const config = {
      global: { scrape_interval: interval, scrape_timeout: '1s', evaluation_interval: interval },
      rule_files: [ruleFile],
      scrape_configs: [{ job_name: 'zen-watcher', file_sd_configs: [{ files: [targetsFile] }] }],
    };
    writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config));
    const child = spawn(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--enable-feature=exemplar-storage',
      ],
      { stdio: 'ignore' },
    );
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const kill = () => void child.kill('SIGKILL');
    process.once('exit', kill);
    const prometheus = new Prometheus(`http://127.0.0.1:${port}`, targetsFile, async () => {
      process.off('exit', kill);
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    });
    await until('Prometheus to scrape', async () => {
      try {
        return (await prometheus.query('up == 1')).length === ports.length;
      } catch {
        return false;
      }
    });
    return prometheus;
  }

  /** From now on scrapes these ports; undefined: a Pod that is gone. */
  retarget(ports: readonly (number | undefined)[]): void {
    writeFileSync(`${this.#targetsFile}.new`, targetsOf(ports));
    renameSync(`${this.#targetsFile}.new`, this.#targetsFile);
  }

  /** The series of an instant query. Throws for one that is wrong. */
  async query(expr: string): Promise<Sample[]> {
    const { data } = await this.#get('/api/v1/query', { query: expr });
    return (data as { readonly result: Sample[] }).result;
  }

  /** The names, of those asked for or of all, that had a value other than 0 at any time. */
  async moved(names: readonly string[] = ['(?:zen_watcher|nodejs|process)_.+']): Promise<Set<string>> {
    const anyOf = names.map((name) => `${name}(?:_count)?`).join('|');
    const series = await this.samples(`{__name__=~"${anyOf}"}[1h]`);
    const moved = series.filter(({ values }) => values.some(([, value]) => Number(value) !== 0));
    return new Set(moved.map(({ metric }) => metric['__name__'] ?? ''));
  }

  /** The samples of a range selector, as they were scraped. */
  async samples(selector: string): Promise<Series[]> {
    const { data } = await this.#get('/api/v1/query', { query: selector });
    return (data as { readonly result: Series[] }).result;
  }

  /** The series of a query over a range of time, in seconds since the epoch. */
  async range(
    expr: string,
    range: { readonly start: number; readonly end: number; readonly step: number },
  ): Promise<Series[]> {
    const { start, end, step } = range;
    const query = { query: expr, start: String(start), end: String(end), step: String(step) };
    return ((await this.#get('/api/v1/query_range', query)).data as { readonly result: Series[] }).result;
  }

  /** Names of all metrics that were scraped. */
  async names(): Promise<string[]> {
    return (await this.#get('/api/v1/label/__name__/values', {})).data as string[];
  }

  async exemplars(expr: string): Promise<readonly { readonly labels: Readonly<Record<string, string>> }[]> {
    const now = Date.now() / 1000;
    const query = { query: expr, start: String(now - 600), end: String(now + 60) };
    const { data } = await this.#get('/api/v1/query_exemplars', query);
    const series = data as readonly {
      readonly exemplars: readonly { readonly labels: Readonly<Record<string, string>> }[];
    }[];
    return series.flatMap(({ exemplars }) => exemplars);
  }

  stop(): Promise<void> {
    return this.#end();
  }

  async #get(path: string, query: Readonly<Record<string, string>>): Promise<{ readonly data: unknown }> {
    const { statusCode, body } = await request(`${this.#base}${path}?${new URLSearchParams(query)}`);
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`${path} ${query['query'] ?? ''}: ${statusCode} ${text}`);
    return JSON.parse(text);
  }
}

/** Labelled as by a ServiceMonitor. */
function targetsOf(ports: readonly (number | undefined)[]): string {
  const targets = ports.map((port, index) => ({
    targets: port === undefined ? [] : [`127.0.0.1:${port}`],
    labels: { namespace: 'zen-system', pod: `zen-watcher-${'abcdefgh'[index]}` },
  }));
  return JSON.stringify(targets);
}
