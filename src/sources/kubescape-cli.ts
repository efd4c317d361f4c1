/** The report of Kubescape's command line (`kubescape scan --format json`). docs/sources/kubescape.md. */
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, asNumber, asText, at, kindOf, textAt } from '../lib/fields.ts';
import { plausibleTime } from '../lib/times.ts';
import { CarriedReading, listAt } from './carried-report.ts';
import { controlFinding, hasFailed, severityOfFactor } from './kubescape-control.ts';
import type { KubescapeResource } from './kubescape-resource.ts';
import { kubescapeResource } from './kubescape-resource.ts';
import type { Finding, Format, RawDocument } from './source.ts';

export const kubescapeCliReport: Format = {
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

function findingOf(
  document: RawDocument,
  { resource, identity }: KubescapeResource,
  control: Fields,
  id: string,
): Finding {
  const summary = at(document, 'summaryDetails', 'controls', id);
  const factor = asNumber(at(summary, 'scoreFactor'));
  return controlFinding({
    id,
    resource,
    identity,
    control,
    text: asText(control['name']) ?? textAt(summary, 'name'),
    factor,
    severity: severityOfFactor(factor),
    sourceSeverity: factor === undefined ? undefined : String(factor),
    category: textAt(summary, 'category', 'name'),
  });
}
