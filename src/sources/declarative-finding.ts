/**
 * One entry of a declared document as a finding. Everything is evaluated while it is read: an expression that fails must
 * reject its entry, and later there is nobody to tell.
 */
import type { EventType } from '../api/words.ts';
import type { Declaration, FindingDeclaration } from './declarative.ts';
import type { Provenance } from './declarative-reading.ts';
import { asBool, asOptionalNumber, asOptionalWords, asPlain, asTexts, asTime, asWords } from './declarative-values.ts';
import { type Effort, ExpressionError, type Variables } from './expression.ts';
import type { SeverityWords } from './severity-words.ts';
import { severityIn } from './severity-words.ts';
import type { Description, Finding, IdentityPart, Nature, RejectionReason, ResourceReference } from './source.ts';

/** Why an entry gives no finding although it should: the key of the expression, and what is wrong with its value. */
export class Refusal extends Error {
  readonly reason: RejectionReason;
  constructor(reason: RejectionReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Refusal';
    this.reason = reason;
  }
}

/** What is needed besides the entry. */
export interface FindingContext {
  readonly effort: Effort;
  readonly now: Date;
}

/** Makes findings by the expressions of one source. */
export class DeclaredFinding {
  readonly #source: Declaration;
  readonly #finding: FindingDeclaration;
  readonly #severityWords: SeverityWords;

  constructor(source: Declaration, severityWords: SeverityWords) {
    this.#source = source;
    this.#finding = source.finding;
    this.#severityWords = severityWords;
  }

  /** The finding of an entry; undefined when it is none. Throws Refusal. */
  of(variables: Variables, from: Provenance, context: FindingContext): Finding | undefined {
    const { effort } = context;
    const declared = this.#finding;
    if (!named('match', () => asBool(declared.match, variables, effort))) return undefined;
    const word = named('severity', () => asOptionalWords(declared.severity, variables, effort));
    const rule = named('rule', () => asWords(declared.rule, variables, effort));
    const resource = this.#resource(variables, from, effort);
    const parts = declared.identity?.map((part, index) =>
      named(`identity[${index}]`, () => asOptionalWords(part, variables, effort) ?? ''),
    );
    const identity: readonly IdentityPart[] = [{ ownerOf: resource }, ...(parts ?? [rule])];
    const description = this.#description(variables, effort);
    return {
      source: this.#source.name,
      // A word of its own fits the pattern of event types: the schema has seen to it.
      eventType: declared.eventType as EventType,
      category: declared.category,
      severity: severityIn(this.#severityWords, word),
      sourceSeverity: word,
      rule,
      resource,
      nature: this.#nature(variables, from, context),
      identity: () => identity,
      describe: () => description,
    };
  }

  #resource(variables: Variables, from: Provenance, effort: Effort): ResourceReference {
    const declared = this.#finding.resource;
    if (declared === undefined) {
      if (from.object === undefined) throw new Refusal('missing-field', 'resource: nothing says what it is about');
      return from.object;
    }
    const apiVersion = named('resource.apiVersion', () => asOptionalWords(declared.apiVersion, variables, effort));
    const kind = named('resource.kind', () => asWords(declared.kind, variables, effort));
    const name = named('resource.name', () => asWords(declared.name, variables, effort));
    const stated = named('resource.namespace', () => asOptionalWords(declared.namespace, variables, effort));
    const namespace = this.#namespaceOf(kind, name, stated, from);
    return { ...(apiVersion === undefined ? {} : { apiVersion }), kind, name, ...(namespace ? { namespace } : {}) };
  }

  /** Whoever may write documents in one namespace must not be able to accuse another one. A Namespace is its own namespace. */
  #namespaceOf(kind: string, name: string, stated: string | undefined, { namespace }: Provenance): string | undefined {
    const isNamespace = kind === 'Namespace';
    if (namespace === '' || this.#source.crossNamespace) return isNamespace ? undefined : stated;
    const spokenFor = isNamespace ? name : (stated ?? namespace);
    if (spokenFor !== namespace) {
      throw new Refusal(
        'cross-namespace',
        'resource: is of another namespace than the document; crossNamespace permits it',
      );
    }
    return isNamespace ? undefined : namespace;
  }

  #description(variables: Variables, effort: Effort): Description {
    const { title, summary, remediation, score, references, details } = this.#finding;
    const heading = named('title', () => asWords(title, variables, effort));
    return {
      title: heading,
      summary: named('summary', () => asOptionalWords(summary, variables, effort)) ?? heading,
      remediation: named('remediation', () => asOptionalWords(remediation, variables, effort)),
      score: named('score', () => asOptionalNumber(score, variables, effort)),
      references: named('references', () => asTexts(references, variables, effort)),
      details: Object.fromEntries(
        Object.entries(details).map(([key, detail]) => [
          key,
          named(`details.${key}`, () => asPlain(detail, variables, effort)),
        ]),
      ),
    };
  }

  #nature(variables: Variables, from: Provenance, { effort, now }: FindingContext): Nature {
    const { nature, at, id, count } = this.#finding;
    if (nature === 'state') return { kind: 'state' };
    const happenedAt = named('at', () => asTime(at, variables, effort, now)) ?? now;
    const times = named('count', () => asOptionalNumber(count, variables, effort)) ?? 1;
    if (!Number.isSafeInteger(times) || times < 1)
      throw new Refusal('malformed', 'count: expected a whole number above 0');
    const occurrence = named('id', () => asOptionalWords(id, variables, effort));
    return {
      kind: 'signal',
      occurrences: times,
      at: happenedAt,
      ...(count !== undefined && from.object !== undefined ? { cumulative: true } : {}),
      ...(occurrence === undefined ? {} : { occurrenceIds: [occurrence] }),
    };
  }
}

function named<Value>(key: string, evaluate: () => Value): Value {
  try {
    return evaluate();
  } catch (error) {
    if (error instanceof ExpressionError) throw new Refusal(error.reason, `${key}: ${error.message}`, { cause: error });
    throw error;
  }
}
