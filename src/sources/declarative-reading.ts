/** What a document says, by the expressions of the source that is declared for it. */
import { kindOf, textAt } from '../lib/fields.ts';
import { describedTogether } from './alike-findings.ts';
import type { Declaration } from './declarative.ts';
import { DeclaredFinding, Refusal } from './declarative-finding.ts';
import { asBool, asWords } from './declarative-values.ts';
import { Effort, ExpressionError, type Variables } from './expression.ts';
import type { SeverityWords } from './severity-words.ts';
import type { Finding, IdentityPart, Origin, RawDocument, ReadContext, Reading, Rejection } from './source.ts';
import { MalformedReport } from './source.ts';

/** What the expressions of a source may cost for one document, in units of Effort. */
const unitsOfDocument = 2_000_000;
/** More entries of one document are not looked at. */
export const mostItems = 10_000;

/** Where a document came from. */
export interface Provenance {
  /** '' where it is of no namespace. */
  readonly namespace: string;
  /** The watched object itself, what a finding is about where nothing else is said. */
  readonly object?: Origin | undefined;
}

export class DeclaredReader {
  readonly #declaration: Declaration;
  readonly #finding: DeclaredFinding;

  constructor(declaration: Declaration, severityWords: SeverityWords) {
    this.#declaration = declaration;
    this.#finding = new DeclaredFinding(declaration, severityWords);
  }

  /** Reads a watched object. */
  readObject(document: RawDocument, context: ReadContext): readonly Reading[] {
    const { resource, name: source } = this.#declaration;
    const name = textAt(document, 'metadata', 'name');
    if (name === undefined || resource === undefined) {
      throw new MalformedReport({ reason: 'missing-field', place: '.metadata.name', message: 'expected a name' });
    }
    const namespace = textAt(document, 'metadata', 'namespace') ?? '';
    const apiVersion =
      textAt(document, 'apiVersion') ?? [resource.group, resource.versions[0]].filter(Boolean).join('/');
    const object = { apiVersion, kind: resource.kind, name, ...(namespace === '' ? {} : { namespace }) };
    // Items of a list leave both out, and an expression must not depend on how an object was read.
    const variables = { document: { ...document, apiVersion, kind: resource.kind }, carrier: {} };
    const reading = this.#read(variables, { namespace, object }, context);
    return [
      { ...reading, reportKey: [source, namespace, ...(reading.reportKey.length > 0 ? reading.reportKey : [name])] },
    ];
  }

  /** Reads a document that came in a ConfigMap, by webhook or in a file. */
  readCarried(document: RawDocument, context: ReadContext): readonly Reading[] {
    const { configMap, name: source } = this.#declaration;
    const { carrier } = context;
    if (carrier !== undefined && configMap?.keys?.includes(carrier.key) === false) return [];
    const reading = this.#read({ document, carrier: carrier ?? {} }, { namespace: carrier?.namespace ?? '' }, context);
    const carried = carrier === undefined ? [] : [carrier.namespace, carrier.name, carrier.key];
    return [{ ...reading, reportKey: [source, JSON.stringify(carried), ...reading.reportKey] }];
  }

  /** The report key is the subject alone. */
  #read(variables: Variables, from: Provenance, context: ReadContext): Reading {
    const { name, subject, complete, finding } = this.#declaration;
    const effort = new Effort(unitsOfDocument);
    const words = this.#of('subject', () => (subject === undefined ? undefined : asWords(subject, variables, effort)));
    const reading = {
      reportKey: (words === undefined ? [] : [words]) satisfies readonly IdentityPart[],
      partition: from.namespace,
      origin: from.object ?? originOf(name, context),
    };
    const isReady = this.#of('when', () => asBool(this.#declaration.when, variables, effort));
    if (!isReady) return { ...reading, completeness: 'not-yet', findings: [], rejected: [] };
    const { findings, rejected } = this.#entries(variables, from, context, effort);
    const isComplete =
      finding.nature === 'state' &&
      rejected.length === 0 &&
      this.#of('complete', () => asBool(complete, variables, effort));
    return {
      ...reading,
      completeness: isComplete ? 'complete' : 'partial',
      findings: finding.nature === 'state' ? describedTogether(findings) : findings,
      rejected,
    };
  }

  #entries(variables: Variables, from: Provenance, context: ReadContext, effort: Effort) {
    const findings: Finding[] = [];
    const rejected: Rejection[] = [];
    const { entries, place } = this.#items(variables, effort);
    for (const [index, item] of entries.slice(0, mostItems).entries()) {
      const where = place === undefined ? '.' : `${place}[${index}]`;
      if (effort.left <= 0) {
        rejected.push({
          reason: 'too-large',
          place: where,
          message: 'the document takes too many steps; the rest is not read',
        });
        return { findings, rejected };
      }
      try {
        const found = this.#finding.of({ ...variables, item }, from, { effort, now: context.now });
        if (found !== undefined) findings.push(found);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        rejected.push({ reason: error.reason, place: where, message: error.message });
      }
    }
    if (entries.length > mostItems) {
      const message = `there are ${entries.length} entries; ${mostItems} are read`;
      rejected.push({ reason: 'too-large', place: `${place}[${mostItems}]`, message });
    }
    return { findings, rejected };
  }

  /** The entries and where they stand; one without a place where the document is the only one. */
  #items({ document, carrier }: Variables, effort: Effort): { entries: readonly unknown[]; place: string | undefined } {
    const { items } = this.#declaration;
    if (items === undefined) return { entries: [document], place: undefined };
    const value = this.#of('items', () => items.evaluate({ document, carrier }, effort));
    if (!Array.isArray(value)) {
      const message = `items: expected a list, found ${kindOf(value)}`;
      throw new MalformedReport({ reason: 'malformed', place: '.', message });
    }
    return { entries: value, place: /^\s*document((?:\.\w+)+)\s*$/.exec(items.text)?.[1] ?? 'items' };
  }

  /** An expression about the whole document that has no value: nothing of the document can be used. */
  #of<Value>(key: string, evaluate: () => Value): Value {
    try {
      return evaluate();
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      throw new MalformedReport(
        { reason: error.reason, place: '.', message: `${key}: ${error.message}` },
        { cause: error },
      );
    }
  }
}

/** The ConfigMap that the document came in; where there is none, the document stands for itself. */
function originOf(source: string, { carrier }: ReadContext): Origin {
  if (carrier === undefined) return { apiVersion: '', kind: 'Report', name: source };
  return { apiVersion: 'v1', kind: 'ConfigMap', name: carrier.name, namespace: carrier.namespace };
}
