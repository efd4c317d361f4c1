/** Kubescape: the report of its command line (`kubescape scan --format json`). docs/sources/kubescape.md. */
import type { Severity } from '../api/words.ts';
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, asNumber, asText, at, kindOf, textAt } from '../lib/fields.ts';
import { plausibleTime } from '../lib/times.ts';
import { CarriedReading, listAt, stateNature } from './carried-report.ts';
import { checkSummary } from './check-words.ts';
import type { KubescapeResource } from './kubescape-resource.ts';
import { kubescapeResource } from './kubescape-resource.ts';
import type { Finding, Format, RawDocument, Source } from './source.ts';

const name = 'kubescape';

const kubescapeReport: Format = {
  name: 'kubescape-cli',
  recognise: (document) => asFields(document['summaryDetails']) !== undefined && Object.hasOwn(document, 'results'),
  read(document, context) {
    const reading = new CarriedReading('kubescape-cli', context, [scopeOf(document)]);
    const results = listAt(document, 'results');
    if (results.length === 0) reading.isNotYet();
    const objects = objectsOf(document);
    for (const { fields, place } of reading.entries(results, '.results')) {
      const id = asText(fields['resourceID']);
      if (id === undefined) {
        reading.refuse('missing-field', `${place}.resourceID`, `expected an id, found ${kindOf(fields['resourceID'])}`);
        continue;
      }
      const resource = kubescapeResource(id, objects.get(id));
      for (const control of reading.entries(fields['controls'], `${place}.controls`)) {
        if (!hasFailed(control.fields)) continue;
        const controlID = asText(control.fields['controlID']);
        if (controlID === undefined) {
          reading.refuse(
            'missing-field',
            `${control.place}.controlID`,
            `expected an id, found ${kindOf(control.fields['controlID'])}`,
          );
        } else reading.find(findingOf(document, resource, control.fields, controlID));
      }
    }
    return [reading.reading(plausibleTime(document['generationTime'], context.now))];
  },
};

/**
 * What was looked for: the frameworks, else the controls. A scan by one framework says nothing about the controls of
 * another.
 */
function scopeOf(document: RawDocument): string {
  const frameworks = asList(at(document, 'summaryDetails', 'frameworks')) ?? [];
  const names = frameworks.map((framework) => textAt(framework, 'name')).filter((word) => word !== undefined);
  const controls = Object.keys(asFields(at(document, 'summaryDetails', 'controls')) ?? {});
  return JSON.stringify((names.length > 0 ? names : controls).toSorted());
}

/** The objects by the ids that results know them by. */
function objectsOf(document: RawDocument): ReadonlyMap<string, Fields> {
  const objects = new Map<string, Fields>();
  for (const value of asList(document['resources']) ?? []) {
    const id = textAt(value, 'resourceID');
    const object = asFields(at(value, 'object'));
    if (id !== undefined && object !== undefined) objects.set(id, object);
  }
  return objects;
}

/** Older versions have the status of the rules only. */
function hasFailed(control: Fields): boolean {
  const status = textAt(control, 'status', 'status');
  if (status !== undefined) return status.toLowerCase() === 'failed';
  return (asList(control['rules']) ?? []).some((rule) => textAt(rule, 'status')?.toLowerCase() === 'failed');
}

function findingOf(
  document: RawDocument,
  { resource, identity }: KubescapeResource,
  control: Fields,
  id: string,
): Finding {
  const summary = at(document, 'summaryDetails', 'controls', id);
  const factor = asNumber(at(summary, 'scoreFactor'));
  const text = asText(control['name']) ?? textAt(summary, 'name');
  return {
    source: name,
    eventType: 'misconfiguration',
    category: 'security',
    severity: severityOf(factor),
    sourceSeverity: factor === undefined ? undefined : String(factor),
    rule: id,
    resource,
    nature: stateNature,
    identity: () => [...identity, id],
    describe: () => ({
      title: text === undefined ? id : `${id}: ${text}`,
      summary: checkSummary(`${id} ${text ?? ''}`.trim(), name),
      references: controlNumber.test(id) ? [`https://hub.armosec.io/docs/${id.toLowerCase()}`] : [],
      details: {
        controlID: id,
        control: text,
        scoreFactor: factor,
        category: textAt(summary, 'category', 'name'),
      },
      // The paths of a Pod are not those of its Deployment.
      observedOn: {
        object: `${resource.kind}/${resource.name}`,
        rules: failedRules(control),
        paths: failedPaths(control),
      },
    }),
  };
}

const controlNumber = /^C-\d{4}$/;

/** Kubescape's own bounds. */
function severityOf(factor: number | undefined): Severity {
  if (factor === undefined) return 'unknown';
  if (factor >= 9) return 'critical';
  if (factor >= 7) return 'high';
  if (factor >= 4) return 'medium';
  return factor >= 1 ? 'low' : 'unknown';
}

function failedRules(control: Fields): readonly unknown[] {
  return (asList(control['rules']) ?? [])
    .filter((rule) => textAt(rule, 'status')?.toLowerCase() === 'failed')
    .map((rule) => textAt(rule, 'name'))
    .sort();
}

const maximumPaths = 8;

/** Where in the object, or what to set there. */
function failedPaths(control: Fields): readonly string[] {
  const paths = (asList(control['rules']) ?? []).flatMap((rule) =>
    (asList(at(rule, 'paths')) ?? []).map((path) => textAt(path, 'failedPath') ?? textAt(path, 'fixPath', 'path')),
  );
  return [...new Set(paths.filter((path) => path !== undefined))].sort().slice(0, maximumPaths);
}

export const kubescape: Source = {
  name,
  title: 'Kubescape',
  homepage: 'https://kubescape.io',
  emits: [name],
  eventTypes: [{ eventType: 'misconfiguration', category: 'security' }],
  // A score factor from 1 to 10, by Kubescape's own bounds.
  severityWords: Object.fromEntries(Array.from({ length: 10 }, (_, at) => [String(at + 1), severityOf(at + 1)])),
  needsPods: true,
  intakes: [],
  formats: [kubescapeReport],
  graceSeconds: 2 * 60 * 60,
};
