/** The ZenAgentEvent CRD of this repository on a test's control plane. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { apiVersion, group, plural, version } from '../../src/api/event.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { kubectlOutput } from '../cluster/kubectl.ts';
import { repositoryRoot } from './repository.ts';

/** The folder that users apply. */
export const crdFolder = join(repositoryRoot, 'crds');
/** Where events of a namespace live in the API. */
export const eventsPath = (namespace: string) => `/apis/${apiVersion}/namespaces/${namespace}/${plural}`;

/**
 * Applies crds/ and waits until the resource is served and discovery lists it. May be called by many test files at the
 * same time: a server-side apply has no race between looking and creating.
 */
export async function ensureEventCrd(controlPlane: ControlPlane): Promise<void> {
  await kubectlOutput(controlPlane, ['apply', '--server-side', '--force-conflicts', '-f', crdFolder]);
  await waitForEventCrd(controlPlane);
}

/** For tests that apply it in a way of their own. */
export async function waitForEventCrd(controlPlane: ControlPlane): Promise<void> {
  const name = `${plural}.${group}`;
  await kubectlOutput(controlPlane, ['wait', '--for=condition=Established', '--timeout=60s', `crd/${name}`]);
  // The list of all resources follows a moment later. Asking for it also refreshes the cache of kubectl.
  for (const deadline = Date.now() + 60_000; ; await sleep(200)) {
    const listed = await kubectlOutput(controlPlane, ['api-resources', `--api-group=${group}`, '-o', 'name']);
    if (listed.includes(name)) break;
    if (Date.now() > deadline) throw new Error(`discovery does not list ${name} of ${group}/${version}`);
  }
  // A new resource may answer 429 until its storage is ready; kubectl waits as it is told.
  await kubectlOutput(controlPlane, ['get', name, '--all-namespaces', '--ignore-not-found']);
}
