/** A disposable Kubernetes control plane on loopback: etcd, kube-apiserver and kube-controller-manager, no nodes. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Binaries, ensureBinaries } from './binaries.ts';
import type { Log } from './build.ts';
import * as flags from './flags.ts';
import { type Guard, startGuard } from './guard.ts';
import { freePorts } from './ports.ts';
import { endProcess, isGone, isOurs, killProcess, readPid, startInBackground } from './processes.ts';
import { isPortTaken, waitUntilReady } from './readiness.ts';
import { type Component, type ControlPlaneState, components } from './state.ts';

export interface ControlPlaneOptions {
  readonly log?: Log;
  /** For data, logs and credentials; default a temporary one, removed by stop(). A folder given here is kept. */
  readonly folder?: string;
  readonly binaries?: Binaries;
  /** They come last, so they win over ours. */
  readonly extraApiServerFlags?: readonly string[];
  readonly extraEtcdFlags?: readonly string[];
  /** Write every request to auditLogPath: its metadata, and the events that were created or changed. */
  readonly auditLog?: boolean;
  /** Default true; without it nothing is garbage-collected and no namespace ends. */
  readonly controllerManager?: boolean;
  readonly ports?: flags.Ports;
  /** Let it live on when this process ends. */
  readonly detached?: boolean;
}

/** Starts a control plane and waits until it is ready; the programs are built first where they are missing. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const { log = () => {} } = options;
  const binaries = options.binaries ?? (await ensureBinaries({ log }));
  try {
    return await tryStart(options, binaries, log);
  } catch (error) {
    // A port that was free when we looked can be taken by the time a component binds it.
    if (options.ports || !isPortTaken(error)) throw error;
    log('a port was taken in the meantime; starting again with others');
    return await tryStart(options, binaries, log);
  }
}

async function tryStart(options: ControlPlaneOptions, binaries: Binaries, log: Log): Promise<ControlPlane> {
  const ports = options.ports ?? (await freePorts());
  if (options.folder) mkdirSync(options.folder, { recursive: true });
  // Resolved, because the folder is what tells our processes from others in a command line.
  const folder = realpathSync(options.folder ?? mkdtempSync(join(tmpdir(), 'zen-watcher-')));
  const files = flags.layout(folder);
  const tokens = flags.writeFiles(folder);
  const auditLog = options.auditLog ?? false;
  const manager = (options.controllerManager ?? true) ? binaries.kubeControllerManager : undefined;
  const apiServerFlags = [...flags.apiServerFlags(folder, ports, auditLog), ...(options.extraApiServerFlags ?? [])];
  const state: ControlPlaneState = {
    kubeconfigPath: files.kubeconfig,
    server: `https://127.0.0.1:${ports.apiServer}`,
    caPath: files.ca,
    adminToken: tokens.admin,
    restrictedToken: tokens.restricted,
    folder,
    binaries,
    ports,
    ...(auditLog ? { auditLogPath: files.auditLog } : {}),
    commands: {
      etcd: [binaries.etcd, ...flags.etcdFlags(folder, ports), ...(options.extraEtcdFlags ?? [])],
      'kube-apiserver': [binaries.kubeApiserver, ...apiServerFlags],
      ...(manager ? { 'kube-controller-manager': [manager, ...flags.controllerManagerFlags(folder, ports)] } : {}),
    },
  };
  const isKept = options.folder !== undefined;
  const controlPlane = new ControlPlane(state, options.detached ? undefined : startGuard(folder, isKept));
  try {
    await controlPlane.start(log);
    return controlPlane;
  } catch (error) {
    await controlPlane.stop({ keepFolder: isKept });
    throw error;
  }
}

/** A control plane that runs. Made by startControlPlane, or from the state of one that runs already. */
export class ControlPlane {
  readonly state: ControlPlaneState;
  readonly kubeconfigPath: string;
  readonly server: string;
  readonly caPath: string;
  readonly adminToken: string;
  readonly restrictedToken: string;
  readonly folder: string;
  readonly binaries: Binaries;
  readonly auditLogPath: string | undefined;
  readonly #guard: Guard | undefined;

  constructor(state: ControlPlaneState, guard?: Guard) {
    this.state = state;
    this.kubeconfigPath = state.kubeconfigPath;
    this.server = state.server;
    this.caPath = state.caPath;
    this.adminToken = state.adminToken;
    this.restrictedToken = state.restrictedToken;
    this.folder = state.folder;
    this.binaries = state.binaries;
    this.auditLogPath = state.auditLogPath;
    this.#guard = guard;
  }

  /** The pids of the components that run. Pid files hold them, so that other processes see a restart too. */
  get pids(): Partial<Record<Component, number>> {
    const running = components.flatMap((component) => {
      const pid = readPid(this.#pidPath(component));
      return pid !== undefined && isOurs(pid, this.folder) ? [[component, pid]] : [];
    });
    return Object.fromEntries(running);
  }

  /** Whether garbage collection, namespace deletion and service-account tokens work. */
  get hasControllerManager(): boolean {
    return this.state.commands['kube-controller-manager'] !== undefined;
  }

  /** Starts every component that does not run, each as soon as the one before it is ready. */
  async start(log: Log = () => {}): Promise<void> {
    const begin = Date.now();
    for (const component of components) await this.#start(component);
    log(`control plane ready at ${this.server} after ${((Date.now() - begin) / 1000).toFixed(1)} s`);
  }

  /** Ends all components and removes the folder with all data, unless told to keep it: only then they end in good order. */
  async stop({ keepFolder = false } = {}): Promise<void> {
    if (keepFolder) for (const component of components.toReversed()) await this.#end(component);
    else await Promise.all(components.map((component) => this.#destroy(component)));
    this.#guard?.dismiss();
    if (!keepFolder) rmSync(this.folder, { recursive: true, force: true });
  }

  /** Sends a signal to a component; for one that ends it, waits for the end. */
  async kill(component: Component, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const pid = this.pids[component];
    if (pid === undefined) throw new Error(`${component} does not run`);
    process.kill(pid, signal);
    if (!['SIGKILL', 'SIGTERM', 'SIGINT'].includes(signal)) return;
    if (!(await isGone(pid, this.folder, 70))) throw new Error(`${component} did not end on ${signal}`);
  }

  /** Ends a component, if it runs, and starts it again with the same ports and data. */
  async restart(component: Component): Promise<void> {
    await this.#end(component);
    await this.#start(component);
  }

  /** Where the output of a component goes. */
  logPath(component: Component): string {
    return join(this.folder, `${component}.log`);
  }

  #pidPath(component: Component): string {
    return join(this.folder, `${component}.pid`);
  }

  async #start(component: Component): Promise<void> {
    const [program, ...args] = this.state.commands[component] ?? [];
    if (program === undefined || this.pids[component] !== undefined) return;
    const logPath = this.logPath(component);
    const pid = await startInBackground({ program, flags: args, logPath, pidPath: this.#pidPath(component) });
    await waitUntilReady(component, this.state, { logPath, isRunning: () => isOurs(pid, this.folder) });
  }

  async #end(component: Component): Promise<void> {
    const pid = this.pids[component];
    if (pid !== undefined) await endProcess(pid, this.folder);
    rmSync(this.#pidPath(component), { force: true });
  }

  async #destroy(component: Component): Promise<void> {
    const pid = this.pids[component];
    if (pid !== undefined) await killProcess(pid, this.folder);
  }
}
