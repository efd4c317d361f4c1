/** Checkov (`checkov -o json`): one finding per failed check. docs/sources/checkov.md. */
import type { Fields } from '../lib/fields.ts';
import { asList, asNumber, asText, at, kindOf, textAt } from '../lib/fields.ts';
import { clean } from '../lib/text.ts';
import { CarriedReading, fieldsAt, listAt, stateNature } from './carried-report.ts';
import { checkSummary } from './check-words.ts';
import { referenceTo } from './reference.ts';
import type { SeverityWords } from './severity-words.ts';
import { severityIn } from './severity-words.ts';
import type { Finding, Format, RawDocument, ResourceReference, Source } from './source.ts';

const name = 'checkov';

/** Severities come with a key of the platform only; without one they are null. */
const severityWords: SeverityWords = {
  critical: 'critical',
  high: 'high',
  important: 'high',
  medium: 'medium',
  moderate: 'medium',
  low: 'low',
  info: 'info',
  none: 'info',
};

const checkovReport: Format = {
  name,
  recognise: (document) => isReport(document) || isBareSummary(document),
  read(document, context) {
    if (isBareSummary(document)) {
      const nothing = new CarriedReading(name, context, ['']);
      nothing.isNotYet();
      return [nothing.reading()];
    }
    const checkType = asText(document['check_type']) ?? '';
    fieldsAt(document, 'results');
    const failed = listAt(document, 'results', 'failed_checks');
    const reading = new CarriedReading(name, context, [checkType]);
    for (const { fields, place } of reading.entries(failed, '.results.failed_checks')) {
      const id = asText(fields['check_id']);
      const resource = asText(fields['resource']);
      const path = asText(fields['file_path']) ?? '';
      if (id === undefined) {
        reading.refuse('missing-field', `${place}.check_id`, `expected an id, found ${kindOf(fields['check_id'])}`);
      } else if (resource === undefined && path === '') {
        reading.refuse('missing-field', place, 'neither a resource nor a file says what the check failed on');
      } else reading.find(findingOf(checkType, id, resource ?? '', path, fields));
    }
    // What is in a file that could not be parsed was not looked at.
    if ((asList(at(document, 'results', 'parsing_errors')) ?? []).length > 0) reading.isPartial();
    return [reading.reading()];
  },
};

function isReport({ check_type, results }: RawDocument): boolean {
  return typeof check_type === 'string' && results !== undefined;
}

/** All that Checkov prints where it found nothing to check: `{"passed": 0, "failed": 0, ...}`. */
function isBareSummary(document: RawDocument): boolean {
  return (
    !Object.hasOwn(document, 'check_type') &&
    ['passed', 'failed', 'skipped', 'parsing_errors'].every((key) => typeof document[key] === 'number')
  );
}

/** Not the lines: they move with every edit above them. */
function findingOf(checkType: string, id: string, resource: string, path: string, fields: Fields): Finding {
  return {
    source: name,
    eventType: 'static-analysis',
    category: 'security',
    severity: severityIn(severityWords, fields['severity']),
    sourceSeverity: asText(fields['severity']),
    rule: id,
    resource: resourceOf(checkType, clean(resource.slice(0, longestResource)), path),
    nature: stateNature,
    identity: () => [checkType, id, resource, path],
    describe: () => {
      const title = asText(fields['check_name']);
      const lines = asList(fields['file_line_range'])?.map(asNumber) ?? [];
      return {
        title: title === undefined ? id : `${id}: ${title}`,
        summary: checkSummary(`${id} ${title ?? ''}`.trim(), name),
        references: [asText(fields['guideline'])].filter((link) => link !== undefined),
        details: {
          checkID: id,
          platformID: asText(fields['bc_check_id']),
          checkType,
          resource,
          file: path,
          evaluatedKeys: asList(at(fields, 'check_result', 'evaluated_keys'))
            ?.slice(0, 8)
            .map(asText),
          package: textAt(fields, 'vulnerability_details', 'package_name'),
        },
        observedOn: { lines: lines.filter((line) => line !== undefined).join('-') },
      };
    },
  };
}

const kubernetesTypes = ['kubernetes', 'helm', 'kustomize'];
/** `Deployment.store.shop`: neither kinds nor namespaces have dots, names may. */
const kubernetesResource = /^([^./]+)\.([^./]+)\.([^/]+)$/;
/** `aws_instance.web`, `module.net.aws_vpc.main[0]`, `AWS::S3::Bucket.Logs`. */
const codedResource = /^(?:.*\.)?([A-Za-z][\w:]*)\.([^./]+)$/;
const longestResource = 512;

function resourceOf(checkType: string, resource: string, path: string): ResourceReference {
  if (resource.length < longestResource) {
    if (kubernetesTypes.includes(checkType)) {
      const [, kind, namespace, object] = kubernetesResource.exec(resource) ?? [];
      if (kind !== undefined && object !== undefined) return referenceTo({ kind, namespace, name: object });
    } else if (!resource.includes('/')) {
      const [, kind, object] = codedResource.exec(resource) ?? [];
      if (kind !== undefined && object !== undefined) return { kind, name: object };
    }
  }
  return { kind: 'File', name: path === '' ? resource : path };
}

export const checkov: Source = {
  name,
  title: 'Checkov',
  homepage: 'https://www.checkov.io',
  emits: [name],
  eventTypes: [{ eventType: 'static-analysis', category: 'security' }],
  severityWords,
  needsPods: false,
  intakes: [],
  formats: [checkovReport],
  graceSeconds: 2 * 60 * 60,
};
