/** KubeArmor's alerts, as its relay and log forwarders write them: one JSON object each. docs/sources/kubearmor.md. */
import type { Fields } from '../lib/fields.ts';
import { asNumber, asText, textAt } from '../lib/fields.ts';
import { clean } from '../lib/text.ts';
import { plausibleTime } from '../lib/times.ts';
import { checkSummary } from './check-words.ts';
import { repositoryOf } from './image-name.ts';
import { referenceTo } from './reference.ts';
import { signalFinding, signalReading } from './runtime-signal.ts';
import type { SeverityWords } from './severity-words.ts';
import { severityIn } from './severity-words.ts';
import type { Finding, Format, RawDocument, ResourceReference, Source } from './source.ts';

const name = 'kubearmor';

/** From 1 to 10 by whoever wrote the policy; the default posture has none. */
const severityWords: SeverityWords = {
  '1': 'low',
  '2': 'low',
  '3': 'low',
  '4': 'medium',
  '5': 'medium',
  '6': 'medium',
  '7': 'high',
  '8': 'high',
  '9': 'critical',
  '10': 'critical',
};

const alerts = ['MatchedPolicy', 'MatchedHostPolicy'];
/** What happened without a policy against it: no finding, and many a second. */
const telemetry = ['ContainerLog', 'HostLog'];

const kubearmorAlert: Format = {
  name,
  recognise: ({ Type, Operation, HostName }) =>
    typeof Type === 'string' &&
    [...alerts, ...telemetry].includes(Type) &&
    Operation !== undefined &&
    HostName !== undefined,
  read(document, context) {
    const namespace = asText(document['NamespaceName']) ?? '';
    const reading = signalReading(name, context, namespace);
    const time =
      plausibleTime(document['UpdatedTime'], context.now) ??
      plausibleTime({ seconds: document['Timestamp'] }, context.now);
    if (alerts.includes(asText(document['Type']) ?? '')) {
      const resource = resourceOf(document);
      const operation = asText(document['Operation']);
      if (resource === undefined) {
        reading.refuse('missing-field', '.HostName', 'neither a Pod nor a host says where it happened');
      } else if (operation === undefined) {
        reading.refuse('missing-field', '.Operation', 'expected what was done');
      } else reading.find(findingOf(document, resource, operation, time ?? context.now));
    }
    return [reading.reading(time)];
  },
};

/** The Pod's owner, where the alert says it, else the Pod, else the host. */
function resourceOf(alert: RawDocument): ResourceReference | undefined {
  const namespace = asText(alert['NamespaceName']);
  const owner = textAt(alert, 'Owner', 'Name');
  const ownerKind = textAt(alert, 'Owner', 'Ref');
  if (owner !== undefined && ownerKind !== undefined) {
    return referenceTo({ kind: ownerKind, name: owner, namespace: textAt(alert, 'Owner', 'Namespace') ?? namespace });
  }
  const pod = asText(alert['PodName']);
  if (pod !== undefined) return referenceTo({ apiVersion: 'v1', kind: 'Pod', name: pod, namespace });
  const host = asText(alert['HostName']);
  return host === undefined ? undefined : { apiVersion: 'v1', kind: 'Node', name: host };
}

function findingOf(alert: RawDocument, resource: ResourceReference, operation: string, at: Date): Finding {
  const policy = asText(alert['PolicyName']) ?? 'DefaultPosture';
  const container = asText(alert['ContainerName']) ?? '';
  const target = targetOf(operation, clean((asText(alert['Resource']) ?? '').slice(0, longestTarget)));
  return signalFinding({
    source: name,
    severity: severityIn(severityWords, alert['Severity']),
    sourceSeverity: asText(alert['Severity']),
    rule: policy,
    resource,
    occurrences: 1,
    at,
    identity: () => [policy, { ownerOf: resource }, container, operation, target],
    describe: () => ({
      title: `${operation} ${target}: policy ${policy}, action ${asText(alert['Action']) ?? 'unknown'}`,
      summary: checkSummary(`${policy} ${target.split('/').at(-1) ?? ''}`.trim(), name),
      details: {
        policy,
        operation,
        target,
        container,
        image: imageOf(alert),
        action: asText(alert['Action']),
        enforcer: asText(alert['Enforcer']),
        message: asText(alert['Message']),
        tags: asText(alert['Tags']),
      },
      observedOn: observed(alert, at),
    }),
  });
}

function imageOf(alert: RawDocument): string | undefined {
  const image = asText(alert['ContainerImage']);
  return image === undefined ? undefined : repositoryOf(image);
}

/** Not the command line of the caller, which may hold anything: its program is enough. */
function observed(alert: Fields, at: Date): Readonly<Record<string, unknown>> {
  return {
    pod: asText(alert['PodName']),
    node: asText(alert['HostName']),
    process: asText(alert['ProcessName']),
    parent: asText(alert['ParentProcessName']),
    uid: asNumber(alert['UID']),
    result: asText(alert['Result']),
    time: at.toISOString(),
  };
}

const longestTarget = 1024;

/** The facts of a socket that do not change from one connection to the next. */
const stableSocketFacts = /^(?:domain|type|protocol|sa_family)=/;

/** A program without its arguments, a socket without its addresses; files as they are. */
function targetOf(operation: string, resource: string): string {
  if (operation === 'Process') return resource.split(' ', 1)[0] ?? '';
  if (operation === 'Network') {
    return resource
      .split(' ')
      .filter((fact) => stableSocketFacts.test(fact))
      .join(' ');
  }
  return resource;
}

export const kubearmor: Source = {
  name,
  title: 'KubeArmor',
  homepage: 'https://kubearmor.io',
  emits: [name],
  eventTypes: [{ eventType: 'runtime-threat', category: 'security', nature: 'signal' }],
  severityWords,
  needsPods: true,
  intakes: [],
  formats: [kubearmorAlert],
  graceSeconds: 2 * 60 * 60,
};
