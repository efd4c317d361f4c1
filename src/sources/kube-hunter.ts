/** kube-hunter (`kube-hunter --report json`), archived by its authors and still run. docs/sources/kube-hunter.md. */
import type { Fields } from '../lib/fields.ts';
import { asText } from '../lib/fields.ts';
import { firstFitting } from '../lib/text-fit.ts';
import { CarriedReading, listAt, stateNature } from './carried-report.ts';
import type { SeverityWords } from './severity-words.ts';
import { severityIn } from './severity-words.ts';
import type { Finding, Format, RawDocument, Source } from './source.ts';
import { summaryWidth } from './summary-width.ts';

const name = 'kube-hunter';

const severityWords: SeverityWords = { high: 'high', medium: 'medium', low: 'low' };

const kubeHunterReport: Format = {
  name,
  recognise: (document) => ['nodes', 'services', 'vulnerabilities'].every((key) => Object.hasOwn(document, key)),
  read(document, context) {
    const vulnerabilities = listAt(document, 'vulnerabilities');
    const reading = new CarriedReading(name, context, []);
    if (hasFoundNothing(document)) reading.isNotYet();
    for (const { fields, place } of reading.entries(vulnerabilities, '.vulnerabilities')) {
      const rule = idOf(fields) ?? asText(fields['vulnerability']);
      const location = asText(fields['location']);
      if (rule === undefined || location === undefined) {
        reading.refuse('missing-field', place, 'expected location, and vid or vulnerability');
      } else reading.find(findingOf(rule, location, fields));
    }
    return [reading.reading()];
  },
};

/** Checks without an article in the knowledge base have none, in Python's word for it: their heading must do. */
function idOf(fields: Fields): string | undefined {
  const id = asText(fields['vid']);
  return id === 'None' ? undefined : id;
}

/** It reached no node and no service: not one hunter had anything to look at. */
function hasFoundNothing(document: RawDocument): boolean {
  return ['nodes', 'services', 'vulnerabilities'].every((key) => {
    const list = document[key];
    return list === null || (Array.isArray(list) && list.length === 0);
  });
}

/** `Local to Pod (kube-hunter-5pmjs)`: the Pod is kube-hunter's own, another one in every run. */
const ownPod = /^(.+?) \([^()]*\)$/;

function findingOf(rule: string, location: string, fields: Fields): Finding {
  const place = ownPod.exec(location)?.[1] ?? location;
  const heading = asText(fields['vulnerability']) ?? rule;
  return {
    source: name,
    eventType: 'vulnerability',
    category: 'security',
    severity: severityIn(severityWords, fields['severity']),
    sourceSeverity: asText(fields['severity']),
    rule,
    resource: { kind: 'Endpoint', name: place },
    nature: stateNature,
    identity: () => [rule, place],
    describe: () => ({
      title: `${heading === rule ? rule : `${rule}: ${heading}`} at ${place}`,
      summary: firstFitting([heading === rule ? rule : `${rule} ${heading}`], summaryWidth(name)),
      references: [asText(fields['avd_reference'])].filter((link) => link !== undefined),
      details: {
        vulnerabilityID: idOf(fields),
        vulnerability: heading,
        location: place,
        category: asText(fields['category']),
        hunter: asText(fields['hunter']),
        description: asText(fields['description']),
      },
      // Not the evidence: it can be a token, or what an API answered.
      observedOn: { object: location },
    }),
  };
}

export const kubeHunter: Source = {
  name,
  title: 'kube-hunter',
  homepage: 'https://github.com/aquasecurity/kube-hunter',
  emits: [name],
  eventTypes: [{ eventType: 'vulnerability', category: 'security' }],
  severityWords,
  needsPods: false,
  intakes: [],
  formats: [kubeHunterReport],
  graceSeconds: 2 * 60 * 60,
};
