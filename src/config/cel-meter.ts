/**
 * A cost limit for @marcbachmann/cel-js, which has none. Every step of an evaluation goes through the method `run` of its
 * evaluator, so that is where steps are counted, and where what is dearer than a step is charged before it happens: text by
 * its length, comparisons by the size of what is compared, errors by what they cost. Steps are counted rather than time
 * measured: a document must mean the same on a slow machine.
 */
import type { Effort } from '../sources/expression.ts';
import { textShift, ValueSizes, type Weight } from './cel-sizes.ts';

/** A node of a checked expression, as far as it is looked at here. */
export interface CelNode {
  readonly op: string;
  readonly args: unknown;
  evaluate(evaluator: CelEvaluator, node: CelNode, context: unknown): unknown;
}

/** The library's evaluator. It is not exported, but it is the `this` of every function that an expression calls. */
export interface CelEvaluator {
  readonly mapType: unknown;
  run(node: CelNode, context: unknown): unknown;
  debugType(value: unknown): unknown;
}

/** A regular expression that a node applies to its text. */
export interface Pattern {
  readonly steps: number;
  test(text: string): boolean;
}

/** At most so much for one evaluation, whatever is left for the document. */
export const unitsOfEvaluation = 200_000;
/** An error is made with its place in the expression and a stack. */
const unitsOfError = 100;
/** Functions that look at the kind or the size of what they are given, and no further. */
const shallowFunctions = new Set(['size', 'type', 'dyn', 'orValue', 'or', 'hasValue', 'value']);
/** Parts of a time in a time zone: the zone's data is looked up by name each time. */
const zonedFunction = /^get[A-Z]/;
const unitsOfZone = 1_000;
/** Macros that run their last arguments once for each item. */
const loops = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

/** Thrown when the limit is reached; the expression cannot catch it, since everything it does afterwards throws it too. */
export const exhausted = new Error('the cost limit is reached');

export class CelMeter {
  readonly #weights = new WeakMap<CelNode, Weight>();
  readonly #surcharges = new WeakMap<CelNode, number>();
  readonly #patterns = new WeakMap<CelNode, Pattern>();
  readonly #sizes = new ValueSizes();
  #left = 0;
  #lastError: unknown;

  /** Evaluates with what is left of the effort, and takes from it what it cost. Throws `exhausted`. */
  measure(effort: Effort, evaluate: () => unknown): unknown {
    const granted = Math.min(unitsOfEvaluation, effort.left);
    this.#left = granted;
    this.#lastError = undefined;
    try {
      const value = evaluate();
      // An error can be caught by the expression itself.
      if (this.#left < 0) throw exhausted;
      return value;
    } finally {
      effort.left -= granted - Math.max(this.#left, 0);
    }
  }

  /** Notes what the nodes of an expression cost. */
  weigh(node: CelNode): void {
    for (const [child, weight] of operands(node)) this.#weights.set(child, weight);
    const [name, , given] = listOf(node.args);
    if (node.op === 'rcall' && zonedFunction.test(String(name)) && listOf(given).length > 0) {
      this.#surcharges.set(node, unitsOfZone);
    }
    for (const child of children(node)) this.weigh(child);
  }

  /** The node's text is tested with this pattern instead of what the library would do. */
  usePattern(node: CelNode, pattern: Pattern): void {
    this.#patterns.set(node, pattern);
  }

  /** From now on the evaluator's steps count. */
  attach(evaluator: CelEvaluator): void {
    const debugType = evaluator.debugType.bind(evaluator);
    // It tells kinds of objects by `constructor`, which may be a member of any document.
    evaluator.debugType = (value) => (hidesItsKind(value) ? evaluator.mapType : debugType(value));
    evaluator.run = (node, context) => {
      this.#spend(1);
      try {
        const value = this.#valueOf(evaluator, node, context);
        this.#charge(value, this.#weights.get(node));
        return hidesItsKind(value) ? new Map(Object.entries(value)) : value;
      } catch (error) {
        if (error !== exhausted && error !== this.#lastError) {
          this.#lastError = error;
          this.#spend(unitsOfError);
        }
        throw error;
      }
    };
  }

  #valueOf(evaluator: CelEvaluator, node: CelNode, context: unknown): unknown {
    const pattern = this.#patterns.get(node);
    if (pattern === undefined) {
      const surcharge = this.#surcharges.get(node);
      if (surcharge !== undefined) this.#spend(surcharge);
      return node.evaluate(evaluator, node, context);
    }
    const text = evaluator.run(listOf(node.args)[1] as CelNode, context);
    if (typeof text !== 'string') throw new TypeError('matches() wants text');
    const looked = text.slice(0, longestMatchedText);
    this.#spend(looked.length * (1 + (pattern.steps >> 6)));
    return pattern.test(looked);
  }

  #charge(value: unknown, weight: Weight | undefined): void {
    if (typeof value === 'string') this.#spend(value.length >> textShift);
    else if (value instanceof Uint8Array) this.#spend(value.length >> textShift);
    else if (weight !== undefined && typeof value === 'object' && value !== null) {
      this.#spend(this.#sizes.weightOf(value, weight, this.#left));
    }
  }

  #spend(units: number): void {
    this.#left -= units;
    if (this.#left < 0) throw exhausted;
  }
}

/** Patterns look at no more of a text. */
export const longestMatchedText = 4_096;

/** How deep loops are nested in loops. */
export function loopDepth(node: CelNode): number {
  const [name, receiver, given] = listOf(node.args);
  if (node.op !== 'rcall' || !loops.has(String(name))) return Math.max(0, ...children(node).map(loopDepth));
  const inside = Math.max(0, ...(listOf(given) as CelNode[]).map(loopDepth));
  return Math.max(loopDepth(receiver as CelNode), 1 + inside);
}

/** All nodes of an expression. */
export function* nodesOf(node: CelNode): Generator<CelNode> {
  yield node;
  for (const child of children(node)) yield* nodesOf(child);
}

function operands(node: CelNode): [CelNode, Weight][] {
  const parts = children(node);
  const each = (weight: Weight) => parts.map((part): [CelNode, Weight] => [part, weight]);
  switch (node.op) {
    case '==':
    case '!=':
      return each('deep');
    case 'in':
      return [...each('typed').slice(0, 1), ...each('member').slice(1)];
    case '+':
      return each('copied');
    case 'call':
    case 'rcall': {
      const name = String(listOf(node.args)[0]);
      if (loops.has(name)) return each('typed').slice(0, 1);
      return each(shallowFunctions.has(name) ? 'typed' : 'deep');
    }
    case 'list':
    case 'map':
    case '?:':
      return [];
    default:
      return each('typed');
  }
}

function children({ args }: CelNode): CelNode[] {
  return isNode(args) ? [args] : listOf(args).flatMap((part) => (isNode(part) ? [part] : nodesIn(part)));
}

function nodesIn(part: unknown): CelNode[] {
  return listOf(part).flatMap((inner) => (isNode(inner) ? [inner] : nodesIn(inner)));
}

function isNode(value: unknown): value is CelNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'evaluate' in value;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function hidesItsKind(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'constructor');
}
