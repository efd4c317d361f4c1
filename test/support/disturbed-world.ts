/**
 * A control plane, and daemons that reach it by a fault-injecting proxy behind a gate (the network), with a token and a CA in
 * files that can be rotated. What stands between daemon and server is all a test's to break.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Container } from './container.ts';
import { eventsPath } from './crd.ts';
import type { DaemonProcess, DaemonSettings } from './daemon.ts';
import { startDaemonProcess } from './daemon.ts';
import { FaultProxy } from './fault-proxy.ts';
import { electingHome } from './replica-run.ts';
import { type Home, Stage, type StageOptions } from './stage.ts';
import { TcpGate } from './tcp-gate.ts';
import { until } from './until.ts';

export interface WorldOptions {
  readonly stage?: StageOptions;
  readonly settings: DaemonSettings;
  /** Each daemon runs in it. */
  readonly container?: Container | undefined;
}

export class DisturbedWorld {
  readonly stage: Stage;
  readonly home: Home;
  readonly proxy: FaultProxy;
  readonly gate: TcpGate;
  readonly #options: WorldOptions;
  readonly daemons: DaemonProcess[] = [];
  #token: string;

  private constructor(options: WorldOptions, stage: Stage, home: Home, proxy: FaultProxy, gate: TcpGate) {
    this.#options = options;
    this.stage = stage;
    this.home = home;
    this.proxy = proxy;
    this.gate = gate;
    this.#token = home.account.token;
    this.#write(this.caPath, proxy.ca);
    this.#write(this.tokenPath, this.#token);
  }

  static async start(options: WorldOptions): Promise<DisturbedWorld> {
    const stage = await Stage.start(options.stage);
    try {
      const { server, caPath } = stage.controlPlane;
      const home = await electingHome(stage);
      const proxy = await FaultProxy.open(server, caPath);
      return new DisturbedWorld(options, stage, home, proxy, await TcpGate.open(proxy.url));
    } catch (error) {
      await stage.stop();
      throw error;
    }
  }

  get caPath(): string {
    return join(this.stage.controlPlane.folder, 'proxy-ca.crt');
  }

  get tokenPath(): string {
    return join(this.stage.controlPlane.folder, 'daemon-token');
  }

  /** The daemon, where there is one. */
  get daemon(): DaemonProcess {
    const [daemon] = this.daemons;
    if (daemon === undefined) throw new Error('no daemon runs');
    return daemon;
  }

  /** Starts one more and waits until it listens. */
  async startDaemon(settings: DaemonSettings = {}): Promise<DaemonProcess> {
    const { controlPlane } = this.stage;
    const { container } = this.#options;
    const place = {
      controlPlane,
      namespace: this.home.namespace,
      token: this.#token,
      server: this.gate.url,
      caPath: this.caPath,
      tokenFile: this.tokenPath,
    };
    const daemon = await startDaemonProcess(place, {
      ...this.#options.settings,
      ...(container === undefined ? {} : { wrapper: container.wrapper, nodeOptions: container.nodeOptions }),
      ...settings,
    });
    this.daemons.push(daemon);
    return daemon;
  }

  /** Ends one: the exit code, null by a signal. */
  async endDaemon(daemon: DaemonProcess, signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number | null> {
    this.daemons.splice(this.daemons.indexOf(daemon), 1);
    return daemon.end(signal);
  }

  /** A new token is in the file, and the old one is not taken any more: in this order, as the kubelet does it, or expired first. */
  async rotateToken({ isLate = false } = {}): Promise<void> {
    const path = `/api/v1/namespaces/${this.home.namespace}/serviceaccounts/zen-watcher/token`;
    const request = { spec: { expirationSeconds: 7200 } };
    const old = this.#token;
    if (isLate) this.proxy.revoke(old);
    this.#token = (await this.stage.must(201, 'POST', path, request))['status'].token;
    this.#write(this.tokenPath, this.#token);
    if (!isLate) this.proxy.revoke(old);
  }

  /** The server comes with a certificate of another CA; the file says so a moment later. Connections are cut. */
  rotateCa(): void {
    const ca = this.proxy.rotateCertificate();
    this.proxy.cut();
    this.#write(this.caPath, ca);
  }

  /** Waits until the server serves what tests use, after it came up. */
  async served(): Promise<void> {
    const reports = '/apis/aquasecurity.github.io/v1alpha1/vulnerabilityreports';
    for (const path of [reports, eventsPath(this.home.namespace)]) {
      const isServed = async () => (await this.stage.rest.send('GET', `${path}?limit=1`)).code === 200;
      await until(`${path} to be served`, isServed);
    }
  }

  async stop(): Promise<void> {
    this.gate.reopen();
    await Promise.all(this.daemons.map((daemon) => daemon.end('SIGKILL')));
    await this.gate.close();
    await this.proxy.close();
    await this.stage.stop();
  }

  #write(path: string, text: string): void {
    // As a mounted Secret does it: never half a file.
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
}
