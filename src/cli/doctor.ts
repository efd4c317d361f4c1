/** `zen-watcher doctor`: looks at everything that the daemon depends on, with the permissions of whoever runs it. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { accessSettings } from '../config/access.ts';
import { configuredSources } from '../config/configured-sources.ts';
import type { Environment } from '../config/environment.ts';
import { environmentWarnings } from '../config/environment.ts';
import { loadConfig } from '../config/load.ts';
import { readContextsOf, sourcesOn } from '../config/read-contexts.ts';
import type { Config } from '../config/schema.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/error-message.ts';
import { accessGrants } from '../sources/rbac.ts';
import { sources } from '../sources/registry.ts';
import type { Source } from '../sources/source.ts';
import { type Account, checkAccess } from './doctor-access.ts';
import { type Check, renderChecks } from './doctor-check.ts';
import { checkCrd } from './doctor-crd.ts';
import { lookAtDaemon } from './doctor-daemon.ts';
import { checkEvents, eventChecks } from './doctor-events.ts';
import { checkReports } from './doctor-reports.ts';
import { checkServer } from './doctor-server.ts';
import { exitCodes } from './exit-codes.ts';
import { Output } from './output.ts';

/** What the command line says. */
export interface DoctorOptions {
  readonly config?: string | undefined;
  readonly namespace?: string | undefined;
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly serviceAccount?: Account;
  readonly metricsUrl?: string | undefined;
  readonly output: 'table' | 'json';
}

/** What doctor needs from outside. */
export interface DoctorIo {
  readonly stdout: NodeJS.WritableStream;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly version: string;
  readonly useColor: boolean;
}

const requestTimeoutMs = 15_000;

/** Adds the command. `exitWith` is told 3 when a check failed. */
export function addDoctorCommand(program: Command, io: DoctorIo & { exitWith(code: number): void }): void {
  program
    .command('doctor')
    .description(
      'look at everything that the daemon depends on (server, CRD, permissions, tools, reports, budget), and at its metrics',
    )
    .option('-c, --config <file>', 'configuration file (YAML), as of run')
    .option('-n, --namespace <name>', 'namespace of the events')
    .option('--kubeconfig <file>', 'kubeconfig; default: as kubectl')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--service-account <namespace/name>', 'ask for its permissions instead of yours', accountOf)
    .option(
      '--metrics-url <url>',
      '/metrics of the daemon; default: on this machine, else by way of the API server',
      urlOf,
    )
    .addOption(new Option('-o, --output <format>', 'what to print').choices(['table', 'json']).default('table'))
    .addHelpText(
      'after',
      `
Examples:
  zen-watcher doctor --service-account zen-system/zen-watcher
  kubectl exec -n zen-system deploy/zen-watcher -- zen-watcher doctor -o json

Exit code 3: a check failed. Nothing is written to the cluster.`,
    )
    .action(async (options: DoctorOptions) => {
      io.exitWith(await runDoctor(options, io));
    });
}

function accountOf(text: string): Account {
  const [namespace = '', name = '', ...more] = text.split('/');
  if (namespace === '' || name === '' || more.length > 0) throw new InvalidArgumentError('expected namespace/name');
  return { namespace, name };
}

function urlOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new InvalidArgumentError('expected http://HOST:PORT/metrics');
  return url.pathname === '/' ? new URL('/metrics', url).href : url.href;
}

/** Looks at everything, prints it, and gives the exit code. Throws ConfigError. */
export async function runDoctor(options: DoctorOptions, io: DoctorIo): Promise<number> {
  const { config: file, namespace, kubeconfig, context } = options;
  const config = await loadConfig({ config: file, namespace }, io.environment, sources);
  const all = await configuredSources(config, sources);
  const [{ KubeClient }, { loadKubeConfig }] = await Promise.all([
    import('../kube/client.ts'),
    import('../kube/kube-config.ts'),
  ]);
  const client = new KubeClient(loadKubeConfig({ file: kubeconfig, context, environment: io.environment }), {
    clock: io.clock,
    connections: 4,
    timeoutMs: requestTimeoutMs,
    userAgent: `zen-watcher/${io.version}`,
  });
  const stdout = new Output(io.stdout);
  try {
    const checks = [configCheck(io.environment, file), ...(await checksOf({ client, config, all, options, io }))];
    if (options.output === 'json') await stdout.write(`${JSON.stringify(checks, undefined, 2)}\n`);
    else await stdout.writeAll(renderChecks(checks, io.useColor));
    return checks.some(({ status }) => status === 'fail') ? exitCodes.findings : exitCodes.ok;
  } finally {
    await Promise.all([client.close(), stdout.release()]);
  }
}

function configCheck(environment: Environment, file: string | undefined): Check {
  const details = environmentWarnings(environment);
  const says = `${file ?? 'the default one'} is valid`;
  if (details.length === 0) return { name: 'configuration', status: 'ok', says };
  return { name: 'configuration', status: 'warn', says, details, fix: 'remove these variables' };
}

interface DoctorParts {
  readonly client: KubeClient;
  readonly config: Config;
  readonly all: readonly Source[];
  readonly options: DoctorOptions;
  readonly io: DoctorIo;
}

async function checksOf(parts: DoctorParts): Promise<Check[]> {
  const { client, config, options, io } = parts;
  // The second look at its metrics comes when all else is done: what rose meanwhile goes on.
  // A network policy may let the way to it time out: the others do not wait for that.
  const daemon = lookAtDaemon({ client, config, clock: io.clock, metricsUrl: options.metricsUrl });
  const checks = await clusterChecks(parts);
  const lookAgain = await daemon;
  return [...checks, await lookAgain()];
}

async function clusterChecks({ client, config, all, options, io }: DoctorParts): Promise<Check[]> {
  const server = await checkServer(client, io.clock);
  const { discovered } = server;
  if (discovered === undefined) {
    const names = ['crd', 'permissions', 'tools', 'reports', ...eventChecks];
    return [...server.checks, ...skipped(names, 'the server cannot be asked')];
  }
  const crd = await checkCrd(client, discovered.served);
  const on = sourcesOn(config, all);
  const grants = accessGrants(accessSettings(config, all));
  const account = options.serviceAccount;
  const { namespace } = config.events;
  return [
    ...server.checks,
    crd,
    ...(await tried(['permissions'], async () => [
      await checkAccess({ client, grants, account, namespace, config: options.config }),
    ])),
    ...(await tried(['tools', 'reports'], () =>
      checkReports({ client, discovered, sources: on, now: io.clock.now(), contextOf: readContextsOf(config, on) }),
    )),
    ...(crd.status === 'fail'
      ? skipped(eventChecks, 'the CRD of the events is not served')
      : await tried(eventChecks, () => checkEvents(client, config))),
  ];
}

/** Checks that cannot be made say so and do not keep the others from being made. */
async function tried(names: readonly string[], look: () => Promise<Check[]>): Promise<Check[]> {
  try {
    return await look();
  } catch (error) {
    const says = `cannot be looked at: ${messageOf(error)}`;
    return names.map((name, index) => ({ name, status: index === 0 ? 'fail' : 'skip', says }));
  }
}

function skipped(names: readonly string[], why: string): Check[] {
  return names.map((name) => ({ name, status: 'skip', says: `not looked at: ${why}` }));
}
