/**
 * Runtime alerts of Kubescape's node agent: the body that its HTTP exporter sends, with a list of alerts, and the lines that
 * it logs, one alert each. docs/sources/kubescape.md.
 */
import type { Severity } from '../api/words.ts';
import type { Fields } from '../lib/fields.ts';
import { asFields, asNumber, asText, at, textAt } from '../lib/fields.ts';
import { clean } from '../lib/text.ts';
import { plausibleTime } from '../lib/times.ts';
import { fieldsAt, listAt } from './carried-report.ts';
import { checkSummary } from './check-words.ts';
import { repositoryOf } from './image-name.ts';
import { referenceTo } from './reference.ts';
import { signalFinding, signalReading } from './runtime-signal.ts';
import type { Finding, Format, RawDocument, ResourceReference } from './source.ts';

const source = 'kubescape';

export const kubescapeRuntimeAlert: Format = {
  name: 'kubescape-runtime-alert',
  recognise: (document) => isBody(document) || isLine(document),
  read(document, context) {
    const reading = signalReading('kubescape-runtime-alert', context, '');
    const entries = isBody(document)
      ? reading.entries(listAt(fieldsAt(document, 'spec'), 'alerts'), '.spec.alerts')
      : [{ fields: document, place: '' }];
    let latest: Date | undefined;
    for (const { fields, place } of entries) {
      const alert = new Alert(fields);
      const time = plausibleTime(alert.base('timestamp'), context.now) ?? plausibleTime(fields['time'], context.now);
      if (time !== undefined && (latest === undefined || time > latest)) latest = time;
      const { rule, resource } = alert;
      if (rule === undefined) {
        reading.refuse('missing-field', `${place}.RuleID`, 'neither a rule nor a name says what the alert is');
      } else if (resource === undefined) {
        reading.refuse(
          'missing-field',
          `${place}.RuntimeK8sDetails`,
          'neither a workload nor a Pod nor a node is named',
        );
      } else reading.find(findingOf(alert, { rule, resource, at: time ?? context.now }));
    }
    return [reading.reading(latest)];
  },
};

function isBody({ kind, apiVersion }: RawDocument): boolean {
  return kind === 'RuntimeAlerts' && typeof apiVersion === 'string' && apiVersion.startsWith('kubescape.io/');
}

function isLine(document: RawDocument): boolean {
  return (
    asFields(document['BaseRuntimeMetadata']) !== undefined && asFields(document['RuntimeK8sDetails']) !== undefined
  );
}

/** What the exporter says when it left alerts out: it names no workload. */
const throttled = 'AlertLimitReached';

/** One alert. In logged lines its parts are objects, in bodies their members stand side by side. */
class Alert {
  readonly #fields: Fields;

  constructor(fields: Fields) {
    this.#fields = fields;
  }

  base(member: string): unknown {
    return at(this.#fields, 'BaseRuntimeMetadata', member) ?? this.#fields[member];
  }

  cluster(member: string): string | undefined {
    return textAt(this.#fields, 'RuntimeK8sDetails', member) ?? asText(this.#fields[member]);
  }

  process(member: string): string | undefined {
    const details = asFields(this.#fields['RuntimeProcessDetails']) ?? this.#fields;
    return textAt(details, 'processTree', member);
  }

  /** `R0001`; of malware, which no rule finds, its name. */
  get rule(): string | undefined {
    return asText(this.#fields['RuleID']) ?? asText(this.#fields['ruleID']) ?? asText(this.base('alertName'));
  }

  /** The workload, the Pod or the node. */
  get resource(): ResourceReference | undefined {
    const kind = this.cluster('workloadKind');
    const workload = this.cluster('workloadName');
    const namespace = this.cluster('workloadNamespace') ?? this.cluster('podNamespace') ?? this.cluster('namespace');
    if (kind !== undefined && workload !== undefined) return referenceTo({ kind, name: workload, namespace });
    const pod = this.cluster('podName');
    if (pod !== undefined) return referenceTo({ apiVersion: 'v1', kind: 'Pod', name: pod, namespace });
    const node = this.cluster('nodeName') ?? this.cluster('hostName') ?? asText(this.#fields['hostName']);
    if (node !== undefined) return { apiVersion: 'v1', kind: 'Node', name: node };
    return this.base('alertName') === throttled ? { kind: 'Kubescape', name: 'node-agent' } : undefined;
  }

  /** What was done, run, opened or asked for: the argument that the rule is about, else the program that did it. */
  get target(): string {
    const named = targetArguments.map((member) => textAt(this.base('arguments'), member)).find(Boolean);
    const text = named ?? this.process('path') ?? this.process('hardlink') ?? this.process('comm') ?? '';
    return clean(text.slice(0, longestTarget));
  }
}

const targetArguments = ['path', 'exec', 'fullPath', 'syscall', 'capability', 'domain', 'module', 'hardlink'] as const;
const longestTarget = 1024;

interface Happening {
  readonly rule: string;
  readonly resource: ResourceReference;
  readonly at: Date;
}

/** No command line and no suggestion how to allow it: both hold the arguments, in which anything may stand. */
function findingOf(alert: Alert, { rule, resource, at: time }: Happening): Finding {
  const { target } = alert;
  const container = alert.cluster('containerName') ?? '';
  const title = asText(alert.base('alertName')) ?? rule;
  const image = alert.cluster('image');
  const severity = asNumber(alert.base('severity'));
  const program = target.split('/').at(-1) ?? '';
  return signalFinding({
    source,
    severity: severityOf(severity),
    sourceSeverity: severity === undefined ? undefined : String(severity),
    rule,
    resource,
    occurrences: 1,
    at: time,
    identity: () => [rule, { ownerOf: resource }, container, target],
    describe: () => ({
      title: target === '' ? title : `${title}: ${target}`,
      summary: checkSummary(`${rule} ${program}`.trim(), source),
      details: {
        ruleID: rule,
        alert: title,
        target,
        container,
        image: image === undefined ? undefined : repositoryOf(image),
      },
      observedOn: {
        pod: alert.cluster('podName'),
        node: alert.cluster('nodeName'),
        process: alert.process('path'),
        parent: alert.process('pcomm'),
        time: time.toISOString(),
      },
    }),
  });
}

/** The node agent's own steps: 1 low, 5 medium, 8 high, 10 critical. */
function severityOf(severity: number | undefined): Severity {
  if (severity === undefined) return 'unknown';
  if (severity >= 10) return 'critical';
  if (severity >= 8) return 'high';
  if (severity >= 5) return 'medium';
  return severity >= 1 ? 'low' : 'unknown';
}
