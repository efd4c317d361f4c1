/** Namespaces for tests: all test files share one control plane, so each test works in one of its own. */

import type { ControlPlane } from '../cluster/control-plane.ts';
import { kubectl, kubectlOutput } from '../cluster/kubectl.ts';

/** Makes a namespace with a name that nobody else has. */
export async function makeNamespace(controlPlane: ControlPlane, prefix: string): Promise<string> {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { generateName: `${prefix}-` } };
  const args = ['create', '-o', 'jsonpath={.metadata.name}', '-f', '-'];
  return kubectlOutput(controlPlane, args, { input: JSON.stringify(namespace) });
}

/** Removes it with all it holds; the controller manager does the rest, nobody waits. */
export async function removeNamespace(controlPlane: ControlPlane, name: string): Promise<void> {
  await kubectl(controlPlane, ['delete', 'namespace', name, '--wait=false', '--ignore-not-found']);
}
