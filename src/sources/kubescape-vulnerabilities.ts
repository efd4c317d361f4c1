/**
 * VulnerabilityManifest of Kubescape's operator: what Grype found in one image, or in what of it a container has loaded.
 * The whole of an image is read only while nobody knows what of it is loaded (docs/sources/kubescape.md).
 */
import { asText, at, textAt } from '../lib/fields.ts';
import { plausibleTime } from '../lib/times.ts';
import { CarriedReading } from './carried-report.ts';
import { readMatches } from './grype-match.ts';
import { repositoryOf } from './image-name.ts';
import { containerOf, isFinished, isOfLoaded, judgeStatus, kubescapeGroup, workloadOf } from './kubescape-object.ts';
import type { ObjectReport } from './object-report.ts';
import { isObjectOf, openObject } from './object-report.ts';
import type { Format, IdentityPart, RawDocument, ResourceReference, Standing } from './source.ts';

const name = 'kubescape-vulnerability-manifest';

export const kubescapeVulnerabilityManifest: Format = {
  name,
  recognise: (document) => isObjectOf(document, kubescapeGroup, ['VulnerabilityManifest']),
  read(document, { now }) {
    const report = openObject(document);
    const image = imageOf(report, document);
    const { resource, identity } = subjectOf(report, image);
    const reading = new CarriedReading(name, { object: report.origin }, identity);
    judgeStatus(report, reading);
    // A list has the metadata only, with an empty scan in each object: that is none.
    if (textAt(document, 'spec', 'metadata', 'tool', 'name') === undefined) reading.isNotYet();
    readMatches(reading, at(document, 'spec', 'payload', 'matches'), {
      place: '.spec.payload.matches',
      source: 'kubescape',
      resource,
      identity,
      details: {
        image: repositoryOf(image),
        container: containerOf(report),
        isLoaded: isOfLoaded(report) ? true : undefined,
      },
      observedOn: {
        object: `${resource.kind}/${resource.name}`,
        image,
        os: asText(
          ['name', 'version']
            .map((member) => textAt(document, 'spec', 'payload', 'distro', member))
            .filter(Boolean)
            .join(' '),
        ),
      },
    });
    const createdAt = at(document, 'spec', 'metadata', 'report', 'createdAt');
    return [reading.reading(plausibleTime(createdAt, now))];
  },
};

/**
 * Manifests of one image, by its digest. One of what a container has loaded goes before that of the whole image, once it came
 * to its end.
 */
export function manifestStanding(metadata: RawDocument): Standing | undefined {
  const report = openObject({ metadata });
  const image = asText(report.annotations['kubescape.io/image-id']);
  return image === undefined ? undefined : { about: image, isPreferred: isOfLoaded(report) && isFinished(report) };
}

/** What was scanned: a container's part of its image, or a whole image. */
interface Subject {
  readonly resource: ResourceReference;
  readonly identity: readonly IdentityPart[];
}

function subjectOf(report: ObjectReport, image: string): Subject {
  const workload = workloadOf(report);
  if (workload !== undefined) {
    return { resource: workload, identity: [{ ownerOf: workload }, containerOf(report)] };
  }
  const resource = { kind: 'Image', name: repositoryOf(image) };
  return { resource, identity: [resource.kind, resource.name] };
}

/** The image with what it is called by; the object's name, a digest, where nothing says. */
function imageOf({ annotations, origin }: ObjectReport, document: RawDocument): string {
  return (
    asText(annotations['kubescape.io/image-tag']) ??
    asText(annotations['kubescape.io/image-id']) ??
    textAt(document, 'spec', 'payload', 'source', 'target', 'userInput') ??
    origin.name
  );
}
