/** Polaris (`polaris audit --format json`): one finding per failed check. docs/sources/polaris.md. */
import type { Fields } from '../lib/fields.ts';
import { asText, at, kindOf, textAt } from '../lib/fields.ts';
import { plausibleTime } from '../lib/times.ts';
import { CarriedReading, listAt, stateNature } from './carried-report.ts';
import { checkSummary } from './check-words.ts';
import { referenceTo } from './reference.ts';
import type { SeverityWords } from './severity-words.ts';
import { severityIn } from './severity-words.ts';
import type { Finding, Format, ResourceReference, Source } from './source.ts';

const name = 'polaris';

const severityWords: SeverityWords = { danger: 'high', warning: 'medium' };
/** Checks that are switched off are reported all the same. */
const ignored = 'ignore';

const polarisReport: Format = {
  name,
  recognise: (document) => Object.hasOwn(document, 'PolarisOutputVersion'),
  read(document, context) {
    const results = listAt(document, 'Results');
    const reading = new CarriedReading(name, context, [
      textAt(document, 'SourceType') ?? '',
      textAt(document, 'SourceName') ?? '',
    ]);
    // Not one object was looked at.
    if (results.length === 0) reading.isNotYet();
    for (const { fields, place } of reading.entries(results, '.Results')) {
      const kind = asText(fields['Kind']);
      const object = asText(fields['Name']);
      if (kind === undefined || object === undefined) {
        reading.refuse('missing-field', place, 'neither kind nor name say which object was looked at');
        continue;
      }
      const resource = referenceTo({ kind, name: object, namespace: asText(fields['Namespace']) });
      readChecks(reading, resource, '', fields['Results'], `${place}.Results`);
      readChecks(reading, resource, '', at(fields, 'PodResult', 'Results'), `${place}.PodResult.Results`);
      const containers = at(fields, 'PodResult', 'ContainerResults');
      for (const container of reading.entries(containers, `${place}.PodResult.ContainerResults`)) {
        const containerName = asText(container.fields['Name']) ?? '';
        readChecks(reading, resource, containerName, container.fields['Results'], `${container.place}.Results`);
      }
    }
    return [reading.reading(plausibleTime(document['AuditTime'], context.now))];
  },
};

function readChecks(
  reading: CarriedReading,
  resource: ResourceReference,
  container: string,
  checks: unknown,
  where: string,
): void {
  for (const { key, fields, place } of reading.members(checks, where)) {
    const success = fields['Success'];
    if (typeof success !== 'boolean') {
      reading.refuse('malformed', `${place}.Success`, `expected true or false, found ${kindOf(success)}`);
    } else if (!success && asText(fields['Severity']) !== ignored) {
      reading.find(findingOf(resource, container, asText(fields['ID']) ?? key, fields));
    }
  }
}

function findingOf(resource: ResourceReference, container: string, id: string, check: Fields): Finding {
  const message = asText(check['Message']);
  return {
    source: name,
    eventType: 'misconfiguration',
    category: 'security',
    severity: severityIn(severityWords, check['Severity']),
    sourceSeverity: asText(check['Severity']),
    rule: id,
    resource,
    nature: stateNature,
    identity: () => [{ ownerOf: resource }, container, id],
    describe: () => ({
      title: message === undefined ? id : `${id}: ${message}`,
      summary: checkSummary(id, name),
      details: { checkID: id, container, category: asText(check['Category']), message },
      observedOn: { object: `${resource.kind}/${resource.name}` },
    }),
  };
}

export const polaris: Source = {
  name,
  title: 'Polaris',
  homepage: 'https://github.com/FairwindsOps/polaris',
  emits: [name],
  eventTypes: [{ eventType: 'misconfiguration', category: 'security' }],
  severityWords,
  needsPods: true,
  intakes: [],
  formats: [polarisReport],
  graceSeconds: 2 * 60 * 60,
};
