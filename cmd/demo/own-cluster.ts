/** The demo on the user's own cluster: says what it would create, asks, and removes it at the end. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Binaries, ensureBinaries } from '../../test/cluster/binaries.ts';
import { kubectl, kubectlOutput } from '../../test/cluster/kubectl.ts';
import { type Definition, type DemoCluster, definitions, furnish, type Target } from './demo-cluster.ts';
import type { Narrator } from './narrator.ts';

export interface OwnClusterOptions {
  readonly kubeconfig: string;
  readonly context?: string | undefined;
  readonly narrator: Narrator;
  /** Asks a question that is answered with yes or no. */
  confirm(question: string, isYesByDefault: boolean): Promise<boolean>;
}

const prefix = 'zen-demo';
const eventsNamespace = `${prefix}-system`;
const namespaces = { shop: `${prefix}-shop`, payments: `${prefix}-payments` };
const allNamespaces = [eventsNamespace, ...Object.values(namespaces)];

/** Undefined when the user does not want it. Nothing was written to the cluster then. */
export async function openOwn(options: OwnClusterOptions): Promise<DemoCluster | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'zen-demo-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const target = await reach(options, folder);
    const missing = await missingDefinitions(target);
    await refuseLeftovers(target);
    if (!(await isWanted(options, target, missing))) {
      remove();
      return undefined;
    }
    const close = () => clear(options, target, missing).finally(remove);
    const cluster = { target, eventsNamespace, namespaces, close };
    await furnish(target, allNamespaces, missing).catch(async (error: unknown) => {
      await close();
      throw error;
    });
    return cluster;
  } catch (error) {
    remove();
    throw error;
  }
}

/** A copy of the one context: that the user switches to another one meanwhile must not send us elsewhere. */
async function reach({ kubeconfig, context, narrator }: OwnClusterOptions, folder: string): Promise<Target> {
  const binaries = { kubectl: await findKubectl(narrator) } as Binaries;
  const given: Target = { binaries, folder, kubeconfigPath: kubeconfig };
  const which = context === undefined ? [] : [`--context=${context}`];
  const view = await kubectlOutput(given, ['config', 'view', '--minify', '--flatten', '--raw', ...which]);
  const kubeconfigPath = join(folder, 'kubeconfig');
  writeFileSync(kubeconfigPath, view, { mode: 0o600 });
  return { binaries, folder, kubeconfigPath };
}

async function findKubectl(narrator: Narrator): Promise<string> {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' });
    return 'kubectl';
  } catch {
    return (await ensureBinaries({ log: (line) => narrator.progress(line) })).kubectl;
  }
}

/** The resources that the cluster does not serve, be it by a CRD or by an aggregated API. */
async function missingDefinitions(target: Target): Promise<Definition[]> {
  const served = await Promise.all(
    definitions.map(async ({ group, resource }) => {
      const names = await kubectlOutput(target, ['api-resources', `--api-group=${group}`, '-o', 'name']);
      return names.split('\n').includes(`${resource}.${group}`);
    }),
  );
  return definitions.filter((_, index) => !served[index]);
}

async function refuseLeftovers(target: Target): Promise<void> {
  const found = await kubectlOutput(target, [
    'get',
    'namespaces',
    '--ignore-not-found',
    '-o',
    'name',
    ...allNamespaces,
  ]);
  if (found.trim() === '') return;
  const names = found.trim().replaceAll('namespace/', '').split('\n').join(' ');
  throw new Error(
    `another demo runs in this cluster, or one was cut off; if it is the latter: kubectl delete namespace ${names}`,
  );
}

async function isWanted({ narrator, confirm }: OwnClusterOptions, target: Target, missing: readonly Definition[]) {
  const server = await kubectlOutput(target, ['config', 'view', '-o', 'jsonpath={.clusters[0].cluster.server}']);
  const context = await kubectlOutput(target, ['config', 'current-context']);
  narrator.step(`The demo would create in the cluster of context ${context.trim()} (${server}):`);
  narrator.note(`namespaces ${allNamespaces.join(', ')}`);
  for (const { resource, group, words } of missing) narrator.note(`the CRD ${resource}.${group}, ${words}`);
  narrator.note('invented reports in these namespaces, and the events that come of them');
  narrator.note(
    'The daemon runs on this machine with your credentials. It reads the reports of Trivy and Kyverno and the',
  );
  narrator.note(
    `metadata of Pods in the whole cluster, and writes events into ${eventsNamespace} only: reports that are`,
  );
  narrator.note('there already give events there, too. At the end all of this is removed again.');
  return confirm('Go on?', false);
}

/** Removes the namespaces with all that is in them, and the CRDs that were not there before. */
async function clear({ narrator, confirm }: OwnClusterOptions, target: Target, created: readonly Definition[]) {
  const crds = created.map(({ resource, group }) => `${resource}.${group}`);
  const words = [`the namespaces ${allNamespaces.join(', ')}`, ...crds.map((name) => `the CRD ${name}`)].join(', ');
  const commands = [
    ['delete', 'namespace', '--ignore-not-found', ...allNamespaces],
    ...(crds.length > 0 ? [['delete', 'crd', '--ignore-not-found', ...crds]] : []),
  ];
  if (await confirm(`Remove what the demo created: ${words}?`, true)) {
    narrator.progress('removing what the demo created');
    for (const command of commands) {
      const { code, stderr } = await kubectl(target, [...command, '--timeout=120s']);
      if (code !== 0) narrator.note(`kubectl ${command.join(' ')} failed: ${stderr.trim()}`);
    }
  } else {
    narrator.note('left in the cluster; to remove it:');
    for (const command of commands) narrator.note(`  kubectl ${command.join(' ')}`);
  }
}
