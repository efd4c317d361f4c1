/**
 * Findings of one reading that have the same identity. They become one event, whose content must not depend on the order
 * in which the tool wrote its entries: all of them describe themselves alike, with what differs between them listed.
 */
import { severityRank } from '../api/words.ts';
import { canonicalJson } from '../lib/hash.ts';
import { mostSevereFirst } from './severity-order.ts';
import type { Description, Finding } from './source.ts';

/** The same findings, most severe first, alike ones described together. Nothing is compared before one is described. */
export function describedTogether(findings: readonly Finding[]): readonly Finding[] {
  const groups = new Groups(findings);
  return mostSevereFirst(inOrder(findings)).map((finding) => new AlikeFinding(finding, groups));
}

/** Of alike findings the first one's resource and word count, so there is an order where these differ at all. */
function inOrder(findings: readonly Finding[]): readonly Finding[] {
  const [first] = findings;
  const isUniform = findings.every(
    ({ resource, sourceSeverity }) => resource === first?.resource && sourceSeverity === first.sourceSeverity,
  );
  if (isUniform) return findings;
  return findings
    .map((finding) => ({ finding, text: orderText(finding) }))
    .sort((a, b) => (a.text < b.text ? -1 : Number(a.text > b.text)))
    .map(({ finding }) => finding);
}

function orderText({ resource: { apiVersion, kind, namespace, name }, sourceSeverity }: Finding): string {
  return [kind, namespace, name, apiVersion, sourceSeverity].join('\n');
}

class Groups {
  readonly #findings: readonly Finding[];
  #groups: Map<string, Finding[]> | undefined;
  readonly #said = new Map<string, Description>();

  constructor(findings: readonly Finding[]) {
    this.#findings = findings;
  }

  said(finding: Finding): Description {
    const key = keyOf(finding);
    const known = this.#said.get(key);
    if (known !== undefined) return known;
    const group = this.#grouped().get(key) ?? [finding];
    if (group.length === 1) return finding.describe();
    const said = together(group);
    this.#said.set(key, said);
    return said;
  }

  #grouped(): Map<string, Finding[]> {
    if (this.#groups === undefined) {
      this.#groups = new Map();
      for (const finding of this.#findings) {
        const key = keyOf(finding);
        const group = this.#groups.get(key);
        if (group === undefined) this.#groups.set(key, [finding]);
        else group.push(finding);
      }
    }
    return this.#groups;
  }
}

function keyOf(finding: Finding): string {
  return JSON.stringify([finding.source, finding.eventType, finding.identity()]);
}

class AlikeFinding implements Finding {
  readonly #own: Finding;
  readonly #groups: Groups;

  constructor(own: Finding, groups: Groups) {
    this.#own = own;
    this.#groups = groups;
  }

  get source() {
    return this.#own.source;
  }

  get eventType() {
    return this.#own.eventType;
  }

  get category() {
    return this.#own.category;
  }

  get severity() {
    return this.#own.severity;
  }

  get sourceSeverity() {
    return this.#own.sourceSeverity;
  }

  get rule() {
    return this.#own.rule;
  }

  get policy() {
    return this.#own.policy;
  }

  get resource() {
    return this.#own.resource;
  }

  get nature() {
    return this.#own.nature;
  }

  identity() {
    return this.#own.identity();
  }

  describe() {
    return this.#groups.said(this.#own);
  }
}

/** The most severe one leads; of equals the first in an order of their content. */
function together(group: readonly Finding[]): Description {
  const described = group
    .map((finding) => {
      const description = finding.describe();
      return { finding, description, text: canonicalJson(description) };
    })
    .sort(
      (a, b) =>
        severityRank(a.finding.severity) - severityRank(b.finding.severity) ||
        (a.text < b.text ? -1 : Number(a.text > b.text)),
    );
  const [lead] = described as [(typeof described)[number]];
  const details: Record<string, unknown> = { ...lead.description.details };
  for (const key of Object.keys(details)) {
    const both = distinct(described.map(({ description }) => description.details[key]));
    if (both !== undefined) details[key] = both;
  }
  return { ...lead.description, details };
}

/** Longer ones are prose, of which the leading one says enough. */
const longestWord = 128;

/** Different short words as one text, in order: `1.0, 1.1`. Undefined where there is nothing to list. */
function distinct(values: readonly unknown[]): string | undefined {
  const words = values.filter((value) => typeof value === 'string' && value !== '' && value.length <= longestWord);
  const different = [...new Set(words)];
  return different.length > 1 ? different.sort().join(', ') : undefined;
}
