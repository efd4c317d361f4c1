/** Compiles the expressions of declared sources. Loaded only where there are any. */
import { asFields, asList, at } from '../lib/fields.ts';
import type { Declaration } from '../sources/declarative.ts';
import { declarativeSource } from '../sources/declarative.ts';
import type { Expression } from '../sources/expression.ts';
import { resourceIntakes } from '../sources/intakes.ts';
import { reportKind } from '../sources/report-kind.ts';
import type { Source } from '../sources/source.ts';
import { Cel, type Compiled, type Purpose } from './cel.ts';
import { longestExpression } from './declarative-limits.ts';
import type { DeclarativeSettings } from './declarative-schema.ts';

/** What is wrong with declared sources, and where below `declarativeSources`: `[0].finding.title`. */
export interface DeclarationProblem {
  readonly place: string;
  readonly message: string;
}

/** Makes the declared sources. Their expressions were compiled before, when the configuration was checked. */
export function declaredSources(declared: readonly DeclarativeSettings[]): readonly Source[] {
  const cel = new Cel();
  return declared.map((settings) => declarativeSource(declarationOf(settings, compileAll(cel, settings))));
}

/**
 * Everything that the schema cannot see, of all entries as they were written: what of an entry is not of the right shape is
 * told by the schema, and keeps nothing else from being checked.
 */
export function declarationProblems(entries: readonly unknown[], registry: readonly Source[]): DeclarationProblem[] {
  const cel = new Cel();
  const known = registry.map(knownOf);
  return entries.flatMap((entry, index) => {
    const broken = [...compileAll(cel, entry)].flatMap(([path, outcome]) =>
      'problem' in outcome ? [{ place: `[${index}].${path}`, message: outcome.problem }] : [],
    );
    const taken = collisions(entry, known).map(({ path, message }) => ({ place: `[${index}].${path}`, message }));
    known.push(knownIn(entry));
    return [...taken, ...broken];
  });
}

type Kind = Purpose['gives'];

/** What is asked of a whole document. */
const ofDocument: Readonly<Record<string, Kind>> = {
  recognise: 'bool',
  when: 'bool',
  items: 'list',
  complete: 'bool',
  subject: 'text',
};

/** What is asked of each entry. */
const ofItem: Readonly<Record<string, Kind>> = {
  match: 'bool',
  severity: 'text',
  rule: 'text',
  'resource.apiVersion': 'text',
  'resource.kind': 'text',
  'resource.name': 'text',
  'resource.namespace': 'text',
  title: 'text',
  summary: 'text',
  remediation: 'text',
  score: 'number',
  references: 'list',
  at: 'time',
  id: 'text',
  count: 'number',
};

/** The outcomes by path: `when`, `finding.details.steps`, `finding.identity[0]`. */
function compileAll(cel: Cel, entry: unknown): Map<string, Compiled> {
  const outcomes = new Map<string, Compiled>();
  const compile = (path: string, text: unknown, purpose: Purpose) => {
    // What is no text, or too long, is told by the schema.
    if (typeof text !== 'string' || text === '' || text.length > longestExpression) return;
    outcomes.set(path, cel.compile(text, purpose));
  };
  for (const [key, gives] of Object.entries(ofDocument)) compile(key, at(entry, key), { isOfItem: false, gives });
  for (const [key, gives] of Object.entries(ofItem)) {
    compile(`finding.${key}`, at(entry, 'finding', ...key.split('.')), { isOfItem: true, gives });
  }
  for (const [index, text] of (asList(at(entry, 'finding', 'identity')) ?? []).entries()) {
    compile(`finding.identity[${index}]`, text, { isOfItem: true, gives: 'text' });
  }
  for (const [key, text] of Object.entries(asFields(at(entry, 'finding', 'details')) ?? {})) {
    compile(`finding.details.${key}`, text, { isOfItem: true, gives: 'value' });
  }
  return outcomes;
}

function declarationOf(settings: DeclarativeSettings, outcomes: ReadonlyMap<string, Compiled>): Declaration {
  const { name, title, homepage, resource: watched, configMap, crossNamespace, graceSeconds, quietSeconds } = settings;
  const optional = (path: string): Expression | undefined => {
    const outcome = outcomes.get(path);
    return outcome !== undefined && 'expression' in outcome ? outcome.expression : undefined;
  };
  const needed = (path: string): Expression => {
    const expression = optional(path);
    if (expression === undefined) throw new Error(`declarativeSources: ${settings.name}: ${path} does not compile`);
    return expression;
  };
  const { identity, resource, details, severities, eventType, category, nature } = settings.finding;
  return {
    name,
    title,
    homepage,
    resource: watched,
    configMap,
    crossNamespace,
    graceSeconds,
    quietSeconds,
    ...each(Object.keys(ofDocument), optional),
    finding: {
      eventType,
      category,
      nature,
      severities: Object.fromEntries(Object.entries(severities).map(([word, to]) => [word.toLowerCase(), to])),
      ...each(['match', 'summary', 'remediation', 'score', 'references', 'at', 'id', 'count'], (key) =>
        optional(`finding.${key}`),
      ),
      severity: needed('finding.severity'),
      rule: needed('finding.rule'),
      title: needed('finding.title'),
      identity: identity?.map((_, index) => needed(`finding.identity[${index}]`)),
      resource: resource && {
        apiVersion: optional('finding.resource.apiVersion'),
        kind: needed('finding.resource.kind'),
        name: needed('finding.resource.name'),
        namespace: optional('finding.resource.namespace'),
      },
      details: each(Object.keys(details), (key) => needed(`finding.details.${key}`)),
    },
  };
}

function each<Key extends string, Value>(keys: readonly Key[], make: (key: Key) => Value): Record<Key, Value> {
  return Object.fromEntries(keys.map((key) => [key, make(key)])) as Record<Key, Value>;
}

/** What a source is known by. */
interface Known {
  readonly name: string;
  /** Its words in spec.source. */
  readonly words: readonly string[];
  /** Kinds of reports, `group|Kind`. */
  readonly kinds: readonly string[];
  readonly isDeclared: boolean;
}

function knownOf(source: Source): Known {
  return { name: source.name, words: source.emits, kinds: resourceIntakes(source).map(reportKind), isDeclared: false };
}

function knownIn(entry: unknown): Known {
  const [name, group, kind] = [at(entry, 'name'), at(entry, 'resource', 'group'), at(entry, 'resource', 'kind')];
  const hasKind = typeof group === 'string' && typeof kind === 'string';
  return { name: String(name), words: [], kinds: hasKind ? [reportKind({ group, kind })] : [], isDeclared: true };
}

function collisions(entry: unknown, others: readonly Known[]) {
  const mine = knownIn(entry);
  return others.flatMap(({ name, words, kinds, isDeclared }) => {
    const found: { path: string; message: string }[] = [];
    if (name === mine.name || words.includes(mine.name)) {
      const whose = isDeclared ? 'another source has it' : `${name} writes events of the source ${mine.name}`;
      found.push({ path: 'name', message: `is taken: ${whose}` });
    }
    if (mine.kinds.some((kind) => kinds.includes(kind))) {
      found.push({ path: 'resource', message: `is read by the source ${name} already: one source reads a kind` });
    }
    return found;
  });
}
