/** Tetragon's events, as its export file holds them: one JSON object a line. docs/sources/tetragon.md. */
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, asText, at, textAt } from '../lib/fields.ts';
import { plausibleTime } from '../lib/times.ts';
import { checkSummary } from './check-words.ts';
import { repositoryOf } from './image-name.ts';
import { referenceTo } from './reference.ts';
import { signalFinding, signalReading } from './runtime-signal.ts';
import type { Finding, Format, RawDocument, ResourceReference, Source } from './source.ts';

const name = 'tetragon';

/** What policies report. */
const policyEvents = ['process_kprobe', 'process_tracepoint', 'process_uprobe', 'process_lsm'];
/** What happens anyway, thousands of times a second: no findings. */
const telemetry = ['process_exec', 'process_exit', 'process_loader', 'process_throttle'];

const tetragonEvent: Format = {
  name,
  recognise: (document) =>
    [...policyEvents, ...telemetry].some((kind) => Object.hasOwn(document, kind)) &&
    (document['node_name'] !== undefined || document['time'] !== undefined),
  read(document, context) {
    const kind = policyEvents.find((word) => Object.hasOwn(document, word));
    const event = asFields(kind === undefined ? undefined : document[kind]);
    const pod = asFields(at(event, 'process', 'pod'));
    const reading = signalReading(name, context, textAt(pod, 'namespace') ?? '');
    const time = plausibleTime(document['time'], context.now);
    if (kind !== undefined) {
      const rule = textAt(event, 'policy_name') ?? textAt(event, 'function_name') ?? textAt(event, 'event');
      const resource = resourceOf(document, pod);
      if (event === undefined || rule === undefined) {
        reading.refuse('missing-field', `.${kind}.policy_name`, 'neither a policy nor a function says what was seen');
      } else if (resource === undefined) {
        reading.refuse('missing-field', '.node_name', 'neither a Pod nor a node says where it happened');
      } else
        reading.find(
          findingOf({ kind, event, rule, resource, node: textAt(document, 'node_name'), at: time ?? context.now }),
        );
    }
    return [reading.reading(time)];
  },
};

/** The Pod's workload, where Tetragon says it, else the Pod, else the node. */
function resourceOf(document: RawDocument, pod: Fields | undefined): ResourceReference | undefined {
  const podName = textAt(pod, 'name');
  const namespace = textAt(pod, 'namespace');
  const workload = textAt(pod, 'workload');
  const workloadKind = textAt(pod, 'workload_kind');
  if (workload !== undefined && workloadKind !== undefined) {
    return referenceTo({ kind: workloadKind, name: workload, namespace });
  }
  if (podName !== undefined) return referenceTo({ apiVersion: 'v1', kind: 'Pod', name: podName, namespace });
  const node = asText(document['node_name']);
  return node === undefined ? undefined : { apiVersion: 'v1', kind: 'Node', name: node };
}

interface Seen {
  readonly kind: string;
  readonly event: Fields;
  readonly rule: string;
  readonly resource: ResourceReference;
  readonly node: string | undefined;
  readonly at: Date;
}

function findingOf({ kind, event, rule, resource, node, at: time }: Seen): Finding {
  const process = asFields(event['process']);
  const container = textAt(process, 'pod', 'container', 'name') ?? '';
  const image = textAt(process, 'pod', 'container', 'image', 'name');
  const binary = textAt(process, 'binary') ?? '';
  const hook = textAt(event, 'function_name') ?? textAt(event, 'event') ?? '';
  const file = fileOf(event);
  return signalFinding({
    source: name,
    // A policy of Tetragon's says nothing of how bad it is.
    severity: 'unknown',
    sourceSeverity: undefined,
    rule,
    resource,
    occurrences: 1,
    at: time,
    identity: () => [rule, { ownerOf: resource }, container, hook, binary, file],
    describe: () => ({
      title: [`${rule}: ${binary}`, hook === rule ? '' : hook, file].filter((word) => word !== '').join(' '),
      summary: checkSummary(`${rule} ${binary.split('/').at(-1) ?? ''}`.trim(), name),
      details: {
        policy: textAt(event, 'policy_name'),
        hook,
        binary,
        file,
        container,
        image: image === undefined ? undefined : repositoryOf(image),
        action: textAt(event, 'action'),
        message: textAt(event, 'message'),
        tags: asList(event['tags'])?.slice(0, 8).map(asText),
        event: kind,
      },
      // Neither arguments nor what was written or read: it may be anything.
      observedOn: { pod: textAt(process, 'pod', 'name'), node, time: time.toISOString() },
    }),
  });
}

/** The file among the arguments of the function, if there is one. */
function fileOf(event: Fields): string {
  for (const argument of asList(event['args']) ?? []) {
    const path = textAt(argument, 'file_arg', 'path') ?? textAt(argument, 'path_arg', 'path');
    if (path !== undefined) return path;
  }
  return '';
}

export const tetragon: Source = {
  name,
  title: 'Tetragon',
  homepage: 'https://tetragon.io',
  emits: [name],
  eventTypes: [{ eventType: 'runtime-threat', category: 'security', nature: 'signal' }],
  severityWords: {},
  needsPods: true,
  intakes: [],
  formats: [tetragonEvent],
  graceSeconds: 2 * 60 * 60,
};
