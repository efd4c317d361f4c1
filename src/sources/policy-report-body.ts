/**
 * Reads the body that the report APIs share: wgpolicyk8s.io PolicyReport and ClusterPolicyReport, and openreports.io
 * Report and ClusterReport. The same result through both groups is the same finding.
 */
import type { Severity } from '../api/words.ts';
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, asText, at, kindOf, textAt } from '../lib/fields.ts';
import { isPlausible, plausibleTime } from '../lib/times.ts';
import type { Producer } from './policy-report-producer.ts';
import { producerOf } from './policy-report-producer.ts';
import { ownerOf, podIn, type Referenced, referenceIn } from './policy-report-resource.ts';
import type { Outcome, ResultContext } from './policy-report-result.ts';
import { PolicyFinding, PolicyResult } from './policy-report-result.ts';
import { mostSevereFirst } from './severity-order.ts';
import type {
  IdentityPart,
  Origin,
  RawDocument,
  ReadContext,
  Reading,
  Rejection,
  ResourceReference,
} from './source.ts';
import { MalformedReport } from './source.ts';

/** Severity words of the API, and what other tools write into the same field. */
export const policySeverityWords: Readonly<Record<string, Severity>> = {
  critical: 'critical',
  high: 'high',
  medium: 'medium',
  low: 'low',
  info: 'info',
  important: 'high',
  moderate: 'medium',
  negligible: 'info',
  informational: 'info',
  none: 'info',
  unknown: 'unknown',
};

const severities: ReadonlyMap<unknown, Severity> = new Map(Object.entries(policySeverityWords));

/** Reads one report. Throws MalformedReport when its results are no list. */
export function readPolicyReport(document: RawDocument, context: ReadContext): readonly Reading[] {
  return [new ReportReader(document, context).read()];
}

class ReportReader implements ResultContext {
  readonly now: Date;
  readonly #context: ReadContext;
  readonly #document: RawDocument;
  readonly #metadata: Fields;
  readonly #origin: Origin;
  readonly #reportProducer: string;
  readonly #producers = new Map<string, Producer>();
  /** What the whole report is about, its scope, else its owner: as it says, and as far as it may say so. */
  readonly #statedSubject: Referenced | undefined;
  readonly #subject: Referenced | undefined;
  readonly #results: readonly unknown[];
  readonly #findings: PolicyFinding[] = [];
  readonly #rejected: Rejection[] = [];
  readonly #speaksFor = new Set<string>();
  #latestSeconds = 0;
  #isPartial = false;
  #occurrences: Map<string, number> | undefined;

  constructor(document: RawDocument, context: ReadContext) {
    this.now = context.now;
    this.#context = context;
    this.#document = document;
    this.#metadata = asFields(at(document, 'metadata')) ?? {};
    const namespace = textAt(this.#metadata, 'namespace');
    this.#origin = {
      apiVersion: textAt(document, 'apiVersion') ?? '',
      kind: textAt(document, 'kind') ?? '',
      name: textAt(this.#metadata, 'name') ?? '',
      ...(namespace === undefined ? {} : { namespace }),
    };
    this.#reportProducer = reportProducer(document, this.#metadata);
    const scope = at(document, 'scope');
    const owner = ownerOf(this.#metadata, namespace);
    this.#statedSubject = referenceIn(scope, namespace, true) ?? owner;
    this.#subject = referenceIn(scope, namespace, false) ?? owner;
    this.#results = resultsOf(document);
  }

  read(): Reading {
    // Where the report as a whole is an event log, that holds for an empty one too.
    this.#isPartial = this.#producer(this.#reportProducer).isEventLog;
    for (let index = 0; index < this.#results.length; index += 1) this.#readResult(this.#results[index], index);
    const { name, namespace = '' } = this.#origin;
    return {
      reportKey: ['policy-report', this.#reportProducer, namespace, this.#subjectPart(), this.#stableName(name)],
      partition: namespace,
      completeness: this.#isPartial ? 'partial' : 'complete',
      findings: mostSevereFirst(this.#findings),
      rejected: this.#rejected,
      speaksFor: this.#speaksFor.size > 0 ? [...this.#speaksFor] : [this.#producer(this.#reportProducer).source],
      origin: this.#origin,
      reportedAt:
        this.#latestSeconds > 0
          ? new Date(this.#latestSeconds * 1000)
          : plausibleTime(at(this.#metadata, 'creationTimestamp'), this.now),
    };
  }

  /**
   * A finding without an object is about the report itself. That part says nothing of the report's kind: the same report
   * may come through both API groups.
   */
  ownerPart(resource: ResourceReference): IdentityPart {
    const { namespace = '', name } = this.#origin;
    return resource === this.#origin ? JSON.stringify(['report', namespace, name]) : { ownerOf: resource };
  }

  copyOf({ copyOf }: Producer): string | undefined {
    return copyOf !== undefined && this.#context.isOn?.(copyOf) === true ? copyOf : undefined;
  }

  /** Counts over all results, passed ones too: those stay when others are fixed. Made for the first finding that asks. */
  isAmbiguous(result: PolicyResult): boolean {
    if (result.producer.isEngine || result.producer.isEventLog || result.distinguishing().length > 0) return false;
    if (this.#occurrences === undefined) {
      this.#occurrences = new Map();
      for (const value of this.#results) {
        const entry = asFields(value);
        if (entry === undefined) continue;
        const key = placeText(new PolicyResult(entry, this.#producerOf(entry)));
        this.#occurrences.set(key, (this.#occurrences.get(key) ?? 0) + 1);
      }
    }
    return result.policy + result.rule === '' || (this.#occurrences.get(placeText(result)) ?? 0) > 1;
  }

  #readResult(value: unknown, index: number): void {
    const entry = asFields(value);
    if (entry === undefined) {
      this.#refuse('malformed', `.results[${index}]`, `expected an object, found ${kindOf(value)}`);
      return;
    }
    const seconds = asFields(entry['timestamp'])?.['seconds'];
    if (typeof seconds === 'number' && seconds > this.#latestSeconds && isPlausible(seconds * 1000, this.now)) {
      this.#latestSeconds = seconds;
    }
    const outcome = outcomeOf(entry);
    const producer = this.#producerOf(entry);
    this.#speaksFor.add(producer.source);
    if (outcome === 'none') return;
    if (outcome === undefined) {
      const found = kindOf(entry['result'] ?? entry['status']);
      this.#refuse(
        'malformed',
        `.results[${index}].result`,
        `expected pass, fail, warn, error or skip, found ${found}`,
      );
      return;
    }
    this.#readFinding(new PolicyResult(entry, producer), outcome, index);
  }

  #readFinding(result: PolicyResult, outcome: Outcome, index: number): void {
    const { policy, rule, message, producer } = result;
    if (policy === '' && rule === '' && message === undefined && result.distinguishing().length === 0) {
      this.#refuse(
        'missing-field',
        `.results[${index}].policy`,
        'neither policy, rule, properties nor message say what failed',
      );
      return;
    }
    if (producer.isEventLog) this.#isPartial = true;
    const severity = severityOf(result);
    for (const { place, resource, foreignNamespace } of this.#resourcesOf(result, index)) {
      if (resource !== undefined) {
        this.#findings.push(new PolicyFinding(result, outcome, resource, severity, this));
      } else if (foreignNamespace !== undefined) {
        // What the report says of its own namespace stays complete without it.
        this.#rejected.push({
          reason: 'cross-namespace',
          place,
          message: `a report in namespace ${this.#origin.namespace} speaks for namespace ${foreignNamespace}`,
        });
      } else {
        this.#refuse('missing-field', place, 'neither the result nor the report says which object it is about');
      }
    }
  }

  /** The result's own resources, else the report's scope or owner, else a Pod in its properties, else the report. */
  #resourcesOf(result: PolicyResult, index: number): (Referenced & { readonly place: string })[] {
    const { namespace } = this.#origin;
    const isTrusted = this.#context.isTrusted?.(result.producer.word) === true;
    const own = (asList(result.entry['resources']) ?? []).flatMap((value, at) => {
      const referenced = referenceIn(value, namespace, isTrusted);
      return referenced === undefined ? [] : [{ ...referenced, place: `.results[${index}].resources[${at}]` }];
    });
    if (own.length > 0) return own;
    const place = `.results[${index}]`;
    const subject = isTrusted ? this.#statedSubject : this.#subject;
    if (subject !== undefined) return [{ ...subject, place }];
    return [{ ...(podIn(result.properties, namespace, isTrusted) ?? { resource: this.#itself() }), place }];
  }

  #itself(): ResourceReference | undefined {
    return this.#origin.name === '' ? undefined : this.#origin;
  }

  #producerOf(entry: Fields): Producer {
    return this.#producer(asText(entry['source']) ?? this.#reportProducer);
  }

  #producer(word: string): Producer {
    let producer = this.#producers.get(word);
    if (producer === undefined) {
      producer = producerOf(word);
      this.#producers.set(word, producer);
    }
    return producer;
  }

  #subjectPart(): IdentityPart {
    const reference = this.#statedSubject?.resource;
    return reference === undefined ? '' : { ownerOf: reference };
  }

  /**
   * The report's name as part of its key. Kyverno and Kubewarden name a report after the uid of its resource, which is
   * in the key already and says nothing more. Other names tell several reports of one namespace or owner apart (one per
   * policy, one per kind of scan); what changes in them with every rollout, the owner's name, is taken out.
   */
  #stableName(name: string): string {
    const ownerName = textAt(this.#document, 'scope', 'name') ?? this.#statedSubject?.resource?.name;
    if (uuid.test(name) || name === textAt(this.#document, 'scope', 'uid')) return '';
    return ownerName === undefined ? name : name.replaceAll(ownerName, '*');
  }

  #refuse(reason: Rejection['reason'], place: string, message: string): void {
    // The entry that could not be read may be the one that a finding lives by.
    this.#isPartial = true;
    this.#rejected.push({ reason, place, message });
  }
}

const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;

function resultsOf(document: RawDocument): readonly unknown[] {
  const value = at(document, 'results');
  // Kyverno leaves an empty list out.
  if (value === undefined || value === null) return [];
  const results = asList(value);
  if (results !== undefined) return results;
  throw new MalformedReport({
    reason: 'malformed',
    place: '.results',
    message: `expected a list, found ${kindOf(value)}`,
  });
}

/** Who made the report, where its results do not say so themselves. */
function reportProducer(document: RawDocument, metadata: Fields): string {
  const labels = at(metadata, 'labels');
  return (
    textAt(document, 'source') ??
    textAt(labels, 'app.kubernetes.io/managed-by') ??
    textAt(labels, 'app.kubernetes.io/created-by') ??
    textAt(labels, 'policy.kubernetes.io/engine') ??
    ''
  );
}

/**
 * What the result comes to: 'none' for what passed, undefined for a word that the API does not know. An older adapter
 * of Trivy writes a severity and no result; without either there is nothing to report.
 */
function outcomeOf(entry: Fields): Outcome | 'none' | undefined {
  const word = entry['result'] ?? entry['status'];
  if (typeof word === 'string' && word !== '') return outcomes.get(word) ?? outcomes.get(word.toLowerCase());
  if (word !== undefined && word !== null && word !== '') return undefined;
  return asText(entry['severity']) === undefined ? 'none' : 'fail';
}

const outcomes: ReadonlyMap<string, Outcome | 'none'> = new Map([
  ['pass', 'none'],
  ['skip', 'none'],
  ['fail', 'fail'],
  ['warn', 'warn'],
  ['error', 'error'],
]);

function severityOf(result: PolicyResult): Severity {
  const stated = severities.get(result.entry['severity']);
  if (stated !== undefined) return stated;
  const word = asText(result.entry['severity']) ?? result.property('severity');
  return word === undefined || word.length > 32 ? 'unknown' : (severities.get(word.toLowerCase()) ?? 'unknown');
}

/** What must be unique within a report for the policy and its resource to name a result. */
function placeText(result: PolicyResult): string {
  const resource = asFields(asList(result.entry['resources'])?.[0]);
  const parts = [result.producer.word, result.policy, result.rule];
  for (const key of ['kind', 'namespace', 'name']) parts.push(asText(resource?.[key]) ?? '');
  return parts.join('\n');
}
