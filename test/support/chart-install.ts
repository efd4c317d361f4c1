/** What the tests of installations ask of the cluster. */
import assert from 'node:assert/strict';
import { kubectlOutput } from '../cluster/kubectl.ts';
import { eventsPath } from './crd.ts';
import { objectsIn, type Rendered } from './helm.ts';
import { Rest } from './rest.ts';
import type { SampleEvent } from './sample-event.ts';
import type { Stage } from './stage.ts';
import { until } from './until.ts';

export const home = 'zen-system';
export const crdName = 'zenagentevents.zen.kube-zen.io';
const crdPath = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crdName}`;

/** Waits until a pod of ours was admitted: there is no kubelet, so it stays Pending. */
export async function podAdmitted(stage: Stage, namespace = home): Promise<Rendered> {
  return until(`a pod in ${namespace}`, async () => {
    const { body } = await stage.rest.send(
      'GET',
      `/api/v1/namespaces/${namespace}/pods?labelSelector=app%3Dzen-watcher`,
    );
    return body['items']?.[0] as Rendered | undefined;
  });
}

/** The CRD as it is on the server. */
export async function crdOnServer(stage: Stage): Promise<Rendered | undefined> {
  const { code, body } = await stage.rest.send('GET', crdPath);
  return code === 200 ? (body as unknown as Rendered) : undefined;
}

/** The Namespace's labels. */
export async function labelsOf(stage: Stage, namespace = home): Promise<Readonly<Record<string, string>>> {
  const { metadata } = await stage.must(200, 'GET', `/api/v1/namespaces/${namespace}`);
  return metadata.labels ?? {};
}

/** A client with the chart's service account. Close it. */
export async function asDaemon(stage: Stage, namespace = home): Promise<Rest> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/zen-watcher/token`;
  const { status } = await stage.must(201, 'POST', path, { spec: { expirationSeconds: 7200 } });
  return new Rest(stage.controlPlane, status.token);
}

/** Writes an event as the daemon would, once the server serves the CRD and knows the rights. */
export async function eventMade(stage: Stage, event: SampleEvent, namespace = home): Promise<void> {
  const daemon = await asDaemon(stage, namespace);
  let last = '';
  try {
    await until('an event to be taken', async () => {
      const { code, message } = await daemon.send('POST', eventsPath(namespace), event);
      last = message;
      return code === 201;
    });
  } catch (error) {
    throw new Error(last, { cause: error });
  } finally {
    await daemon.close();
  }
}

/** Removes what installations leave, so that the next finds nothing. */
export async function swept(stage: Stage, namespaces: readonly string[] = [home]): Promise<void> {
  if (await crdOnServer(stage)) await stage.undefine(crdName);
  for (const namespace of namespaces) {
    await stage.rest.send('DELETE', `/api/v1/namespaces/${namespace}`);
    await until(`${namespace} to be gone`, async () => {
      return (await stage.rest.send('GET', `/api/v1/namespaces/${namespace}`)).code === 404;
    });
  }
}

/** Everything of ours in the whole cluster that an uninstallation must not leave. */
export async function leftovers(stage: Stage): Promise<string[]> {
  const kinds = 'clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings';
  const text = await kubectlOutput(stage.controlPlane, ['get', kinds, '-l', 'app=zen-watcher', '-o', 'name']);
  return text.split('\n').filter((line) => line !== '');
}

/** Applies what was rendered, as people do with `helm template | kubectl apply -f -`; once more for what the CRD defines. */
export async function applied(stage: Stage, text: string): Promise<void> {
  assert.ok(objectsIn(text).length > 0);
  await kubectlOutput(stage.controlPlane, ['apply', '-f', '-'], { input: text });
}
