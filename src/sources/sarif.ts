/** SARIF 2.1.0, the exchange format of static analysers: one finding per result. docs/sources/sarif.md. */
import type { Severity } from '../api/words.ts';
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, asNumber, asText, at, kindOf, textAt } from '../lib/fields.ts';
import { clean } from '../lib/text.ts';
import { firstFitting } from '../lib/text-fit.ts';
import { plausibleTime } from '../lib/times.ts';
import { CarriedReadings, listAt, stateNature } from './carried-report.ts';
import { SarifRun } from './sarif-run.ts';
import type { SeverityWords } from './severity-words.ts';
import { severityIn } from './severity-words.ts';
import type { Finding, Format, IdentityPart, RawDocument, Source } from './source.ts';
import { summaryWidth } from './summary-width.ts';

const name = 'sarif';

/** `level`, and the words that some tools write where a number is expected. */
const severityWords: SeverityWords = {
  error: 'high',
  warning: 'medium',
  note: 'low',
  none: 'info',
  critical: 'critical',
  high: 'high',
  medium: 'medium',
  moderate: 'medium',
  low: 'low',
  info: 'info',
};

const sarifLog: Format = {
  name,
  recognise: isSarif,
  read(document, context) {
    const readings = new CarriedReadings(name, context);
    let reportedAt: Date | undefined;
    for (const [index, value] of listAt(document, 'runs').entries()) {
      const tool = textAt(value, 'tool', 'driver', 'name');
      const fields = asFields(value);
      if (fields === undefined || tool === undefined) {
        const found = kindOf(fields === undefined ? value : at(value, 'tool', 'driver', 'name'));
        readings.refuse('malformed', `.runs[${index}].tool.driver.name`, `expected the name of a tool, found ${found}`);
        continue;
      }
      const run = new SarifRun(fields, tool);
      reportedAt = plausibleTime(at(run.lastInvocation, 'endTimeUtc'), context.now) ?? reportedAt;
      readRun(run, `.runs[${index}]`, readings);
    }
    return readings.all(reportedAt);
  },
};

/** 2.1.0, and the pre-releases of it that tools still write. */
function isSarif(document: RawDocument): boolean {
  const { version } = document;
  return typeof version === 'string' && version.startsWith('2.1.0') && Object.hasOwn(document, 'runs');
}

function readRun(run: SarifRun, place: string, readings: CarriedReadings): void {
  const reading = readings.about([run.tool, run.category]);
  const { results } = run.fields;
  // The specification: no list of results means that no analysis took place.
  if (results === undefined || results === null) reading.isNotYet();
  if (run.hasFailed) reading.isPartial();
  for (const result of reading.entries(results, `${place}.results`)) {
    if (isNoFinding(result.fields)) continue;
    const rule = run.ruleIdOf(result.fields);
    if (rule === undefined) {
      reading.refuse('missing-field', `${result.place}.ruleId`, 'neither an id nor an index says which rule it is');
    } else reading.find(findingOf(run, result.fields, rule));
  }
}

/** Passed and informational results, what somebody has suppressed, and what a comparison says is gone. */
function isNoFinding(result: Fields): boolean {
  const kind = result['kind'] ?? 'fail';
  if (kind !== 'fail' || result['baselineState'] === 'absent') return true;
  return (asList(result['suppressions']) ?? []).some((suppression) => {
    const status = at(suppression, 'status') ?? 'accepted';
    return status === 'accepted';
  });
}

function findingOf(run: SarifRun, result: Fields, ruleId: string): Finding {
  const rule = run.ruleOf(result);
  const place = run.placeOf(result);
  const { severity, word, score } = severityOf(result, rule);
  return {
    source: name,
    eventType: 'static-analysis',
    category: 'security',
    severity,
    sourceSeverity: word,
    rule: ruleId,
    resource: place.uri === '' ? { kind: 'Tool', name: run.tool } : { kind: 'File', name: place.uri },
    nature: stateNature,
    identity: () => identityOf(run, result, ruleId),
    describe: () => {
      const message = messageOf(result, rule);
      const text = textAt(rule, 'shortDescription', 'text') ?? message;
      const file = clean(place.uri.slice(0, longestMessage)).split('/').at(-1) ?? '';
      return {
        title: text === undefined || text === ruleId ? ruleId : `${ruleId}: ${text}`,
        summary: firstFitting([`${ruleId} ${file}`.trim(), ruleId], summaryWidth(name)),
        score,
        remediation: textAt(rule, 'help', 'text'),
        references: [textAt(rule, 'helpUri')].filter((link) => link !== undefined),
        details: {
          ruleID: ruleId,
          ruleName: asText(rule['name']),
          tool: run.tool,
          analysis: run.category,
          file: place.uri,
          location: place.logical,
          tags: asList(at(rule, 'properties', 'tags'))?.map(asText),
        },
        // Lines move, and messages hold versions and counts.
        observedOn: { line: place.line.split(':', 1)[0], message, toolVersion: toolVersionOf(run) },
      };
    },
  };
}

function toolVersionOf({ fields }: SarifRun): string | undefined {
  return textAt(fields, 'tool', 'driver', 'semanticVersion') ?? textAt(fields, 'tool', 'driver', 'version');
}

/** A partial fingerprint tells results of one rule in one file apart, no more. */
function identityOf(run: SarifRun, result: Fields, ruleId: string): readonly IdentityPart[] {
  const { uri, logical } = run.placeOf(result);
  const head = [run.tool, run.category, ruleId];
  const whole = fingerprintsOf(result['fingerprints']);
  if (whole.length > 0) return [...head, 'fingerprints', ...whole];
  const partial = fingerprintsOf(result['partialFingerprints']);
  if (partial.length > 0) return [...head, 'partialFingerprints', uri, ...partial];
  return [...head, 'place', uri, logical, run.tieBreak(result)];
}

function fingerprintsOf(value: unknown): string[] {
  return Object.entries(asFields(value) ?? {})
    .flatMap(([key, text]) => (asText(text) === undefined ? [] : [`${key}=${asText(text)}`]))
    .sort();
}

interface Rated {
  readonly severity: Severity;
  readonly word: string | undefined;
  readonly score: number | undefined;
}

/** The security severity, a score or a word, of the result or its rule; else the level of the result, the rule, or `warning`. */
function severityOf(result: Fields, rule: Fields): Rated {
  const stated = textAt(result, 'properties', 'security-severity') ?? textAt(rule, 'properties', 'security-severity');
  const score = asNumber(stated);
  if (stated !== undefined && score !== undefined) return { severity: severityOfScore(score), word: stated, score };
  const byWord = severityIn(severityWords, stated);
  if (byWord !== 'unknown') return { severity: byWord, word: stated, score: undefined };
  const level = asText(result['level']) ?? textAt(rule, 'defaultConfiguration', 'level');
  return { severity: severityIn(severityWords, level ?? 'warning'), word: level, score: undefined };
}

/** As GitHub reads it. */
function severityOfScore(score: number): Severity {
  if (score >= 9) return 'critical';
  if (score >= 7) return 'high';
  if (score >= 4) return 'medium';
  return score > 0 ? 'low' : 'info';
}

/** A message is a text, or the id of one of the rule's texts with what to put into it. */
function messageOf(result: Fields, rule: Fields): string | undefined {
  const text = textAt(result, 'message', 'text');
  const id = textAt(result, 'message', 'id');
  if (text !== undefined || id === undefined) return text;
  const texts = asList(at(result, 'message', 'arguments')) ?? [];
  return textAt(rule, 'messageStrings', id, 'text')
    ?.slice(0, longestMessage)
    .replace(/\{(\d{1,2})\}/g, (all, index) => asText(texts[Number(index)])?.slice(0, longestArgument) ?? all);
}

const longestMessage = 1024;
const longestArgument = 256;

export const sarif: Source = {
  name,
  title: 'SARIF (static analysers)',
  homepage: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html',
  emits: [name],
  eventTypes: [{ eventType: 'static-analysis', category: 'security' }],
  severityWords,
  needsPods: false,
  intakes: [],
  formats: [sarifLog],
  graceSeconds: 2 * 60 * 60,
};
