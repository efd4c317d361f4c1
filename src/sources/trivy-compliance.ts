/**
 * ClusterComplianceReport of Trivy Operator: one finding per control of a benchmark that fails. The report adds up the
 * checks of all other reports of the operator, so the single checks in it are findings already: they only say why.
 */
import type { Severity } from '../api/words.ts';
import { severityRank } from '../api/words.ts';
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, asNumber, asText, at, kindOf, textAt } from '../lib/fields.ts';
import { firstFitting } from '../lib/text-fit.ts';
import { plausibleTime } from '../lib/times.ts';
import { word } from './alike-entries.ts';
import { mostSevereFirst } from './severity-order.ts';
import type { Description, Finding, Format, IdentityPart, Origin, RawDocument, Rejection } from './source.ts';
import { MalformedReport } from './source.ts';
import { summaryWidth } from './summary-width.ts';
import { stableCheckId } from './trivy-check.ts';
import { isTrivyReport, originOf, unreadable } from './trivy-report.ts';
import { severityOf } from './trivy-severity.ts';

const kinds = ['ClusterComplianceReport'];
const name = 'trivy-compliance-report';

export const trivyComplianceReport: Format = {
  name,
  recognise: (document) => isTrivyReport(document, kinds),
  read(document, { now }) {
    const origin = originOf(document);
    if (origin.name === '') {
      throw new MalformedReport({
        reason: 'missing-field',
        place: '.metadata.name',
        message: 'the report has no name',
      });
    }
    const { controls, member, place } = controlsOf(document);
    const benchmark = new Benchmark(document, origin);
    const failing = new Map<string, FailingControl>();
    const rejected: Rejection[] = [];
    controls.forEach((value, index) => {
      const where = `${place}[${index}]`;
      const control = asFields(value);
      const { failures, problem } = control === undefined ? {} : outcomeOf(control, member, where);
      if (problem !== undefined) rejected.push(problem);
      const id = control === undefined ? '' : word(control, 'id') || word(control, 'name');
      if (control === undefined || (id === '' && failures !== undefined)) {
        rejected.push(unreadable(value, where, 'id', 'an id, or a name'));
      } else if (failures !== undefined) {
        const known = failing.get(id);
        if (known === undefined) failing.set(id, { id, controls: [control], ...failures });
        else join(known, control, failures);
      }
    });
    const findings = [...failing.values()].map((control) => new ControlFinding(benchmark, control));
    return [
      {
        reportKey: [name, origin.name],
        partition: '',
        completeness: completenessOf(controls, rejected),
        findings: mostSevereFirst<Finding>(findings),
        rejected,
        origin,
        reportedAt:
          plausibleTime(at(document, 'status', 'updateTimestamp'), now) ??
          plausibleTime(at(document, 'metadata', 'creationTimestamp'), now),
      },
    ];
  },
};

/** Until the first run of its schedule a report has no status, and one without controls has looked at nothing. */
function completenessOf(controls: readonly unknown[], rejected: readonly Rejection[]) {
  if (controls.length === 0) return 'not-yet';
  return rejected.length > 0 ? 'partial' : 'complete';
}

/** What fails of one control. */
interface Failures {
  /** How many objects; moves with every scan. */
  count: number;
  /** The failing checks; none where the report is a summary. */
  readonly checks: Fields[];
}

interface FailingControl extends Failures {
  readonly id: string;
  /** The entries of that id: one, unless somebody wrote it twice. */
  readonly controls: Fields[];
}

function join(known: FailingControl, control: Fields, { count, checks }: Failures): void {
  known.controls.push(control);
  known.checks.push(...checks);
  known.count += count;
}

interface Controls {
  readonly controls: readonly unknown[];
  readonly place: string;
  /** The member of a control that says what fails. */
  readonly member: 'checks' | 'totalFail';
}

/** `spec.reportType` decides which of the two there is. */
function controlsOf(document: RawDocument): Controls {
  const status = membersOf(at(document, 'status'), '.status');
  const detail = membersOf(status?.['detailReport'], '.status.detailReport');
  const summary = membersOf(status?.['summaryReport'], '.status.summaryReport');
  const results = listOf(detail?.['results'], '.status.detailReport.results');
  if (results.length > 0) return { controls: results, place: '.status.detailReport.results', member: 'checks' };
  const place = '.status.summaryReport.controlCheck';
  return { controls: listOf(summary?.['controlCheck'], place), place, member: 'totalFail' };
}

function membersOf(value: unknown, place: string): Fields | undefined {
  return value === undefined || value === null ? undefined : (asFields(value) ?? notA('an object', value, place));
}

function listOf(value: unknown, place: string): readonly unknown[] {
  return value === undefined || value === null ? [] : (asList(value) ?? notA('a list', value, place));
}

function notA(expected: string, value: unknown, place: string): never {
  throw new MalformedReport(malformed(expected, value, place));
}

function malformed(expected: string, value: unknown, place: string): Rejection {
  return { reason: 'malformed', place, message: `expected ${expected}, found ${kindOf(value)}` };
}

interface Outcome {
  /** Undefined where nothing fails, or nothing was checked: a summary leaves the number out then. */
  readonly failures?: Failures | undefined;
  readonly problem?: Rejection;
}

/** What fails of the control. A check that cannot be read takes nothing from those that failed. */
function outcomeOf(control: Fields, member: Controls['member'], where: string): Outcome {
  const value = control[member];
  if (value === undefined || value === null) return {};
  const place = `${where}.${member}`;
  if (member === 'totalFail') {
    const count = asNumber(value);
    if (count === undefined) return { problem: malformed('a number', value, place) };
    return { failures: count > 0 ? { count, checks: [] } : undefined };
  }
  const list = asList(value);
  if (list === undefined) return { problem: malformed('a list', value, place) };
  const checks = list.flatMap((entry) => (asFields(entry)?.['success'] === false ? [entry as Fields] : []));
  const failures = checks.length > 0 ? { count: checks.length, checks } : undefined;
  const odd = list.findIndex((entry) => typeof asFields(entry)?.['success'] !== 'boolean');
  if (odd === -1) return { failures };
  const expected = 'a check that says success true or false';
  return { failures, problem: malformed(expected, list[odd], `${place}[${odd}]`) };
}

/** One report while its findings are alive. */
class Benchmark {
  readonly origin: Origin;
  readonly title: string | undefined;
  readonly version: string | undefined;
  readonly #document: RawDocument;
  #severities: Map<string, unknown> | undefined;

  constructor(document: RawDocument, origin: Origin) {
    this.#document = document;
    this.origin = origin;
    const spec = at(document, 'spec', 'compliance');
    this.title = textAt(spec, 'title') ?? textAt(document, 'status', 'detailReport', 'title');
    this.version = textAt(spec, 'version');
  }

  /** The severity of a control as the specification has it. */
  specifiedSeverity(id: string): unknown {
    if (this.#severities === undefined) {
      this.#severities = new Map();
      for (const value of asList(at(this.#document, 'spec', 'compliance', 'controls')) ?? []) {
        const control = asFields(value);
        if (control !== undefined) this.#severities.set(word(control, 'id'), control['severity']);
      }
    }
    return this.#severities.get(id);
  }
}

const stateNature = { kind: 'state' } as const;

class ControlFinding implements Finding {
  readonly #benchmark: Benchmark;
  readonly #control: FailingControl;
  readonly source = 'trivy';
  readonly eventType = 'compliance-failure';
  readonly category = 'compliance';
  readonly nature = stateNature;
  readonly severity: Severity;
  readonly sourceSeverity: string | undefined;

  constructor(benchmark: Benchmark, control: FailingControl) {
    this.#benchmark = benchmark;
    this.#control = control;
    this.sourceSeverity = severityWord(benchmark, control);
    this.severity = severityOf(this.sourceSeverity);
  }

  get rule() {
    return `${this.#benchmark.origin.name}/${this.#control.id}`;
  }

  /** The report stands for the cluster: the objects that fail have findings of their own. */
  get resource() {
    return this.#benchmark.origin;
  }

  identity(): readonly IdentityPart[] {
    return [this.#benchmark.origin.name, this.#control.id];
  }

  describe(): Description {
    const { title: benchmark, version, origin } = this.#benchmark;
    const { id, controls, checks, count } = this.#control;
    const title = least(controls, 'name') ?? id;
    return {
      title: `${benchmark ?? origin.name}, control ${id}${title === id ? '' : `: ${title}`}`,
      summary: firstFitting([title === id ? id : `${id} ${title}`], summaryWidth(this.source)),
      details: {
        control: id,
        name: title,
        benchmark,
        version,
        description: least(controls, 'description'),
        checks: [...new Set(textsOf(checks, 'checkID').map(stableCheckId))].sort(),
      },
      observedOn: { failures: count, targets: textsOf(checks, 'target') },
    };
  }
}

/** Of the control; where it has none, of the specification; else of its failing checks. */
function severityWord(benchmark: Benchmark, { id, controls, checks }: FailingControl): string | undefined {
  const stated = mostSevere(controls) ?? asText(benchmark.specifiedSeverity(id));
  return stated ?? mostSevere(checks);
}

function mostSevere(entries: readonly Fields[]): string | undefined {
  const words = entries.map(({ severity }) => asText(severity)).filter((text) => text !== undefined);
  return words.sort((a, b) => severityRank(severityOf(a)) - severityRank(severityOf(b)))[0];
}

/** The different values of a member, in order. */
function textsOf(entries: readonly Fields[], member: string): string[] {
  const texts = entries.map((entry) => asText(entry[member])).filter((text) => text !== undefined);
  return [...new Set(texts)].sort();
}

function least(entries: readonly Fields[], member: string): string | undefined {
  return textsOf(entries, member)[0];
}
