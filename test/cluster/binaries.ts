/** The programs of a Kubernetes control plane: the user's own, or built from test/cluster/go.mod and cached. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensureBuilt, type Log } from './build.ts';
import { cacheKey, isWithinOneMinor, parseVersions, type Versions } from './versions.ts';

export interface Binaries {
  readonly folder: string;
  readonly etcd: string;
  readonly kubeApiserver: string;
  /** Not part of KUBEBUILDER_ASSETS: without it nothing is garbage-collected and no namespace ends. */
  readonly kubeControllerManager?: string;
  readonly kubectl: string;
}

export interface BinariesOptions {
  readonly log: Log;
  /** The folder of the go.mod that names the versions; another one gives a control plane of another version. */
  readonly moduleFolder?: string;
}

const programs = [
  { name: 'etcd', package: 'go.etcd.io/etcd/server/v3' },
  { name: 'kube-apiserver', package: 'k8s.io/kubernetes/cmd/kube-apiserver' },
  { name: 'kube-controller-manager', package: 'k8s.io/kubernetes/cmd/kube-controller-manager' },
  { name: 'kubectl', package: 'k8s.io/kubernetes/cmd/kubectl' },
];

/** The folder for everything that may be kept between runs. */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'zen-watcher');
}

/** How a run of tests tells its processes which control plane it is about: the folder of its go.mod. */
export const moduleVariable = 'ZEN_TEST_CONTROL_PLANE_MODULE';

/** Finds the programs or builds them; the first build takes minutes and says so. */
export async function ensureBinaries({ log, moduleFolder = chosenModule() }: BinariesOptions): Promise<Binaries> {
  const assets = process.env['KUBEBUILDER_ASSETS'];
  if (assets && !moduleFolder) return fromAssets(resolve(assets), log);
  return fromModule(moduleFolder ?? import.meta.dirname, log);
}

/** The folder of the go.mod of this run's control plane; undefined where nobody chose one. */
export function chosenModule(): string | undefined {
  return process.env[moduleVariable];
}

async function fromModule(moduleFolder: string, log: Log): Promise<Binaries> {
  const [goMod, goSum] = ['go.mod', 'go.sum'].map((name) => readFileSync(join(moduleFolder, name), 'utf8'));
  const versions = parseVersions(goMod ?? '');
  const key = cacheKey(goMod ?? '', goSum ?? '', `${process.platform}-${process.arch}`);
  const folder = join(cacheFolder(), 'control-plane', key);
  await ensureBuilt({
    moduleFolder,
    programs,
    folder,
    goVersion: versions.go,
    linkerFlags: linkerFlags(versions),
    expectation: 'the first build takes about 10 minutes on 2 cores; cached afterwards',
    alternative:
      'Instead of building, KUBEBUILDER_ASSETS can name a folder that holds etcd, kube-apiserver and kubectl ' +
      '(`setup-envtest use -p path` prints one).',
    log,
  });
  return {
    folder,
    etcd: join(folder, 'etcd'),
    kubeApiserver: join(folder, 'kube-apiserver'),
    kubeControllerManager: join(folder, 'kube-controller-manager'),
    kubectl: join(folder, 'kubectl'),
  };
}

/** Without the stamp a server built by `go build` calls itself v0.0.0 and refuses some features. */
function linkerFlags({ kubernetes }: Versions): string {
  const [major, minor] = kubernetes.slice(1).split('.');
  const stamp = { gitVersion: kubernetes, gitMajor: major, gitMinor: minor };
  const packages = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'];
  const stamps = packages.flatMap((name) => Object.entries(stamp).map(([key, value]) => `-X ${name}.${key}=${value}`));
  return ['-s', '-w', ...stamps].join(' ');
}

function fromAssets(folder: string, log: Log): Binaries {
  const [etcd, kubeApiserver] = [join(folder, 'etcd'), join(folder, 'kube-apiserver')];
  for (const path of [etcd, kubeApiserver]) {
    if (!existsSync(path)) throw new Error(`KUBEBUILDER_ASSETS is set to ${folder}, which has no ${path}`);
  }
  const controllerManager = join(folder, 'kube-controller-manager');
  const kubectl = existsSync(join(folder, 'kubectl')) ? join(folder, 'kubectl') : kubectlOnPath(kubeApiserver);
  log(`using the programs in KUBEBUILDER_ASSETS (${folder})`);
  if (existsSync(controllerManager))
    return { folder, etcd, kubeApiserver, kubectl, kubeControllerManager: controllerManager };
  log('it has no kube-controller-manager: skipped are garbage collection, namespace deletion, service-account tokens');
  return { folder, etcd, kubeApiserver, kubectl };
}

function kubectlOnPath(kubeApiserver: string): string {
  const client = output('kubectl', ['version', '--client']);
  const server = output(kubeApiserver, ['--version']);
  if (client && server && isWithinOneMinor(client, server)) return 'kubectl';
  throw new Error(
    `KUBEBUILDER_ASSETS has no kubectl and the one on PATH (${client || 'none'}) is not within one minor of ${server}`,
  );
}

function output(program: string, args: string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8' }).split('\n')[0] ?? '';
  } catch {
    return '';
  }
}
