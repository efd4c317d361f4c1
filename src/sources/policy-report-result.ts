/** One result of a policy report as a finding. */
import type { Category, Severity } from '../api/words.ts';
import type { Fields } from '../lib/fields.ts';
import { asBoolean, asFields, asNumber, asText } from '../lib/fields.ts';
import { firstFitting } from '../lib/text-fit.ts';
import { plausibleTime } from '../lib/times.ts';
import { checkSummary } from './check-words.ts';
import type { Producer } from './policy-report-producer.ts';
import { categoryOf, distinguishingProperties, stableProperty } from './policy-report-producer.ts';
import type { Description, Finding, IdentityPart, ResourceReference } from './source.ts';
import { summaryWidth } from './summary-width.ts';
import {
  type VulnerablePackage,
  vulnerabilityRemediation,
  vulnerabilitySummary,
  vulnerabilityTitle,
} from './vulnerability-words.ts';

/** What a result says happened; pass and skip are no findings. */
export type Outcome = 'fail' | 'warn' | 'error';

/** What the results of one report share. */
export interface ResultContext {
  readonly now: Date;
  /** The source that the producer copies from, where that is on. */
  copyOf(producer: Producer): string | undefined;
  /** What an identity says of the resource. */
  ownerPart(resource: ResourceReference): IdentityPart;
  /** Whether another result of the report has this policy, rule and resource too, and nothing to tell the two apart. */
  isAmbiguous(result: PolicyResult): boolean;
}

/** The entry of a report with the words that are read from it more than once. */
export class PolicyResult {
  readonly entry: Fields;
  readonly producer: Producer;
  readonly policy: string;
  readonly rule: string;
  readonly message: string | undefined;

  constructor(entry: Fields, producer: Producer) {
    this.entry = entry;
    this.producer = producer;
    this.policy = asText(entry['policy']) ?? '';
    this.rule = producer.hasRules ? ruleOf(entry, producer) : '';
    this.message = asText(entry['message']);
  }

  /** v1alpha1 calls them data. */
  get properties(): Fields {
    return asFields(this.entry['properties'] ?? this.entry['data']) ?? {};
  }

  /** The first of these properties that is there. */
  property(...keys: readonly string[]): string | undefined {
    const { properties } = this;
    for (const key of keys) {
      const text = asText(properties[key]);
      if (text !== undefined) return text;
    }
    return undefined;
  }

  /** The properties that tell it from other results of its policy, as key and value. */
  distinguishing(): [string, string][] {
    if (this.producer.isEngine) return [];
    const { properties } = this;
    const operation = asText(properties['operation']);
    return distinguishingProperties.flatMap((key): [string, string][] => {
      const text = asText(properties[key]);
      const value = text === undefined ? undefined : stableProperty(key, text, operation);
      return value === undefined ? [] : [[key, value]];
    });
  }

  /** The vulnerable package, where the producer is a scanner of images. */
  vulnerability(): VulnerablePackage | undefined {
    const id = this.property('VulnerabilityID');
    const isNamedByPolicy = id === undefined && !this.producer.isEngine && vulnerabilityId.test(this.policy);
    if (id === undefined && !isNamedByPolicy) return undefined;
    return {
      id: id ?? this.policy,
      // The older adapter has the title of the CVE as policy and its package as category.
      name: this.property('resource') ?? (isNamedByPolicy ? undefined : asText(this.entry['category'])),
      installedVersion: this.property('installedVersion', 'InstalledVersion'),
      fixedVersion: this.property('fixedVersion', 'FixedVersion'),
      title: isNamedByPolicy ? this.message : asText(this.policy),
    };
  }
}

const vulnerabilityId = /^(?:CVE-\d{4}-|GHSA-|[A-Z]{2,8}-\d{4}-)/;

/**
 * Kyverno checks a Pod rule on the Pod's owners too, as a rule it generates. With the prefix taken off and the resource
 * collapsed to its owner, the Deployment, its ReplicaSet and its Pods are one finding instead of three.
 */
function ruleOf(entry: Fields, { source }: Producer): string {
  const rule = asText(entry['rule']) ?? '';
  if (source !== 'kyverno' || !rule.startsWith('autogen-')) return rule;
  return rule.slice((rule.startsWith('autogen-cronjob-') ? 'autogen-cronjob-' : 'autogen-').length);
}

const stateNature = { kind: 'state' } as const;

/** One result about one resource. */
export class PolicyFinding implements Finding {
  readonly #result: PolicyResult;
  readonly #context: ResultContext;
  readonly #outcome: Outcome;
  readonly resource: ResourceReference;
  readonly severity: Severity;

  constructor(
    result: PolicyResult,
    outcome: Outcome,
    resource: ResourceReference,
    severity: Severity,
    context: ResultContext,
  ) {
    this.#result = result;
    this.#outcome = outcome;
    this.resource = resource;
    this.severity = severity;
    this.#context = context;
  }

  get source() {
    return this.#result.producer.source;
  }

  /** A policy that could not be evaluated says nothing about the resource. */
  get eventType() {
    return this.#outcome === 'error' ? 'policy-error' : 'policy-violation';
  }

  get category(): Category {
    if (this.#outcome === 'error') return 'operations';
    return categoryOf(asText(this.#result.entry['category']) ?? this.#result.property('category'));
  }

  get nature() {
    return stateNature;
  }

  get sourceSeverity() {
    return asText(this.#result.entry['severity']) ?? this.#result.property('severity');
  }

  get copyOf() {
    return this.#context.copyOf(this.#result.producer);
  }

  get policy() {
    return this.#result.policy || undefined;
  }

  get rule() {
    const result = this.#result;
    const { policy, rule, producer } = result;
    const vulnerability = result.vulnerability();
    if (vulnerability !== undefined) return vulnerability.id;
    const words = [policy, rule, producer.isEngine ? '' : (result.property('index') ?? '')].filter(
      (word) => word !== '',
    );
    return words.join('/') || asText(result.entry['category']) || producer.word || 'unnamed';
  }

  /**
   * Producer, policy, rule and resource; of scanners and adapters also what tells results of one policy apart. Free text
   * only where two results of one report have nothing else, with its numbers masked.
   */
  identity(): readonly IdentityPart[] {
    const result = this.#result;
    const { producer } = result;
    const owner = this.#context.ownerPart(this.resource);
    const id = producer.isEngine ? undefined : result.property('VulnerabilityID');
    if (id !== undefined) {
      const { name = '' } = result.vulnerability() ?? {};
      const repository = result.property('artifact.repository') ?? '';
      return [producer.word, 'VulnerabilityID', id, name, owner, repository];
    }
    const parts: IdentityPart[] = [producer.word, result.policy, result.rule, owner];
    for (const [key, value] of result.distinguishing()) parts.push(key, value);
    if (this.#context.isAmbiguous(result)) parts.push('text', lastResort(result));
    return parts;
  }

  describe(): Description {
    const vulnerability = this.#result.vulnerability();
    if (vulnerability !== undefined) return this.#describeVulnerability(vulnerability);
    const index = this.#result.producer.isEngine ? undefined : this.#result.property('index');
    return index === undefined ? this.#describeViolation() : this.#describeTest(index);
  }

  #describeVulnerability(vulnerability: VulnerablePackage): Description {
    const result = this.#result;
    const { id, name, installedVersion, fixedVersion } = vulnerability;
    const server = result.property('registry.server');
    const repository = result.property('artifact.repository');
    const image = server === undefined || repository === undefined ? repository : `${server}/${repository}`;
    return {
      title: vulnerabilityTitle(vulnerability),
      summary: vulnerabilitySummary(vulnerability, this.source),
      score: asNumber(result.properties['score']),
      remediation: vulnerabilityRemediation(vulnerability),
      references: this.#references(),
      details: { vulnerabilityID: id, package: name, installedVersion, fixedVersion, image, ...this.#details() },
      observedOn: this.#observedOn(),
    };
  }

  /** A numbered test of a benchmark. Its message is the test's own description and stays. */
  #describeTest(index: string): Description {
    const { message, policy } = this.#result;
    const text = `${index} ${message ?? policy}`;
    return {
      title: text,
      summary: checkSummary(text, this.source),
      remediation: this.#result.property('remediation'),
      references: this.#references(),
      details: { index, ...this.#details(), description: message },
      observedOn: this.#observedOn(),
    };
  }

  #describeViolation(): Description {
    const result = this.#result;
    const { policy, rule } = result;
    const facts = result.distinguishing();
    const name = rule === '' || rule === policy ? `Policy ${policy}` : `Policy ${policy}, rule ${rule}`;
    const verdict = { fail: 'violated', warn: 'violated (warning)', error: 'could not be evaluated' }[this.#outcome];
    const prefix = this.#outcome === 'error' ? 'not evaluated: ' : '';
    const short = [this.rule, policy || this.rule].map((text) => prefix + text);
    // What belongs to the identity is also what tells the finding from its neighbours in a table.
    const more = [
      ...facts.map(([, value]) => value),
      this.#context.isAmbiguous(result) ? lastResort(result) : (asText(result.entry['category']) ?? ''),
    ].filter((text) => text !== '');
    return {
      title: [`${name} ${verdict}`, more.join(', ')].filter((text) => text !== '').join(': '),
      summary: firstFitting(short, summaryWidth(this.source)),
      remediation: result.property('remediation'),
      references: this.#references(),
      details: { ...this.#details(), ...Object.fromEntries(facts) },
      observedOn: { ...this.#observedOn(), message: result.message },
    };
  }

  #details(): Readonly<Record<string, unknown>> {
    const result = this.#result;
    const { entry, policy, rule, producer } = result;
    return {
      policy,
      rule,
      result: this.#outcome,
      producer: producer.word,
      category: asText(entry['category']),
      scored: asBoolean(entry['scored']),
      // Kyverno's Pod Security rules: the standard and the controls that were violated.
      standard: result.property('standard'),
      controls: result.property('controls'),
      // Kubewarden joins kind, namespace and name of the policy to one word.
      policyName: result.property('policy-name'),
      policyNamespace: result.property('policy-namespace'),
    };
  }

  #references(): readonly string[] | undefined {
    const link = this.#result.property('primaryLink', 'PrimaryURL', 'url');
    return link === undefined ? undefined : [link];
  }

  /**
   * Kyverno's time is that of the scan, every hour. Messages of engines hold what was found in the object (a path that
   * differs between Pod and Deployment, a name, an age in days), so they are kept apart from the finding.
   */
  #observedOn(): Readonly<Record<string, unknown>> {
    const { entry } = this.#result;
    return {
      object: `${this.resource.kind}/${this.resource.name}`,
      rule: asText(entry['rule']) === this.#result.rule ? undefined : asText(entry['rule']),
      binding: this.#result.property('binding'),
      tag: this.#result.property('artifact.tag'),
      reportedAt: plausibleTime(entry['timestamp'], this.#context.now)?.toISOString(),
    };
  }
}

const maximumTextCharacters = 512;

/**
 * What tells two results apart when nothing else does. Trivy's adapter hashes the uid of the ReplicaSet into its
 * resultID, which would make every rollout a new finding: there the message must do.
 */
function lastResort(result: PolicyResult): string {
  const id = result.producer.word.startsWith('Trivy ') ? undefined : result.property('resultID');
  return id ?? (result.message ?? '').slice(0, maximumTextCharacters).replace(/\d+/g, '#');
}
