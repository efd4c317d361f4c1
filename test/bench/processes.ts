/** The programs that are measured, as child processes. */
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Container } from '../support/container.ts';
import { repositoryRoot } from '../support/repository.ts';
import type { BenchCluster } from './cluster.ts';

export interface Running {
  readonly pid: number;
  /** Where /metrics and the probes answer. */
  port(): Promise<number>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

export const bundlePath = join(repositoryRoot, 'dist/zen-watcher.js');
export const sourcePath = join(repositoryRoot, 'cmd/zen-watcher/main.ts');

/** `webhooks` of the configuration, as far as benchmarks need it. */
export interface WebhookOptions {
  readonly port: number;
  readonly host: string;
  readonly routes: Readonly<Record<string, { readonly open: true }>>;
}

export interface WatcherOptions {
  readonly program?: string;
  readonly flags?: readonly string[];
  readonly webhooks?: WebhookOptions;
  /** Besides those of the container. */
  readonly nodeOptions?: string;
  /** The rest of the configuration. */
  readonly config?: object;
  /** Of its configuration file, where it shall have one of its own. */
  readonly name?: string;
}

/** Starts `zen-watcher run` with the bench account. */
export function startWatcher(cluster: BenchCluster, namespace: string, options: WatcherOptions = {}): Running {
  // Room for all: 20,000 events are more than the event budget allows when nothing is said.
  const configPath = join(cluster.controlPlane.folder, `${options.name ?? 'bench-config'}.yaml`);
  const { webhooks } = options;
  writeFileSync(
    configPath,
    JSON.stringify({
      budget: { events: 1_000_000 },
      ...(webhooks === undefined ? {} : { webhooks }),
      ...options.config,
    }),
  );
  const args = [
    options.program ?? bundlePath,
    'run',
    `--config=${configPath}`,
    `--kubeconfig=${cluster.kubeconfigPath}`,
    `--namespace=${namespace}`,
    '--metrics-port=0',
    '--host=127.0.0.1',
    '--writes-per-second=0',
    '--log-level=warn',
    ...(options.flags ?? []),
  ];
  const child = start(args, ['ignore', 'pipe', 'inherit'], cluster.container, options.nodeOptions);
  // The start line carries the port, but is logged at info: the kernel's table of listening sockets tells it as well.
  child.stdout?.resume();
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  const pid = child.pid as number;
  return {
    pid,
    port: () => listeningPort(pid, webhooks?.port),
    async stop() {
      child.kill('SIGTERM');
      return closed;
    },
  };
}

/** Runs a TypeScript program of this folder to its end; rejects when it fails. */
export function runScript(file: string, argument: unknown, container?: Container): Promise<void> {
  return startScript(file, argument, container).done;
}

export interface Script {
  readonly pid: number;
  /** Rejects when it fails. */
  readonly done: Promise<void>;
}

/** Starts a TypeScript program of this folder. */
export function startScript(file: string, argument: unknown, container?: Container): Script {
  const args = [join(import.meta.dirname, file), JSON.stringify(argument)];
  const child = start(args, ['ignore', 'inherit', 'inherit'], container);
  const done = new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${file} ended with ${code}`))));
  });
  return { pid: child.pid as number, done };
}

/** Node with these arguments; the wrapper of a container becomes that very process. */
function start(
  args: readonly string[],
  stdio: StdioOptions,
  container: Container | undefined,
  nodeOptions = '',
): ChildProcess {
  const [program = '', ...rest] = [...(container?.wrapper ?? []), process.execPath, ...args];
  const words = [container?.nodeOptions ?? process.env['NODE_OPTIONS'] ?? '', nodeOptions];
  const env = { ...process.env, NODE_OPTIONS: words.join(' ').trim() };
  return spawn(program, rest, { stdio, env });
}

/** Resident memory of a process in MB (10^6 bytes): now, and the most it ever was. */
export function residentMegabytes(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kilobytes = (field: string) => Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0);
  return { now: (kilobytes('VmRSS') * 1024) / 1e6, peak: (kilobytes('VmHWM') * 1024) / 1e6 };
}

/** CPU seconds of a process, user and system, as the kernel counts them: in hundredths. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The port that the process listens on, and not that of its webhooks. */
async function listeningPort(pid: number, webhookPort: number | undefined): Promise<number> {
  const { readdirSync, readlinkSync } = await import('node:fs');
  for (;;) {
    const inodes = new Set(
      readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
        try {
          return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
        } catch {
          return [];
        }
      }),
    );
    for (const line of readFileSync(`/proc/${pid}/net/tcp`, 'utf8').split('\n').slice(1)) {
      const columns = line.trim().split(/\s+/);
      if (columns[3] !== '0A' || !inodes.has(columns[9] ?? '')) continue;
      const port = Number.parseInt(columns[1]?.split(':')[1] ?? '', 16);
      if (port !== webhookPort) return port;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** GET of a path of the watcher; undefined while it does not answer. */
export async function get(port: number, path: string): Promise<{ status: number; text: string } | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: answer.status, text: await answer.text() };
  } catch {
    return undefined;
  }
}

/** Resolves when /readyz answers 200. */
export async function untilReady(port: number): Promise<void> {
  for (;;) {
    if ((await get(port, '/readyz'))?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
