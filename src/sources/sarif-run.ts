/** One run of a SARIF log: its rules, its places, and which of its results are alike. */
import type { Fields } from '../lib/fields.ts';
import { asFields, asList, asText, at, textAt } from '../lib/fields.ts';

/** Where a result is. */
export interface SarifPlace {
  readonly uri: string;
  /** `line:column`, '' where none is given. */
  readonly line: string;
  /** The function or class, where the tool says it. */
  readonly logical: string;
}

/** A run that is a tool's. */
export class SarifRun {
  readonly fields: Fields;
  readonly tool: string;
  readonly lastInvocation: Fields | undefined;
  readonly #rulesById = new Map<string, Fields>();
  #ties: Map<string, string[]> | undefined;

  constructor(fields: Fields, tool: string) {
    this.fields = fields;
    this.tool = tool;
    this.lastInvocation = asFields(asList(fields['invocations'])?.at(-1));
    for (const value of asList(at(fields, 'tool', 'driver', 'rules')) ?? []) {
      const rule = asFields(value);
      const id = asText(rule?.['id']);
      if (rule !== undefined && id !== undefined && !this.#rulesById.has(id)) this.#rulesById.set(id, rule);
    }
  }

  /** The tool gave up before it had seen everything. */
  get hasFailed(): boolean {
    return (asList(this.fields['invocations']) ?? []).some((call) => at(call, 'executionSuccessful') === false);
  }

  /** What tells several analyses of one tool apart; the id's last part names the single run and is left out. */
  get category(): string {
    const id = textAt(this.fields, 'automationDetails', 'id') ?? '';
    return id.slice(0, id.lastIndexOf('/') + 1);
  }

  /** The id that a result states, or that of the rule it points to. */
  ruleIdOf(result: Fields): string | undefined {
    return asText(result['ruleId']) ?? textAt(result, 'rule', 'id') ?? asText(this.#ruleAtIndex(result)?.['id']);
  }

  /** The rule of a result. Ids may be finer than rules: `CA1000/1` is a case of `CA1000`. */
  ruleOf(result: Fields): Fields {
    const id = this.ruleIdOf(result) ?? '';
    return (
      this.#ruleAtIndex(result) ??
      this.#rulesById.get(id) ??
      this.#rulesById.get(id.slice(0, Math.max(0, id.lastIndexOf('/')))) ??
      {}
    );
  }

  #ruleAtIndex(result: Fields): Fields | undefined {
    const index = result['ruleIndex'] ?? at(result, 'rule', 'index');
    const extension = at(result, 'rule', 'toolComponent', 'index');
    const component =
      typeof extension === 'number'
        ? asList(at(this.fields, 'tool', 'extensions'))?.[extension]
        : at(this.fields, 'tool', 'driver');
    return typeof index === 'number' ? asFields(asList(at(component, 'rules'))?.[index]) : undefined;
  }

  /** The first location. A file may be named by its place in the run's list of artifacts. */
  placeOf(result: Fields): SarifPlace {
    const location = asList(result['locations'])?.[0];
    const artifact = at(location, 'physicalLocation', 'artifactLocation');
    const index = at(artifact, 'index');
    const listed = typeof index === 'number' ? asList(this.fields['artifacts'])?.[index] : undefined;
    const region = at(location, 'physicalLocation', 'region');
    const logical = asList(at(location, 'logicalLocations'))?.[0];
    const line = textAt(region, 'startLine');
    return {
      uri: textAt(artifact, 'uri') ?? textAt(listed, 'location', 'uri') ?? '',
      line: line === undefined ? '' : `${line}:${textAt(region, 'startColumn') ?? ''}`,
      logical: textAt(logical, 'fullyQualifiedName') ?? textAt(logical, 'name') ?? '',
    };
  }

  /**
   * What tells a result from others of its rule in the same place that have no fingerprints: the line, but for the first
   * of them. Lines move with every edit above them, so a result that is alone is known without.
   */
  tieBreak(result: Fields): string {
    const key = this.#tieKey(result);
    const { line } = this.placeOf(result);
    return this.#linesByKey().get(key)?.[0] === line ? '' : line;
  }

  #tieKey(result: Fields): string {
    const { uri, logical } = this.placeOf(result);
    return JSON.stringify([this.ruleIdOf(result), uri, logical]);
  }

  #linesByKey(): Map<string, string[]> {
    if (this.#ties === undefined) {
      this.#ties = new Map();
      for (const value of asList(this.fields['results']) ?? []) {
        const result = asFields(value);
        if (result === undefined) continue;
        const key = this.#tieKey(result);
        const lines = this.#ties.get(key) ?? [];
        lines.push(this.placeOf(result).line);
        this.#ties.set(key, lines);
      }
      for (const lines of this.#ties.values()) lines.sort(byLineAndColumn);
    }
    return this.#ties;
  }
}

function byLineAndColumn(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
