/**
 * Reads a Kubernetes Event, in both shapes that the API has of it: events.k8s.io/v1, which is watched, and core v1, in
 * which `kubectl get events -o json` and support bundles hold it. A Warning is one signal; its object counts how often.
 */
import type { Fields } from '../lib/fields.ts';
import { asFields, at, kindOf, textAt } from '../lib/fields.ts';
import { firstFitting } from '../lib/text-fit.ts';
import { plausibleTime } from '../lib/times.ts';
import type { Reason } from './kubernetes-event-reasons.ts';
import { reasonOf } from './kubernetes-event-reasons.ts';
import type {
  Description,
  Finding,
  Format,
  IdentityPart,
  Origin,
  RawDocument,
  ReadContext,
  Rejection,
  ResourceReference,
  SignalNature,
} from './source.ts';
import { MalformedReport } from './source.ts';
import { summaryWidth } from './summary-width.ts';

export const eventsGroup = 'events.k8s.io';
export const eventsVersion = 'v1';
const formatName = 'kubernetes-event';
const source = 'kubernetes-events';
/** The API's own bound of `reason`. */
const maximumReasonCharacters = 128;
/** Counts are int32 in the API. */
const maximumCount = 2 ** 31 - 1;
/** Where Events about cluster-scoped objects live: they have no namespace of their own. */
export const clusterNamespaces = ['default', 'kube-system'];

export const kubernetesEvent: Format = {
  name: formatName,
  recognise: ({ apiVersion, kind }) =>
    kind === 'Event' &&
    (apiVersion === 'v1' || (typeof apiVersion === 'string' && apiVersion.startsWith(`${eventsGroup}/`))),
  read(document, context) {
    if (document['type'] !== 'Warning' || isToldElsewhere(document)) return [];
    const finding = new WarningFinding(document, context);
    const { reason, container, origin, resource, nature } = finding;
    return [
      {
        reportKey: [formatName, { ownerOf: resource }, reason, container],
        partition: origin.namespace ?? '',
        completeness: 'partial',
        findings: [finding],
        rejected: [],
        origin,
        reportedAt: nature.at,
      },
    ];
  },
};

/** Kyverno says each violation in a PolicyReport too. And what is said about our own events must not make events. */
function isToldElsewhere(document: RawDocument): boolean {
  const regarding = regardingOf(document)?.fields;
  if (textAt(regarding, 'apiVersion')?.startsWith('zen.kube-zen.io/') === true) return true;
  return document['reason'] === 'PolicyViolation' && componentOf(document)?.startsWith('kyverno') === true;
}

/** The object that an Event is about, and what the member is called in its shape. */
function regardingOf(
  document: RawDocument,
): { readonly place: string; readonly fields: Fields | undefined } | undefined {
  const name = ['regarding', 'involvedObject'].find((member) => Object.hasOwn(document, member));
  return name === undefined ? undefined : { place: `.${name}`, fields: asFields(document[name]) };
}

function componentOf(document: RawDocument): string | undefined {
  return (
    textAt(document, 'reportingController') ??
    textAt(document, 'reportingComponent') ??
    textAt(document, 'deprecatedSource', 'component') ??
    textAt(document, 'source', 'component')
  );
}

function refused(reason: Rejection['reason'], place: string, message: string): MalformedReport {
  return new MalformedReport({ reason, place, message });
}

class WarningFinding implements Finding {
  readonly #document: RawDocument;
  readonly #reason: Reason;
  readonly source = source;
  readonly eventType = 'cluster-warning';
  readonly category = 'operations';
  readonly sourceSeverity = 'Warning';
  readonly reason: string;
  /** '' where the Event is not about one container. */
  readonly container: string;
  readonly origin: Origin;
  readonly resource: ResourceReference;
  readonly nature: SignalNature;

  /** Throws MalformedReport. */
  constructor(document: RawDocument, context: ReadContext) {
    this.#document = document;
    this.reason = reasonIn(document);
    this.#reason = reasonOf(this.reason);
    this.origin = originOf(document);
    const { place, fields } = regardingOf(document) ?? { place: '.regarding', fields: undefined };
    this.resource = resourceIn(fields, place, this.origin.namespace);
    this.container = containerIn(textAt(fields, 'fieldPath'));
    this.nature = natureOf(document, context);
  }

  get severity() {
    return this.#reason.severity;
  }

  get rule() {
    return this.reason;
  }

  /** Not the message: it has attempts, addresses and times in it. */
  identity(): readonly IdentityPart[] {
    return [{ ownerOf: this.resource }, this.reason, this.container];
  }

  /** The title says nothing that changes from one occurrence to the next. */
  describe(): Description {
    const { reason, container, resource } = this;
    const { meaning } = this.#reason;
    const subject = container === '' ? reason : `${reason} of container ${container}`;
    const document = this.#document;
    return {
      title: meaning === undefined ? subject : `${subject}: ${meaning}`,
      summary: firstFitting([container === '' ? reason : `${reason} of ${container}`, reason], summaryWidth(source)),
      details: { reason, container },
      observedOn: {
        object: `${resource.kind}/${resource.name}`,
        message: textAt(document, 'note') ?? textAt(document, 'message'),
        component: componentOf(document),
        host: textAt(document, 'deprecatedSource', 'host') ?? textAt(document, 'source', 'host'),
        action: textAt(document, 'action'),
      },
    };
  }
}

function reasonIn(document: RawDocument): string {
  const value = at(document, 'reason');
  const reason = typeof value === 'string' ? value : '';
  if (reason !== '' && reason.length <= maximumReasonCharacters) return reason;
  const isMissing = value === undefined || value === null || value === '';
  const found = reason === '' ? kindOf(value) : 'a longer one';
  throw refused(
    isMissing ? 'missing-field' : 'malformed',
    '.reason',
    `expected a word of at most ${maximumReasonCharacters} characters, found ${found}`,
  );
}

function originOf(document: RawDocument): Origin {
  const namespace = textAt(document, 'metadata', 'namespace');
  return {
    apiVersion: textAt(document, 'apiVersion') ?? `${eventsGroup}/${eventsVersion}`,
    kind: 'Event',
    name: textAt(document, 'metadata', 'name') ?? '',
    ...(namespace === undefined ? {} : { namespace }),
  };
}

/**
 * Whoever may write Events in one namespace must not be able to accuse another one, nor the cluster: an Event speaks for
 * objects of its own namespace, and in `default` (and kube-system) for those that have none.
 */
function resourceIn(fields: Fields | undefined, place: string, eventNamespace = ''): ResourceReference {
  const kind = textAt(fields, 'kind');
  const name = textAt(fields, 'name');
  if (kind === undefined || name === undefined) {
    const [member, value] = kind === undefined ? ['kind', fields?.['kind']] : ['name', fields?.['name']];
    throw refused('missing-field', `${place}.${member}`, `expected what the Event is about, found ${kindOf(value)}`);
  }
  const apiVersion = textAt(fields, 'apiVersion');
  const named: ResourceReference = { ...(apiVersion === undefined ? {} : { apiVersion }), kind, name };
  const namespace = textAt(fields, 'namespace');
  const isClusterWide =
    namespace === undefined && (eventNamespace === '' || clusterNamespaces.includes(eventNamespace));
  if (isClusterWide) return named;
  if (namespace === eventNamespace) return { ...named, namespace };
  throw refused(
    'cross-namespace',
    `${place}.namespace`,
    `an Event in namespace ${eventNamespace || '(none)'} speaks for ${namespace === undefined ? 'the cluster' : `namespace ${namespace}`}`,
  );
}

/** `spec.containers{web}`, `spec.initContainers{setup}`, `spec.ephemeralContainers{debug}`. */
function containerIn(fieldPath: string | undefined): string {
  const match = /^spec\.(?:containers|initContainers|ephemeralContainers)\{([^{}]{1,63})\}$/.exec(fieldPath ?? '');
  return match?.[1] ?? '';
}

/** Older recorders write firstTimestamp, lastTimestamp and count; newer ones eventTime and a series. Any can be null. */
function natureOf(document: RawDocument, { now }: ReadContext): SignalNature {
  const time = (...path: readonly string[]) => plausibleTime(at(document, ...path), now);
  const firsts = [time('eventTime'), time('deprecatedFirstTimestamp'), time('firstTimestamp')];
  const lasts = [time('series', 'lastObservedTime'), time('deprecatedLastTimestamp'), time('lastTimestamp')];
  const made = time('metadata', 'creationTimestamp');
  const stated = [...firsts, ...lasts].filter((one) => one !== undefined).map((one) => one.getTime());
  const lastMs = stated.length > 0 ? Math.max(...stated) : (made ?? now).getTime();
  const begun = firsts.some((one) => one !== undefined) ? stated : [...stated, (made ?? now).getTime()];
  const firstMs = Math.min(lastMs, ...begun);
  return {
    kind: 'signal',
    occurrences: countOf(document),
    cumulative: true,
    firstAt: new Date(firstMs),
    at: new Date(lastMs),
  };
}

function countOf(document: RawDocument): number {
  const places = [['series', 'count'], ['deprecatedCount'], ['count']] as const;
  for (const place of places) {
    const value = at(document, ...place);
    // The API leaves out, or writes 0, where the other way of counting is used.
    if (value === undefined || value === null || value === 0) continue;
    if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= maximumCount) return value;
    const found = typeof value === 'number' ? String(value) : kindOf(value);
    throw refused('malformed', `.${place.join('.')}`, `expected a count from 1 to ${maximumCount}, found ${found}`);
  }
  return 1;
}
