/** The report of a scan by NeuVector: one finding per vulnerable package. */
import type { Fields } from '../lib/fields.ts';
import { asFields, asNumber, asText, at, kindOf, textAt } from '../lib/fields.ts';
import { clean } from '../lib/text.ts';
import { CarriedReading, listAt } from './carried-report.ts';
import { repositoryOf } from './image-name.ts';
import { neuvectorRatings, neuvectorSource } from './neuvector-words.ts';
import { vulnerabilityFinding } from './package-vulnerability.ts';
import { severityIn } from './severity-words.ts';
import type { Finding, Format, RawDocument, ReadContext, ResourceReference } from './source.ts';

const name = 'neuvector-scan';

/** Besides the vulnerabilities, of which other scanners make a `report` too: only NeuVector has these. */
const ownMembers = ['modules', 'checks', 'secrets', 'setid_perms', 'envs', 'cmds', 'verdict'];

/** `report` with the layers and modules of NeuVector's REST API; a report of Trivy Operator is an object of Kubernetes. */
export const neuvectorScan: Format = {
  name,
  recognise({ report, apiVersion }) {
    const body = asFields(report);
    return (
      apiVersion === undefined &&
      body !== undefined &&
      Object.hasOwn(body, 'vulnerabilities') &&
      ownMembers.some((key) => Object.hasOwn(body, key))
    );
  },
  read(document, context) {
    const list = listAt(document, 'report', 'vulnerabilities');
    const image = imageOf(document, context);
    const reading = new CarriedReading(name, context, [image]);
    // It may be the report of any image: it is no newer one of the same.
    if (image === '') reading.isPartial();
    for (const { fields, place } of reading.entries(list, '.report.vulnerabilities')) {
      const id = asText(fields['name']);
      const packageName = asText(fields['package_name']);
      if (id === undefined)
        reading.refuse('missing-field', `${place}.name`, `expected an id, found ${kindOf(fields['name'])}`);
      else reading.find(findingOf(image, fields, id, packageName));
    }
    return [reading.reading()];
  },
};

/** A report in reply to a scan says what was scanned. One that was asked for by id does not; who carries it may. */
function imageOf(document: RawDocument, { carrier }: ReadContext): string {
  const registry = textAt(document, 'report', 'registry') ?? '';
  const repository = textAt(document, 'report', 'repository') ?? textAt(document, 'report', 'image');
  if (repository !== undefined) return clean(registry).replace(/^https?:\/\//, '') + repositoryOf(repository);
  return carrier?.annotations['zen.kube-zen.io/image'] ?? carrier?.name ?? '';
}

function findingOf(image: string, entry: Fields, id: string, packageName: string | undefined): Finding {
  const resource: ResourceReference = { kind: 'Image', name: image === '' ? 'unnamed' : image };
  return vulnerabilityFinding({
    source: neuvectorSource,
    id,
    severity: severityIn(neuvectorRatings, entry['severity']),
    sourceSeverity: asText(entry['severity']),
    resource,
    identity: () => [image, packageName ?? '', asText(entry['file_name']) ?? ''],
    facts: () => ({
      id,
      name: packageName,
      installedVersion: asText(entry['package_version']),
      fixedVersion: asText(entry['fixed_version']),
      score: asNumber(entry['score_v3']) || asNumber(entry['score']),
      references: [asText(entry['link'])],
      details: {
        image,
        packagePath: asText(entry['file_name']),
        description: asText(entry['description']),
        inBaseImage: at(entry, 'in_base_image') === true,
      },
      observedOn: {},
    }),
  });
}
