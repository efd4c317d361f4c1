/** A control plane for measuring: no audit log (it slows writes), the CRDs, and an account with the daemon's rights. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, errors, request } from 'undici';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { apply, kubectlOutput } from '../cluster/kubectl.ts';
import type { Container } from '../support/container.ts';
import { makeContainer } from '../support/container.ts';
import { ensureEventCrd } from '../support/crd.ts';
import { repositoryRoot } from '../support/repository.ts';
import { cpuSeconds } from './processes.ts';

export interface BenchCluster {
  readonly controlPlane: ControlPlane;
  /** For kubeconfig users: the account of the daemon, which is not exempt from priority and fairness as system:masters is. */
  readonly kubeconfigPath: string;
  readonly token: string;
  readonly agent: Agent;
  /** What is measured runs in it, and so do readers beside it: the limits of the chart. */
  readonly container: Container | undefined;
  stop(): Promise<void>;
}

const account = 'zen-watcher';
const home = 'zen-bench';

const rights = `
apiVersion: v1
kind: Namespace
metadata: { name: ${home} }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: ${account}, namespace: ${home} }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: ${account}-bench }
rules:
  - { apiGroups: [aquasecurity.github.io, wgpolicyk8s.io], resources: ["*"], verbs: [get, list, watch] }
  - { apiGroups: [events.k8s.io], resources: [events], verbs: [get, list, watch] }
  - { apiGroups: [""], resources: [namespaces, pods], verbs: [list, watch] }
  - { apiGroups: [kyverno.io, policies.kyverno.io], resources: ["*"], verbs: [list, watch] }
  - { apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, list, watch, create, update] }
  - { apiGroups: [zen.kube-zen.io], resources: [zenagentevents, zenagentevents/status], verbs: [get, list, watch, create, update, patch, delete] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: ${account}-bench }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ${account}-bench }
subjects: [{ kind: ServiceAccount, name: ${account}, namespace: ${home} }]
`;

const idleSeconds = 1;
const idleShare = 0.1;

/**
 * Waits until the control plane uses next to no CPU: what was deleted is still worked off for seconds by the watch caches and
 * the controllers, and would be counted with whatever is measured next. Throws after two minutes.
 */
export async function untilIdle({ controlPlane }: BenchCluster): Promise<void> {
  const used = () => Object.values(controlPlane.pids).reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  for (const end = performance.now() + 120_000; performance.now() < end; ) {
    const before = used();
    await sleep(idleSeconds * 1000);
    if (used() - before <= idleShare * idleSeconds) return;
  }
  throw new Error('the control plane did not become idle within two minutes');
}

export async function startBenchCluster(log: (line: string) => void, isLimited: boolean): Promise<BenchCluster> {
  const controlPlane = await startControlPlane({ log });
  await ensureEventCrd(controlPlane);
  await apply(controlPlane, rights);
  const standIns = join(repositoryRoot, 'test/bench/crds.yaml');
  await apply(controlPlane, readFileSync(standIns, 'utf8'));
  const waitArgs = ['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s'];
  await kubectlOutput(controlPlane, waitArgs);
  const token = (await kubectlOutput(controlPlane, ['create', 'token', account, '-n', home, '--duration=6h'])).trim();
  const kubeconfigPath = join(controlPlane.folder, 'bench-kubeconfig');
  writeFileSync(kubeconfigPath, kubeconfig(controlPlane, token), { mode: 0o600 });
  const container = isLimited ? makeContainer('zen-watcher-bench') : undefined;
  if (container !== undefined) log(`within limits: ${container.limits}`);
  const agent = new Agent({ connect: { ca: readFileSync(controlPlane.caPath) }, connections: 64, allowH2: false });
  return {
    controlPlane,
    kubeconfigPath,
    token,
    agent,
    container,
    async stop() {
      await agent.destroy();
      await controlPlane.stop();
      container?.remove();
    },
  };
}

function kubeconfig(controlPlane: ControlPlane, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'bench', cluster: { server: controlPlane.server, 'certificate-authority': controlPlane.caPath } },
    ],
    users: [{ name: 'bench', user: { token } }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
    'current-context': 'bench',
  });
}

/** One request as admin; throws for a status of 400 and more that is not in `accepted`. */
export async function send(
  cluster: BenchCluster,
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
  accepted: readonly number[] = [],
): Promise<string> {
  const answer = await request(cluster.controlPlane.server + path, {
    dispatcher: cluster.agent,
    method,
    headers: {
      authorization: `Bearer ${cluster.controlPlane.adminToken}`,
      'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.body.text();
  if (answer.statusCode >= 400 && !accepted.includes(answer.statusCode)) {
    throw new Error(`${method} ${path}: ${answer.statusCode} ${text.slice(0, 300)}`);
  }
  return text;
}

/** Removes all of a collection. The server ends a request after a minute, if need be without a word, so it may take several. */
export async function removeAll(cluster: BenchCluster, path: string): Promise<void> {
  for (let isEmpty = false; !isEmpty; ) {
    await send(cluster, 'DELETE', path, undefined, [504]).catch((error: unknown) => {
      if (!(error instanceof errors.SocketError)) throw error;
    });
    const rest = JSON.parse(await send(cluster, 'GET', `${path}?limit=1`)) as { readonly items: readonly object[] };
    isEmpty = rest.items.length === 0;
  }
}

export async function makeNamespace(cluster: BenchCluster, name: string): Promise<void> {
  await send(cluster, 'POST', '/api/v1/namespaces', { metadata: { name } }, [409]);
}

/** Runs `work` over 0..count-1, `width` at a time. */
export async function inParallel(count: number, width: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const one = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: width }, one));
}

export const reportsPath = (namespace: string) =>
  `/apis/aquasecurity.github.io/v1alpha1/namespaces/${namespace}/vulnerabilityreports`;
export const eventsPath = (namespace: string) => `/apis/zen.kube-zen.io/v1/namespaces/${namespace}/zenagentevents`;
