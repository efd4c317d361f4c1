/** A real Prometheus for tests. Debian's package `prometheus` brings it; tests skip without. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { freePorts } from '../cluster/ports.ts';
import { until } from './until.ts';

/** One series of an answer. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

export class Prometheus {
  readonly #base: string;
  readonly #end: () => Promise<void>;

  private constructor(base: string, end: () => Promise<void>) {
    this.#base = base;
    this.#end = end;
  }

  /** Scrapes the port every second and evaluates the rules as often. */
  static async start(scrapedPort: number, ruleFile: string): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), 'zen-prometheus-'));
    const { etcd: port } = await freePorts();
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: [ruleFile],
      scrape_configs: [
        { job_name: 'zen-watcher', static_configs: [{ targets: [`127.0.0.1:${scrapedPort}`], labels: { pod: 'a' } }] },
      ],
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
    const prometheus = new Prometheus(`http://127.0.0.1:${port}`, async () => {
      process.off('exit', kill);
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    });
    await until('Prometheus to scrape', async () => {
      try {
        return (await prometheus.query('up == 1')).length === 1;
      } catch {
        return false;
      }
    });
    return prometheus;
  }

  /** The series of an instant query. Throws for one that is wrong. */
  async query(expr: string): Promise<Sample[]> {
    const { data } = await this.#get('/api/v1/query', { query: expr });
    return (data as { readonly result: Sample[] }).result;
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
