/** The daemon for tests: in this process, or as a child process that is started and ended as on a real machine. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { KubeConfig } from '@kubernetes/client-node';
import { request } from 'undici';
import { eventTypes } from '../../src/api/words.ts';
import { configuredSources } from '../../src/config/configured-sources.ts';
import { type Config, configSchema } from '../../src/config/schema.ts';
import type { DaemonParts } from '../../src/daemon.ts';
import { startDaemon } from '../../src/daemon.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { sources } from '../../src/sources/registry.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { assertBalanced, Scrape } from './metrics-text.ts';
import { repositoryRoot } from './repository.ts';
import { until } from './until.ts';

/** Everything counts: what a daemon of a test runs with when the test says nothing else. */
export const everything: Config['thresholds'] = Object.fromEntries(
  ['default', ...eventTypes].map((eventType) => [eventType, 'info']),
);

export interface DaemonSettings {
  /** {} are the defaults of the product. */
  readonly thresholds?: Config['thresholds'];
  readonly queue?: Partial<Config['queue']>;
  readonly writes?: Partial<Config['writes']>;
  /** Whole sections of the configuration file, over what is here. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Of Node, for a process of its own only. */
  readonly nodeFlags?: readonly string[];
  /** In this process only. */
  readonly timing?: DaemonParts['timing'];
  /** Where the program is, when not in this repository. For a process of its own only. */
  readonly root?: string | undefined;
  /** What is run in place of the sources: the bundle. For a process of its own only. */
  readonly program?: string;
  /** What comes before Node in the command line: it has to become that process, not start another. */
  readonly wrapper?: readonly string[];
  readonly nodeOptions?: string;
}

/** A control plane under load writes Warning Events of its own (about Service/kubernetes, say): who tests them turns them on. */
const withoutWarnings = { 'kubernetes-events': { enabled: false } };

/** Where a daemon works, and as whom. */
export interface DaemonPlace {
  readonly controlPlane: ControlPlane;
  /** Of its events. */
  readonly namespace: string;
  readonly token: string;
  /** In place of the control plane's own address. */
  readonly server?: string | undefined;
  /** Of its CA, in place of the control plane's own. For a process of its own only. */
  readonly caPath?: string;
  /** Read again and again, in place of the token. For a process of its own only. */
  readonly tokenFile?: string;
}

/** A line of the daemon's log. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: string | number | boolean | undefined;
}

/** A daemon that runs. */
export interface TestDaemon {
  readonly namespace: string;
  readonly port: number;
  /** All lines of its log so far. */
  lines(): readonly LogLine[];
  /** Ends it in order. The log can be read afterwards. */
  stop(): Promise<void>;
}

/** A daemon in a process of its own. */
export interface DaemonProcess extends TestDaemon {
  readonly pid: number;
  /** Sends a signal and waits for the end: the exit code, null when the signal ended it. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
  /** All that it wrote to stderr. */
  stderr(): string;
  /** Writes its configuration file anew: settings, or any text. */
  reconfigure(settings: DaemonSettings | string): void;
  /** Stops reading its log, or reads on. */
  holdOutput(isHeld: boolean): void;
  /** Goes away as the reader of its log, and waits for its end: the exit code. */
  breakOutput(): Promise<number | null>;
}

function configOf(place: DaemonPlace, settings: DaemonSettings): Config {
  return configSchema.parse({
    events: { namespace: place.namespace },
    thresholds: settings.thresholds ?? everything,
    queue: settings.queue ?? {},
    writes: { perSecond: 0, ...settings.writes },
    server: { host: '127.0.0.1', metricsPort: 0 },
    log: { level: 'debug' },
    ...settings.config,
    sources: { ...withoutWarnings, ...(settings.config?.['sources'] as object | undefined) },
  });
}

/** Starts a daemon in this process. */
export async function startTestDaemon(place: DaemonPlace, settings: DaemonSettings = {}): Promise<TestDaemon> {
  const log = new LogCollector();
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromOptions(kubeconfigOf(place));
  const config = configOf(place, settings);
  const daemon = await startDaemon({
    config,
    kubeConfig,
    sources: await configuredSources(config, sources),
    logger: createLogger({ level: 'debug', out: log.stream }),
    clock: systemClock,
    random: Math.random,
    version: '0.0.0-test',
    identity: `test-${randomUUID()}`,
    timing: settings.timing,
  });
  return { namespace: place.namespace, port: daemon.port, lines: () => log.lines, stop: () => daemon.stop() };
}

/** A daemon in a process of its own that may not have come to anything yet. */
export interface LaunchedDaemon
  extends Pick<DaemonProcess, 'pid' | 'end' | 'lines' | 'reconfigure' | 'stderr' | 'holdOutput' | 'breakOutput'> {
  /** Waits until its port listens. Throws when it ends before. */
  listening(): Promise<number>;
}

/** Starts `zen-watcher run` in a process of its own; resolves once its port listens. */
export async function startDaemonProcess(place: DaemonPlace, settings: DaemonSettings = {}): Promise<DaemonProcess> {
  const launched = launchDaemonProcess(place, settings);
  const port = await launched.listening();
  return {
    ...launched,
    namespace: place.namespace,
    port,
    stop: async () => void (await launched.end('SIGTERM')),
  };
}

/** Starts `zen-watcher run` in a process of its own and waits for nothing. */
export function launchDaemonProcess(place: DaemonPlace, settings: DaemonSettings = {}): LaunchedDaemon {
  const { namespace, controlPlane } = place;
  const kubeconfigPath = join(controlPlane.folder, `kubeconfig-${namespace}`);
  const configPath = join(controlPlane.folder, `config-${namespace}.yaml`);
  writeFileSync(kubeconfigPath, JSON.stringify(kubeconfigFileOf(place)), { mode: 0o600 });
  writeFileSync(configPath, JSON.stringify(configOf(place, settings)));
  const main = settings.program ?? join(settings.root ?? repositoryRoot, 'cmd/zen-watcher/main.ts');
  const args = [...(settings.nodeFlags ?? []), main, 'run', '--kubeconfig', kubeconfigPath, '--config', configPath];
  const [program = '', ...before] = [...(settings.wrapper ?? []), process.execPath];
  const options = settings.nodeOptions === undefined ? {} : { NODE_OPTIONS: settings.nodeOptions };
  const env = { ...compileCache(), ...options };
  const child = spawn(program, [...before, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const killChild = () => void child.kill('SIGKILL');
  process.once('exit', killChild);
  const log = new LogCollector();
  let stderr = '';
  child.stdout.pipe(log.stream);
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      process.off('exit', killChild);
      resolve(code);
    });
  });
  return {
    pid: child.pid ?? 0,
    lines: () => log.lines,
    stderr: () => stderr,
    reconfigure(changed) {
      const text = typeof changed === 'string' ? changed : JSON.stringify(configOf(place, changed));
      // As a mounted ConfigMap does it: never half a file.
      writeFileSync(`${configPath}.new`, text);
      renameSync(`${configPath}.new`, configPath);
    },
    holdOutput(isHeld) {
      if (isHeld) child.stdout.unpipe(log.stream).pause();
      else child.stdout.pipe(log.stream);
    },
    breakOutput() {
      child.stdout.destroy();
      return ended;
    },
    end(signal) {
      child.kill(signal);
      return ended;
    },
    async listening() {
      const started = await until('the daemon to listen', () => {
        if (child.exitCode !== null) throw new Error(`the daemon ended with ${child.exitCode}: ${stderr}`);
        return log.lines.find(({ message }) => message === 'zen-watcher started');
      });
      return Number(started['metricsPort']);
    },
  };
}

/** What a path of the daemon's port answers. */
export async function ask(daemon: TestDaemon, path: string): Promise<{ readonly code: number; readonly text: string }> {
  const { statusCode, body } = await request(`http://127.0.0.1:${daemon.port}${path}`);
  return { code: statusCode, text: await body.text() };
}

export async function scrape(daemon: TestDaemon): Promise<Scrape> {
  return new Scrape((await ask(daemon, '/metrics')).text);
}

/** Waits until it has listed everything once. */
export async function ready(daemon: TestDaemon): Promise<void> {
  await until('the daemon to be ready', async () => (await ask(daemon, '/readyz')).code === 200);
}

/** Waits until it has received so many occurrences since its start and nothing of them waits any more. */
export async function received(daemon: TestDaemon, occurrences: number): Promise<Scrape> {
  let last: Scrape | undefined;
  try {
    return await until(`${occurrences} occurrences`, async () => {
      last = await scrape(daemon);
      return last.received >= occurrences && last.isQuiet ? last : undefined;
    });
  } catch (error) {
    throw new Error(`received ${last?.received}, pending ${last?.pending}, wanted ${occurrences}`, { cause: error });
  }
}

/** Waits until nothing waits, then checks that every occurrence is accounted for. For the end of every test. */
export async function assertBooksBalance(daemon: TestDaemon): Promise<Scrape> {
  const quiet = await until('the queue to be empty', async () => {
    const now = await scrape(daemon);
    return now.isQuiet ? now : undefined;
  });
  assertBalanced(quiet);
  return quiet;
}

/** The lines with a message, or those with the fields as well. */
export function linesOf(daemon: TestDaemon, message: string, fields: Partial<LogLine> = {}): LogLine[] {
  return daemon
    .lines()
    .filter((line) => line.message === message)
    .filter((line) => Object.entries(fields).every(([key, value]) => line[key] === value));
}

/** Waits for a line. */
export function logged(daemon: TestDaemon, message: string, fields: Partial<LogLine> = {}): Promise<LogLine> {
  return until(`the line "${message}" ${JSON.stringify(fields)}`, () => linesOf(daemon, message, fields)[0]);
}

/** Takes JSON lines in; a line that is none fails the test. */
class LogCollector {
  readonly lines: LogLine[] = [];
  #rest = '';
  readonly stream = new Writable({
    decodeStrings: false,
    write: (chunk: Buffer | string, _encoding, done) => {
      const lines = (this.#rest + String(chunk)).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.lines.push(JSON.parse(line) as LogLine);
      done();
    },
  });
}

/** A daemon inherits nothing but the place of Node's compiled code, which halves the time of its start. */
function compileCache(): NodeJS.ProcessEnv {
  const folder = process.env['NODE_COMPILE_CACHE'];
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: folder };
}

const name = 'zen-watcher-test';

function kubeconfigOf({ controlPlane, token, server = controlPlane.server }: DaemonPlace) {
  return {
    // Credentials go over plain HTTP, to a relay of a test, only where nothing is to be verified.
    clusters: [{ name, server, caFile: controlPlane.caPath, skipTLSVerify: server.startsWith('http:') }],
    users: [{ name, token }],
    contexts: [{ name, cluster: name, user: name }],
    currentContext: name,
  };
}

function kubeconfigFileOf(place: DaemonPlace) {
  const { controlPlane, token, tokenFile, server = controlPlane.server, caPath = controlPlane.caPath } = place;
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority': caPath } }],
    users: [{ name, user: tokenFile === undefined ? { token } : { tokenFile } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  };
}
