/** ExposedSecretReport of Trivy Operator: one finding per secret in a file of an image. */
import type { Fields } from '../lib/fields.ts';
import { asFields, asText } from '../lib/fields.ts';
import { firstFitting } from '../lib/text-fit.ts';
import { AlikeEntries, word } from './alike-entries.ts';
import type { Description, Finding, Format, IdentityPart, Rejection } from './source.ts';
import { summaryWidth } from './summary-width.ts';
import { bySeverityAnd, TrivyFinding } from './trivy-finding.ts';
import type { TrivyReport } from './trivy-report.ts';
import {
  entriesOf,
  imageAsObserved,
  imageOf,
  isTrivyReport,
  openTrivyReport,
  ownerPart,
  readingOf,
  unreadable,
} from './trivy-report.ts';

const kinds = ['ExposedSecretReport'];
const name = 'trivy-secret-report';

export const trivySecretReport: Format = {
  name,
  recognise: (document) => isTrivyReport(document, kinds),
  read(document, context) {
    const report = openTrivyReport(document, context);
    const findings: Finding[] = [];
    const rejected: Rejection[] = [];
    const entries = entriesOf(report, 'secrets');
    const alike = new AlikeEntries(entries, identityText, byTexts);
    entries.forEach((value, index) => {
      const entry = asFields(value);
      const rule = asText(entry?.['ruleID']);
      if (entry !== undefined && rule !== undefined) findings.push(new SecretFinding(report, alike, entry, rule));
      else rejected.push(unreadable(value, `.report.secrets[${index}]`, 'ruleID', 'an id'));
    });
    return [readingOf(report, [name, ownerPart(report.resource), report.container], findings, rejected)];
  },
};

const byTexts = bySeverityAnd('title', 'category');

function identityText(entry: Fields): string {
  return JSON.stringify([word(entry, 'ruleID'), word(entry, 'target'), maskedMatch(entry)]);
}

const masking = /\*{3}/;

/**
 * The line that the rule matched. Trivy puts asterisks in place of the secret; where it did not, we do in place of every
 * word: neither an event nor the fingerprint in its name may be made of a secret.
 */
function maskedMatch(entry: Fields): string {
  const match = word(entry, 'match');
  return masking.test(match) ? match : match.replace(/\S+/g, (run) => '*'.repeat(run.length));
}

class SecretFinding extends TrivyFinding {
  readonly #alike: AlikeEntries;
  readonly rule: string;

  constructor(report: TrivyReport, alike: AlikeEntries, entry: Fields, rule: string) {
    super(report, entry);
    this.rule = rule;
    this.#alike = alike;
  }

  get eventType() {
    return 'exposed-secret' as const;
  }

  /** The masked line tells two keys of one rule in one file apart. The image is left out: the file is the container's. */
  identity(): readonly IdentityPart[] {
    const { report, entry } = this;
    return [ownerPart(report.resource), report.container, this.rule, word(entry, 'target'), maskedMatch(entry)];
  }

  describe(): Description {
    const { report } = this;
    const entry = this.#alike.of(this.entry)[0] ?? this.entry;
    const target = asText(entry['target']);
    const title = asText(entry['title']) ?? this.rule;
    const file = target?.split('/').at(-1);
    return {
      title: target === undefined ? title : `${title} in ${target}`,
      summary: firstFitting(
        [`${this.rule} ${target ?? ''}`, `${this.rule} ${file ?? ''}`].map((text) => text.trim()),
        summaryWidth(this.source),
      ),
      remediation: 'Take it out of the image and revoke it: whoever can pull the image has it.',
      details: {
        ruleID: this.rule,
        secret: title,
        category: asText(entry['category']),
        target,
        match: maskedMatch(entry),
        image: imageOf(report.body),
        container: report.container,
      },
      observedOn: {
        object: this.object,
        ...imageAsObserved(report.body),
      },
    };
  }
}
