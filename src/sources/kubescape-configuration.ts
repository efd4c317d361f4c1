/** WorkloadConfigurationScan of Kubescape's operator: which controls one object passes. docs/sources/kubescape.md. */
import { asFields, asNumber, asText, at, textAt } from '../lib/fields.ts';
import { plausibleTime } from '../lib/times.ts';
import { CarriedReading } from './carried-report.ts';
import { grypeSeverityWords } from './grype-match.ts';
import { controlFinding, hasFailed, severityOfFactor } from './kubescape-control.ts';
import { judgeStatus, kubescapeGroup, workloadOf } from './kubescape-object.ts';
import type { ObjectReport } from './object-report.ts';
import { isObjectOf, openObject } from './object-report.ts';
import { severityIn } from './severity-words.ts';
import type { Format, ResourceReference } from './source.ts';
import { MalformedReport } from './source.ts';

const name = 'kubescape-configuration-scan';

export const kubescapeConfigurationScan: Format = {
  name,
  recognise: (document) => isObjectOf(document, kubescapeGroup, ['WorkloadConfigurationScan']),
  read(document, { now }) {
    const report = openObject(document);
    const resource = resourceOf(report);
    const reading = new CarriedReading(name, { object: report.origin }, [{ ownerOf: resource }]);
    judgeStatus(report, reading);
    const controls = reading.members(at(document, 'spec', 'controls'), '.spec.controls');
    // Every scan has the controls that were passed too: without any it is the empty one of a list.
    if (controls.length === 0) reading.isNotYet();
    for (const { key, fields, place } of controls) {
      if (asFields(fields['status']) === undefined) {
        reading.refuse('missing-field', `${place}.status`, 'expected passed, failed or skipped');
        continue;
      }
      if (!hasFailed(fields)) continue;
      const factor = asNumber(at(fields, 'severity', 'scoreFactor'));
      const word = textAt(fields, 'severity', 'severity');
      reading.find(
        controlFinding({
          id: asText(fields['controlID']) ?? key,
          resource,
          identity: [{ ownerOf: resource }],
          control: fields,
          text: asText(fields['name']),
          factor,
          severity: factor ? severityOfFactor(factor) : severityIn(grypeSeverityWords, word),
          sourceSeverity: word ?? (factor === undefined ? undefined : String(factor)),
          category: undefined,
        }),
      );
    }
    return [reading.reading(plausibleTime(at(document, 'metadata', 'creationTimestamp'), now))];
  },
};

function resourceOf(report: ObjectReport): ResourceReference {
  const workload = workloadOf(report);
  if (workload !== undefined) return workload;
  throw new MalformedReport({
    reason: 'missing-field',
    place: '.metadata.labels',
    message: 'neither the labels kubescape.io/workload-kind and -name nor kubescape.io/wlid say what was scanned',
  });
}
