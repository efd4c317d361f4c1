/**
 * The language of declarative sources: CEL by @marcbachmann/cel-js, with a cost limit and with regular expressions of RE2,
 * which take linear time. This module is loaded only where there are such sources.
 */
import { Environment, type ParseResult } from '@marcbachmann/cel-js';
import { RE2JS } from 're2js';
import { messageOf } from '../lib/error-message.ts';
import type { Expression } from '../sources/expression.ts';
import { ExpressionError } from '../sources/expression.ts';
import type { CelEvaluator, CelNode } from './cel-meter.ts';
import { CelMeter, exhausted, loopDepth, nodesOf, unitsOfEvaluation } from './cel-meter.ts';

/** What an expression is for: its variables and the kind of value that it must give. */
export interface Purpose {
  /** Whether it is about one entry and knows `item`. */
  readonly isOfItem: boolean;
  readonly gives: keyof typeof kinds;
}

/** A compiled expression, or what is wrong with it and what would be right. */
export type Compiled = { readonly expression: Expression } | { readonly problem: string };

/** What is not there counts as nothing to say. */
function orOptional(types: string): RegExp {
  return new RegExp(`^(?:${types}|optional<(?:${types})>)$`);
}

const kinds = {
  bool: { words: 'true or false', types: /^(?:bool|dyn)$/ },
  text: { words: 'text or a number', types: orOptional('string|int|uint|double|dyn') },
  number: { words: 'a number', types: orOptional('int|uint|double|dyn') },
  time: { words: 'a timestamp or RFC 3339 text', types: orOptional('google\\.protobuf\\.Timestamp|string|dyn') },
  list: { words: 'a list', types: /^(?:list\b.*|dyn)$/ },
  value: { words: 'a value', types: /^(?!type$|CelNamespace)/ },
};

const limits = { maxAstNodes: 400, maxDepth: 40, maxListElements: 64, maxMapEntries: 64, maxCallArguments: 8 };
const deepestLoops = 2;
const longestPattern = 256;
const largestPattern = 4_096;

const documentVariables = ['document', 'carrier'];
const itemVariables = [...documentVariables, 'item'];

/** What stands around an expression, so that its outermost step is one that the evaluator runs like all others. */
const frame = { before: 'dyn(\n', after: '\n)' };

/** Compiles expressions. One instance serves a process. */
export class Cel {
  readonly #meter = new CelMeter();
  readonly #ofDocument = environment(documentVariables, this.#meter);
  readonly #ofItem = environment(itemVariables, this.#meter);

  compile(text: string, { isOfItem, gives }: Purpose): Compiled {
    const env = isOfItem ? this.#ofItem : this.#ofDocument;
    const checked = check(env, text);
    if ('problem' in checked) return checked;
    const { words, types } = kinds[gives];
    if (!types.test(checked.type)) return { problem: `must give ${words}, and gives ${checked.type}` };
    const program = framed(env, text);
    if (program === undefined) return { problem: 'is nested too deep, or has too many parts' };
    const root = program.ast as unknown as CelNode;
    const problem = tooComplex(root) ?? this.#usePatterns(root);
    if (problem !== undefined) return { problem };
    this.#meter.weigh(root);
    return {
      expression: {
        text,
        evaluate: (variables, effort) => {
          try {
            return this.#meter.measure(effort, () => program({ ...variables }));
          } catch (error) {
            throw asExpressionError(error, text);
          }
        },
      },
    };
  }

  /** Compiles the patterns of `matches`; the first that cannot be is told. */
  #usePatterns(root: CelNode): string | undefined {
    for (const node of nodesOf(root)) {
      const [name, , given] = Array.isArray(node.args) ? (node.args as unknown[]) : [];
      if (node.op !== 'rcall' || name !== 'matches') continue;
      const [argument] = given as readonly { readonly op: string; readonly args: unknown }[];
      if (argument?.op !== 'value' || typeof argument.args !== 'string') {
        return 'matches() wants its pattern as text between quotes, so that it can be checked here';
      }
      if (argument.args.length > longestPattern)
        return `matches() takes patterns of at most ${longestPattern} characters`;
      try {
        const pattern = RE2JS.compile(argument.args);
        const steps = pattern.programSize();
        if (steps > largestPattern) return 'matches() takes no pattern that repeats so much';
        this.#meter.usePattern(node, { steps, test: (tested) => pattern.test(tested) });
      } catch (error) {
        return `matches() takes regular expressions of RE2: ${messageOf(error)}`;
      }
    }
    return undefined;
  }
}

function environment(variables: readonly string[], meter: CelMeter): Environment {
  const env = new Environment({ homogeneousAggregateLiterals: false, enableOptionalTypes: true, limits });
  for (const variable of variables) env.registerVariable(variable, 'dyn');
  let evaluator: CelEvaluator | undefined;
  // The one way to the evaluator: it is the `this` of a function that an expression calls.
  const capture = function (this: unknown) {
    evaluator = this as CelEvaluator;
    return true;
  };
  env.registerFunction('zenMeter(): bool', capture as () => boolean);
  env.parse('zenMeter()')({});
  if (typeof evaluator?.run !== 'function') throw new Error('this version of the CEL library cannot be metered');
  meter.attach(evaluator);
  return env;
}

function check(env: Environment, text: string): { readonly type: string } | { readonly problem: string } {
  const { valid, type = 'dyn', error } = env.check(text);
  if (valid) return { type };
  const code = error?.code ?? '';
  const fix = fixes[code];
  const words = error?.summary ?? 'cannot be read';
  return { problem: `${placeIn(text, error?.range?.start)}: ${words}${fix === undefined ? '' : `; ${fix(env)}`}` };
}

/** The program in its frame; undefined where it is at the limits without one. */
function framed(env: Environment, text: string): ParseResult | undefined {
  try {
    const program = env.parse(`${frame.before}${text}${frame.after}`);
    return program.check().valid ? program : undefined;
  } catch {
    return undefined;
  }
}

const fixes: Readonly<Record<string, (env: Environment) => string>> = {
  unknown_variable: (env) => {
    const variables = itemVariables.filter((name) => env.hasVariable(name));
    return `there are ${variables.join(', ')} (text stands between quotes)`;
  },
  no_such_overload: () => 'numbers in documents are double: int() makes an int of one, double literals have a point',
  no_matching_overload: () => 'docs/sources/declarative.md has the functions that there are',
};

function tooComplex(root: CelNode): string | undefined {
  if (loopDepth(root) <= deepestLoops) return undefined;
  return `loops (all, exists, exists_one, map, filter) may be nested ${deepestLoops} deep`;
}

/** `line 1, column 14` */
function placeIn(text: string, offset = 0): string {
  const before = text.slice(0, Math.max(offset, 0)).split('\n');
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}

/** Codes whose words name types only, never values. */
const tellsTypesOnly = new Set([
  'no_such_overload',
  'no_matching_overload',
  'invalid_condition_type',
  'invalid_logical_operand',
  'invalid_comprehension_range',
  'variable_type_mismatch',
]);

/** Never the library's words where they may quote the document. */
function asExpressionError(error: unknown, text: string): ExpressionError {
  if (error === exhausted) {
    return new ExpressionError(
      'too-large',
      `takes more than the ${unitsOfEvaluation} steps that an expression may take`,
    );
  }
  if (error instanceof RangeError && /call stack|length/.test(error.message)) {
    return new ExpressionError('too-large', 'is about something too large or too deep');
  }
  const { code, summary, range } = error as { code?: unknown; summary?: unknown; range?: { start: number } };
  if (typeof code !== 'string') return new ExpressionError('malformed', 'has no value');
  const words = tellsTypesOnly.has(code) && typeof summary === 'string' ? summary : code.replaceAll('_', ' ');
  const place = range === undefined ? '' : ` at ${placeIn(text, range.start - frame.before.length)}`;
  const reason = code === 'no_such_key' ? 'missing-field' : 'malformed';
  return new ExpressionError(reason, `${words}${place}`);
}
