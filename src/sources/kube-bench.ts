/** kube-bench (`kube-bench --json`): one finding per failed or manual test of the CIS benchmark. docs/sources/kube-bench.md. */
import type { Fields } from '../lib/fields.ts';
import { asBoolean, asFields, asList, asText, kindOf } from '../lib/fields.ts';
import { CarriedReadings, type Entry, listAt, stateNature } from './carried-report.ts';
import { checkSummary } from './check-words.ts';
import type { SeverityWords } from './severity-words.ts';
import { severityIn } from './severity-words.ts';
import type { Carrier, Finding, Format, RawDocument, ResourceReference, Source } from './source.ts';

const name = 'kube-bench';

/** kube-bench has results, no severities. A test that is not scored fails low: the benchmark itself says it is no must. */
const severityWords: SeverityWords = { fail: 'medium', warn: 'info' };
const results = ['PASS', 'FAIL', 'WARN', 'INFO'];

const kubeBenchReport: Format = {
  name,
  recognise: (document) => isControls(document) || isControl(document),
  read(document, context) {
    const node = nodeOf(context.carrier);
    const readings = new CarriedReadings(name, context);
    if (isControls(document)) {
      for (const [index, value] of listAt(document, 'Controls').entries()) {
        readControl(asFields(value), `.Controls[${index}]`, node, readings);
      }
    } else readControl(document, '', node, readings);
    return readings.all();
  },
};

function isControls(document: RawDocument): boolean {
  const { Controls, Totals } = document;
  if (asFields(Totals) !== undefined && Object.hasOwn(document, 'Controls')) return true;
  return (asList(Controls) ?? []).some((value) => {
    const control = asFields(value);
    return control !== undefined && isControl(control);
  });
}

/** A section of the benchmark; older versions print a list of them, or one. */
function isControl({ node_type, tests }: RawDocument): boolean {
  return typeof node_type === 'string' && tests !== undefined;
}

/**
 * The tests of the kubelets concern one node each. All others concern the control plane and the cluster: were they told
 * apart by node, each would come once for every node.
 */
function readControl(fields: Fields | undefined, place: string, node: string, readings: CarriedReadings): void {
  const id = asText(fields?.['id']);
  if (id === undefined) {
    readings.refuse('malformed', `${place}.id`, `expected the id of a section, found ${kindOf(fields?.['id'])}`);
    return;
  }
  const nodeType = asText(fields?.['node_type']) ?? '';
  const control: Control = {
    id,
    nodeType,
    version: asText(fields?.['version']) ?? '',
    kubernetes: asText(fields?.['detected_version']),
    node: nodeType === 'node' ? node : undefined,
  };
  const reading = readings.about([control.node ?? 'cluster', nodeType, id]);
  for (const test of reading.entries(fields?.['tests'], `${place}.tests`)) {
    for (const result of reading.entries(test.fields['results'], `${test.place}.results`)) {
      const status = asText(result.fields['status']);
      const number = asText(result.fields['test_number']);
      if (status === undefined || !results.includes(status)) {
        reading.refuse(
          'malformed',
          `${result.place}.status`,
          `expected ${results.join(', ')}, found ${kindOf(result.fields['status'])}`,
        );
      } else if (status === 'FAIL' || status === 'WARN') {
        if (number === undefined) {
          reading.refuse(
            'missing-field',
            `${result.place}.test_number`,
            `expected a number, found ${kindOf(result.fields['test_number'])}`,
          );
        } else reading.find(findingOf(control, test, result, status, number));
      }
    }
  }
}

interface Control {
  readonly id: string;
  readonly nodeType: string;
  /** The benchmark's. */
  readonly version: string;
  readonly kubernetes: string | undefined;
  /** Undefined for sections that concern the whole cluster. */
  readonly node: string | undefined;
}

function findingOf(
  control: Control,
  { fields: test }: Entry,
  { fields: result }: Entry,
  status: string,
  number: string,
): Finding {
  const isUnscoredFailure = status === 'FAIL' && result['scored'] === false;
  return {
    source: name,
    eventType: 'cis-benchmark-fail',
    category: 'compliance',
    severity: isUnscoredFailure ? 'low' : severityIn(severityWords, status),
    sourceSeverity: status,
    rule: number,
    resource: resourceOf(control),
    nature: stateNature,
    identity: () => [control.node ?? 'cluster', control.version, number],
    describe: () => {
      const title = `${number} ${asText(result['test_desc']) ?? control.id}`;
      return {
        title,
        summary: checkSummary(title, name),
        remediation: asText(result['remediation']),
        details: {
          testNumber: number,
          result: status,
          scored: asBoolean(result['scored']),
          benchmark: control.version,
          nodeType: control.nodeType,
          section: asText(test['desc']),
          expected: asText(result['expected_result']),
          type: asText(result['type']),
        },
        // What was found: a file's mode, or the whole command line of a process.
        observedOn: {
          actual: asText(result['actual_value']),
          reason: asText(result['reason']),
          kubernetes: control.kubernetes,
        },
      };
    },
  };
}

function resourceOf({ node }: Control): ResourceReference {
  if (node === undefined) return { kind: 'Cluster', name: 'cluster' };
  return { apiVersion: 'v1', kind: 'Node', name: node === '' ? 'unnamed' : node };
}

const nodeKeys = ['zen.kube-zen.io/node', 'kubernetes.io/hostname', 'node', 'nodeName'];
const jobWords = /^kube-bench(?:-results)?-?/;

/** kube-bench does not say on which node it ran: whoever carries its results does, by label, annotation or name. */
function nodeOf(carrier: Carrier | undefined): string {
  if (carrier === undefined) return '';
  for (const words of [carrier.labels, carrier.annotations]) {
    for (const key of nodeKeys) if (Object.hasOwn(words, key) && words[key]) return words[key];
  }
  return carrier.name.replace(jobWords, '');
}

export const kubeBench: Source = {
  name,
  title: 'kube-bench',
  homepage: 'https://github.com/aquasecurity/kube-bench',
  emits: [name],
  eventTypes: [{ eventType: 'cis-benchmark-fail', category: 'compliance' }],
  severityWords,
  needsPods: false,
  intakes: [],
  formats: [kubeBenchReport],
  // A CronJob deletes its ConfigMap and writes it anew when the Job is done.
  graceSeconds: 2 * 60 * 60,
};
