/** Where the demo happens: on a control plane that it starts and throws away. The user's own is in own-cluster.ts. */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { type ControlPlane, startControlPlane } from '../../test/cluster/control-plane.ts';
import { kubectlOutput } from '../../test/cluster/kubectl.ts';
import type { ControlPlaneState } from '../../test/cluster/state.ts';
import type { Narrator } from './narrator.ts';
import type { Place } from './story.ts';

/** What kubectl needs to reach a cluster. */
export type Target = Pick<ControlPlaneState, 'binaries' | 'folder' | 'kubeconfigPath'>;

/** A cluster that the demo may use, with the namespaces that it made there. */
export interface DemoCluster {
  readonly target: Target;
  /** Where the events go. */
  readonly eventsNamespace: string;
  readonly namespaces: Readonly<Record<Place, string>>;
  /** Removes what was created; nothing else uses the cluster any more when it is called. */
  close(): Promise<void>;
}

const root = join(import.meta.dirname, '../..');

/** A custom resource definition that the demo needs, and the file that defines it. */
export interface Definition {
  readonly group: string;
  readonly resource: string;
  readonly file: string;
  /** What the file is, for people. */
  readonly words: string;
}

export const definitions: readonly Definition[] = [
  {
    group: 'zen.kube-zen.io',
    resource: 'zenagentevents',
    words: 'from crds/',
    file: crdFile('crds', 'zenagentevents'),
  },
  ...[
    { group: 'aquasecurity.github.io', resource: 'vulnerabilityreports' },
    { group: 'wgpolicyk8s.io', resource: 'policyreports' },
  ].map(({ group, resource }) => ({
    group,
    resource,
    words: 'a permissive stand-in for the one of the tool',
    file: crdFile('test/support/crds', `${group}_${resource}`),
  })),
];

function crdFile(folder: string, start: string): string {
  const [name] = globSync(`${start}*.yaml`, { cwd: join(root, folder) });
  if (name === undefined) throw new Error(`${folder} has no ${start}*.yaml`);
  return join(folder, name);
}

/** Creates the namespaces and defines the resources. */
export async function furnish(target: Target, namespaces: readonly string[], define: readonly Definition[]) {
  for (const { file } of define) await kubectlOutput(target, ['apply', '--server-side', '-f', join(root, file)]);
  for (const { group, resource } of define) {
    await kubectlOutput(target, ['wait', '--for=condition=Established', '--timeout=60s', `crd/${resource}.${group}`]);
  }
  for (const name of namespaces) await kubectlOutput(target, ['create', 'namespace', name]);
}

/** Starts a control plane; the programs are built first where they are missing, which takes minutes and says so. */
export async function openEmbedded(narrator: Narrator): Promise<DemoCluster> {
  const controlPlane: ControlPlane = await startControlPlane({ log: (line) => narrator.progress(line) });
  return {
    target: controlPlane,
    eventsNamespace: 'zen-system',
    namespaces: { shop: 'shop', payments: 'payments' },
    close: () => controlPlane.stop(),
  };
}
