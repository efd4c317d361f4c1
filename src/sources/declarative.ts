/**
 * Sources that a configuration declares: any resource, ConfigMap or webhook payload becomes findings by expressions, with no
 * code. docs/sources/declarative.md.
 */
import type { Category, EventType, Severity } from '../api/words.ts';
import { severities } from '../api/words.ts';
import { DeclaredReader } from './declarative-reading.ts';
import { Effort, type Expression, ExpressionError } from './expression.ts';
import type { Format, RawDocument, ResourceIntake, Source } from './source.ts';

/** A resource that is watched. */
export type DeclaredResource = Pick<ResourceIntake, 'group' | 'versions' | 'resource' | 'kind' | 'namespaced'> & {
  readonly fieldSelector?: string | undefined;
};

/** A declared source, checked and with its expressions compiled. */
export interface Declaration {
  readonly name: string;
  readonly title: string;
  readonly homepage: string;
  /** The resource to watch. */
  readonly resource?: DeclaredResource | undefined;
  /** The ConfigMaps that are this source's alone, and which of their keys; all where nothing is said. */
  readonly configMap?: { readonly selector: string; readonly keys?: readonly string[] | undefined } | undefined;
  /** True for a document that came in a ConfigMap, by webhook or in a file and is this source's. None of them is without. */
  readonly recognise?: Expression | undefined;
  /** True when the tool has looked; without, it always has. */
  readonly when?: Expression | undefined;
  /** The entries; without, the document is the only one. */
  readonly items?: Expression | undefined;
  /** False where the document leaves something out. */
  readonly complete?: Expression | undefined;
  /** What the document reports on: a newer one about the same takes its place. */
  readonly subject?: Expression | undefined;
  /** Whether a document of a namespace may speak for others. */
  readonly crossNamespace: boolean;
  readonly graceSeconds: number;
  readonly quietSeconds?: number | undefined;
  readonly finding: FindingDeclaration;
}

/** What becomes of one entry. */
export interface FindingDeclaration {
  readonly eventType: string;
  readonly category: Category;
  readonly nature: 'state' | 'signal';
  /** The tool's words, lower case, besides ours. */
  readonly severities: Readonly<Record<string, Severity>>;
  /** False for entries that are no finding; without, all are. */
  readonly match?: Expression | undefined;
  readonly severity: Expression;
  readonly rule: Expression;
  /** What makes two findings about the same resource two; without, the rule. */
  readonly identity?: readonly Expression[] | undefined;
  /** What the finding is about; without, the watched object itself. */
  readonly resource?:
    | {
        readonly apiVersion?: Expression | undefined;
        readonly kind: Expression;
        readonly name: Expression;
        readonly namespace?: Expression | undefined;
      }
    | undefined;
  readonly title: Expression;
  readonly summary?: Expression | undefined;
  readonly remediation?: Expression | undefined;
  readonly score?: Expression | undefined;
  readonly references?: Expression | undefined;
  readonly details: Readonly<Record<string, Expression>>;
  /** Of signals: when it happened; the time of reading where it is not said or not plausible. */
  readonly at?: Expression | undefined;
  /** Of signals: the id of the occurrence. */
  readonly id?: Expression | undefined;
  /** Of signals: how often it happened; of a watched object, ever. */
  readonly count?: Expression | undefined;
}

/** Our severities by their own names: every source may use them. */
const ownWords = Object.fromEntries(severities.map((severity) => [severity, severity]));

/** Finding out whose a document is may not cost more: every document is held against every source. */
const recognisingUnits = 10_000;

/** Makes the source. Pure but for the expressions, which are bounded in what they cost. */
export function declarativeSource(declaration: Declaration): Source {
  const { name, title, homepage, resource, configMap, finding, graceSeconds, quietSeconds } = declaration;
  const severityWords = { ...ownWords, ...finding.severities };
  const reader = new DeclaredReader(declaration, severityWords);
  const carried = declaration.recognise === undefined ? [] : [carriedFormat(declaration.recognise, reader, name)];
  return {
    name,
    title,
    homepage,
    emits: [name],
    eventTypes: [
      {
        // A word of its own fits the pattern of event types: the schema has seen to it.
        eventType: finding.eventType as EventType,
        category: finding.category,
        ...(finding.nature === 'signal' ? { nature: finding.nature } : {}),
      },
    ],
    severityWords,
    needsPods: mayBeAboutPods(declaration),
    intakes: resource === undefined ? [] : [{ ...intakeOf(resource, reader, name), ...reach(declaration) }],
    ...(carried.length > 0 ? { formats: carried } : {}),
    ...(configMap === undefined ? {} : { configMapSelector: configMap.selector }),
    ...(quietSeconds === undefined ? {} : { quietSeconds }),
    graceSeconds,
  };
}

/** A document speaks for its own namespace, unless it is said to speak for others. */
function reach({ crossNamespace }: Declaration): Pick<ResourceIntake, 'speaksForOthers'> {
  return crossNamespace ? { speaksForOthers: true } : {};
}

function intakeOf(
  { fieldSelector, ...resource }: DeclaredResource,
  reader: DeclaredReader,
  name: string,
): ResourceIntake {
  const prefix = resource.group === '' ? '' : `${resource.group}/`;
  return {
    via: 'resource',
    ...resource,
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
    format: {
      name,
      recognise: ({ apiVersion, kind }) =>
        kind === resource.kind &&
        typeof apiVersion === 'string' &&
        apiVersion.startsWith(prefix) &&
        !apiVersion.slice(prefix.length).includes('/'),
      read: (document, context) => reader.readObject(document, context),
    },
  };
}

function carriedFormat(mine: Expression, reader: DeclaredReader, name: string): Format {
  return {
    name,
    recognise: (document) => isMine(mine, document),
    read: (document, context) => reader.readCarried(document, context),
  };
}

/** What the expression cannot be asked about is somebody else's. */
function isMine(mine: Expression, document: RawDocument): boolean {
  try {
    return mine.evaluate({ document, carrier: {} }, new Effort(recognisingUnits)) === true;
  } catch (error) {
    if (error instanceof ExpressionError) return false;
    throw error;
  }
}

const plainText = /^\s*(?:"[^"\\]*"|'[^'\\]*')\s*$/;

/** Whether the Pod list is needed: not where the kind is a word that stands in the configuration and is another one. */
function mayBeAboutPods({ resource, finding }: Declaration): boolean {
  const kind = finding.resource?.kind.text;
  if (kind === undefined) return resource?.kind === 'Pod';
  return !plainText.test(kind) || kind.trim().slice(1, -1) === 'Pod';
}
