/** Popeye (`popeye -o json`): one finding per warning or error of a linter. docs/sources/popeye.md. */
import type { Fields } from '../lib/fields.ts';
import { asFields, asNumber, asText, at, kindOf, textAt } from '../lib/fields.ts';
import { clean } from '../lib/text.ts';
import { plausibleTime } from '../lib/times.ts';
import type { CarriedReading, Entry } from './carried-report.ts';
import { CarriedReadings, fieldsAt, listAt, stateNature } from './carried-report.ts';
import { checkSummary } from './check-words.ts';
import { referenceTo } from './reference.ts';
import type { SeverityWords } from './severity-words.ts';
import { severityIn } from './severity-words.ts';
import type { Description, Finding, Format, ResourceReference, Source } from './source.ts';

const name = 'popeye';

/** Levels; 0 is ok and 1 information: no findings. */
const severityWords: SeverityWords = { '2': 'medium', '3': 'high' };
const levels = [0, 1, 2, 3];
const leastLevel = 2;

const popeyeReport: Format = {
  name,
  recognise: (document) => asFields(document['popeye']) !== undefined,
  read(document, context) {
    const body = fieldsAt(document, 'popeye');
    // Before 0.20 linters were called sanitizers.
    const list = Object.hasOwn(body, 'sections') ? 'sections' : 'sanitizers';
    const readings = new CarriedReadings(name, context);
    for (const [index, value] of listAt(document, 'popeye', list).entries()) {
      const place = `.popeye.${list}[${index}]`;
      const linter = textAt(value, 'linter') ?? textAt(value, 'sanitizer');
      const section = asFields(value);
      if (linter === undefined || section === undefined) {
        readings.refuse('malformed', place, `expected a section with its linter, found ${kindOf(value)}`);
      } else readSection(linter, { fields: section, place }, readings.about([asText(section['gvr']) ?? linter]));
    }
    return readings.all(plausibleTime(body['report_time'], context.now));
  },
};

/** A run can be limited to some kinds: a section that is not there says nothing, so each is a reading of its own. */
function readSection(linter: string, { fields, place }: Entry, reading: CarriedReading): void {
  const gvr = asText(fields['gvr']) ?? linter;
  let issues = 0;
  const objects = fields['issues'] ?? {};
  if (asFields(objects) === undefined) {
    reading.refuse('malformed', `${place}.issues`, `expected an object, found ${kindOf(objects)}`);
  }
  for (const [object, list] of Object.entries(asFields(objects) ?? {})) {
    // Most objects have no issue: a resource is made for the first one.
    let resource: ResourceReference | undefined;
    const about = () => {
      resource ??= resourceOf(gvr, clean(object.slice(0, longestName)));
      return resource;
    };
    for (const issue of reading.entries(list, `${place}.issues.${object}`)) {
      issues += 1;
      readIssue({ linter, gvr, about }, issue, reading);
    }
  }
  // Errors in the tally and nothing in the list: the objects could not be read at all.
  if (issues === 0 && (asNumber(at(fields, 'tally', 'error')) ?? 0) > 0) reading.isNotYet();
}

/** Longer than any object may be called. */
const longestName = 1024;

/** `[POP-106] No resources requests/limits defined` */
const codeOfMessage = /^\[(POP-\d{1,6})\] ?(.*)$/s;

/** What the issues of one object have in common. */
interface Linted {
  readonly linter: string;
  readonly gvr: string;
  about(): ResourceReference;
}

function readIssue(linted: Linted, { fields, place }: Entry, reading: CarriedReading): void {
  const level = asNumber(fields['level']);
  if (level === undefined || !levels.includes(level)) {
    reading.refuse('malformed', `${place}.level`, `expected 0, 1, 2 or 3, found ${kindOf(fields['level'])}`);
    return;
  }
  if (level < leastLevel) return;
  const [, code, text] = codeOfMessage.exec(asText(fields['message']) ?? '') ?? [];
  if (code === undefined || text === undefined) {
    reading.refuse('missing-field', `${place}.message`, 'no code [POP-...] says what was found');
  } else reading.find(findingOf(linted, fields, code, text));
}

/** The object itself, where a container is named otherwise. */
const root = '__root__';

/** Messages hold counts and percentages: they are no identity, and with other numbers in them nothing is another finding. */
function findingOf({ linter, gvr, about }: Linted, fields: Fields, code: string, text: string): Finding {
  const resource = about();
  const group = asText(fields['group']) ?? root;
  const container = group === root ? '' : group;
  return {
    source: name,
    eventType: 'misconfiguration',
    category: 'operations',
    severity: severityIn(severityWords, fields['level']),
    sourceSeverity: asText(fields['level']),
    rule: code,
    resource,
    nature: stateNature,
    identity: () => [gvr, { ownerOf: resource }, container, code],
    describe: () => describe(linter, resource, container, code, text),
  };
}

function describe(
  linter: string,
  resource: ResourceReference,
  container: string,
  code: string,
  text: string,
): Description {
  const stable = text.replace(/\d+/g, '#');
  return {
    title: `${code}: ${stable}`,
    summary: checkSummary(`${code} ${stable}`, name),
    details: { code, linter, container },
    observedOn: { object: `${resource.kind}/${resource.name}`, message: text },
  };
}

/** Kinds whose plural is not the kind in lower case with an s. */
const kinds: Readonly<Record<string, string>> = {
  clusterrolebindings: 'ClusterRoleBinding',
  clusterroles: 'ClusterRole',
  configmaps: 'ConfigMap',
  cronjobs: 'CronJob',
  daemonsets: 'DaemonSet',
  horizontalpodautoscalers: 'HorizontalPodAutoscaler',
  ingresses: 'Ingress',
  networkpolicies: 'NetworkPolicy',
  persistentvolumeclaims: 'PersistentVolumeClaim',
  persistentvolumes: 'PersistentVolume',
  poddisruptionbudgets: 'PodDisruptionBudget',
  podsecuritypolicies: 'PodSecurityPolicy',
  replicasets: 'ReplicaSet',
  rolebindings: 'RoleBinding',
  serviceaccounts: 'ServiceAccount',
  statefulsets: 'StatefulSet',
};

/** `apps/v1/deployments` and `store/shop`; cluster-scoped objects have no namespace, the cluster itself no kind. */
function resourceOf(gvr: string, object: string): ResourceReference {
  const parts = gvr.split('/');
  const plural = parts.at(-1) ?? '';
  const kind = Object.hasOwn(kinds, plural)
    ? kinds[plural]
    : plural.charAt(0).toUpperCase() + plural.slice(1).replace(/s$/, '');
  const slash = object.indexOf('/');
  return referenceTo({
    apiVersion: parts.slice(0, -1).join('/'),
    kind: kind || 'Cluster',
    name: object.slice(slash + 1) || 'unnamed',
    namespace: object.slice(0, Math.max(0, slash)),
  });
}

export const popeye: Source = {
  name,
  title: 'Popeye',
  homepage: 'https://popeyecli.io',
  emits: [name],
  eventTypes: [{ eventType: 'misconfiguration', category: 'operations' }],
  severityWords,
  needsPods: true,
  intakes: [],
  formats: [popeyeReport],
  graceSeconds: 2 * 60 * 60,
};
