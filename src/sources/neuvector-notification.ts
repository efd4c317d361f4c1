/** A notification of NeuVector at runtime: violations, threats, incidents and what admission control refused. */
import { asList, asNumber, asText, kindOf } from '../lib/fields.ts';
import { plausibleTime } from '../lib/times.ts';
import { checkSummary } from './check-words.ts';
import { repositoryOf } from './image-name.ts';
import { neuvectorLevels, neuvectorSource } from './neuvector-words.ts';
import { referenceTo } from './reference.ts';
import { signalFinding, signalReading } from './runtime-signal.ts';
import { severityIn } from './severity-words.ts';
import type { Finding, Format, RawDocument, ResourceReference } from './source.ts';

const name = 'neuvector-notification';

const alerts = ['violation', 'threat', 'incident', 'audit'];
/** What the product says of itself: somebody logged in, an agent joined. */
const telemetry = ['event'];

export const neuvectorNotification: Format = {
  name,
  recognise: ({ notification, level, reported_at, reported_timestamp }) =>
    typeof notification === 'string' &&
    [...alerts, ...telemetry].includes(notification) &&
    level !== undefined &&
    (reported_at !== undefined || reported_timestamp !== undefined),
  read(document, context) {
    const reading = signalReading(name, context, namespaceOf(document) ?? '');
    const time =
      plausibleTime(document['reported_at'], context.now) ??
      plausibleTime({ seconds: document['reported_timestamp'] }, context.now);
    if (alerts.includes(asText(document['notification']) ?? '')) {
      if (asText(document['level']) === undefined) {
        reading.refuse('malformed', '.level', `expected a level, found ${kindOf(document['level'])}`);
      } else reading.find(findingOf(document, time ?? context.now));
    }
    return [reading.reading(time)];
  },
};

/** `k8s_POD_shop-7c57bdbf5d-dxkn4_store_<uid>_0`: the container's name in Docker, of which the third part is the Pod. */
const dockerName = /^k8s_([^_]+)_([^_]+)_([^_]+)_/;

function namespaceOf(notification: RawDocument): string | undefined {
  return asText(notification['workload_domain']) ?? asText(notification['client_domain']);
}

/** The workload, or the client of a connection; what happened outside of Pods is about the host. */
function resourceOf(notification: RawDocument): ResourceReference {
  const workload = asText(notification['workload_name']) ?? asText(notification['client_name']);
  const namespace = namespaceOf(notification);
  if (workload !== undefined && workload !== 'external') {
    const [, , pod, podNamespace] = dockerName.exec(workload) ?? [];
    return referenceTo({ apiVersion: 'v1', kind: 'Pod', name: pod ?? workload, namespace: podNamespace ?? namespace });
  }
  const host = asText(notification['host_name']);
  if (host !== undefined) return { apiVersion: 'v1', kind: 'Node', name: host };
  return namespace === undefined
    ? { kind: 'Cluster', name: 'cluster' }
    : { apiVersion: 'v1', kind: 'Namespace', name: namespace };
}

/** NeuVector adds up itself: `count` things since `aggregation_from`. */
function findingOf(notification: RawDocument, at: Date): Finding {
  const kind = asText(notification['notification']) ?? '';
  const rule = asText(notification['name']) ?? kind;
  const resource = resourceOf(notification);
  const server = asText(notification['server_name']) ?? '';
  const port = asText(notification['server_port']) ?? '';
  const process = asText(notification['proc_path']) ?? asText(notification['proc_name']) ?? '';
  const count = asNumber(notification['count']) ?? 1;
  const image = asText(notification['workload_image']) ?? asText(notification['client_image']);
  const repository = image === undefined ? '' : repositoryOf(image);
  return signalFinding({
    source: neuvectorSource,
    severity: severityIn(neuvectorLevels, notification['level']),
    sourceSeverity: asText(notification['level']),
    rule,
    resource,
    occurrences: Number.isSafeInteger(count) && count > 0 ? count : 1,
    at,
    identity: () => [
      kind,
      rule,
      { ownerOf: resource },
      serverPart(server),
      port,
      process,
      kind === 'audit' ? repository : '',
    ],
    describe: () => ({
      title: [rule, process, server === '' ? '' : `to ${serverPart(server)}:${port}`]
        .filter((word) => word !== '')
        .join(' '),
      summary: checkSummary(
        [rule, port, process.split('/').at(-1) ?? ''].filter((word) => word !== '').join(' '),
        neuvectorSource,
      ),
      details: {
        notification: kind,
        name: rule,
        action: asText(notification['action']) ?? asText(notification['policy_action']),
        process,
        server: serverPart(server),
        port,
        applications: asList(notification['applications'])?.slice(0, 8).map(asText),
        service: asText(notification['workload_service']) ?? asText(notification['client_service']),
        image: repository,
        policyID: asText(notification['policy_id']),
      },
      // Messages name ReplicaSets and Pods.
      observedOn: {
        message: asText(notification['message']),
        node: asText(notification['host_name']),
        time: at.toISOString(),
      },
    }),
  });
}

/** Of a container's name in Docker the Pod without what changes with every rollout. */
function serverPart(server: string): string {
  const [, , pod] = dockerName.exec(server) ?? [];
  return pod === undefined ? server : pod.replace(/-[456789bcdf]{6,10}-[a-z0-9]{5}$/, '');
}
