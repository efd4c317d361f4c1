/** Grype (`grype -o json`): one finding per vulnerable package. docs/sources/grype.md. */
import { asText, at, textAt } from '../lib/fields.ts';
import { plausibleTime } from '../lib/times.ts';
import { CarriedReading, listAt } from './carried-report.ts';
import type { MatchedTarget } from './grype-match.ts';
import { grypeSeverityWords, readMatches } from './grype-match.ts';
import { repositoryOf } from './image-name.ts';
import type { Format, RawDocument, Source } from './source.ts';

const name = 'grype';

const grypeReport: Format = {
  name,
  recognise: (document) =>
    Object.hasOwn(document, 'matches') && textAt(document, 'descriptor', 'name')?.toLowerCase() === name,
  read(document, context) {
    const target = targetOf(document);
    const reading = new CarriedReading(name, context, [target.resource.kind, target.resource.name]);
    readMatches(reading, listAt(document, 'matches'), target);
    return [reading.reading(plausibleTime(at(document, 'descriptor', 'timestamp'), context.now))];
  },
};

const kinds: Readonly<Record<string, string>> = { image: 'Image', directory: 'Directory', file: 'File' };

/** An image is an object, a folder or file a mere path, which an old version put into quotes. */
function targetOf(document: RawDocument): MatchedTarget {
  const type = textAt(document, 'source', 'type') ?? '';
  const target = at(document, 'source', 'target');
  const input = textAt(target, 'userInput') ?? asText(target)?.replace(/^"(.*)"$/, '$1') ?? 'unnamed';
  const kind = Object.hasOwn(kinds, type) ? (kinds[type] ?? '') : 'Artifact';
  const resource = { kind, name: kind === 'Image' ? repositoryOf(input) : input };
  return {
    place: '.matches',
    source: name,
    resource,
    identity: [resource.kind, resource.name],
    details: { [kind.toLowerCase()]: resource.name },
    observedOn: {
      object: input,
      digest: textAt(target, 'manifestDigest'),
      os: [textAt(document, 'distro', 'name'), textAt(document, 'distro', 'version')].filter(Boolean).join(' '),
    },
  };
}

export const grype: Source = {
  name,
  title: 'Grype',
  homepage: 'https://github.com/anchore/grype',
  emits: [name],
  eventTypes: [{ eventType: 'vulnerability', category: 'security' }],
  severityWords: grypeSeverityWords,
  needsPods: false,
  intakes: [],
  formats: [grypeReport],
  graceSeconds: 2 * 60 * 60,
};
