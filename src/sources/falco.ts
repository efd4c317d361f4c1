/** Falco's alerts, as http_output and falcosidekick send them: one JSON object each. docs/sources/falco.md. */
import { asList, asText, kindOf } from '../lib/fields.ts';
import { firstFitting } from '../lib/text-fit.ts';
import { plausibleTime } from '../lib/times.ts';
import { stablePath, stableTarget } from './falco-facts.ts';
import type { FalcoFields } from './falco-fields.ts';
import { falcoFields } from './falco-fields.ts';
import { subjectOf } from './falco-resource.ts';
import { repositoryOf } from './image-name.ts';
import { signalFinding, signalReading } from './runtime-signal.ts';
import type { SeverityWords } from './severity-words.ts';
import { severityIn } from './severity-words.ts';
import type { Finding, Format, RawDocument, Source } from './source.ts';
import { summaryWidth } from './summary-width.ts';

const name = 'falco';

/** The priorities of syslog, as falcosidekick maps them. */
const severityWords: SeverityWords = {
  emergency: 'critical',
  alert: 'critical',
  critical: 'critical',
  error: 'high',
  warning: 'medium',
  notice: 'low',
  informational: 'info',
  info: 'info',
  debug: 'info',
};

/** What Falco says of itself: `Falco internal: syscall event drop`. Health, and no finding. */
const internalRule = 'Falco internal:';

const falcoAlert: Format = {
  name,
  recognise: (document) =>
    has(document, 'priority') &&
    has(document, 'time') &&
    ['rule', 'output', 'output_fields'].some((member) => has(document, member)),
  read(document, context) {
    const reading = signalReading(name, context, '');
    const time = plausibleTime(document['time'], context.now);
    const rule = asText(document['rule']);
    if (rule === undefined) {
      reading.refuse('missing-field', '.rule', `expected the name of a rule, found ${kindOf(document['rule'])}`);
    } else if (!rule.startsWith(internalRule)) {
      reading.find(findingOf(document, rule, time ?? context.now));
    }
    return [reading.reading(time)];
  },
};

function has(document: RawDocument, member: string): boolean {
  return Object.hasOwn(document, member);
}

function findingOf(alert: RawDocument, rule: string, at: Date): Finding {
  const field = falcoFields(alert);
  const { resource, container } = subjectOf(alert, field);
  const facts = factsOf(field);
  const { image, target, program, user, verb } = facts;
  const uuid = asText(alert['uuid']);
  return signalFinding({
    source: name,
    severity: severityIn(severityWords, alert['priority']),
    sourceSeverity: asText(alert['priority']),
    rule,
    resource,
    occurrences: 1,
    occurrenceIds: uuid === undefined ? undefined : [uuid],
    at,
    identity: () => [rule, { ownerOf: resource }, container, image, target, program, user, verb],
    describe: () => ({
      title: `${rule}: ${[verb, program, target].filter((word) => word !== '').join(' ')}`.replace(/: $/, ''),
      summary: summaryOf(rule, program),
      details: {
        rule,
        eventSource: asText(alert['source']),
        container,
        image,
        process: program,
        file: target,
        user,
        verb,
        tags: asList(alert['tags'])?.slice(0, 16).map(asText),
      },
      observedOn: observed(alert, field, at),
    }),
  });
}

/** What makes two alerts the same one, besides rule and resource; '' for what an alert does not say. */
interface Facts {
  readonly image: string;
  /** The file, or the far end of the connection. */
  readonly target: string;
  readonly program: string;
  readonly user: string;
  /** What was asked of the API. */
  readonly verb: string;
}

/** Never the command line, which holds temporary paths and passwords. */
function factsOf(field: FalcoFields): Facts {
  const image = field('container.image.repository') ?? field('container.image');
  return {
    image: image === undefined ? '' : repositoryOf(image),
    target: stableTarget(field('fd.name') ?? ''),
    program: stablePath(field('proc.exepath') ?? field('proc.name') ?? ''),
    user: field('user.name') ?? field('ka.user.name') ?? '',
    verb: [field('ka.verb'), field('ka.target.subresource')].filter((word) => word !== undefined).join(' '),
  };
}

/** `Terminal shell in container sh`, or as much of the rule as fits. */
function summaryOf(rule: string, program: string): string {
  const base = program.split('/').at(-1) ?? '';
  return firstFitting([`${rule} ${base}`.trim(), rule], summaryWidth(name));
}

function observed(alert: RawDocument, field: FalcoFields, at: Date): Readonly<Record<string, unknown>> {
  return {
    pod: field('k8s.pod.name'),
    node: asText(alert['hostname']),
    containerId: field('container.id'),
    imageTag: field('container.image.tag'),
    parent: field('proc.pname'),
    time: at.toISOString(),
  };
}

export const falco: Source = {
  name,
  title: 'Falco',
  homepage: 'https://falco.org',
  emits: [name],
  eventTypes: [{ eventType: 'runtime-threat', category: 'security', nature: 'signal' }],
  severityWords,
  needsPods: true,
  intakes: [],
  formats: [falcoAlert],
  webhook: { path: '/falco/webhook', acknowledge: 'on-write' },
  graceSeconds: 2 * 60 * 60,
};
