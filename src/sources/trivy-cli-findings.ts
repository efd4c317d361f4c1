/** The three kinds of findings in a report of the Trivy command line. */
import type { Severity } from '../api/words.ts';
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, asNumber, asText, at, textAt } from '../lib/fields.ts';
import { firstFitting } from '../lib/text-fit.ts';
import { stateNature } from './carried-report.ts';
import { checkSummary } from './check-words.ts';
import { vulnerabilityFinding } from './package-vulnerability.ts';
import type { Finding, IdentityPart, ResourceReference } from './source.ts';
import { summaryWidth } from './summary-width.ts';
import { severityOf } from './trivy-severity.ts';

export const trivyCliSource = 'trivy-cli';

/** What was scanned. */
export interface ScanTarget {
  readonly resource: ResourceReference;
  /** What an identity says of it. */
  readonly identity: readonly IdentityPart[];
  /** Of a workload, which may have several: the image, '' for what is an image or a folder itself. */
  readonly within: string;
  /** Without tag and digest; undefined where no image was scanned. */
  readonly image: string | undefined;
  readonly observedOn: Readonly<Record<string, unknown>>;
}

/**
 * The package's own path, else the lock file that names it. The target of an operating system's packages holds the image's
 * tag, and says nothing that the image does not say.
 */
function pathOf(result: Fields, entry: Fields): string {
  return asText(entry['PkgPath']) ?? (result['Class'] === 'lang-pkgs' ? (asText(result['Target']) ?? '') : '');
}

/** A vulnerable package: neither target nor version, so that a rebuilt image with the same hole has the same finding. */
export function vulnerablePackageFinding(target: ScanTarget, result: Fields, entry: Fields, id: string): Finding {
  const packageName = asText(entry['PkgName']);
  const path = pathOf(result, entry);
  return vulnerabilityFinding({
    source: trivyCliSource,
    id,
    ...severityIn(entry),
    resource: target.resource,
    identity: () => [...target.identity, target.within, packageName ?? '', path],
    facts: () => ({
      id,
      name: packageName,
      installedVersion: asText(entry['InstalledVersion']),
      fixedVersion: asText(entry['FixedVersion']),
      title: asText(entry['Title']),
      score: scoreOf(entry),
      references: [asText(entry['PrimaryURL']), ...referencesIn(entry)],
      details: {
        packagePath: path,
        packageType: asText(result['Type']),
        class: asText(result['Class']),
        image: target.image,
        status: asText(entry['Status']),
        publishedDate: asText(entry['PublishedDate']),
        description: asText(entry['Description']),
      },
      observedOn: target.observedOn,
    }),
  });
}

/** A failed check of a file or a resource. The resource within the file tells several failures of one check apart. */
export function misconfigurationFinding(target: ScanTarget, result: Fields, entry: Fields, id: string): Finding {
  const file = asText(result['Target']) ?? '';
  const within = textAt(entry, 'CauseMetadata', 'Resource') ?? '';
  const text = asText(entry['Title']) ?? id;
  return {
    source: trivyCliSource,
    eventType: 'misconfiguration',
    category: 'security',
    ...severityIn(entry),
    rule: id,
    resource: target.resource,
    nature: stateNature,
    identity: () => [...target.identity, id, file, within],
    describe: () => ({
      title: `${id}: ${text}`,
      summary: checkSummary(`${id} ${text}`, trivyCliSource),
      remediation: asText(entry['Resolution']),
      references: [asText(entry['PrimaryURL']), ...referencesIn(entry)].filter((link) => link !== undefined),
      details: {
        checkID: id,
        avdID: asText(entry['AVDID']),
        file,
        resource: within,
        type: asText(entry['Type']),
        description: asText(entry['Description']),
      },
      observedOn: { ...target.observedOn, message: asText(entry['Message']), ...linesOf(at(entry, 'CauseMetadata')) },
    }),
  };
}

/** A secret in a file, as masked by Trivy: two of one rule in one file are told apart by what is around them. */
export function secretFinding(target: ScanTarget, result: Fields, entry: Fields, id: string): Finding {
  const file = asText(result['Target']) ?? '';
  const match = asText(entry['Match']) ?? '';
  const text = asText(entry['Title']) ?? id;
  return {
    source: trivyCliSource,
    eventType: 'exposed-secret',
    category: 'security',
    ...severityIn(entry),
    rule: id,
    resource: target.resource,
    nature: stateNature,
    identity: () => [...target.identity, id, file, match],
    describe: () => ({
      title: `${text} in ${file}`,
      summary: firstFitting(
        [`${id} in ${file}`, `${id} ${file.split('/').at(-1) ?? ''}`, id],
        summaryWidth(trivyCliSource),
      ),
      details: { ruleID: id, category: asText(entry['Category']), file, image: target.image, match },
      observedOn: { ...target.observedOn, ...linesOf(entry) },
    }),
  };
}

function severityIn(entry: Fields): { severity: Severity; sourceSeverity: string | undefined } {
  return { severity: severityOf(entry['Severity']), sourceSeverity: asText(entry['Severity']) };
}

/** The highest of the vendors' scores, by CVSS 3 where there is one. */
function scoreOf(entry: Fields): number | undefined {
  const vendors = Object.values(asFields(entry['CVSS']) ?? {});
  for (const key of ['V3Score', 'V2Score']) {
    const scores = vendors.map((vendor) => asNumber(at(vendor, key))).filter((score) => score !== undefined);
    if (scores.length > 0) return Math.max(...scores);
  }
  return undefined;
}

function referencesIn(entry: Fields): (string | undefined)[] {
  return (asList(entry['References']) ?? []).slice(0, 8).map(asText);
}

/** Lines move with every edit above them. */
function linesOf(value: unknown): Readonly<Record<string, unknown>> {
  return { line: asNumber(at(value, 'StartLine')) };
}
