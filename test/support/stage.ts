/**
 * A control plane of a test file's own, with our CRD and daemons on it. A daemon watches the reports of the whole
 * cluster, so files that run one cannot share a cluster with others; the audit log is all theirs as well.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { StoredEvent } from '../../src/api/stored-event.ts';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { AuditLog } from './audit-log.ts';
import { crdFolder, eventsPath } from './crd.ts';
import type { DaemonProcess, DaemonSettings, LaunchedDaemon, TestDaemon } from './daemon.ts';
import { assertBooksBalance, launchDaemonProcess, startDaemonProcess, startTestDaemon } from './daemon.ts';
import { allowConfigMaps, allowWriting, type DaemonAccount, makeDaemonAccount, type Rule } from './daemon-account.ts';
import { repositoryRoot } from './repository.ts';
import { Rest } from './rest.ts';
import { until } from './until.ts';

export interface StageOptions {
  /** Default false: most tests need neither garbage collection nor workloads. */
  readonly controllerManager?: boolean;
  /** What is there at the start: `all` (the default) is our CRD and the stand-ins for the tools' CRDs. */
  readonly crds?: 'none' | 'events' | 'all';
  /** Flags of the API server, over ours. */
  readonly apiServerFlags?: readonly string[];
  /** Flags of etcd, over ours. */
  readonly etcdFlags?: readonly string[];
}

/** An events namespace with the account of its daemon. */
export interface Home {
  readonly namespace: string;
  readonly account: DaemonAccount;
}

type Definition = Readonly<Record<string, unknown>> & {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly names: { readonly plural: string };
    readonly versions: readonly { readonly name: string; readonly served: boolean }[];
  };
};

const definitionsPath = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
/** Stand-ins for the tools' CRDs that take any shape. */
export const standInFolder = join(repositoryRoot, 'test/support/crds');

export class Stage {
  readonly controlPlane: ControlPlane;
  readonly rest: Rest;
  readonly audit: AuditLog;
  readonly #daemons = new Set<TestDaemon>();

  private constructor(controlPlane: ControlPlane) {
    this.controlPlane = controlPlane;
    this.rest = new Rest(controlPlane);
    this.audit = new AuditLog(controlPlane.auditLogPath ?? '');
  }

  static async start({
    controllerManager = false,
    crds = 'all',
    apiServerFlags: extraApiServerFlags = [],
    etcdFlags: extraEtcdFlags = [],
  }: StageOptions = {}): Promise<Stage> {
    const stage = new Stage(
      await startControlPlane({ auditLog: true, controllerManager, extraApiServerFlags, extraEtcdFlags }),
    );
    try {
      if (crds !== 'none') await stage.define(...definitionsIn(crdFolder));
      if (crds === 'all') await stage.define(...definitionsIn(standInFolder));
      return stage;
    } catch (error) {
      await stage.stop();
      throw error;
    }
  }

  /** Ends what still runs. */
  async stop(): Promise<void> {
    await Promise.all([...this.#daemons].map((daemon) => daemon.stop()));
    await this.rest.close();
    await this.controlPlane.stop();
  }

  /** Puts CRDs in place and waits until the server serves all their versions. */
  async define(...definitions: readonly Definition[]): Promise<void> {
    for (const definition of definitions) {
      await this.apply(`${definitionsPath}/${definition.metadata.name}`, definition);
    }
    for (const { spec } of definitions) {
      for (const { name } of spec.versions.filter(({ served }) => served)) {
        const path = `/apis/${spec.group}/${name}/${spec.names.plural}`;
        await until(`${path} to be served`, async () => (await this.rest.send('GET', `${path}?limit=1`)).code === 200);
      }
    }
  }

  /** Removes a CRD with all objects and waits for it. */
  async undefine(name: string): Promise<void> {
    await this.rest.send('DELETE', `${definitionsPath}/${name}`);
    await until(
      `${name} to be gone`,
      async () => (await this.rest.send('GET', `${definitionsPath}/${name}`)).code === 404,
    );
  }

  /** A namespace with a name that nobody else has. */
  async namespace(prefix: string): Promise<string> {
    const { metadata } = await this.must(201, 'POST', '/api/v1/namespaces', {
      metadata: { generateName: `${prefix}-` },
    });
    return metadata.name;
  }

  /** A namespace for events, with an account that may do what a daemon must. */
  async home(prefix: string, rules?: readonly Rule[]): Promise<Home> {
    const namespace = await this.namespace(prefix);
    const account = await makeDaemonAccount(this.rest, namespace, rules);
    await allowWriting(this.rest, namespace);
    await allowConfigMaps(this.rest, namespace);
    return { namespace, account };
  }

  /** `server` is where it finds the API server, when that is not the control plane's own address. */
  async daemon(home: Home, settings?: DaemonSettings, server?: string): Promise<TestDaemon> {
    return this.#adopt(await startTestDaemon({ ...this.#place(home), server }, settings));
  }

  /** `server`: as for daemon(). */
  async daemonProcess(home: Home, settings?: DaemonSettings, server?: string): Promise<DaemonProcess> {
    return this.#adopt(await startDaemonProcess({ ...this.#place(home), server }, settings));
  }

  /** A daemon's process from its very start. Its end is the caller's to see to. */
  launch(home: Home, settings?: DaemonSettings): LaunchedDaemon {
    return launchDaemonProcess(this.#place(home), settings);
  }

  /** Ends a daemon before the stage ends. */
  async end(daemon: TestDaemon): Promise<void> {
    this.#daemons.delete(daemon);
    await daemon.stop();
  }

  /** Ends a daemon whose books must balance by now: for the end of every test. It is ended in any case. */
  async endBalanced(daemon: TestDaemon): Promise<void> {
    try {
      await assertBooksBalance(daemon);
    } finally {
      await this.end(daemon);
    }
  }

  /** A namespace in which Pods can be made: they need a service account, which the controller manager makes in a moment. */
  async namespaceForPods(prefix: string): Promise<string> {
    const name = await this.namespace(prefix);
    await until('the default service account', async () => {
      return (await this.rest.send('GET', `/api/v1/namespaces/${name}/serviceaccounts/default`)).code === 200;
    });
    return name;
  }

  /** Waits until an event is as it shall be, and gives it. */
  eventWhen(namespace: string, name: string, what: string, is: (event: StoredEvent) => boolean): Promise<StoredEvent> {
    return until(`${name} to be ${what}`, async () => {
      const event = await this.event(namespace, name);
      return event !== undefined && is(event) ? event : undefined;
    });
  }

  /** The events of a namespace, as the server has them. */
  async events(namespace: string): Promise<StoredEvent[]> {
    const { items } = await this.must(200, 'GET', eventsPath(namespace));
    return items;
  }

  async event(namespace: string, name: string): Promise<StoredEvent | undefined> {
    const { code, body } = await this.rest.send('GET', `${eventsPath(namespace)}/${name}`);
    return code === 200 ? (body as unknown as StoredEvent) : undefined;
  }

  /** Makes an object what is given, whether it is there or not. */
  async apply(path: string, object: unknown) {
    const answer = await this.rest.send('PATCH', `${path}?fieldManager=test&force=true`, object, 'apply');
    if (answer.code === 200 || answer.code === 201) return answer.body;
    throw new Error(`${path}: ${answer.code} ${answer.message}`);
  }

  /** One request that has to be answered with this code. */
  async must(code: number, ...request: Parameters<Rest['send']>) {
    const answer = await this.rest.send(...request);
    if (answer.code === code) return answer.body;
    throw new Error(`${request[0]} ${request[1]}: ${answer.code} ${answer.message}`);
  }

  #place({ namespace, account }: Home) {
    return { controlPlane: this.controlPlane, namespace, token: account.token };
  }

  #adopt<Daemon extends TestDaemon>(daemon: Daemon): Daemon {
    this.#daemons.add(daemon);
    return daemon;
  }
}

/** The CRDs in the YAML files of a folder, or those with one of the names. */
export function definitionsIn(folder: string, names?: readonly string[]): Definition[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .flatMap((file) => parseAllDocuments(readFileSync(join(folder, file), 'utf8')))
    .map((document) => document.toJS() as Definition | null)
    .filter((definition) => definition !== null)
    .filter(({ metadata }) => names === undefined || names.includes(metadata.name));
}
